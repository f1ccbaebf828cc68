"""`incident do INCIDENT orchestrator.autonomy=off tenant/acme/llm_rate=low`: the seed's own words, proven and put back like any measure."""

from pathlib import Path

import pytest

from activities.organisation.policy import Policy
from practice.agents.budgets import Budgets, Limit
from tests.stage.drill import drill
from tests.stage.organisation import brisk
from tests.stage.running import until
from workflows.errors import NotAccepted
from workflows.procedures.seed_words import seed_changes


async def test_the_seeds_words_are_done_by_name_and_put_back(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk()) as stage:
        tenant = next(iter(stage.world.state.tenants))

        def caps() -> Limit:
            """As they are now: the state is another after each write."""
            return stage.world.state.part(Budgets).limit("tenant", tenant)

        before = caps().psu_daily_cap
        incident = await stage.declare()
        words = {
            "batch.enabled": "off",
            "tools.high_psu": "off",
            f"tenant/{tenant}/llm_rate": "low",
            f"tenant/{tenant}/psu_daily_cap": "90000",
        }
        await incident.say("do", {"by": "lee", "procedure": "set", "fields": words})

        async def done() -> bool:
            await stage.env.sleep(5)
            now = caps()
            return not stage.world.state.flags["tools.high_psu"] and (now.llm_rate, now.psu_daily_cap) == ("low", 90000)

        await until(done, "flags and limits to be as the seed's words say")
        await incident.verified("stand_down", "dana", reason="a drill")
        await incident.ends()
        assert (caps().llm_rate, caps().psu_daily_cap) == ("normal", before) and all(stage.world.state.flags.values())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"orchestrator.autonomy": "maybe"}, "orchestrator.autonomy is on or off, not 'maybe'"),
        ({"llm_rate": "low"}, "whose? Say SCOPE/NAME/llm_rate=…"),
        ({"tenant/*/psu_daily_cap": "0"}, "'*' is a pattern, and a limit is of one name"),
        ({"tenant/acme/colour": "red"}, "whose? Say SCOPE/NAME/colour=…"),
    ],
)
def test_what_means_nothing_is_said(words: dict[str, str], why: str) -> None:
    with pytest.raises(NotAccepted) as no:
        seed_changes(words, Policy())
    assert why in str(no.value)
