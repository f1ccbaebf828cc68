"""Rolling one service back: to which revision, one question for each, three proofs, and undone when it did not help (S-ROLLBACK, A.1 M3).

What was moved is a measure from the moment at which the platform is asked (`traffic_pin.py`): an incident that is stopped in the middle of
the proofs leaves nothing behind that the screen does not say.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

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
from workflows.procedures.traffic_pin import TrafficPin
from workflows.procedures.trial import SafeTrial, still_begun


@dataclass(frozen=True)
class RollbackResult:
    """What became of it. True when the service runs on an older revision and the symptom has improved."""

    to: str = ""
    helped: bool = False
    unanswered: bool = False
    declined: bool = False
    why: str = ""

    def __bool__(self) -> bool:
        return self.helped


class Rollback:
    """Rolls back one service of one incident, and brings it back to the latest in the end."""

    def __init__(self, verbs: Verbs, freezes: ServiceFreezes, service: Deployed) -> None:
        self._verbs = verbs
        self._freezes = freezes
        self._numbers = verbs.policy.roll_back
        self._service = service
        self._schema: int | None = None
        self._irreversible: tuple[datetime, ...] = ()
        self._pin = TrafficPin(verbs, service)
        self._one_at_a_time = asyncio.Lock()
        self._tried = 0
        self._safe = True
        self._trial = SafeTrial(verbs, service)

    def knows(self, schema: int | None, irreversible: Sequence[datetime] = ()) -> None:
        """The version of the database schema now, and when a migration was made that has no way back."""
        self._schema, self._irreversible = schema, tuple(irreversible) or self._irreversible

    async def to_last_green(self, because: tuple[str, ...]) -> RollbackResult:
        """Roll back to the newest eligible revision; when that does not help, put the split back and try the next older one, once more."""
        async with self._one_at_a_time:
            return await self._to_last_green(because)

    async def return_to_latest(self, *, asked: bool = False) -> None:
        """End the pin: by a canary of a fixed build, or in a person's name. `asked`: a person wants it now, so one that is kept ends too."""
        async with self._one_at_a_time:
            await self._pin.end(asked=asked)

    async def _to_last_green(self, because: tuple[str, ...]) -> RollbackResult:
        ended = RollbackResult(why="no revision may be rolled back to")
        while self._tried < self._numbers.attempts:
            rollout = await self._verbs.do(Deploys.survey, RevisionsOf(service=self._service))
            targets = roll_back_targets(
                rollout, rule=self._numbers, schema=self._schema, irreversible=self._irreversible, serving=self._serving(rollout),
                tried=self._pin.left - self._serving(rollout),
            )  # fmt: skip
            target = targets.best()
            if target is None:
                self._verbs.note(f"{self._service.name}: no revision may be rolled back to ({_why_not(targets)})")
                return ended
            ended = await self._to(target, rollout, because + _passed_over(targets, rollout, target))
            if ended.declined:
                await self._trial.end()
            if ended or ended.declined:
                return ended
            if ended.unanswered:
                self._safe = False  # what was authorised beforehand is done; from here on somebody must say so
                continue
            self._tried += 1
            self._pin.left.add(target.id)
            await self._trial.end()
        self._verbs.note(f"{self._tried} rollbacks of {self._service.name} did not help: the cause is probably not the code")
        return ended

    async def _to(self, target: Revision, rollout: Rollout, because: tuple[str, ...]) -> RollbackResult:
        """One attempt: asked, carried out, proven three times, or put back."""
        verbs, service = self._verbs, self._service
        if not await self._freezes.wait_for(service):
            return RollbackResult(declined=True, why="a rollback without a verified freeze was declined")
        before = await verbs.do(Telemetry.impact, Surface(service=service.name, window=verbs.policy.mitigated_window))
        order, exemption = self._order(target, rollout), self._exemption(target)
        terms = ApprovalTerms(
            asks=f"Roll {service.name} back to {target.id}?",
            effect=f"{order.effect()}; when it does not help within {minutes(self._numbers.proven_within)}: {order.undo().effect()}",
            facts=(*because, _in_short(target), f"now {in_words(before)}"),
            silence=self._silence(order), lasting=3 * self._numbers.proven_within,
            also=(exemption.digest(action_of(Freezes.exempt).name),) if exemption else (),
        )  # fmt: skip
        decision = await verbs.approve_all(Deploys.shift, [order, order.undo()], terms)
        if decision.grant is None:
            if not decision.unanswered:
                return RollbackResult(to=target.id, declined=True, why="declined")
            await self._trial.begin(order, rollout)
            return RollbackResult(to=target.id, unanswered=True, why="nobody answered")
        self._pin.left |= in_traffic(rollout) - {target.id}
        if exemption is not None:
            await self._verbs.propose(Freezes.exempt, exemption, under=decision.grant)
        pin = self._pin.announce(target.id, rollout)
        effect = (await verbs.propose(Deploys.shift, order, under=decision.grant)).effect
        if effect is None:
            await still_begun(verbs, service, pin)
            return RollbackResult(to=target.id, why="skipped")
        left = {region: cast("Split", split) for region, split in effect.after.items()}
        self._pin.took(pin)
        if await self._serves(target.id, left) and await self._helped(before):
            self._pin.proven(pin, target.id, rollout)
            self._trial.superseded()
            return RollbackResult(to=target.id, helped=True)
        verbs.note(f"the rollback to {target.id} did not help: the split from before serves again")
        if await verbs.propose(Deploys.shift, order.undo().model_copy(update={"left_as": left}), under=decision.grant):
            self._verbs.unregister(pin)
        return RollbackResult(to=target.id, why="it did not help")

    def _order(self, target: Revision, rollout: Rollout) -> ToRevision:
        return ToRevision(
            service=self._service, split={region: {target.id: 1.0} for region in rollout.regions}, purpose="roll back",
            before=rollout.splits(), versions=rollout.versions(),
        )  # fmt: skip

    def _exemption(self, target: Revision) -> ExemptDeploy | None:
        """A rollback is a deploy: while we freeze deploys it runs under a single-use exemption of its own (INV-4)."""
        if not self._freezes.holds(self._service):
            return None
        return ExemptDeploy(service=self._service, holder=self._verbs.state.id, artefact=target.digest, purpose=ExemptionPurpose.ROLLBACK)

    def _silence(self, order: ToRevision) -> Silence:
        """SAFE only where two people signed it beforehand, and a small share can be moved at all (A.1 M3)."""
        signed = self._verbs.policy.standing_authorisation(action_of(Deploys.shift).name, workflow.now())
        return Silence.SAFE if self._safe and signed and self._service.platform == "cloud_run" and len(order.split) > 1 else Silence.HOLD

    def _serving(self, rollout: Rollout) -> frozenset[str]:
        """What has traffic and is to be left; a target that was only moved to while nobody answered is still a target."""
        return in_traffic(rollout) - (self._trial.moved_to - self._pin.left)

    async def _serves(self, revision: str, left: Mapping[str, Split]) -> bool:
        """Second proof: what customers meet carries this build's header, in every region (another path than the one that shifted).

        `left`: what serves by the platform's word; where others altered the revision on its way it has another name.
        """
        verbs, numbers = self._verbs, self._numbers
        if verbs.assumes(Deploys.shift):
            return True
        deadline = workflow.now() + verbs.policy.paced(numbers.proven_within)
        also = tuple(sorted({name for split in left.values() for name in split} - {revision, LATEST}))
        while True:
            order = ServedBy(service=self._service, revision=revision, also=also, samples=numbers.samples)
            sampled = await verbs.do(Deploys.served_by, order)
            if sampled.everywhere(numbers.served_share, numbers.least_answers):
                return True
            if workflow.now() >= deadline:
                verbs.note(f"customers do not get {revision} everywhere: {sampled.by_region}")
                return False
            await verbs.rest(numbers.look_again, f"until customers get {revision}")

    async def _helped(self, before: ServiceHealth) -> bool:
        """Third proof: the share of requests that fail has dropped enough. Without data there is no claim, and a person decides."""
        verbs, numbers = self._verbs, self._numbers
        if verbs.assumes(Deploys.shift):
            return True
        deadline, now = workflow.now() + verbs.policy.paced(numbers.proven_within), before
        surface = Surface(service=self._service.name, window=verbs.policy.mitigated_window)
        while workflow.now() < deadline:
            await verbs.rest(verbs.policy.mitigated_window, "whether the rollback helps")
            now = await verbs.read(Telemetry.impact, surface)
            if better(before, now, numbers.improvement):
                verbs.note(f"the rollback helps: {in_words(now)}, before {in_words(before)}")
                return True
        return (now.blind or before.blind) and await self._kept_unseen()

    async def _kept_unseen(self) -> bool:
        """Neither better nor worse can be seen: what customers say decides, in the words of a person."""
        service = self._service.name
        decision = await self._verbs.confirm(
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


def _why_not(targets: Targets) -> str:
    return "; ".join(f"{name}: {', '.join(reasons)}" for name, reasons in targets.ineligible.items())[:400] or "there is no older one"


def _passed_over(targets: Targets, rollout: Rollout, target: Revision) -> tuple[str, ...]:
    """The newer ones that were not taken although they do not serve, and why: the newest three."""
    newer = [one.id for one in rollout.revisions if one.created_at > target.created_at and one.id not in in_traffic(rollout)]
    return tuple(f"not {name}: {', '.join(targets.ineligible.get(name, ()))}" for name in newer[:3])


def _in_short(target: Revision) -> str:
    green = f"{target.green_minutes:.0f} green minutes" if target.green_minutes is not None else "green minutes unknown"
    return f"{target.id}: built {_utc(target.created_at)}, {green}, image {target.digest[:19] or 'unknown'}"


def _utc(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
