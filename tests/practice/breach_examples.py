"""A request that would succeed: of what an intruder has left behind."""

from practice.world.stage import Stage
from tests.practice.examples import Example


async def breach_examples(stage: Stage) -> dict[str, Example]:
    """The writing route of this room."""
    left = (await stage.must("POST", "/practice/footholds", {"kind": "oauth"}))["foothold"]
    state = f"/footholds/v1/footholds/{left}/state"
    etag = (await stage.must("GET", state))["etag"]
    return {"footholds.state.put": Example("PUT", state, {"epoch": 1, "enabled": False}, {"If_Match": etag})}
