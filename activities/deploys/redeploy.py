"""Services that are started with another version of a secret, proven by what serves: no instance with the old one is left (A.10 M4)."""

from activities.action import Call, NotYet, Refused, Risk
from activities.deploys.deploys import DEPLOYING, Deploys, Platform
from activities.deploys.orders import Rollout, alike
from activities.deploys.pins import PinSecret
from activities.kit.clock import Clock
from activities.kit.create_once import SOON
from activities.kit.http import Conflict
from activities.kit.operation import At, Operation, Progress
from activities.organisation.catalogue import Deployed


class Redeploys(Operation[PinSecret], name="deploys.pin_secret", risk=Risk.C2, asks=DEPLOYING, contains=True):
    def __init__(self, deploys: Deploys, clock: Clock) -> None:
        self._deploys, self.clock = deploys, clock

    async def precondition(self, call: Call, order: PinSecret) -> None:
        if not order.version:
            raise Refused("only a plan leaves the version open")
        without = [region for region in order.service.regions if not (await self._asked(call, order, region))]
        if without:
            raise Refused(f"{order.service.name} does not use {order.secret} in {', '.join(without)}: look how it gets it")

    async def find(self, call: Call, order: PinSecret) -> str | None:
        """It asks for this version in every region already."""
        asked = [await self._asked(call, order, region) for region in order.service.regions]
        return _id(order) if all(one == (str(order.version),) for one in asked) else None

    async def start(self, call: Call, order: PinSecret) -> str:
        """Only where it does not ask for it yet."""
        platform = self._platform(order.service)
        for region in order.service.regions:
            now = await platform.pinned(call, order.service, region)
            if now.of(order.secret) == (str(order.version),):
                continue
            own = call.model_copy(update={"key": f"{call.key}/{region}"})
            try:
                await platform.pin(own, order.service, region, order.secret, order.version, now.version)
            except Conflict as stale:
                raise NotYet(f"{region} was changed meanwhile; we look again", after=SOON) from stale
        return _id(order)

    async def status(self, call: Call, order: PinSecret, id: str) -> Progress:
        rollout = await self._deploys.revisions(order.service, call)
        if failed := [f"{region}: {one.failed}" for region, one in rollout.regions.items() if one.failed]:
            return Progress(at=At.FAILED, says="; ".join(failed))
        if any(one.settling for one in rollout.regions.values()):
            return Progress(at=At.RUNNING, says="the rollout is under way")
        return Progress(at=At.DONE)

    async def verify(self, call: Call, order: PinSecret, id: str) -> str:
        """Every revision that serves, in every region, by what it was started with."""
        rollout = await self._deploys.revisions(order.service, call)
        old = {region: found for region in rollout.regions if (found := _others(rollout, region, order))}
        if pinned := [region for region in old if _held(rollout, region)]:
            raise Refused(
                f"traffic is pinned in {', '.join(pinned)} to a revision with another version of {order.secret} ({old[pinned[0]]}): "
                "send it to the newest one, then retry"
            )
        if old:
            raise NotYet(f"another version of {order.secret} serves still: {old}", after=SOON)
        return f"every revision of {order.service.name} that serves has version {order.version} of {order.secret}"

    async def _asked(self, call: Call, order: PinSecret, region: str) -> tuple[str, ...]:
        return (await self._platform(order.service).pinned(call, order.service, region)).of(order.secret)

    def _platform(self, service: Deployed) -> Platform:
        return self._deploys.platform(service)


def _others(rollout: Rollout, region: str, order: PinSecret) -> str:
    """What serves there and was not started with that version alone; empty: nothing."""
    wrong = []
    for name in rollout.regions[region].resolved():
        revision = rollout.revision(name)
        found = [one for one in revision.secrets if alike(one.partition(":")[0]) == alike(order.secret)] if revision else []
        if {one.partition(":")[2] for one in found} != {str(order.version)}:
            wrong.append(f"{name} with {', '.join(found) or 'nobody can say which'}")
    return "; ".join(wrong)


def _held(rollout: Rollout, region: str) -> bool:
    """Whether the newest revision gets no traffic because somebody has pinned another one."""
    serving = rollout.regions[region]
    return serving.pins and serving.latest not in serving.resolved()


def _id(order: PinSecret) -> str:
    return f"{order.service.name}/{order.secret}:{order.version}"
