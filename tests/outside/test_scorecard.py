"""The scorecard is checked from outside: recomputed from the effect log and the metrics alone, it agrees."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from activities.kit.words import promql
from activities.metrics import queries
from activities.organisation.policy import Policy
from practice.http.server import serve
from starters.gameday.scorecard import Json, budget_burnt, count_effects, score, standing_of
from tests.stage.drill import drill
from tests.stage.organisation import brisk


class Outside(BaseModel):
    """What the effect log and the metrics say on their own, without a word from us."""

    detected_seconds: float | None
    acknowledged_seconds: float | None
    mitigated_seconds: float | None
    resolved_seconds: float | None
    questions: int
    error_budget_burnt: float | None


def from_outside(
    log: Sequence[Json], errors: Sequence[tuple[datetime, float]], *, broken_at: datetime, burnt: float | None, limit: float
) -> Outside:
    """Recompute the scorecard from the effect log and the error ratio (instant, ratio) over the incident, both in world time.

    Detected: the first page. Acknowledged: the page taken. Mitigated: the first instant after the impact from which the error ratio stays
    within `limit` for five minutes: what the return to the primary costs later is not the impact. Resolved: the status page says so.
    """
    at = {e["n"]: datetime.fromisoformat(e["world_at"]) for e in log}
    first = _first(log, at)
    hit = [t for t, ratio in errors if t >= broken_at and ratio > limit]
    settled = timedelta(minutes=5)
    well = [t for t, _ in errors if hit and t > hit[0] and not any(t <= bad < t + settled for bad in hit)]
    asked = {e["key"].split("/pager.ask/")[1].split("/")[0] for e in log if "/pager.ask/" in str(e.get("key"))}

    def since(instant: datetime | None) -> float | None:
        return None if instant is None else (instant - broken_at).total_seconds()

    return Outside(
        detected_seconds=since(first("pagerduty", "enqueue")), acknowledged_seconds=since(first("pagerduty", '"acknowledged"')),
        mitigated_seconds=since(well[0] if well else None), resolved_seconds=since(first("statuspage", '"resolved"')),
        questions=len(asked), error_budget_burnt=burnt,
    )  # fmt: skip


def _first(log: Sequence[Json], at: dict[int, datetime]) -> Any:
    def first(face: str, says: str) -> datetime | None:
        found = [at[e["n"]] for e in log if e["face"] == face and e.get("changed") and says in _words(e)]
        return min(found, default=None)

    return first


def _words(effect: Json) -> str:
    return json.dumps([effect.get("route"), effect.get("after")])


def error_ratios(practice: httpx.Client, start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    """The service's error ratio over two minutes, every 15 world seconds."""
    failed, total = (promql.increase(queries.requests("chat", **labels), timedelta(minutes=2)) for labels in ({"outcome": "error"}, {}))
    query: Json = {
        "query": f"{promql.total(failed)} / {promql.total(total)}",
        "start": start.timestamp(),
        "end": end.timestamp(),
        "step": 15,
    }
    found = practice.get("/prom/api/v1/query_range", params=query).raise_for_status().json()["data"]
    series = found["result"][0]["values"] if found["result"] else []
    return [(datetime.fromtimestamp(float(at), UTC), float(value)) for at, value in series if value != "NaN"]


async def test_the_scorecard_can_be_recomputed_from_the_effect_log_and_the_metrics(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk()) as stage:
        await stage.edit(providers={"borealis": {"parity": 0.93}})
        before = standing_of(await stage.look())
        broken_at = await stage.env.get_current_time()
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6, for_seconds=700)
        await stage.env.sleep(timedelta(minutes=5))
        incident = await stage.declare()
        await incident.say("acknowledge", {"by": "dana"})
        status = await incident.ends()
        log = await stage.effects()
        done = stage.fleet.ledger.effects(incident.id)
        end = status.closed_at or status.updated_at

        def measured() -> tuple[list[Any], float | None]:
            with httpx.Client(base_url=url, timeout=20) as practice:
                return error_ratios(practice, broken_at, end), budget_burnt(practice, "chat", end, end - broken_at)

        async with serve(stage.world) as url:
            errors, burnt = await asyncio.to_thread(measured)
        known: dict[str, Any] = {
            "broken_at": broken_at, "detected_at": status.declared_at, "pace": 1.0, "burnt": burnt,
            "restored": standing_of(await stage.look()) == before,
        }  # fmt: skip
        card = score(status, log, done, **known)
        policy = Policy()
        outside = from_outside(log, errors, broken_at=broken_at, burnt=burnt, limit=policy.impact.error_ratio)

        assert card.passed, card.why_not
        assert not score(status, log, done, **known, spared=1).passed, "a kill that never came proves nothing"
        assert card.effects > 50 and card.effects_lost == card.effects_doubled == 0
        assert outside.questions == card.questions
        assert burnt is not None and burnt > 0
        near = 60.0  # seconds of world time
        # We say mitigated when a whole ramp step and then a whole window were seen to be well; the metrics turn well when the ramp is done.
        later = timedelta(minutes=3).total_seconds() + near  # of the brisk policy, one minute each
        for name, tolerance in (("detected", near), ("acknowledged", near), ("mitigated", later), ("resolved", near)):
            ours, theirs = getattr(card, f"{name}_seconds"), getattr(outside, f"{name}_seconds")
            assert ours is not None and theirs is not None, name
            assert abs(ours - theirs) <= tolerance, (name, ours, theirs)


def effect(key: str, asked: str, **more: Any) -> dict[str, Any]:
    return {"n": 1, "key": key, "route": "slack.chat.postMessage", "target": "C1", "asked": asked, "changed": True, **more}


def test_a_message_that_was_sent_twice_under_one_key_is_a_double() -> None:
    total, lost, doubled = count_effects([effect("k/1", "a"), effect("k/1", "a"), effect("k/1", "b")], [])
    assert (total, lost, len(doubled)) == (3, [], 1)


def test_a_write_that_found_nothing_to_change_is_no_double() -> None:
    assert count_effects([effect("k/1", "a"), effect("k/1", "a", changed=False)], [])[2] == []


def test_the_scorecard_has_the_keys_that_machines_read() -> None:
    from starters.gameday.scorecard import Scorecard

    wanted = (
        "playbook incident_id detected_seconds acknowledged_seconds mitigated_seconds resolved_seconds questions measures_in_force effects "
        "effects_lost effects_doubled passed"
    )
    assert set(wanted.split()) <= set(json.loads(json.dumps(Scorecard.model_json_schema()))["properties"])
