"""Who has read which data, the map of data, public claims, and what an intruder has left behind."""

from datetime import timedelta

from activities.breach.data_map import DataSetsOf
from activities.breach.footholds import HuntOf
from activities.breach.planes import AccessRecords, ClaimDesk, DataMap, FootholdPlane
from activities.breach.records import ReadersOf
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting

HOUR = timedelta(hours=1)


class AccessRecordsSettings(ClientSettings):
    access_records_url: str = setting(
        about="who has read which data set", needed=True, example="https://access.example.com", practice="{url}/access-records"
    )
    access_records_token: str = secret()


class DataMapSettings(ClientSettings):
    data_map_url: str = setting(
        about="the map of data sets", needed=True, example="https://data-map.example.com", practice="{url}/data-map"
    )
    data_map_token: str = secret()


class ClaimsSettings(ClientSettings):
    claims_url: str = setting(
        about="public claims, as Security has taken them in", needed=True, example="https://claims.example.com", practice="{url}/claims"
    )
    claims_token: str = secret()
    claims_probe: str = setting("incident-doctor", "the id of a claim that is looked for, for a look from outside")


class FootholdsSettings(ClientSettings):
    footholds_url: str = setting(
        about="what an intruder may have left behind", needed=True, example="https://hunt.example.com", practice="{url}/footholds"
    )
    footholds_token: str = secret()


async def _probe_records(plane: AccessRecords, look: Look) -> Seen:
    order = ReadersOf(since=look.call.at - HOUR)
    rows = await plane.all(look.call, order.path, "identities", **order.asked())
    return Seen(f"{len(rows)} identities read data sets")


async def _probe_map(plane: DataMap, look: Look) -> Seen:
    return Seen(f"knows {len(await plane.all(look.call, DataSetsOf().path, 'data_sets'))} data sets")


async def _probe_claims(desk: ClaimDesk, look: Look) -> Seen:
    found = await desk.find(look.call, look.settings.claims_probe)
    return Seen("it answers" if found is None else f"knows {look.settings.claims_probe}")


async def _probe_footholds(plane: FootholdPlane, look: Look) -> Seen:
    said = await plane.get(look.call, "/v1/classes", **HuntOf(since=look.call.at - HOUR).asked())
    unread = [one["kind"] for one in said["classes"] if not one["checked"]]
    return Seen(f"looks through {len(said['classes']) - len(unread)} classes" + (f"; not through {', '.join(unread)}" if unread else ""))


SYSTEM = SystemInfo(
    ClientInfo("access records", AccessRecords, AccessRecordsSettings, _probe_records),
    ClientInfo("data map", DataMap, DataMapSettings, _probe_map),
    ClientInfo("claims", ClaimDesk, ClaimsSettings, _probe_claims),
    ClientInfo("footholds", FootholdPlane, FootholdsSettings, _probe_footholds),
)
