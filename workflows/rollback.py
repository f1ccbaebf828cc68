"""Rolling one service back: to which revision, one question for each, three proofs, and undone when it did not help (S-ROLLBACK, A.1 M3).

A rollback is no measure that is lifted: it pins the service until a fixed build has earned the traffic by a canary, or a named person keeps
the pin. The saved split serves only where the rollback fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from temporalio import workflow

from activities.action import Grant, Imposition, Measure, Order, Risk, Role, action_of
from activities.deploys import LATEST, Deploys, Revision, RevisionsOf, Rollout, ServedBy, Split, ToRevision
from activities.freeze_orders import ExemptDeploy, Purpose, UseExemption
from activities.freezes import Freezes
from activities.organisation import Deployed
from activities.telemetry import ServiceHealth, Surface, Telemetry
from workflows.eligibility import Targets, in_traffic, roll_back_targets
from workflows.incident import Silence
from workflows.proof import in_words, minutes

if TYPE_CHECKING:
    from workflows.playbook import Playbook


class Pin(Imposition):
    """A service is kept on one revision; later deploys get no traffic."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior"})

    service: Deployed
    revision: str
    prior: Rollout | None = None

    def target(self) -> str:
        """The service."""
        return f"service/{self.service.name}"

    def effect(self) -> str:
        """What it is kept on."""
        return f"{self.service.name} is pinned to {self.revision}: later deploys get no traffic"

    def inverse(self) -> str:
        """How it ends."""
        return f"canary {self.service.name} to a fixed build and let it follow the latest again"

    def look(self) -> Order:
        """Look at the service."""
        return RevisionsOf(service=self.service)

    def met(self, now: Rollout) -> bool:
        """Every region is served by that revision, and by no other."""
        return all(serving.resolved() == {self.revision: 1.0} for serving in now.regions.values())

    def given(self, prior: Rollout) -> Self:
        """The same, with what served before."""
        return self.model_copy(update={"prior": prior})

    def undo(self) -> ToRevision:
        """Follow the latest again."""
        pinned = {region: {self.revision: 1.0} for region in self.service.regions}
        latest = {region: {LATEST: 1.0} for region in self.service.regions}
        return ToRevision(service=self.service, split=latest, purpose="return to latest", before=pinned)


PINNED: Measure[Any] = Measure(
    "traffic pinned", look=Deploys.survey, impose=cast("Any", Deploys.shift), lift=Deploys.shift, sticky=True, own_end=True
)


@dataclass(frozen=True)
class RolledBack:
    """What became of it. True when the service runs on an older revision and the symptom has improved."""

    to: str = ""
    helped: bool = False
    silent: bool = False
    declined: bool = False
    why: str = ""

    def __bool__(self) -> bool:
        return self.helped


class Rollback:
    """Rolls back one service of one incident, and brings it back to the latest in the end."""

    def __init__(self, playbook: "Playbook", service: Deployed, *, schema: int | None, irreversible: Sequence[datetime] = ()) -> None:
        self._playbook = playbook
        self._numbers = playbook.policy.roll_back
        self._service = service
        self._schema = schema  # the version of the database schema now
        self._irreversible = tuple(irreversible)  # when a migration was made that has no way back
        self._left: set[str] = set()  # revisions that we left, or that did not help
        self._tried = 0
        self._safe = True
        self._trial: ToRevision | None = None  # what was moved while nobody answered, as policy authorised beforehand

    async def to_last_green(self, because: tuple[str, ...]) -> RolledBack:
        """Roll back to the newest eligible revision; when that does not help, put the split back and try the next older one, once more."""
        ended = RolledBack(why="no revision may be rolled back to")
        while self._tried < self._numbers.attempts:
            rollout = await self._playbook.do(Deploys.survey, RevisionsOf(service=self._service))
            targets = roll_back_targets(
                rollout, rule=self._numbers, schema=self._schema, irreversible=self._irreversible, serving=self._serving(rollout),
                tried=self._left - self._serving(rollout),
            )  # fmt: skip
            target = targets.best()
            if target is None:
                self._playbook.note(f"{self._service.name}: no revision may be rolled back to ({_why_not(targets)})")
                return ended
            ended = await self._to(target, rollout, because + _passed_over(targets, rollout, target))
            if ended.declined:
                await self._end_trial()
            if ended or ended.declined:
                return ended
            if ended.silent:
                self._safe = False  # what was authorised beforehand is done; from here on somebody must say so
                continue
            self._tried += 1
            self._left.add(target.id)
            await self._end_trial()
        self._playbook.note(f"{self._tried} rollbacks of {self._service.name} did not help: the cause is probably not the code")
        return ended

    async def _to(self, target: Revision, rollout: Rollout, because: tuple[str, ...]) -> RolledBack:
        """One attempt: asked, carried out, proven three times, or put back."""
        playbook, service = self._playbook, self._service
        if not await playbook.first_minutes.frozen(service):
            return RolledBack(declined=True, why="nobody wants a rollback without a verified freeze")
        before = await playbook.do(Telemetry.impact, Surface(service=service.name, window=playbook.policy.mitigated_window))
        order, exemption = self._order(target, rollout), self._exemption(target)
        decision = await playbook.changes.plan(
            Deploys.shift, [order, order.undo()],
            asks=f"Roll {service.name} back to {target.id}?",
            effect=f"{order.effect()}; when it does not help within {minutes(self._numbers.proven_within)}: {order.undo().effect()}",
            facts=(*because, _in_short(target), f"now {in_words(before)}"),
            silence=self._silence(order), lasting=3 * self._numbers.proven_within,
            also=(exemption.digest(action_of(Freezes.exempt).name),) if exemption else (),
        )  # fmt: skip
        if decision.grant is None:
            return await self._safely(order, rollout) if decision.silent else RolledBack(to=target.id, declined=True, why="declined")
        self._left |= in_traffic(rollout) - {target.id}
        if exemption is not None:
            await self._use(exemption, decision.grant)
        if not await playbook.propose(Deploys.shift, order, under=decision.grant):
            return RolledBack(to=target.id, why="left out")
        if await self._serves(target.id) and await self._helped(before):
            self._pin(target.id, rollout)
            return RolledBack(to=target.id, helped=True)
        playbook.note(f"the rollback to {target.id} did not help: the split from before serves again")
        await playbook.propose(Deploys.shift, order.undo(), under=decision.grant)
        return RolledBack(to=target.id, why="it did not help")

    def _order(self, target: Revision, rollout: Rollout) -> ToRevision:
        return ToRevision(
            service=self._service, split={region: {target.id: 1.0} for region in rollout.regions}, purpose="roll back",
            before=rollout.splits(), versions=rollout.versions(),
        )  # fmt: skip

    def _exemption(self, target: Revision) -> ExemptDeploy | None:
        """A rollback is a deploy: while we freeze deploys it runs under a single-use exemption of its own (INV-4)."""
        if not self._playbook.first_minutes.holds(self._service):
            return None
        return ExemptDeploy(
            service=self._service, incident_id=self._playbook.situation.id, artefact=target.digest, purpose=Purpose.ROLLBACK
        )

    async def _use(self, exemption: ExemptDeploy, grant: Grant) -> None:
        """Given and used up at once: the platform's own control plane does not ask for it, so the freeze keeps the account."""
        await self._playbook.propose(Freezes.exempt, exemption, under=grant)
        await self._playbook.propose(Freezes.use, UseExemption(**exemption.model_dump()))

    def _silence(self, order: ToRevision) -> Silence:
        """SAFE only where two people signed it beforehand, and a small share can be moved at all (A.1 M3)."""
        signed = self._playbook.policy.stood(action_of(Deploys.shift).name, workflow.now())
        return Silence.SAFE if self._safe and signed and self._service.platform == "cloud_run" and len(order.split) > 1 else Silence.HOLD

    async def _safely(self, order: ToRevision, rollout: Rollout) -> RolledBack:
        """Nobody answered: a tenth of the traffic of one region goes to the target, as policy authorised beforehand; then we ask again."""
        region, wanted = next(iter(order.split.items()))
        target = next(iter(wanted))
        split = {revision: round(share * 0.9, 2) for revision, share in rollout.regions[region].resolved().items()}
        canary = order.model_copy(
            update={
                "split": {region: {**split, target: round(1 - sum(split.values()), 2)}},
                "before": {region: order.before[region]}, "versions": {region: order.versions[region]}, "purpose": "canary",
            }
        )  # fmt: skip
        grant = self._signed(canary)
        if grant is not None and await self._playbook.propose(Deploys.shift, canary, under=grant):
            self._trial = canary
        return RolledBack(to=target, silent=True, why="nobody answered")

    async def _end_trial(self) -> None:
        """Somebody has said no, or the target did not help: the tenth that was moved meanwhile goes back, as it came."""
        if self._trial is not None:
            back, self._trial = self._trial.undo(), None
            await self._playbook.propose(Deploys.shift, back, under=self._signed(back))

    def _signed(self, order: ToRevision) -> Grant | None:
        """What two people signed beforehand for this order; None when they did not, or it has expired."""
        policy, name, now = self._playbook.policy, action_of(Deploys.shift).name, workflow.now()
        signed = policy.stood(name, now)
        valid = policy.for_people(policy.approval_valid[Risk.C2])
        return self._playbook.situation.approvals.standing(name, [order], signed, valid, now) if signed else None

    def _serving(self, rollout: Rollout) -> frozenset[str]:
        """What has traffic and is to be left; a target that was only moved to while nobody answered is still a target."""
        trial = {revision for split in self._trial.split.values() for revision in split} if self._trial else set()
        before = {revision for split in self._trial.before.values() for revision in split} if self._trial else set()
        return in_traffic(rollout) - (trial - before - self._left)

    async def _serves(self, revision: str) -> bool:
        """Second proof: what customers meet carries this build's header, in every region (another path than the one that shifted)."""
        playbook, numbers = self._playbook, self._numbers
        if playbook.situation.assumes(action_of(Deploys.shift)):
            return True
        deadline = workflow.now() + playbook.policy.paced(numbers.proven_within)
        while True:
            order = ServedBy(service=self._service, revision=revision, samples=numbers.samples)
            sampled = await playbook.do(Deploys.served_by, order)
            if sampled.everywhere(numbers.served_share, numbers.least_answers):
                return True
            if workflow.now() >= deadline:
                playbook.note(f"customers do not meet {revision} everywhere: {sampled.by_region}")
                return False
            await playbook.rest(numbers.look_again, f"until customers meet {revision}")

    async def _helped(self, before: ServiceHealth) -> bool:
        """Third proof: the share of requests that fail has dropped enough. Without data there is no claim, and a person decides."""
        playbook, numbers = self._playbook, self._numbers
        if playbook.situation.assumes(action_of(Deploys.shift)):
            return True
        deadline, now = workflow.now() + playbook.policy.paced(numbers.proven_within), before
        surface = Surface(service=self._service.name, window=playbook.policy.mitigated_window)
        while workflow.now() < deadline:
            await playbook.rest(playbook.policy.mitigated_window, "whether the rollback helps")
            now = await playbook.proof.look(Telemetry.impact, surface)
            if better(before, now, numbers.improvement):
                playbook.note(f"the rollback helps: {in_words(now)}, before {in_words(before)}")
                return True
        return (now.blind or before.blind) and await self._kept_unseen()

    async def _kept_unseen(self) -> bool:
        """Neither better nor worse can be seen: what customers say decides, in the words of a person."""
        service = self._service.name
        decision = await self._playbook.questions.confirmation(
            f"Keep the rollback of {service}? The metrics are blind: nobody can see whether it helps",
            roles=(Role.INCIDENT_COMMANDER, Role.DEPUTY),
            effect="it stays; nothing is called mitigated before the metrics are back",
            facts=("look from outside, and ask support what customers say",),
            inverse="decline: the split from before serves again",
        )
        return decision.granted

    def _pin(self, revision: str, rollout: Rollout) -> None:
        """From now on the service is kept where it is, and the screen says so; where the platform pins nothing, there is nothing to keep."""
        playbook = self._playbook
        if not all(serving.pins for serving in rollout.regions.values()):
            playbook.note(f"{self._service.name} runs on {revision}; the next deploy replaces it: only the change freeze holds it there")
            return
        order = Pin(service=self._service, revision=revision, prior=rollout)
        pinned = playbook.situation.measures.register(PINNED, order, workflow.now())
        pinned.certain, pinned.assumed = True, playbook.situation.assumes(action_of(Deploys.shift))
        if not pinned.assumed:
            playbook.note(order.effect())
        elif playbook.situation.shadow:
            shifted = next(step for step in reversed(playbook.situation.steps) if step.verb == action_of(Deploys.shift).name)
            playbook.proof.shadow.wants(PINNED, order, rollout, shifted)

    # -- the end of a pin -------------------------------------------------------------------------------------------------------------

    async def unpin(self) -> None:
        """Back to the latest by a canary, when there is a build that we did not leave; otherwise a named person keeps the pin, with a ticket."""
        playbook = self._playbook
        pinned = next((i for i in playbook.situation.measures.of(PINNED) if i.order.target() == f"service/{self._service.name}"), None)
        if pinned is None or pinned.held_by:
            return
        if pinned.assumed and playbook.situation.shadow:  # nothing is pinned by us, and how people go on is theirs
            playbook.situation.measures.lifted(pinned, workflow.now())
            return
        rollout = await playbook.do(Deploys.survey, RevisionsOf(service=self._service))
        fixed = self._fixed(rollout)
        if fixed is not None and await self._canary_to(fixed, rollout):
            playbook.changes.discharge(PINNED)
            return
        await self._keep(str(getattr(pinned.order, "revision", "")))

    def _fixed(self, rollout: Rollout) -> Revision | None:
        """The newest ready build, if it is newer than everything that we left."""
        newest = rollout.revisions[0] if rollout.revisions else None
        return newest if newest is not None and newest.ready and newest.id not in self._left else None

    async def _canary_to(self, fixed: Revision, rollout: Rollout) -> bool:
        """Step by step to the fixed build, then let the service follow the latest. False: nobody wants it, or it was put back."""
        playbook, numbers = self._playbook, self._numbers
        steps = numbers.canary_steps if self._service.platform == "cloud_run" else (1.0,)
        splits = [rollout.splits(), *(self._share(fixed, rollout, share) for share in steps)]
        orders = [
            ToRevision(service=self._service, split=wanted, purpose="return to latest", before=before)
            for before, wanted in pairwise(splits)
        ]
        backs = [ToRevision(service=self._service, split=splits[0], purpose="restore", before=order.split) for order in orders]
        decision = await playbook.changes.plan(
            Deploys.shift, [*orders, *backs],
            asks=f"Return {self._service.name} to {fixed.id}?",
            facts=(f"in steps of {', '.join(f'{s:.0%}' for s in steps)}, {minutes(numbers.canary_step)} each",
                   f"back at once when it fails {numbers.canary_more_errors:.0%} more of its requests than the service may"),
            lasting=2 * numbers.canary_step * len(steps),
        )  # fmt: skip
        if decision.grant is None:
            return False
        for order, back in zip(orders, backs, strict=True):
            if not await self._stands(order, decision.grant):
                await playbook.propose(Deploys.shift, back, under=decision.grant)
                return False
        return True

    def _share(self, fixed: Revision, rollout: Rollout, share: float) -> dict[str, Split]:
        """So much of every region's traffic for the fixed build; all of it: let the region follow the latest."""
        if share >= 1:
            return {region: {LATEST: 1.0} for region in rollout.regions}
        return {
            region: {fixed.id: share, **{r: round(s * (1 - share), 2) for r, s in one.resolved().items()}}
            for region, one in rollout.regions.items()
        }  # fmt: skip

    async def _stands(self, order: ToRevision, grant: Grant) -> bool:
        """Carry out one step, and watch it."""
        playbook = self._playbook
        fresh = await playbook.proof.look(Deploys.survey, RevisionsOf(service=self._service))
        if not await playbook.propose(Deploys.shift, order.model_copy(update={"versions": fresh.versions()}), under=grant):
            return False
        await playbook.rest(self._numbers.canary_step, f"watch: {order.effect()}")
        health = await playbook.proof.look(Telemetry.impact, Surface(service=self._service.name, window=self._numbers.canary_step))
        allowed = 1 - playbook.policy.stability.slo_target + self._numbers.canary_more_errors
        if health.blind or health.error_ratio is None or health.error_ratio > allowed:
            playbook.note(f"the canary of {self._service.name} is put back: {in_words(health)}")
            return False
        return True

    async def _keep(self, revision: str) -> None:
        """Only a person may leave a pin in place: in their name, with a ticket to Ops."""
        playbook, service = self._playbook, self._service.name
        decision = await playbook.questions.confirmation(
            f"Keep {service} on {revision}? There is no fixed build that has earned the traffic",
            roles=(Role.INCIDENT_COMMANDER, Role.OPS_LEAD),
            effect="the pin stays in force in your name: later deploys get no traffic until somebody sends it to them",
            inverse=f"`incident do {playbook.situation.id} return-to-latest --service {service}`, or by hand as below",
            by_hand=tuple(line for i in playbook.situation.measures.of(PINNED) for line in i.undo.by_hand()),
        )
        if not decision.granted:
            playbook.hand_over(f"{service} is pinned to {revision}, and {decision.by} will not leave it so")
        keeper = decision.by or "whoever is asked"  # a plan and shadow mode ask nobody
        for pinned in playbook.situation.measures.of(PINNED):
            playbook.situation.measures.take_over(pinned, keeper)
        playbook.situation.note("held", f"{service} stays pinned to {revision}", by=keeper)
        playbook.follow_up(f"Fix {service} forward, and return it from {revision} to the latest", Role.OPS_LEAD)


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
