"""Who is in the practice world, and the orders that stories of the model gateway begin with."""

from typing import Any

from activities.models.routes import Shift
from practice.world.world import World


def movable(world: World) -> tuple[str, ...]:
    return tuple(t.name for t in world.state.tenants.values() if t.tier != "sovereign")


def sovereign(world: World) -> tuple[str, ...]:
    return tuple(t.name for t in world.state.tenants.values() if t.tier == "sovereign")


def to_borealis(world: World, share: float = 1.0, **more: Any) -> Shift:
    weights = {"borealis": share, "aurora": round(1 - share, 6)}
    within = {"purpose": "fail over", "parity": 0.97, "price_ratio": 1.1}
    return Shift.model_validate({"route": "chat", "tenants": movable(world), "weights": weights, **within, **more})
