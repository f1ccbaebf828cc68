"""The scorecard is checked from outside: recomputed from the effect log and the metrics alone, it agrees."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from activities.organisation.policy import Policy
from practice.http.server import serve
from starters.gameday.metrics import Metrics
from starters.gameday.scorecard import count_effects, from_outside, score
from starters.gameday.standing import standing_of
from tests.stage.drill import drill


async def test_the_scorecard_can_be_recomputed_from_the_effect_log_and_the_metrics(tmp_path: Path) -> None:
    async with drill(tmp_path) as stage:
        await stage.edit(providers={"borealis": {"parity": 0.93}})
        before = standing_of(await stage.look())
        broken_at = await stage.env.get_current_time()
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6, for_seconds=1500)
        await stage.env.sleep(timedelta(minutes=5))
        incident = await stage.declare()
        await incident.say("acknowledge", {"by": "dana"})
        status = await incident.ends()
        log = await stage.effects()
        done = stage.fleet.ledger.effects(incident.id)
        end = status.closed_at or status.updated_at

        def measured() -> tuple[list[Any], float | None]:
            with httpx.Client(base_url=url, timeout=20) as practice:
                metrics = Metrics(practice, "chat")
                return metrics.error_ratios(broken_at, end), metrics.budget_burnt(broken_at, end, 1.0)

        async with serve(stage.world) as url:
            errors, burnt = await asyncio.to_thread(measured)
        known: dict[str, Any] = {
            "broken_at": broken_at, "detected_at": status.declared_at, "pace": 1.0, "burnt": burnt,
            "restored": standing_of(await stage.look()) == before,
        }  # fmt: skip
        card = score(status, log, done, **known)
        policy = Policy()
        outside = from_outside(log, errors, broken_at=broken_at, burnt=burnt, limit=policy.mitigated_error_ratio)

        assert card.passed, card.why_not
        assert not score(status, log, done, **known, spared=1).passed, "a kill that never came proves nothing"
        assert card.effects > 50 and card.effects_lost == card.effects_doubled == 0
        assert outside.questions == card.questions
        assert burnt is not None and burnt > 0
        near = 60.0  # seconds of world time
        # We say mitigated when a whole ramp step and then a whole window were seen to be well; the metrics turn well when the ramp is done.
        later = (policy.provider_outage.ramp_step + policy.mitigated_window * 2).total_seconds() + near
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
