"""The admission of the clusters, by the Kubernetes API."""

from activities.admission.cluster import POLICIES, Clusters
from activities.deploys.system import KubernetesSettings
from activities.systems import ClientInfo, Look, Opening, Seen, SystemInfo


def _clusters(opening: Opening) -> Clusters:
    return Clusters(lambda region: opening.http("kubernetes", region=region))


async def _probe(clusters: Clusters, look: Look) -> Seen:
    regions = sorted({region for service in look.on("kubernetes") for region in service.regions})
    held = [region for region in regions if await clusters.find(look.call, region, POLICIES) is not None]
    may = [await clusters.may_change(look.call, region) for region in regions]
    return Seen(f"builds are refused in {', '.join(held) or 'no cluster'} of {', '.join(regions)}", may_write=all(may))


SYSTEM = SystemInfo(ClientInfo("kubernetes admission", Clusters, KubernetesSettings, _probe, _clusters))
