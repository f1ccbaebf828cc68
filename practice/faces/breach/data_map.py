"""`/data-map`: which data sets there are, of which classes, in which role of ours, whose, shared with whom; and whether a record is one of them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.intrusion.cast import intrusion

FACE = own_api(
    "data_map",
    "The map of data: each data set with its classes, our role, its persons by country, its tenants and vendors. A record is known by its hash "
    "alone (SHA-256 of its canonical form, with a pepper that only the map knows): whoever asks never sends or gets a value.",
)
OF = "/data-map/v1"
PAGE = 20
Kind = Literal["PII", "SPECIAL", "PHI", "PAN", "SECRET", "CONTENT", "METADATA"]


class DataSetShown(Shown):
    """`role`: controller, or processor for tenants. `subjects`: persons by country or state. `key_exposed`: the key of its encryption may be known
    to others; null: nobody knows."""

    name: str
    classes: list[Kind]
    role: Literal["controller", "processor", "unknown"]
    subjects: dict[str, int]
    tenants: list[str]
    encrypted: bool | None
    key_exposed: bool | None
    shared_with: list[str]
    readers: list[str]


class DataSets(Shown):
    """`next`: the offset of the next page; null on the last one."""

    data_sets: list[DataSetShown]
    next: int | None


class Page(Query):
    offset: int = Field(0, ge=0)


class Contract(Shown):
    """Within how many hours a tenant has to be told, by its contract; null: nobody has written it down."""

    tenant: str
    notice_hours: int | None


class Contracts(Shown):
    contracts: list[Contract]
    next: int | None


class Match(Ask):
    """Hashes of records that somebody shows. At most ten are compared: that is enough to know, and copies nothing."""

    hashes: list[str] = Field(min_length=1, max_length=10)


class Matched(Shown):
    """Which of them are records of which data set; `unread`: data sets in which nobody could look."""

    matched: dict[str, list[str]]
    unread: list[str]


@FACE.reads("data_sets.list", OF + "/data-sets", models=RouteModels(query=Page, shows=DataSets))
def data_sets(call: Call) -> Reply:
    """Every data set."""
    offset, there = call.asked(Page).offset, intrusion(call.state, call.now)
    names = ("name", "classes", "role", "subjects", "tenants", "encrypted", "key_exposed", "shared_with", "readers")
    shown = [DataSetShown.model_validate({name: getattr(one, name) for name in names}) for one in there.sets.values()]
    last = offset + PAGE >= len(shown)
    return Reply(DataSets(data_sets=shown[offset : offset + PAGE], next=None if last else offset + PAGE).model_dump())


@FACE.reads("contracts.list", OF + "/contracts", models=RouteModels(query=Page, shows=Contracts))
def contracts(call: Call) -> Reply:
    """How soon each tenant has to be told."""
    offset, there = call.asked(Page).offset, intrusion(call.state, call.now)
    shown = [Contract(tenant=name, notice_hours=hours) for name, hours in sorted(there.contracts.items())]
    last = offset + PAGE >= len(shown)
    return Reply(Contracts(contracts=shown[offset : offset + PAGE], next=None if last else offset + PAGE).model_dump())


@FACE.reads("records.match", OF + "/records/match", "POST", models=RouteModels(asks=Match, shows=Matched))
def match(call: Call) -> Reply:
    """Compare hashes with those of our records. Nothing is stored."""
    wanted, there = call.ask(Match).hashes, intrusion(call.state, call.now)
    read = [one for one in there.sets.values() if one.name not in there.dials.unread]
    found = {one.name: [h for h in wanted if h in one.hashes] for one in read}
    return Reply(Matched(matched={name: those for name, those in found.items() if those}, unread=list(there.dials.unread)).model_dump())
