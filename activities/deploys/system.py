"""Where services run: Cloud Run and Kubernetes. Which one is used is said of each service in organisation.toml."""

from pydantic import Field

from activities.deploys.cloud_run import CloudRun
from activities.deploys.deploys import Deploys, Platform
from activities.deploys.kubernetes import Kubernetes
from activities.deploys.redeploy import Redeploys
from activities.edge.probe import EdgeProbe
from activities.kit.clock import Clock
from activities.metrics.prometheus import Prometheus
from activities.secrets.system import STORE
from activities.systems import Build, ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret, setting


class RolloutSettings(ClientSettings):
    rollout_patience: float = Field(default=60.0, gt=0, lt=90, description="seconds of a try; below its start-to-close timeout")


class CloudRunSettings(RolloutSettings):
    cloud_run_url: str = setting("https://run.googleapis.com", practice="{url}/run")
    cloud_run_token: str = secret("or adc: Google's Application Default Credentials, which renew themselves")
    google_iam_url: str = setting("https://iam.googleapis.com", "asked whether we may act as the services' accounts", practice="{url}/iam")


class KubernetesSettings(RolloutSettings):
    kubernetes_url: str = setting(
        about="the clusters' API; {region} stands for the region",
        needed=True, example="https://{region}.clusters.example.com", practice="{url}/k8s/{region}",
    )  # fmt: skip
    kubernetes_token: str = secret("read again when it is refused; or adc")


def _cloud_run(opening: Opening) -> CloudRun:
    return CloudRun(opening.http("cloud_run"), opening.http("google_iam", token="cloud_run_token"))  # noqa: S106 - the name of a setting


async def _probe_cloud_run(run: CloudRun, look: Look) -> Seen:
    services = look.on("cloud_run")
    for service in services:
        await run.regions(look.call, service)
    places = [(look.call, service, region) for service in services for region in service.regions]
    may = [await run.may_change(*place) for place in places]
    accounts = dict([await run.may_act_as(*place) for place in places])
    said = [f"{', '.join(service.name for service in services)} read in every region"]
    said += [f"iam.serviceAccounts.actAs is missing on {account}" for account, allowed in accounts.items() if allowed is False]
    said += ["not probed whether we may act as the default service account"] if None in accounts.values() else []
    return Seen("; ".join(said), may_write=all(may) and False not in accounts.values())


def _kubernetes(opening: Opening) -> Kubernetes:
    return Kubernetes(lambda region: opening.http("kubernetes", region=region))


async def _probe_kubernetes(kubernetes: Kubernetes, look: Look) -> Seen:
    services = look.on("kubernetes")
    for service in services:
        await kubernetes.regions(look.call, service)
    regions = {region for service in services for region in service.regions}
    may = [await kubernetes.may_change(look.call, service, region) for service in services for region in service.regions]
    return Seen(f"{', '.join(service.name for service in services)} read in {', '.join(sorted(regions))}", may_write=all(may))


CLOUD_RUN = ClientInfo("cloud run", CloudRun, CloudRunSettings, _probe_cloud_run, _cloud_run)
KUBERNETES = ClientInfo("kubernetes", Kubernetes, KubernetesSettings, _probe_kubernetes, _kubernetes)


def _deploys(build: Build) -> Deploys:
    platforms: dict[str, Platform] = {"cloud_run": build.client(CLOUD_RUN), "kubernetes": build.client(KUBERNETES)}
    configured = not build.missing(STORE)
    return Deploys(
        platforms, build.part(EdgeProbe), build.part(Prometheus), patience=build.settings.rollout_patience,
        store=build.client(STORE) if configured else None,
    )  # fmt: skip


def _redeploys(build: Build) -> Redeploys:
    return Redeploys(_deploys(build), build.part(Clock))  # type: ignore[type-abstract]  # the worker's


SYSTEM = SystemInfo(CLOUD_RUN, KUBERNETES, built={Deploys: _deploys, Redeploys: _redeploys})
