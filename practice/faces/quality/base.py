"""What all routes of the release plane share: `/quality` says what serves, and how it is changed."""

from __future__ import annotations

from practice.http.face import Call
from practice.http.own_api import own_api
from practice.quality.registry import Registry, Triple, read
from practice.quality.simulation import Simulation

FACE = own_api(
    "quality",
    "The release plane of a model route: which triples (model, prompt, guard chain) were blessed, what is rolled out, and who was answered how well.",
)
OF_ROUTE = "/quality/v1/routes/{route}"


def registry_of(call: Call) -> Registry:
    """The registry of the route in the path."""
    if call.path["route"] != call.state.route.alias:
        raise call.refuse(404, f"there is no route {call.path['route']}")
    return call.state.part(Registry)


def simulation_of(call: Call) -> Simulation:
    return next(one for one in call.world.simulations if isinstance(one, Simulation))


def triple_of(call: Call, text: str) -> Triple:
    """The triple that is meant; refused when it is none, or names a version that is not there."""
    found = read(text)
    if found is None:
        raise call.invalid(f"{text[:40]} is no triple: MODEL/PROMPT/GUARD, whole numbers")
    if not call.state.part(Registry).has(found):
        raise call.invalid(f"the registry has no triple {text}")
    return found
