"""Shadow mode is minded twice: the workflow has no change made, and every verb is told what it may write to."""

from pathlib import Path
from typing import Any

from tests.incident.mechanisms.outage import LOW_PARITY
from tests.stage.drill import drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident
from worker.converter import data_converter

KEPT = {"ledger", "evidence"}  # ours, whatever the mode is


async def calls(incident: RunningIncident) -> dict[str, list[Any]]:
    """Every call of a verb so far, by its name."""
    found: dict[str, list[Any]] = {}
    for event in (await incident.handle.fetch_history()).events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            asked = event.activity_task_scheduled_event_attributes
            found.setdefault(asked.activity_type.name, []).append(data_converter.payload_converter.from_payload(asked.input.payloads[1]))
    return found


async def test_in_shadow_mode_no_change_is_asked_of_a_verb_and_each_is_told_what_it_may_write_to(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk(), mode="shadow") as stage:
        await stage.edit(providers=LOW_PARITY)
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6)
        incident = await stage.declare()
        assert (await incident.hears(": models.back_off")).startswith("assumed: ")
        await incident.hears(": models.shift")
        made = await calls(incident)
        assert "models.survey" in made and not {"models.back_off", "models.shift", "flags.switch_off", "pager.page"} & set(made)
        told = [call["write_access"] for verb, asked in made.items() if verb.partition(".")[0] not in KEPT for call in asked]
        assert len(told) > 10 and all(access == [] for access in told)
