"""A drill may go at another pace in a phase, and through a long wait; what was due and how long it took is counted right all the same."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.stage.drill import drill
from tests.stage.organisation import brisk
from workflows.status import policy_time

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_policy_time_is_added_up_over_the_paces() -> None:
    paces = [(NOON, 10.0), (NOON + MINUTE, 120.0), (NOON + 2 * MINUTE, 2880.0)]
    assert policy_time(paces, NOON, NOON + MINUTE) == 10 * MINUTE
    assert policy_time(paces, NOON + MINUTE / 2, NOON + 2 * MINUTE) == 125 * MINUTE
    assert policy_time(paces, NOON - MINUTE, NOON + 3 * MINUTE) == (10 + 10 + 120 + 2880) * MINUTE
    assert policy_time(paces, NOON, NOON) == timedelta(0)


async def test_a_phase_of_a_drill_has_a_pace_of_its_own(tmp_path: Path) -> None:
    paces = 'pace = 2.0\npaces = { declared = 4.0, triage = 4.0, mitigation = 4.0 }\nlong_wait_pace = 8.0\nlong_wait = "PT4M"'
    async with drill(tmp_path, policy=brisk(top=paces)) as stage:
        incident = await stage.declare()
        status = await incident.ends()
        assert [pace for _, pace in status.paces] == [2.0, 4.0, 2.0, 8.0, 2.0], (
            "before it, containment, recovery, an hour's stability, and the end"
        )
        assert "pace: one real second is 8 s of policy time" in await incident.timeline()
        lasted = status.policy_time(status.declared_at, status.resolved_at or status.updated_at)
        real = (status.resolved_at or status.updated_at) - status.declared_at
        assert 2 * real < lasted < 8 * real
