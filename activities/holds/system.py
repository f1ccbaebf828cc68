"""Where objects lie that may be held: `[policy.systems] holds` chooses."""

from activities.holds.gcs import GcsObjects
from activities.holds.objects import ObjectsOf, ObjectStore
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting


class GcsHoldsSettings(ClientSettings):
    gcs_holds_url: str = setting("https://storage.googleapis.com", practice="{url}/gcs")
    gcs_holds_token: str = secret("or adc: Google's Application Default Credentials, which renew themselves")
    gcs_holds_bucket: str = setting(
        about="the bucket that is read for a look from outside", needed=True, example="acme-logs", practice="logs"
    )


def _open(opening: Opening) -> GcsObjects:
    return GcsObjects(opening.http("gcs_holds"))


async def _probe(objects: GcsObjects, look: Look) -> Seen:
    bucket = look.settings.gcs_holds_bucket
    now, lacking = await objects.read(look.call, ObjectsOf(bucket=bucket)), await objects.may_hold(look.call, bucket)
    missing = f"; missing: {', '.join(lacking)}" if lacking else ""
    return Seen(f"gs://{bucket}: {now.summary}{missing}", may_write=not lacking)


GCS = ClientInfo("gcs holds", GcsObjects, GcsHoldsSettings, _probe, _open)
SYSTEM = SystemInfo(Port("holds", ObjectStore, (GCS,)))
