"""Rolling one service back: to which revision, one question for each, three proofs, and undone when it did not help (S-ROLLBACK, A.1 M3).

What was moved is a measure from the moment at which the platform is asked (`traffic_pin.py`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, cast

from temporalio import workflow

from activities.action import Role, action_of
from activities.deploys.deploys import Deploys
from activities.deploys.orders import LATEST, Revision, RevisionsOf, Rollout, ServedBy, Split, ToRevision
from activities.freeze.freezes import Freezes
from activities.freeze.orders import ExemptDeploy, ExemptionPurpose
from activities.metrics.telemetry import ServiceHealth, Surface, Telemetry
from activities.organisation.catalogue import Deployed
from workflows.engine.proof.proof import in_words, minutes
from workflows.engine.verbs import Verbs
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.incident import QuestionDraft, Silence
from workflows.people.questions import ApprovalTerms
from workflows.procedures.eligibility import Targets, in_traffic, roll_back_targets
from workflows.procedures.traffic_pin import SafeTrial, TrafficPin, still_begun

Attempt = Literal["helped", "did not help", "declined", "unanswered"]  # what became of it


class Rollback:
    """Rolls back one service of one incident, and brings it back to the latest in the end."""

    def __init__(self, verbs: Verbs, freezes: ServiceFreezes, service: Deployed) -> None:
        self._verbs, self._freezes, self._service, self._numbers = verbs, freezes, service, verbs.policy.roll_back
        self._schema: int | None = None
        self._irreversible: tuple[datetime, ...] = ()
        self._pin, self._trial = TrafficPin(verbs, service), SafeTrial(verbs)
        self._one_at_a_time = asyncio.Lock()
        self._tried = 0
        self._safe = True  # whether silence may mean the safe trial

    def knows(self, schema: int | None, irreversible: Sequence[datetime] = ()) -> None:
        """The version of the database schema now, and when a migration was made that has no way back."""
        self._schema, self._irreversible = schema, tuple(irreversible) or self._irreversible

    async def to_last_green(self, because: tuple[str, ...]) -> None:
        """Roll back to the newest eligible revision; when that does not help, put the split back and try the next older one, once more."""
        async with self._one_at_a_time:
            while self._tried < self._numbers.attempts:
                rollout = await self._verbs.do(Deploys.survey, RevisionsOf(service=self._service))
                targets = roll_back_targets(
                    rollout, rule=self._numbers, schema=self._schema, irreversible=self._irreversible, serving=self._serving(rollout),
                    tried=self._pin.left - self._serving(rollout),
                )  # fmt: skip
                target = targets.best()
                if target is None:
                    why = "; ".join(f"{name}: {', '.join(reasons)}" for name, reasons in targets.ineligible.items())[:400]
                    self._verbs.note(f"{self._service.name}: no revision may be rolled back to ({why or 'there is no older one'})")
                    return
                ended = await self._to(target, rollout, because + _passed_over(targets, rollout, target))
                if ended == "did not help":
                    self._tried += 1
                    self._pin.left.add(target.id)
                if ended in ("did not help", "declined"):
                    await self._trial.end()
                if ended in ("helped", "declined"):
                    return
                if ended == "unanswered":
                    self._safe = False  # what was authorised beforehand is done; from here on somebody must say so
            self._verbs.note(f"{self._tried} rollbacks of {self._service.name} did not help: the cause is probably not the code")

    async def return_to_latest(self, *, asked: bool = False) -> None:
        """End the pin: by a canary of a fixed build, or in a person's name. `asked`: a person wants it now, so one that is kept ends too."""
        async with self._one_at_a_time:
            await self._pin.end(asked=asked)

    async def _to(self, target: Revision, rollout: Rollout, because: tuple[str, ...]) -> Attempt:
        """One attempt: asked, carried out, proven three times, or put back."""
        verbs, service = self._verbs, self._service
        if not await self._freezes.wait_for(service):
            return "declined"
        before = await verbs.do(Telemetry.impact, Surface(service=service.name, window=verbs.policy.mitigated_window))
        order = ToRevision(
            service=service, split={region: {target.id: 1.0} for region in rollout.regions}, purpose="roll back",
            before=rollout.splits(), versions=rollout.versions(),
        )  # fmt: skip
        # A rollback is a deploy: while we freeze deploys it runs under a single-use exemption of its own (INV-4).
        exemption = ExemptDeploy(service=service, holder=verbs.state.id, artefact=target.digest, purpose=ExemptionPurpose.ROLLBACK)
        exempted = self._freezes.holds(service)
        terms = ApprovalTerms(
            asks=f"Roll {service.name} back to {target.id}?",
            effect=f"{order.effect()}; when it does not help within {minutes(self._numbers.proven_within)}: {order.undo().effect()}",
            facts=(*because, _in_short(target), f"now {in_words(before)}"),
            silence=await self._silence(order), lasting=3 * self._numbers.proven_within,
            also=(exemption.digest(action_of(Freezes.exempt).name),) if exempted else (),
        )  # fmt: skip
        decision = await verbs.approve_all(Deploys.shift, [order, order.undo()], terms)
        if decision.grant is None:
            if decision.unanswered:
                await self._trial.begin(order, rollout)
            return "unanswered" if decision.unanswered else "declined"
        self._pin.left |= in_traffic(rollout) - {target.id}
        if exempted:
            await verbs.propose(Freezes.exempt, exemption, under=decision.grant)
        pin = self._pin.announce(target.id, rollout)
        effect = (await verbs.propose(Deploys.shift, order, under=decision.grant)).effect
        if effect is None:
            await still_begun(verbs, pin)
            return "did not help"
        left = {region: cast("Split", split) for region, split in effect.after.items()}
        self._pin.took(pin)
        if verbs.assumes(Deploys.shift) or (await self._serves(target.id, left) and await self._helped(before)):
            self._pin.proven(pin, target.id, rollout)
            self._trial.superseded()
            return "helped"
        verbs.note(f"the rollback to {target.id} did not help: the split from before serves again")
        if await verbs.propose(Deploys.shift, order.undo().model_copy(update={"left_as": left}), under=decision.grant):
            verbs.unregister(pin)
        return "did not help"

    async def _silence(self, order: ToRevision) -> Silence:
        """SAFE only where two people signed it beforehand, and a small share can be moved at all (A.1 M3)."""
        policy = await self._verbs.standing_policy(Deploys.shift)
        signed = policy is not None and not policy.why_not
        return Silence.SAFE if self._safe and signed and self._service.platform == "cloud_run" and len(order.split) > 1 else Silence.HOLD

    def _serving(self, rollout: Rollout) -> frozenset[str]:
        """What has traffic and is to be left; a target that was only moved to while nobody answered is still a target."""
        return in_traffic(rollout) - (self._trial.moved_to - self._pin.left)

    async def _serves(self, revision: str, left: Mapping[str, Split]) -> bool:
        """Second proof: what customers meet carries this build's header, in every region (another path than the one that shifted).

        `left`: what serves by the platform's word; where others altered the revision on its way it has another name.
        """
        verbs, numbers = self._verbs, self._numbers
        deadline = workflow.now() + verbs.policy.paced(numbers.proven_within)
        also = tuple(sorted({name for split in left.values() for name in split} - {revision, LATEST}))
        asked = ServedBy(service=self._service, revision=revision, also=also, samples=numbers.samples)
        while True:
            sampled = await verbs.do(Deploys.served_by, asked)
            if sampled.everywhere(numbers.served_share, numbers.least_answers):
                return True
            if workflow.now() >= deadline:
                verbs.note(f"customers do not get {revision} everywhere: {sampled.by_region}")
                return False
            await verbs.rest(numbers.look_again, f"until customers get {revision}")

    async def _helped(self, before: ServiceHealth) -> bool:
        """Third proof: the share of requests that fail has dropped enough. Without data there is no claim, and a person decides."""
        verbs, numbers, service = self._verbs, self._numbers, self._service.name
        deadline, now = workflow.now() + verbs.policy.paced(numbers.proven_within), before
        surface = Surface(service=service, window=verbs.policy.mitigated_window)
        while workflow.now() < deadline:
            await verbs.rest(verbs.policy.mitigated_window, "whether the rollback helps")
            now = await verbs.read(Telemetry.impact, surface)
            if better(before, now, numbers.improvement):
                verbs.note(f"the rollback helps: {in_words(now)}, before {in_words(before)}")
                return True
        if not (now.blind or before.blind):
            return False
        decision = await verbs.confirm(  # neither better nor worse can be seen: what customers say decides
            QuestionDraft(
                asks=f"Keep the rollback of {service}? The metrics are blind: nobody can see whether it helps",
                roles=(Role.INCIDENT_COMMANDER, Role.DEPUTY), effect="it stays; nothing is called mitigated before the metrics are back",
                facts=("look from outside, and ask support what customers say",), inverse="decline: the split from before serves again",
            )
        )  # fmt: skip
        return decision.granted


def better(before: ServiceHealth, now: ServiceHealth, improvement: float) -> bool:
    """Whether the share of failing requests has dropped by at least that much. Unknown is never better."""
    if before.error_ratio is None or now.error_ratio is None or now.blind:
        return False
    return now.error_ratio <= before.error_ratio * (1 - improvement)


def _passed_over(targets: Targets, rollout: Rollout, target: Revision) -> tuple[str, ...]:
    """The newer ones that were not taken although they do not serve, and why: the newest three."""
    newer = [one.id for one in rollout.revisions if one.created_at > target.created_at and one.id not in in_traffic(rollout)]
    return tuple(f"not {name}: {', '.join(targets.ineligible.get(name, ()))}" for name in newer[:3])


def _in_short(target: Revision) -> str:
    green = f"{target.green_minutes:.0f} green minutes" if target.green_minutes is not None else "green minutes unknown"
    return f"{target.id}: built {target.created_at:%Y-%m-%d %H:%M} UTC, {green}, image {target.digest[:19] or 'unknown'}"
