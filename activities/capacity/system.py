"""Who scales the workers: `[policy.systems] "worker pools"` in organisation.toml chooses it."""

from activities.capacity.pools import PoolControl
from activities.capacity.scalers import PoolOnCloudRun, PoolOnKubernetes
from activities.queues.system import QueuesSettings
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting

PLACE = "the workers: {region}/{namespace or project}/{name}"


class KubernetesPoolSettings(ClientSettings):
    kubernetes_pool: str = setting(about=f"{PLACE} of their Deployment and its autoscaler", needed=True, example="eu-west/jobs/workers")
    kubernetes_url: str = setting(
        about="the clusters' API; {region} stands for the region",
        needed=True, example="https://{region}.clusters.example.com", practice="{url}/k8s/{region}",
    )  # fmt: skip
    kubernetes_token: str = secret("read again when it is refused; or adc")


class CloudRunPoolSettings(ClientSettings):
    cloud_run_pool: str = setting(about=f"{PLACE} of their service", needed=True, example="europe-west1/acme/workers")
    cloud_run_url: str = setting("https://run.googleapis.com", practice="{url}/run")
    cloud_run_token: str = secret()


async def _probe(pools: PoolControl, look: Look) -> Seen:
    said = await pools.get(look.call, "/v1/pool")
    running = "nobody says how many" if said["running"] is None else said["running"]
    return Seen(f"{running} of {said['workers']} workers run, {said['most'] or 'any number'} may")


def _on_kubernetes(opening: Opening) -> PoolOnKubernetes:
    region, namespace, name = _place(opening.settings.kubernetes_pool)
    return PoolOnKubernetes(opening.http("kubernetes", region=region), namespace, name)


def _on_cloud_run(opening: Opening) -> PoolOnCloudRun:
    region, project, name = _place(opening.settings.cloud_run_pool)
    return PoolOnCloudRun(opening.http("cloud_run"), project, region, name)


def _place(said: str) -> tuple[str, str, str]:
    parts = [*said.split("/"), "", "", ""]
    return parts[0], parts[1], parts[2]


POOLS = ClientInfo("pool control", PoolControl, QueuesSettings, _probe)
ON_KUBERNETES = ClientInfo("pool on kubernetes", PoolOnKubernetes, KubernetesPoolSettings, _probe, _on_kubernetes)
ON_CLOUD_RUN = ClientInfo("pool on cloud run", PoolOnCloudRun, CloudRunPoolSettings, _probe, _on_cloud_run)
SYSTEM = SystemInfo(Port("worker pools", PoolControl, (POOLS, ON_KUBERNETES, ON_CLOUD_RUN)))
