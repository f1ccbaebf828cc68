"""What keeps a service on an older revision: a pin, which a fixed build ends by a canary or a person keeps (spec §9.1, ADR 13); and a small
share of the traffic while nobody answers, as two people authorised beforehand (spec S-ROLLBACK, A.1 M3).

Either is in force from the moment at which it is asked of the platform: an incident that is stopped before the rollback was proven leaves
it on the screen.
"""

from typing import Any, ClassVar, Self, cast

from activities.action import Imposition, Measure, Role
from activities.deploys.deploys import Deploys
from activities.deploys.orders import LATEST, RevisionsOf, Rollout, Split, ToRevision
from activities.kit.words import shell
from activities.organisation.catalogue import Deployed
from workflows.engine.measures import Imposed
from workflows.engine.verbs import Verbs
from workflows.incident import QuestionDraft
from workflows.procedures.canary import Canary

TRIAL_SHARE = 0.1  # of the traffic of one region


class Pin(Imposition):
    """A service is kept on one revision; later deploys get no traffic."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior"})

    service: Deployed
    revision: str
    prior: Rollout | None = None

    def target(self) -> str:
        return f"service/{self.service.name}"

    def effect(self) -> str:
        return f"{self.service.name} is pinned to {self.revision}: later deploys get no traffic"

    def inverse(self) -> str:
        return f"canary {self.service.name} to a fixed build and let it follow the latest again"

    def look(self) -> RevisionsOf:
        return RevisionsOf(service=self.service)

    def met(self, now: Rollout) -> bool:
        """Every region is served by that revision, and by no other."""
        return all(serving.resolved() == {self.revision: 1.0} for serving in now.regions.values())

    def begun(self, now: Rollout) -> bool:
        return any(serving.resolved() == {self.revision: 1.0} for serving in now.regions.values())

    def given(self, prior: Rollout) -> Self:
        return self.model_copy(update={"prior": prior})

    def imposed_by(self) -> ToRevision:
        return ToRevision(service=self.service, split=self._pinned(), purpose="roll back", before=self.prior.splits() if self.prior else {})

    def undo(self) -> ToRevision:
        latest = {region: {LATEST: 1.0} for region in self.service.regions}
        return ToRevision(service=self.service, split=latest, purpose="return to latest", before=self._pinned())

    def _pinned(self) -> dict[str, Split]:
        return {region: {self.revision: 1.0} for region in self.service.regions}


class Trial(Imposition):
    """A small share of one region goes to an older revision."""

    moved: ToRevision
    to: str  # the revision

    def target(self) -> str:
        return self.moved.target()

    def effect(self) -> str:
        return self.moved.effect()

    def inverse(self) -> str:
        return self.moved.inverse()

    def look(self) -> RevisionsOf:
        return RevisionsOf(service=self.moved.service)

    def begun(self, now: Rollout) -> bool:
        return all(now.regions[region].resolved() == split for region, split in self.moved.split.items() if region in now.regions)

    def imposed_by(self) -> ToRevision:
        return self.moved

    def undo(self) -> ToRevision:
        return self.moved.undo()


PINNED: Measure[Any] = Measure("traffic pinned", Deploys.survey, cast("Any", Deploys.shift), Deploys.shift, sticky=True, own_end=True)
TRIED: Measure[Any] = Measure("trial of an older revision", Deploys.survey, cast("Any", Deploys.shift), Deploys.shift)


class TrafficPin:
    """What holds one service on a revision, for one incident."""

    def __init__(self, verbs: Verbs, service: Deployed) -> None:
        self._verbs, self._service, self._numbers = verbs, service, verbs.policy.roll_back
        self.left: set[str] = set()  # revisions that we left, or that did not help

    @property
    def standing(self) -> list[Imposed]:
        """The pins of this service that are, or may be, in force: latest first."""
        target = f"service/{self._service.name}"
        return [imposed for imposed in self._verbs.in_force(PINNED) if imposed.order.target() == target]

    def announce(self, revision: str, rollout: Rollout) -> Imposed | None:
        """It may be in force from now on: the platform is about to be asked. None where the platform pins nothing: there is nothing to keep."""
        if not all(serving.pins for serving in rollout.regions.values()):
            return None
        return self._verbs.register(PINNED, Pin(service=self._service, revision=revision, prior=rollout))

    def took(self, pin: Imposed | None) -> None:
        """The platform says that it is so; an earlier pin of this service has given way."""
        if pin is not None:
            self._verbs.confirmed(pin)
            for earlier in [other for other in self.standing if other is not pin]:
                self._verbs.unregister(earlier)

    def proven(self, pin: Imposed | None, revision: str, rollout: Rollout) -> None:
        """The rollback helps: the service is kept where it is, and the screen says so."""
        verbs = self._verbs
        if pin is None:
            verbs.note(f"{self._service.name} runs on {revision}; the next deploy replaces it: only the change freeze holds it there")
        elif not verbs.assumes(Deploys.shift):
            verbs.note(pin.order.effect())
        elif verbs.shadow:
            verbs.expect_in_shadow(pin, rollout, Deploys.shift)

    async def end(self, *, asked: bool = False) -> None:
        """Back to the latest by a canary, when there is a build that we did not leave; otherwise a named person keeps the pin, with a ticket.

        `asked`: a person wants it now, so a pin that somebody keeps is ended as well.
        """
        verbs, pin = self._verbs, next(iter(self.standing), None)
        if pin is None or (verbs.kept_by(pin) and not asked):
            if asked:
                verbs.note(f"{self._service.name} is not pinned by this incident: there is nothing to return from")
            return
        if verbs.assumes(Deploys.shift) and verbs.shadow:  # nothing is pinned by us, and how people go on is theirs
            verbs.unregister(pin)
            return
        rollout = await verbs.do(Deploys.survey, RevisionsOf(service=self._service))
        newest = next(iter(rollout.revisions), None)
        if newest is not None and newest.ready and newest.id not in self.left and await Canary(verbs, self._service).to(newest, rollout):
            for ended in self.standing:
                verbs.ended(ended)
            return
        await self._keep(cast("Pin", pin.order).revision)

    async def _keep(self, revision: str) -> None:
        """Only a person may leave a pin in place: in their name, with a ticket to Ops."""
        verbs, service = self._verbs, self._service.name
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"Keep {service} on {revision}? There is no fixed build that has passed a canary",
                roles=(Role.INCIDENT_COMMANDER, Role.OPS_LEAD),
                effect="the pin stays in force in your name: later deploys get no traffic until somebody sends it to them",
                inverse=f"`{shell.command('incident', 'do', 'return-to-latest', verbs.incident_id, '--service', service)}`, or by hand as below",
                by_hand=tuple(line for pin in self.standing for line in pin.undo.by_hand()),
            )
        )  # fmt: skip
        if not decision.granted:
            verbs.hand_over(f"{service} is pinned to {revision}, and {decision.by} will not leave it so")
        keeper = decision.by or "whoever is asked"  # a plan and shadow mode ask nobody
        for pin in self.standing:
            verbs.keep(pin, keeper)
        verbs.follow_up(f"Fix {service} forward, and return it from {revision} to the latest", Role.OPS_LEAD)


class SafeTrial:
    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._imposed: Imposed | None = None

    @property
    def moved_to(self) -> set[str]:
        """What has traffic only because of this trial."""
        return {cast("Trial", self._imposed.order).to} if self._imposed else set()

    async def begin(self, order: ToRevision, rollout: Rollout) -> None:
        """A tenth of the traffic of one region goes to the target, where that was authorised."""
        region, wanted = next(iter(order.split.items()))
        target = next(iter(wanted))
        split = {revision: round(share * (1 - TRIAL_SHARE), 2) for revision, share in rollout.regions[region].resolved().items()}
        canary = order.model_copy(
            update={
                "split": {region: {**split, target: round(1 - sum(split.values()), 2)}},
                "before": {region: order.before[region]}, "versions": {region: order.versions[region]}, "purpose": "canary",
            }
        )  # fmt: skip
        grant = await self._verbs.standing_grant(Deploys.shift, canary)
        if grant is None:
            return
        imposed = self._verbs.register(TRIED, Trial(moved=canary, to=target))
        if await self._verbs.propose(Deploys.shift, canary, under=grant):
            self._verbs.confirmed(imposed)
        elif not await still_begun(self._verbs, imposed):
            return
        self._imposed = imposed

    async def end(self) -> None:
        """Somebody has said no, or the target did not help: the share that was moved goes back."""
        if self._imposed is None:
            return
        imposed, back = self._imposed, cast("Trial", self._imposed.order).undo()
        self._imposed = None
        if await self._verbs.propose(Deploys.shift, back, under=await self._verbs.standing_grant(Deploys.shift, back)):
            self._verbs.unregister(imposed)

    def superseded(self) -> None:
        self._verbs.unregister(self._imposed)
        self._imposed = None


async def still_begun(verbs: Verbs, imposed: Imposed | None) -> bool:
    """A step was skipped, and a reply may have been lost: what serves says whether any of it is in force."""
    if imposed is None:
        return False
    order = cast("Pin | Trial", imposed.order)
    begun = order.begun(await verbs.read(Deploys.survey, order.look()))
    if not begun:
        verbs.unregister(imposed)
    return begun
