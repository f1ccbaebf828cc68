"""The contract table's rows: every setting of ours, and what is needed to put it through everything. A new system is one row here."""

import json
from collections import deque
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from activities.action import Call
from activities.capacity.scaling import Replicas, ReplicasOf, Scaling
from activities.deploys.kubernetes import Kubernetes
from activities.flags.flagd import Flagd
from activities.flags.flags import Flag, FlagReading, Flags, Switch
from activities.flags.unleash import Unleash
from activities.models.client_policy import ClientPolicies, back_off
from activities.models.model_gateway import ModelGateway
from activities.models.modes import TenantModes, degrade
from activities.organisation.catalogue import Deployed
from activities.organisation.numbers import BackOff
from activities.product.app_plane import AppPlane
from tests.activities.kit.rows.agents import AGENTS
from tests.activities.kit.rows.containment.breach import BREACH
from tests.activities.kit.rows.containment.settings import CONTAINMENT
from tests.activities.kit.rows.credentials.edge import EDGE
from tests.activities.kit.rows.credentials.sign_in import SIGN_IN
from tests.activities.kit.rows.jobs import JOBS
from tests.activities.kit.rows.knowledge import KNOWLEDGE
from tests.activities.kit.rows.platform import DATABASES, PLATFORM
from tests.activities.kit.rows.practised import QUICK, LandingClock, Practised, Subject
from tests.activities.kit.rows.probe import Level, ProbeOf, Probes, Vendor, fail_before
from tests.activities.kit.rows.quality import QUALITY
from tests.activities.kit.rows.records import RECORDS
from tests.activities.kit.rows.supply.settings import SUPPLY
from tests.activities.kit.rows.tenancy import TENANCY
from tests.activities.kit.stage import Stage, stage

ORCHESTRATOR = Deployed(name="orchestrator", platform="kubernetes", regions=("eu-west", "us-east"))
MODES, RETRIES = degrade("chat", ("cedar-homes", "nimbus-media", "iris-optics")), back_off(BackOff(), "chat")


@cache
def untouched() -> Stage:
    """A world that nobody changes: the probe vendor is not part of it."""
    return stage()


async def probe(fenced: str) -> Subject:
    """The probe vendor, with one way or another to tell a late write."""
    vendor, clock, world = Vendor(fenced), LandingClock(), untouched()
    system = Probes(vendor, clock)

    def inject(mode: str, times: int = 1, on: str = "write") -> None:
        vendor.faults.extend([(on, mode)] * times)

    async def set_by(value: Level, who: str) -> None:
        vendor.set(value.model_dump(exclude={"half"}), by=who)

    order = Probes.order(ProbeOf(), Level(level=0), numbers=QUICK)
    order = order.given(await system.look_at(world.call(), order.of))
    effects = lambda: [key for key in vendor.effects if key]  # noqa: E731
    return Subject(system, order, Level(level=2, mode="theirs"), clock, world.call, inject, effects, set_by, fenced != "none")


def tenant_modes(played: Stage, clock: LandingClock) -> TenantModes:
    return TenantModes(ModelGateway(played.client("/llm")), AppPlane(played.client("/app")))


def client_policies(played: Stage, clock: LandingClock) -> ClientPolicies:
    http = played.client("/llm")
    return ClientPolicies(ModelGateway(http))


def replicas(played: Stage, clock: LandingClock) -> Scaling:
    return Scaling(Kubernetes(lambda region: played.client(f"/k8s/{region}")))


def unleash(played: Stage, clock: LandingClock) -> Flags:
    http = played.client("/unleash", Authorization="practice-token")
    return Flags(Unleash(http, http, project="default", environment="production"), AppPlane(played.client("/app")))


class UnluckyFile(Flagd):
    """A flag file on a disk that misbehaves as it is told, and the keys of what was really written."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.faults: deque[tuple[str, str]] = deque()
        self.effects: list[str] = []
        self._before: FlagReading | None = None

    async def read(self, call: Call, flag: str) -> FlagReading:
        now = await super().read(call, flag)
        return self._before if self._mishap("read") == "stale_read" and self._before else now

    async def write(self, call: Call, flag: str, over: FlagReading, *, on: bool) -> None:
        mode = self._mishap("write")
        fail_before(mode)
        if mode == "nothing_changed":
            return
        self._before = await super().read(call, flag)
        await super().write(call, flag, over, on=on)
        if call.key:
            self.effects.append(call.key)
        if mode in ("commit_then_drop", "partial"):
            raise OSError("the disk says nothing more")

    def _mishap(self, operation: str) -> str:
        return self.faults.popleft()[1] if self.faults and self.faults[0][0] == operation else ""


async def flagd() -> Subject:
    """A flag in flagd's file."""
    file = Path(mkdtemp()) / "flags.json"
    file.write_text(
        json.dumps({"flags": {"chat.hints": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}}})
    )
    store, clock, played = UnluckyFile(file), LandingClock(), stage()
    system = Flags(store, AppPlane(played.client("/app")))
    system.clock = clock

    def inject(mode: str, times: int | None = 1, on: str = "write") -> None:
        store.faults.extend([(on, mode)] * (times or 9))

    async def set_by(value: Switch, who: str) -> None:
        quiet = played.call(key="")
        await Flagd(file).write(quiet, "chat.hints", await Flagd(file).read(quiet, "chat.hints"), on=value.on)

    order = Flags.order(Flag(flag="chat.hints", store="flagd"), Switch(on=False), numbers=QUICK)
    order = order.given(await system.look_at(played.call(), order.of))
    return Subject(system, order, None, clock, played.call, inject, lambda: store.effects, set_by, fenced=False, author="somebody")


PROBES: dict[str, Callable[[], Awaitable[Subject]]] = {
    "probe with an epoch": lambda: probe("epoch"),
    "probe with a version": lambda: probe("version"),
    "probe with neither": lambda: probe("none"),
}
SETTINGS: dict[str, Callable[[], Awaitable[Subject]]] = {
    **PROBES,
    **PLATFORM,
    **QUALITY,
    **RECORDS,
    **AGENTS,
    **EDGE,
    **SIGN_IN,
    **DATABASES,
    **KNOWLEDGE,
    **JOBS,
    **TENANCY,
    **SUPPLY,
    **BREACH,
    **CONTAINMENT,
    "modes of tenants": Practised(
        tenant_modes, MODES.of, MODES.wanted, None, "llm.routes.modes",
        "llm.routes.get", author="somebody", halves=True,
    ),
    "clients' retry policy": Practised(
        client_policies, RETRIES.of, RETRIES.wanted, RETRIES.wanted.model_copy(update={"max_attempts": 2}), "llm.client_policy.put",

    ),
    "replicas on Kubernetes": Practised(
        replicas, ReplicasOf(service=ORCHESTRATOR, region="eu-west"), Replicas(replicas=2), Replicas(replicas=3),
        "kubernetes.deployments.scale.patch", "kubernetes.deployments.get", author="somebody", by_curl=False,
    ),
    "flags in Unleash": Practised(
        unleash, Flag(flag="batch.enabled"), Switch(on=False), None, "unleash.feature.o*", "unleash.feature", fenced=False, author="somebody"
    ),
    "flags in flagd's file": flagd,
}  # fmt: skip
