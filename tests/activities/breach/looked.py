"""What a breach is looked into by, on a practice platform that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from activities.breach.data_map import DataMaps, DataSets, DataSetsOf
from activities.breach.planes import AccessRecords, ClaimDesk, DataMap, FootholdPlane
from activities.breach.records import AccessLog, Readers, ReadersOf
from activities.breach.scope import ScopeLedger, ScopeOf, Scopes
from practice.intrusion.cast import intrusion
from practice.intrusion.faults import intrude
from practice.intrusion.model import Intrusion
from tests.activities.kit.stage import Stage, attempt, stage

EXPORTER = "svc-export"


def entered(seconds: float = 300, **how: Any) -> Stage:
    """Somebody has been inside for so long."""
    played = stage()
    intrude(played.world.state, played.world.clock.now(), **how)
    played.pass_time(seconds)
    return played


def of(played: Stage) -> Intrusion:
    return intrusion(played.world.state, played.world.clock.now())


def since(played: Stage, hours: float = 1) -> datetime:
    return datetime.fromtimestamp(played.world.clock.now(), UTC) - timedelta(hours=hours)


def records(played: Stage) -> AccessRecords:
    return AccessRecords(played.client("/access-records"))


def data_map(played: Stage) -> DataMap:
    return DataMap(played.client("/data-map"))


def desk(played: Stage) -> ClaimDesk:
    return ClaimDesk(played.client("/claims"))


def footholds(played: Stage) -> FootholdPlane:
    return FootholdPlane(played.client("/footholds"))


async def readers(played: Stage) -> Readers:
    order = ReadersOf(since=since(played))
    return await attempt(AccessLog.readers, AccessLog(records(played)), order, played.call())  # type: ignore[no-any-return]


async def known(played: Stage) -> DataSets:
    return await attempt(DataMaps.read, DataMaps(data_map(played)), DataSetsOf(), played.call())  # type: ignore[no-any-return]


async def scope(played: Stage, *identities: str, vendor: str = "", **more: Any) -> ScopeLedger:
    order = ScopeOf(identities=identities or (EXPORTER,), since=since(played), known=more.get("known", await known(played)), vendor=vendor)
    return await attempt(Scopes.scope, Scopes(records(played)), order, played.call())  # type: ignore[no-any-return]
