"""How many pods of a Deployment run: seen, set, and set back (seed §2.4, `kubectl scale`). Absolute counts, one region at a time.

An autoscaler may scale as well: it leaves a Deployment alone that is scaled to 0, and keeps any other one within its own bounds.
"""

from datetime import timedelta
from typing import ClassVar, Self

from pydantic import Field

from activities.action import Call, Effect, Imposition, Measure, NotYet, Order, Refused, Risk, Role, System, Value, action
from activities.deploys.kubernetes import Kubernetes, Replicated
from activities.kit.http import Conflict
from activities.organisation.catalogue import Deployed

SCALING = (Role.OPS_LEAD, Role.INCIDENT_COMMANDER)
ROUNDS = 3  # read, decide, write: as often before somebody else is plainly at work on the same thing
SOON = timedelta(seconds=1)


class ReplicasOf(Order):
    """Look how many pods a service has in a region."""

    service: Deployed
    region: str

    def target(self) -> str:
        return f"service/{self.service.name}/{self.region}"

    def effect(self) -> str:
        return f"read how many replicas {self.service.name} has in {self.region}"

    def by_hand(self) -> tuple[str, ...]:
        return (f"{_kubectl(self.service, self.region)} get deployment/{self.service.name}",)


class Replicas(Value):
    """How many pods are wanted, and how many are ready."""

    wanted: int
    ready: int


class Scale(Imposition):
    """Let a service have so many pods in a region; 0 stops it there."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior"})

    service: Deployed
    region: str
    replicas: int = Field(ge=0)
    why: str = ""
    prior: Replicas | None = None

    def target(self) -> str:
        return f"service/{self.service.name}/{self.region}"

    def workloads(self) -> tuple[str, ...]:
        return self.service.workloads()

    def effect(self) -> str:
        what = (
            f"scale {self.service.name} in {self.region} to {self.replicas}"
            if self.replicas
            else f"stop {self.service.name} in {self.region}"
        )
        return what + (f": {self.why}" if self.why else "")

    def inverse(self) -> str:
        return f"scale it to {self.prior.wanted} again" if self.prior else "scale it to what it was"

    def by_hand(self) -> tuple[str, ...]:
        """The same, by kubectl; refused there if it was scaled meanwhile."""
        return (_scale_by_hand(self.service, self.region, self.replicas, self.prior.wanted if self.prior else None),)

    def look(self) -> Order:
        return ReplicasOf(service=self.service, region=self.region)

    def given(self, prior: Replicas) -> Self:
        """The same, with the count before."""
        return self.model_copy(update={"prior": prior})

    def undo(self) -> "RestoreReplicas":
        if self.prior is None:
            raise ValueError("this order does not carry the count before; give it the count first")
        return RestoreReplicas(service=self.service, region=self.region, replicas=self.prior.wanted)


class RestoreReplicas(Order):
    """Let a service have as many pods in a region as it had."""

    service: Deployed
    region: str
    replicas: int = Field(ge=0)

    def target(self) -> str:
        return f"service/{self.service.name}/{self.region}"

    def workloads(self) -> tuple[str, ...]:
        return self.service.workloads()

    def effect(self) -> str:
        return f"scale {self.service.name} in {self.region} to {self.replicas}, as it was"

    def inverse(self) -> str:
        return "scale it again"

    def by_hand(self) -> tuple[str, ...]:
        return (_scale_by_hand(self.service, self.region, self.replicas),)


class Scaling(System):
    """Deployments' replicas, proven by the controller's own count."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes

    @action("scaling.read")
    async def read(self, order: ReplicasOf, call: Call) -> Replicas:
        """How many there are. Raises `Refused` when there is no such Deployment."""
        _only_on_kubernetes(order.service)
        found = await self._kubernetes.replicas(call, order.service, order.region)
        return Replicas(wanted=found.wanted, ready=found.ready)

    @action("scaling.scale", risk=Risk.C2, asks=SCALING)
    async def scale(self, order: Scale, call: Call) -> Effect:
        """So many, no more and no fewer. Raises `NotYet` until the controller has seen it and the pods are there, or gone."""
        return await self._set(order, call, order.service, order.region, order.replicas, order.prior)

    @action("scaling.restore", risk=Risk.C2, asks=SCALING)
    async def restore(self, order: RestoreReplicas, call: Call) -> Effect:
        """As many as there were. Whether they are ready is seen in what they serve."""
        return await self._set(order, call, order.service, order.region, order.replicas)

    async def _set(self, order: Order, call: Call, service: Deployed, region: str, wanted: int, prior: Replicas | None = None) -> Effect:
        _only_on_kubernetes(service)
        for _ in range(ROUNDS):
            found = await self._kubernetes.replicas(call, service, region)
            if found.wanted == wanted:
                break
            try:
                await self._kubernetes.scale(call, service, region, wanted, found.version)
                break
            except Conflict:
                continue
        else:
            raise NotYet("it changed again each time while we wrote; we look again", after=SOON)
        now = await self._kubernetes.replicas(call, service, region)
        _check(now, wanted)
        return Effect(
            target=order.target(),
            summary=order.effect(),
            proven_by=f"the controller in {region} counts {now.there} replicas, of which {now.ready} are ready",
            adopted=found.wanted == wanted,
            before={"replicas": prior.wanted if prior else found.wanted},
            after={"replicas": wanted},
        )


SCALED_DEPLOYMENT = Measure("scaled deployment", look=Scaling.read, impose=Scaling.scale, lift=Scaling.restore)


def _check(now: Replicated, wanted: int) -> None:
    if now.wanted != wanted:
        raise NotYet(f"accepted, but {now.wanted} replicas are wanted now: an autoscaler, or somebody, scales it as well", after=SOON)
    if not now.observed or now.there != wanted or now.ready > wanted:
        raise NotYet(f"accepted, but there are {now.there} replicas", after=SOON)


def _only_on_kubernetes(service: Deployed) -> None:
    if service.platform != "kubernetes":
        raise Refused(f"{service.name} runs on {service.platform}, where there is no count of replicas to set")


def _kubectl(service: Deployed, region: str) -> str:
    return f"kubectl --context {region} -n {service.namespace}"


def _scale_by_hand(service: Deployed, region: str, replicas: int, current: int | None = None) -> str:
    only_if = "" if current is None else f" --current-replicas={current}"
    return f"{_kubectl(service, region)} scale deployment/{service.name}{only_if} --replicas={replicas}"
