"""Who copies disks: `[policy.systems] disks` chooses."""

from activities.disks.gce import ComputeDisks
from activities.disks.snapshots import SnapshotStore
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, Unused, secret, setting


class ComputeSettings(ClientSettings):
    compute_url: str = setting("https://compute.googleapis.com", practice="{url}/gce")
    compute_token: str = secret("or adc: Google's Application Default Credentials, which renew themselves")
    compute_project: str = setting(about="whose disks are listed by their label `asset`", needed=True, example="acme", practice="acme")


def _open(opening: Opening) -> ComputeDisks:
    return ComputeDisks(opening.http("compute"), opening.settings.compute_project)


async def _probe(disks: ComputeDisks, look: Look) -> Seen:
    asset = next(iter(look.catalogue.services), None)
    if asset is None:
        raise Unused("organisation.toml names no service")
    return Seen((await disks.of_asset(look.call, asset)).summary)


COMPUTE = ClientInfo("compute engine", ComputeDisks, ComputeSettings, _probe, _open)
SYSTEM = SystemInfo(Port("disks", SnapshotStore, (COMPUTE,)))
