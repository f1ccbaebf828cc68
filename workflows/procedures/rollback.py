"""Rolling one service back: to which revision, one question for each, three proofs, and undone when it did not help (S-ROLLBACK, A.1 M3).

What was moved is a measure from the moment at which the platform is asked (`traffic_pin.py`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, cast

from activities.action import Role, action_of
from activities.deploys.deploys import Deploys
from activities.deploys.orders import LATEST, Revision, RevisionsOf, Rollout, ServedBy, Split, ToRevision
from activities.freeze.freezes import Freezes
from activities.freeze.orders import ExemptDeploy, ExemptionPurpose
from activities.kit.words.shell import Var, command
from activities.metrics.telemetry import ServiceHealth, Surface, Telemetry
from activities.organisation.catalogue import Deployed
from activities.organisation.organisation import Organisation, ReadAll
from activities.platform.change_feed import ChangeFeed, ChangesSince
from activities.write_gate.write_gate import WriteGateOf, WriteGates
from workflows.engine.proof.judge import in_words
from workflows.engine.proof.proof import minutes
from workflows.engine.verbs import Verbs
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.incident import QuestionDraft, Silence
from workflows.people.questions import ApprovalTerms
from workflows.procedures.eligibility import Known, Targets, in_traffic
from workflows.procedures.traffic_pin import SafeTrial, TrafficPin, still_begun

# What became of an attempt. Only "helped" and "did not help" were really applied, and seen by customers and in the metrics.
Attempt = Literal["helped", "did not help", "unproven", "declined", "unanswered", "overtaken", "skipped", "withdrawn", "no target"]


@dataclass(frozen=True)
class RollbackEnd:
    """How a rollback ended. `remains`: what can still be done instead."""

    attempt: Attempt
    why: str = ""
    remains: str = ""


class Rollback:
    """Rolls back one service of one incident, and brings it back to the latest in the end."""

    def __init__(self, verbs: Verbs, freezes: ServiceFreezes, service: Deployed) -> None:
        self._verbs, self._freezes, self._service, self._numbers = verbs, freezes, service, verbs.policy.roll_back
        self._pin, self._trial = TrafficPin(verbs, service), SafeTrial(verbs)
        self._one_at_a_time = asyncio.Lock()
        self._tried = 0
        self._safe = True  # whether silence may mean the safe trial
        self.ended: RollbackEnd | None = None  # how the last one ended, unless it helped

    @property
    def under_way(self) -> bool:
        """Whether one is asked for, or carried out."""
        return self._one_at_a_time.locked()

    async def to_last_green(self, because: tuple[str, ...]) -> RollbackEnd:
        """Roll back to the newest eligible revision; when that does not help, put the split back and try the next older one, once more."""
        async with self._one_at_a_time:
            ended = await self._to_last_green(because)
            self.ended = None if ended.attempt in ("helped", "withdrawn") else ended
            return ended

    async def _to_last_green(self, because: tuple[str, ...]) -> RollbackEnd:
        while self._tried < self._numbers.attempts:
            rollout, known = await self._survey()
            if forbidden := [region for region in rollout.regions if rollout.may_change.get(region) is False]:
                return self._forbidden(forbidden, rollout)
            targets = self._targets(rollout, known)
            target = targets.best()
            if target is None:
                return self._none_eligible(targets)
            unread = (f"eligible as far as known; not read: {'; '.join(said)}",) if (said := known.unread(rollout, target)) else ()
            ended = await self._to(target, rollout, unread + because + _passed_over(targets, rollout, target))
            if ended == "did not help":
                self._tried += 1
                self._pin.left.add(target.id)
            if ended == "unanswered":
                self._safe = False  # what was authorised beforehand is done; from here on somebody must say so
            if ended in ("unanswered", "overtaken"):
                continue
            if ended != "helped":
                await self._trial.end()
            if ended != "did not help":
                told = "not needed any more" if ended == "withdrawn" else ended
                return RollbackEnd(ended, f"the rollback to {target.id}: {told}")
        why = f"{self._tried} rollbacks of {self._service.name} did not help: the cause is probably not the code"
        self._verbs.note(why)
        return RollbackEnd("did not help", why)

    async def _survey(self) -> tuple[Rollout, Known]:
        """Revisions, permissions, and what is held against them, as of now: read again before every step that stands on it."""
        verbs, name = self._verbs, self._service.name
        rollout = (await verbs.do(Deploys.survey, RevisionsOf(service=self._service))).where_it_serves()
        oldest = min((one.created_at for one in rollout.revisions), default=verbs.clock())
        since = ChangesSince(look_back=max(verbs.clock() - oldest, timedelta(0)) * verbs.policy.pace + timedelta(minutes=1))
        gate, blocked, changes = await verbs.together(
            verbs.try_to_read(WriteGates.read, WriteGates.look(WriteGateOf(service=name))),
            verbs.try_to_read(Organisation.blocked, ReadAll()),
            verbs.try_to_read(ChangeFeed.since, since),
        )
        return rollout, Known(schema_version=gate.schema_version if gate else None, blocked=blocked, changes=changes)

    def _targets(self, rollout: Rollout, known: Known) -> Targets:
        serving = self._serving(rollout)
        return known.targets(rollout, self._numbers, serving, self._pin.left - serving)

    async def _overtaken(self, target: Revision, serving: frozenset[str]) -> bool:
        """Whether what was approved may not be done any more: a question may wait for hours.

        `serving`: what was to be left when it was asked. If people have brought the target about by hand meanwhile, that is adopted.
        """
        if self._verbs.rehearsing:
            return False
        rollout, known = await self._survey()
        targets = known.targets(rollout, self._numbers, serving, self._pin.left - serving)
        why = ", ".join(targets.ineligible.get(target.id, ()))
        forbidden = [region for region in rollout.regions if rollout.may_change.get(region) is False]
        why = why or (f"we may not change {', '.join(forbidden)} any more" if forbidden else "")
        if why:
            self._verbs.note(f"approved, and not done: {target.id} is no target any more: {why}")
        return bool(why)

    def _forbidden(self, regions: Sequence[str], rollout: Rollout) -> RollbackEnd:
        """We may not: whoever may is told so, with what would be done."""
        where = " and ".join(regions)
        fix = f"Let us change {self._service.name} in {where}, or roll it back by hand"
        self._verbs.task(fix, Role.OPS_LEAD, RevisionsOf(service=self._service).by_hand())
        self._verbs.note(f"{self._service.name} is not rolled back: the platform does not let us change it in {where}")
        return RollbackEnd("no target", f"we may not change it in {where}", fix)

    def _none_eligible(self, targets: Targets) -> RollbackEnd:
        """What remains is a way forward: a hotfix, which passes the freeze by its digest."""
        verbs, service = self._verbs, self._service
        why = "; ".join(f"{name}: {', '.join(reasons)}" for name, reasons in targets.ineligible.items())[:400]
        verbs.note(f"{service.name}: no revision may be rolled back to ({why or 'there is no older one'})")
        if self._tried:  # an earlier one was applied
            return RollbackEnd("did not help", "it did not help, and no other revision may be rolled back to")
        fix = f"Fix {service.name} forward: build a hotfix, and let it pass the change freeze by its digest"
        exempt = ("--service", service.name, "--digest", ("sha256:", Var("DIGEST")), "--purpose", ExemptionPurpose.HOTFIX.value)
        way = (command("incident", "freeze", "exempt", verbs.incident_id, *exempt),)
        verbs.task(fix, Role.OPS_LEAD, way)
        return RollbackEnd("no target", "no revision may be rolled back to", "; ".join((fix, *way)))

    async def return_to_latest(self, *, asked: bool = False) -> None:
        """End the pin: by a canary of a fixed build, or in a person's name. `asked`: a person wants it now, so one that is kept ends too."""
        async with self._one_at_a_time:
            await self._pin.end(asked=asked)

    async def _to(self, target: Revision, rollout: Rollout, because: tuple[str, ...]) -> Attempt:
        """One attempt: asked, carried out, proven three times, or put back."""
        verbs, service = self._verbs, self._service
        if not await self._freezes.wait_for(service):
            return "declined"
        before = await verbs.do(Telemetry.impact, self._surface())
        order = ToRevision(
            service=service, split={region: {target.id: 1.0} for region in rollout.regions}, purpose="roll back",
            before=rollout.splits(), versions=rollout.versions(),
        )  # fmt: skip
        # A rollback is a deploy: while we freeze deploys it runs under a single-use exemption of its own (INV-4).
        exemption = ExemptDeploy(service=service, holder=verbs.incident_id, artefact=target.digest, purpose=ExemptionPurpose.ROLLBACK)
        exempted = self._freezes.holds(service)
        terms = ApprovalTerms(
            asks=f"Roll {service.name} back to {target.id}?",
            effect=f"{order.effect()}; when it is clearly worse after {minutes(verbs.policy.mitigated_window)}, or does not help within "
            f"{minutes(self._numbers.proven_within)}: {order.undo().effect()}",
            facts=(*because, _in_short(target), f"now {in_words(before)}"),
            silence=await self._silence(order), lasting=3 * self._numbers.proven_within,
            also=(exemption.digest(action_of(Freezes.exempt).name),) if exempted else (),
        )  # fmt: skip
        decision = await verbs.approve_all(Deploys.shift, [order, order.undo()], terms)
        if decision.grant is None:
            if decision.unanswered:
                await self._trial.begin(order, rollout)
            return "withdrawn" if decision.withdrawn else "unanswered" if decision.unanswered else "declined"
        async with verbs.turn(f"service/{service.name}", f"the rollback of {service.name} to {target.id}"):
            if await self._overtaken(target, self._serving(rollout)):
                return "overtaken"
            self._pin.left |= in_traffic(rollout) - {target.id}
            if exempted:
                await verbs.propose(Freezes.exempt, exemption, under=decision.grant)
            pin = self._pin.announce(target.id, rollout)
            effect = (await verbs.propose(Deploys.shift, order, under=decision.grant)).effect
            if effect is None:
                await still_begun(verbs, pin)
                return "skipped"
            left = {region: cast("Split", split) for region, split in effect.after.items()}
            self._pin.took(pin)
            ended: Attempt = "helped" if verbs.assumes(Deploys.shift) else "unproven"
            if ended == "unproven" and await self._serves(target.id, left, before):
                ended = await self._helped(before)
            if ended == "helped":
                self._pin.proven(pin, target.id, rollout)
                self._trial.superseded()
                return ended
            verbs.note(f"the rollback to {target.id} {'is unproven' if ended == 'unproven' else ended}: the split from before serves again")
            if await verbs.propose(Deploys.shift, order.undo().model_copy(update={"left_as": left}), under=decision.grant):
                verbs.unregister(pin)
            return ended

    async def _silence(self, order: ToRevision) -> Silence:
        """SAFE only where two people signed it beforehand, and a small share can be moved at all (A.1 M3)."""
        policy = await self._verbs.standing_policy(Deploys.shift)
        signed = policy is not None and not policy.why_not
        return Silence.SAFE if self._safe and signed and self._service.platform == "cloud_run" and len(order.split) > 1 else Silence.HOLD

    def _serving(self, rollout: Rollout) -> frozenset[str]:
        """What has traffic and is to be left; a target that was only moved to while nobody answered is still a target."""
        return in_traffic(rollout) - (self._trial.moved_to - self._pin.left)

    def _surface(self) -> Surface:
        return self._verbs.impact.surface_of(self._service.name)

    async def _serves(self, revision: str, left: Mapping[str, Split], before: ServiceHealth) -> bool:
        """Second proof: what customers meet carries this build's header, in every region (another path than the one that shifted).

        `left`: what serves by the platform's word; where others altered the revision on its way it has another name.
        """
        verbs, numbers = self._verbs, self._numbers
        deadline = verbs.clock() + verbs.policy.paced(numbers.proven_within)
        judged = verbs.clock() + verbs.policy.paced(verbs.policy.mitigated_window)
        also = tuple(sorted({name for split in left.values() for name in split} - {revision, LATEST}))
        asked = ServedBy(service=self._service, revision=revision, also=also, samples=numbers.samples)
        while True:
            sampled = await verbs.do(Deploys.served_by, asked)
            if sampled.everywhere(numbers.served_share, numbers.least_answers):
                return True
            if verbs.clock() >= deadline:
                verbs.note(f"customers do not get {revision} everywhere: {sampled.by_region}")
                return False
            await verbs.rest(numbers.look_again, f"until customers get {revision}")
            if verbs.clock() >= judged and self._worse(before, await verbs.read(Telemetry.impact, self._surface())):
                return False

    async def _helped(self, before: ServiceHealth) -> Attempt:
        """Third proof: what customers meet is better. Clearly worse is enough to stop; without data there is no claim, and a person decides."""
        verbs, numbers, service = self._verbs, self._numbers, self._service.name
        deadline, now = verbs.clock() + verbs.policy.paced(numbers.proven_within), before
        while verbs.clock() < deadline:
            await verbs.rest(verbs.policy.mitigated_window, "whether the rollback helps")
            now = await verbs.read(Telemetry.impact, self._surface())
            if verbs.impact.better(before, now):
                verbs.note(f"the rollback helps: {verbs.impact.compared(before, now)}")
                return "helped"
            if self._worse(before, now):
                return "did not help"
        if not (now.blind or before.blind):
            return "did not help"
        decision = await verbs.confirm(  # neither better nor worse can be seen: what customers say decides
            QuestionDraft(
                asks=f"Keep the rollback of {service}? The metrics are blind: nobody can see whether it helps",
                roles=(Role.INCIDENT_COMMANDER, Role.DEPUTY), effect="it stays; nothing is called mitigated before the metrics are back",
                facts=("look from outside, and ask support what customers say",), inverse="decline: the split from before serves again",
            )
        )  # fmt: skip
        return "helped" if decision.granted or decision.withdrawn else "unproven"  # withdrawn: the metrics are back, and show it

    def _worse(self, before: ServiceHealth, now: ServiceHealth) -> bool:
        """Worse is seen as early as better: after the first window."""
        if worse := self._verbs.impact.worse(before, now):
            self._verbs.note(f"the rollback makes it clearly worse: {self._verbs.impact.compared(before, now)}")
        return worse


def _passed_over(targets: Targets, rollout: Rollout, target: Revision) -> tuple[str, ...]:
    """The newer ones that were not taken although they do not serve, and why: the newest three."""
    newer = [one.id for one in rollout.revisions if one.created_at > target.created_at and one.id not in in_traffic(rollout)]
    return tuple(f"not {name}: {', '.join(targets.ineligible.get(name, ()))}" for name in newer[:3])


def _in_short(target: Revision) -> str:
    green = f"{target.green_minutes:.0f} green minutes" if target.green_minutes is not None else "green minutes unknown"
    return f"{target.id}: built {target.created_at:%Y-%m-%d %H:%M} UTC, {green}, image {target.digest[:19] or 'unknown'}"
