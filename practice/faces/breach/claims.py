"""`/claims`: what somebody says in public that they have, as Security has taken it in: hashes of the records that were shown, and no record."""

from __future__ import annotations

from pydantic import Field

from practice.http.face import Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.intrusion.cast import intrusion

FACE = own_api(
    "claims", "Public claims, as they were taken in: where, and the hashes of the records that were shown. No record, no contact."
)
OF = "/claims/v1"
PAGE = 20


class ClaimShown(Shown):
    """`samples`: so many records were shown."""

    id: str
    where: str
    samples: int


class Samples(Shown):
    """`next`: the offset of the next page; null on the last one."""

    hashes: list[str]
    next: int | None


class Page(Query):
    offset: int = Field(0, ge=0)


@FACE.reads("claims.get", OF + "/claims/{claim}", models=RouteModels(shows=ClaimShown))
def claim(call: Call) -> Reply:
    found = intrusion(call.state, call.now).claims.get(call.path["claim"])
    if found is None:
        raise call.refuse(404, f"there is no claim {call.path['claim']}")
    return Reply(ClaimShown(id=found.id, where=found.where, samples=len(found.samples)).model_dump())


@FACE.reads("claims.samples", OF + "/claims/{claim}/samples", models=RouteModels(query=Page, shows=Samples))
def samples(call: Call) -> Reply:
    """The hashes of the records that were shown."""
    offset, found = call.asked(Page).offset, intrusion(call.state, call.now).claims.get(call.path["claim"])
    if found is None:
        raise call.refuse(404, f"there is no claim {call.path['claim']}")
    last = offset + PAGE >= len(found.samples)
    return Reply(Samples(hashes=found.samples[offset : offset + PAGE], next=None if last else offset + PAGE).model_dump())
