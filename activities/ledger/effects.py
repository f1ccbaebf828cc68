"""The book of effects: every try to change something outside, put down before it touches its target, and how it ended."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import JsonValue

from activities.action import Call, Effect, Order, Risk, Value
from activities.ledger.database import Database, insert_into
from activities.ledger.tables import effects

PROVEN = ("done", "adopted")


class Done(Value):
    """One effect as it stands on the book."""

    key: str
    incident_id: str
    verb: str
    target: str
    risk: Risk
    effect: str
    by_hand: tuple[str, ...]
    question: int | None
    outcome: str
    why: str
    proven_by: str
    adopted: bool
    before: dict[str, JsonValue]
    after: dict[str, JsonValue]
    first_at: datetime
    last_at: datetime
    attempts: int


def put_begin(database: Database, name: str, risk: Risk, order: Order, call: Call) -> None:
    now = database.now()
    row = _row(call, now, verb=name, target=order.target(), risk=int(risk), effect=order.effect(), by_hand=list(order.by_hand()))
    with database.writing() as connection:
        insert = insert_into(connection, effects).values(row)
        proven = effects.c.outcome.in_(PROVEN)  # what was proven once stays proven: a later try only looks at it
        again = {
            "attempts": effects.c.attempts + 1,
            "last_at": now,
            "question": sa.func.coalesce(insert.excluded.question, effects.c.question),
            "outcome": sa.case((proven, effects.c.outcome), else_="trying"),
        }
        connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=again))


def put_end(database: Database, call: Call, outcome: str, effect: Effect | None, why: str) -> None:
    ended: dict[str, Any] = {"outcome": outcome, "why": why, "last_at": database.now()}
    if effect is not None:
        ended |= effect.model_dump(mode="json", include={"proven_by", "adopted", "before", "after"})
    mine = effects.c.key == call.key
    with database.writing() as connection:
        changed = connection.execute(sa.update(effects).where(mine, effects.c.outcome.not_in(PROVEN)).values(ended)).rowcount
        if not changed and connection.execute(sa.select(effects.c.key).where(mine)).first() is None:
            insert = insert_into(connection, effects).values(_row(call, database.now()) | ended)
            connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=ended, where=effects.c.outcome.not_in(PROVEN)))


def _row(call: Call, now: datetime, **known: JsonValue) -> dict[str, Any]:
    """A first try. Where the ledger missed its beginning, its key says what can be known: `incident/verb/target/n`."""
    parts = call.key.split("/")
    return {
        "key": call.key, "incident_id": call.incident_id, "verb": "/".join(parts[1:2]), "target": "/".join(parts[2:-1]), "risk": 0, "effect": "",
        "by_hand": [], "question": call.grant.question if call.grant else None, "outcome": "trying", "why": "", "proven_by": "",
        "adopted": False, "before": {}, "after": {}, "first_at": now, "last_at": now, "attempts": 1, **known,
    }  # fmt: skip
