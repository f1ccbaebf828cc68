"""A small share on an older revision while nobody answers: the safe action that two people authorised beforehand (spec S-ROLLBACK, A.1 M3)."""

from typing import Any, cast

from activities.action import Imposition, Measure, Order
from activities.deploys.deploys import Deploys
from activities.deploys.orders import RevisionsOf, Rollout, ToRevision
from activities.organisation.catalogue import Deployed
from workflows.engine.measures import Imposed
from workflows.engine.verbs import Verbs

TRIAL_SHARE = 0.1  # of the traffic of one region


class Trial(Imposition):
    """A small share of one region was moved to an older revision while nobody answered, as policy authorised beforehand."""

    moved: ToRevision

    def target(self) -> str:
        return self.moved.target()

    def effect(self) -> str:
        return self.moved.effect()

    def inverse(self) -> str:
        return self.moved.inverse()

    def look(self) -> Order:
        return RevisionsOf(service=self.moved.service)

    def begun(self, now: Rollout) -> bool:
        """The region has the split of the trial."""
        return all(now.regions[region].resolved() == split for region, split in self.moved.split.items() if region in now.regions)

    def undo(self) -> ToRevision:
        return self.moved.undo()


TRIED: Measure[Any] = Measure("trial of an older revision", look=Deploys.survey, impose=cast("Any", Deploys.shift), lift=Deploys.shift)


class SafeTrial:
    def __init__(self, verbs: Verbs, service: Deployed) -> None:
        self._verbs = verbs
        self._service = service
        self._imposed: Imposed | None = None

    @property
    def moved_to(self) -> set[str]:
        """The revisions that have traffic only because of this trial."""
        if self._imposed is None:
            return set()
        moved = cast("Trial", self._imposed.order).moved
        before = {revision for split in moved.before.values() for revision in split}
        return {revision for split in moved.split.values() for revision in split} - before

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
        grant = self._verbs.standing_grant(Deploys.shift, canary)
        if grant is None:
            return
        imposed = self._verbs.register(TRIED, Trial(moved=canary))
        if await self._verbs.propose(Deploys.shift, canary, under=grant):
            imposed.certain = True
        elif not await still_begun(self._verbs, self._service, imposed):
            return
        self._imposed = imposed

    async def end(self) -> None:
        """Somebody has said no, or the target did not help: the share that was moved goes back."""
        imposed, self._imposed = self._imposed, None
        if imposed is None:
            return
        back = cast("Trial", imposed.order).undo()
        if await self._verbs.propose(Deploys.shift, back, under=self._verbs.standing_grant(Deploys.shift, back)):
            self._verbs.unregister(imposed)

    def superseded(self) -> None:
        """Everything is on the target now."""
        self._verbs.unregister(self._imposed)
        self._imposed = None


async def still_begun(verbs: Verbs, service: Deployed, imposed: Imposed | None) -> bool:
    """A step was skipped, and a reply may have been lost: what serves says whether any of it is in force."""
    if imposed is None:
        return False
    seen = await verbs.read(Deploys.survey, RevisionsOf(service=service))
    begun: bool = cast("Any", imposed.order).begun(seen)
    if not begun:
        verbs.unregister(imposed)
    return begun
