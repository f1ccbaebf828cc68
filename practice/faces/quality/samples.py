"""Customers' answers that were judged, by slice. No text: a reference and a hash."""

from __future__ import annotations

import hashlib
from itertools import islice

from pydantic import Field

from practice.faces.quality.base import FACE, OF_ROUTE, registry_of, simulation_of
from practice.http.face import Call, Query, Reply, RouteModels, Shown
from practice.quality.answers import Judged
from practice.quality.registry import said
from practice.world.clock import from_rfc3339


class SampleRow(Shown):
    """One judged answer, where it is kept, and its hash; and the documents that it was given."""

    ref: str
    sha256: str
    at: str
    triple: str
    provider: str
    snapshot: str
    region: str
    language: str
    context: str
    tool: str
    tenant: str
    retrieved: list[str]
    bad: bool


class Samples(Shown):
    """The newest first. `consent`: whether the customers' contracts allow that answers are sampled; nothing is shown where they do not."""

    consent: bool
    judged: int
    bad: int
    samples: list[SampleRow]


class Asked(Query):
    """The window in seconds (before `until`, an instant; else before now), how many at most, and whether only bad ones."""

    window: float = Field(1800, gt=0, le=172_800, allow_inf_nan=False)
    limit: int = Field(500, ge=1, le=2_000)
    bad: bool = False
    until: str | None = None


class Consent:
    """Whether answers may be sampled."""

    given = True


@FACE.reads("samples", OF_ROUTE + "/samples", models=RouteModels(query=Asked, shows=Samples))
def samples(call: Call) -> Reply:
    """Judged answers of the last seconds, newest first."""
    registry_of(call)
    wanted = call.asked(Asked)
    if not call.state.part(Consent).given:
        return Reply(Samples(consent=False, judged=0, bad=0, samples=[]).model_dump())
    until = _instant(call, wanted.until)
    found = [one for one in reversed(simulation_of(call).answers.log) if until - wanted.window < one.at <= until]
    chosen = islice((one for one in found if one.bad or not wanted.bad), wanted.limit)
    rows = [_row(call, one) for one in chosen]
    return Reply(Samples(consent=True, judged=len(found), bad=sum(one.bad for one in found), samples=rows).model_dump())


def _instant(call: Call, given: str | None) -> float:
    """World time of a real instant; now, where none is given."""
    try:
        return call.now if given is None else call.world.clock.to_world(from_rfc3339(given))
    except ValueError:
        raise call.refuse(400, "until is no instant of RFC 3339") from None


def _row(call: Call, one: Judged) -> SampleRow:
    cell = one.cell
    return SampleRow(
        ref=one.ref, sha256=hashlib.sha256(one.ref.encode()).hexdigest(), at=call.world.clock.stamp(one.at), triple=said(one.triple),
        provider=one.provider, snapshot=one.snapshot, region=cell.region, language=cell.language, context=cell.context, tool=cell.tool,
        tenant=cell.tenant, retrieved=[f"documents/kb-{int(one.ref[-3:]) % 97:03d}"] if cell.tool == "search" else [], bad=one.bad,
    )  # fmt: skip
