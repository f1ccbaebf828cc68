"""How many pods of a Deployment run: seen, set, and set back (seed §2.4, `kubectl scale`). Absolute counts, one region at a time.

An autoscaler may scale as well: it leaves a Deployment alone that is scaled to 0, and keeps any other one within its own bounds.
"""

from pydantic import Field

from activities.action import Call, NotYet, Refused, Risk, Role
from activities.deploys.kubernetes import Kubernetes
from activities.kit.setting import Change, Reading, Resource, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import Command, kubectl
from activities.organisation.catalogue import Deployed


class ReplicasOf(Resource):
    service: Deployed
    region: str

    def __str__(self) -> str:
        return f"{self.service.name} in {self.region}"

    def target(self) -> str:
        return f"service/{self.service.name}/{self.region}"

    def workloads(self) -> tuple[str, ...]:
        return self.service.workloads()

    def read_by_hand(self) -> tuple[str, ...]:
        return (self._kubectl("get"),)

    def write_by_hand(self, value: "Replicas", prior: "Replicas | None" = None) -> tuple[str, ...]:
        """Refused there if it was scaled meanwhile."""
        only_if = () if prior is None else (f"--current-replicas={prior.replicas}",)
        return (self._kubectl("scale", *only_if, f"--replicas={value.replicas}"),)

    def _kubectl(self, verb: str, *options: str) -> Command:
        return kubectl(self.region, self.service.namespace, verb, f"deployment/{self.service.name}", *options)


class Replicas(SettingValue, says="{replicas} replicas"):
    """How many pods are wanted; 0 stops the service there."""

    replicas: int = Field(ge=0)

    def effect(self, of: ReplicasOf) -> str:
        return f"scale {of} to {self.replicas}" if self.replicas else f"stop {of}"


class ReplicasSeen(Reading[Replicas]):
    """As the controller counts them. `observed`: it has seen the newest count that is wanted."""

    there: int = 0
    ready: int = 0
    observed: bool = True


class Scaling(
    Setting[ReplicasOf, Replicas, ReplicasSeen], read="scaling.read", change="scaling.scale", restore="scaling.restore", risk=Risk.C2,
    asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Deployments' replicas, proven by the controller's own count."""

    values_compare = True  # the version of a Deployment changes with every pod that comes or goes

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes

    async def look_at(self, call: Call, of: ReplicasOf) -> ReplicasSeen:
        if of.service.platform != "kubernetes":
            raise Refused(f"{of.service.name} runs on {of.service.platform}, where there is no count of replicas to set")
        found = await self._kubernetes.replicas(call, of.service, of.region)
        value = Replicas(replicas=found.wanted)
        return ReplicasSeen(value=value, version=found.version, there=found.there, ready=found.ready, observed=found.observed)

    async def write(self, call: Call, of: ReplicasOf, wanted: Replicas, over: ReplicasSeen, epoch: int) -> None:
        await self._kubernetes.scale(call, of.service, of.region, wanted.replicas, over.version)

    async def shown(self, call: Call, of: ReplicasOf, value: Replicas) -> str:
        """What the controller counts, once it has seen the change and the pods are there, or gone."""
        now = await self.look_at(call, of)
        if not now.observed or now.there != value.replicas or now.ready > value.replicas:
            raise NotYet(f"accepted, but there are {now.there} replicas", after=SOON)
        return f"the controller in {of.region} counts {now.there} replicas, of which {now.ready} are ready"


SCALED_DEPLOYMENT = Scaling.measure("scaled deployment")


def scale(service: Deployed, region: str, replicas: int, why: str = "") -> Change[ReplicasOf, Replicas]:
    return Scaling.order(ReplicasOf(service=service, region=region), Replicas(replicas=replicas), why=why)
