"""An asset is cut off from the network, but for forensic traffic (spec §9.4 step 3, A.4 M4). It runs on: what is in its memory is evidence.

No answer of a control plane proves it. A probe tries a connection from the asset and one towards it, and that forensics still come in.
"""

from datetime import timedelta
from typing import Any, ClassVar, Literal, Protocol, Self

from activities.action import Call, Limits, NotYet, Refused, Risk, Role
from activities.kit.rest import Json, RestResource
from activities.kit.setting import Change, Reading, Restore, Setting, SettingValue
from activities.kit.words.shell import Command, Var, command, document, keep, kubectl, pipe
from activities.network.flows import Flow, FlowProbe
from activities.network.rules import rule, rule_name
from activities.organisation.catalogue import Deployed
from activities.values import listed

FORENSICS, SELECTOR = Var("NETWORK_FORENSIC_CIDR"), Var("SELECTOR", number=True)
NETWORK_POLICY = "network policy"
FLOWS_CHANGE = timedelta(seconds=3)  # how soon it is tried again: a rule must reach every machine


class AssetOf(RestResource, path="assets/{asset}/isolation", called="the network of {asset}"):
    """A workload, a host, a store. `regions`, `namespace`: where it runs, for a control by Kubernetes; the catalogue says it where they do not.

    `control`: the product that cuts it off, where it is not our own contract: a person's commands depend on it.
    """

    base: ClassVar[Var] = Var("NETWORK_URL")
    token: ClassVar[Var] = Var("NETWORK_TOKEN")

    asset: str
    regions: tuple[str, ...] = ()
    namespace: str = "default"
    control: Literal["", "network policy"] = ""

    def target(self) -> str:
        return f"asset/{self.asset}"

    def workloads(self) -> tuple[str, ...]:
        return (self.asset, f"{self.namespace}/{self.asset}")

    def assets(self) -> tuple[str, ...]:
        return (self.asset,)

    def body(self, value: Any) -> Json:
        return {"isolated": value.isolated}

    def read_by_hand(self) -> tuple[str, ...]:
        if self.control != NETWORK_POLICY:
            return super().read_by_hand()
        return tuple(kubectl(region, self.namespace, "get", "networkpolicies", "-o", "wide") for region in self.regions)

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        if self.control != NETWORK_POLICY:
            return super().write_by_hand(value, prior)
        name = rule_name(self.asset)
        if not value.isolated:
            return tuple(kubectl(region, self.namespace, "delete", "networkpolicy", name) for region in self.regions)
        return tuple(line for region in self.regions for line in self._apply(region))

    def _apply(self, region: str) -> tuple[Command, Command]:
        """All pods of the workload, by its own selector. It is not validated: it is ours, and small."""
        shown = kubectl(region, self.namespace, "get", f"deployment/{self.asset}", "-o", "jsonpath={.spec.selector}")
        made = document(rule(self.asset, self.namespace, SELECTOR, FORENSICS))
        return keep(SELECTOR.name, shown), pipe(
            command("printf", "%s", made), kubectl(region, self.namespace, "apply", "--validate=false", "-f", "-")
        )


class Isolation(SettingValue):
    """`others`: so many assets are isolated by this incident already. `partly`: in some places only, as a write of ours leaves it that breaks off."""

    volatile: ClassVar[frozenset[str]] = frozenset({"others"})

    isolated: bool = True
    others: int = 0
    partly: bool = False

    def __str__(self) -> str:
        if self.partly:
            return "cut off in some places only"
        return "cut off, but for forensics" if self.isolated else "as usual"

    @property
    def felt(self) -> bool:
        return self.isolated or self.partly

    def same(self, other: Self) -> bool:
        """What was in some places only is the same as nowhere: that is where a lift leads."""
        return self.isolated == other.isolated and (self.partly or not other.partly)

    def between(self, before: Self, now: Self) -> bool:
        return now.partly

    def both(self, other: Self) -> Self:
        """Nothing is let out for the sake of another."""
        return self if self.isolated else other

    def effect(self, of: AssetOf) -> str:
        if not self.isolated:
            return f"{of} is {self}"
        more = f"; {self.others} other assets are cut off already" if self.others else ""
        return f"{of} is {self}: nobody reaches it, and it reaches nobody; it runs on{more}"

    def back(self, of: AssetOf) -> str:
        return f"{of} is {self} again"


class IsolationReading(Reading[Isolation]):
    """`rules`: place → the version of our rule there, empty where there is none. `openers`: what would still let traffic through beside it."""

    rules: dict[str, str] = {}
    openers: tuple[str, ...] = ()


class NetworkControl(Protocol):
    """What lets assets speak: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def read(self, call: Call, of: AssetOf) -> IsolationReading:
        """Whether it is cut off, in every place where it runs. Raises `Refused` for an asset that nobody knows."""

    async def write(self, call: Call, of: AssetOf, isolated: bool, over: IsolationReading, epoch: int) -> None:
        """Write it over what was read. Raises `Conflict` when it is not that any more. Never ends or restarts anything."""


def _risk(order: Change[AssetOf, Isolation] | Restore[AssetOf, Isolation], limits: Limits) -> Risk:
    """One asset is narrow; the second of an incident is not."""
    return Risk.C1 if isinstance(order, Change) and order.wanted.isolated and not order.wanted.others else Risk.C2


class NetworkIsolation(
    Setting[AssetOf, Isolation, IsolationReading], read="network.look", change="network.isolate", restore="network.rejoin", risk=_risk,
    restore_risk=Risk.C2, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER),
    restore_asks=(Role.SECURITY_LEAD,), contains=True,
):  # fmt: skip
    """Proven by flows that are refused, and by forensics that still come in."""

    def __init__(self, control: NetworkControl, probe: FlowProbe) -> None:
        self._control, self._probe = control, probe

    async def look_at(self, call: Call, of: AssetOf) -> IsolationReading:
        if not of.asset.strip() or "*" in of.asset:
            raise Refused("one asset is isolated at a time: name it")
        return await self._control.read(call, of)

    async def write(self, call: Call, of: AssetOf, wanted: Isolation, over: IsolationReading, epoch: int) -> None:
        await self._control.write(call, of, wanted.isolated, over, epoch)

    async def prove(self, call: Call, order: Change[AssetOf, Isolation], now: IsolationReading) -> str:
        return await self._flows(call, order.of, order.wanted, now.openers)

    async def prove_step(self, call: Call, order: Restore[AssetOf, Isolation], step: Isolation) -> str:
        return await self._flows(call, order.of, step, ())

    async def _flows(self, call: Call, of: AssetOf, value: Isolation, openers: tuple[str, ...]) -> str:
        """Raises `NotYet` while the network does otherwise, and where nobody can say what it does: then it is not proven."""
        flows = await self._probe.tried(call, of.asset)
        if not flows:
            raise NotYet(f"accepted, but no probe says whether {of.asset} is reached", after=FLOWS_CHANGE)
        wrong = [said for flow in flows for said in _unlike(flow, isolated=value.isolated)]
        if wrong:
            beside = f"; these let traffic through beside our rule: {listed(openers)}" if openers else ""
            raise NotYet(f"accepted, but {'; '.join(wrong)}{beside}", after=FLOWS_CHANGE)
        places = listed(tuple(flow.place for flow in flows))
        if value.isolated:
            return f"connections from it and to it are refused in {places}; forensics get in"
        return f"connections from it and to it come about in {places}"


def _unlike(flow: Flow, *, isolated: bool) -> list[str]:
    """What a probe has met otherwise than it should be, or could not say."""
    tried = {"a connection to it": flow.inward, "a connection from it": flow.outward}
    wrong = [f"{what} comes about in {flow.place}" for what, came in tried.items() if came is True and isolated]
    wrong += [f"{what} does not come about in {flow.place}" for what, came in tried.items() if came is False and not isolated]
    wrong += [f"nobody can say in {flow.place} whether {what} comes about" for what, came in tried.items() if came is None]
    if isolated and flow.forensic is not True:
        wrong.append(f"forensics {'do not get in' if flow.forensic is False else 'could not be tried'} in {flow.place}")
    return wrong


ISOLATED = NetworkIsolation.measure("asset isolated", sticky=True)


def isolate(
    asset: str, why: str = "", *, others: int = 0, service: Deployed | None = None, systems: dict[str, str] | None = None
) -> Change[AssetOf, Isolation]:
    """The order that cuts an asset off. `others`: so many are by this incident already. `service`, `systems` (`policy.systems`): where it
    runs, and which product cuts it off: a person's commands depend on both.
    """
    of = AssetOf(asset=asset)
    if (systems or {}).get("network") == NETWORK_POLICY:
        of = of.model_copy(update={"control": NETWORK_POLICY})
    if service is not None:
        of = of.model_copy(update={"regions": service.regions, "namespace": service.namespace})
    return NetworkIsolation.order(of, Isolation(others=others), why=why)


def read_back(rules: dict[str, str]) -> Isolation:
    """What the rules of all places together are."""
    there = [bool(version) for version in rules.values()]
    return Isolation(isolated=bool(there) and all(there), partly=any(there) and not all(there))
