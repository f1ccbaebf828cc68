"""`/cdn`: the content delivery network. Which paths go past it, the generation of their keys, and what it has kept (headers, no content)."""

from __future__ import annotations

from practice.http.face import Call, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.http.resource import held
from practice.tenancy.cast import tenancy
from practice.tenancy.leaking import leaks
from practice.tenancy.model import CDN, Bypass, Endpoint, Generation

FACE = own_api("cdn", "The content delivery network: which paths go past it, the generation of their keys, and samples of headers.")
OF = "/cdn/v1/paths/{path}"
SAMPLES = 20


class Sample(Shown):
    """The headers of one thing that it has kept. `tenant`: whose it is; `asked_by`: who was given it."""

    key: str
    age_seconds: int
    cache_control: str
    vary: str
    tenant: str
    asked_by: str


class Samples(Shown):
    samples: list[Sample]


def _path_of(call: Call) -> Endpoint:
    found = tenancy(call.state, call.now).endpoints.get(call.path["path"])
    if found is None or not found.cdn:
        raise call.refuse(404, f"nothing is kept of {call.path['path']}")
    return found


held(FACE, "bypass", OF + "/bypass", Bypass, _path_of, "bypass")
held(FACE, "generation", OF + "/generation", Generation, _path_of, "generation")


@FACE.reads("samples", OF + "/samples", models=RouteModels(shows=Samples))
def samples(call: Call) -> Reply:
    """What is kept of a path: its headers, and never what it holds."""
    there, path = tenancy(call.state, call.now), _path_of(call)
    wrong = any(one.kind == CDN and leaks(call.state, there, one, path) for one in there.leaks)
    names = sorted(call.state.tenants)
    found = [
        Sample(
            key=f"g{path.generation.number}/{path.name}/{n:02d}", age_seconds=30 * n, cache_control="public, max-age=3600",
            vary="" if wrong else "Authorization", tenant=names[n % len(names)], asked_by=names[(n + wrong) % len(names)],
        )
        for n in range(SAMPLES)
    ]  # fmt: skip
    return Reply(Samples(samples=found).model_dump())
