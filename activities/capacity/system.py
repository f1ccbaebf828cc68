"""How much a service can serve: the platform's autoscaler, and the replicas of a Deployment."""

from activities.capacity.capacity import Autoscaler
from activities.capacity.scaling import Scaling
from activities.deploys.system import KUBERNETES
from activities.metrics.system import PROMETHEUS
from activities.platform.system import PLATFORM
from activities.systems import SystemInfo

SYSTEM = SystemInfo(
    {
        Autoscaler: lambda build: Autoscaler(build.client(PLATFORM), build.client(PROMETHEUS)),
        Scaling: lambda build: Scaling(build.client(KUBERNETES)),
    },
    (PLATFORM, PROMETHEUS, KUBERNETES),
)
