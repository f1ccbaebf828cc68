"""`incident do INCIDENT SETTING key=value …`: a person changes a setting that no playbook asked for; it is parsed by the setting's own model."""

from pathlib import Path

import pytest

from activities.flags.flags import Flag, FlagReading, Switch
from activities.organisation.policy import Policy
from tests.stage.drill import drill
from tests.stage.organisation import brisk
from tests.stage.running import until
from workflows.errors import NotAccepted
from workflows.procedures.procedures import SettingRequest

NAME = "flags.switch_off"


async def test_a_setting_is_changed_on_a_persons_word_and_put_back_with_the_others(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare()
        said = await incident.say("do", {"by": "lee", "procedure": NAME, "fields": {"flag": "batch.enabled", "on": "false"}})
        assert NAME in str(said)
        await until(lambda: _flag(stage, on=False), "the flag to be off")
        assert [row.target for row in incident.book() if row.verb == NAME] == ["flag/batch.enabled"]
        assert ("procedure", "flags.switch_off batch.enabled") in [(e.kind, e.text) for e in stage.fleet.ledger.timeline(incident.id)]
        await incident.verified("stand_down", "dana", reason="a drill")  # the playbook may have failed somebody over meanwhile
        await incident.ends()
        assert await _flag(stage, on=True)


async def _flag(stage: object, on: bool) -> bool:
    return bool((await stage.look())["flags"]["batch.enabled"]) is on  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"flg": "batch.enabled", "on": "false"}, r"has no field flg; did you mean flag\?"),
        ({"on": "false"}, r"flags.switch_off: flag: Field required"),
        ({"flag": "batch.enabled"}, r"say what batch.enabled is set to: on=…"),
    ],
)
def test_what_is_wrong_with_a_field_is_said(fields: dict[str, str], why: str) -> None:
    with pytest.raises(NotAccepted, match=why):
        SettingRequest(NAME, fields, "chat", Policy())


def test_a_value_that_its_model_does_not_take_is_not_ordered() -> None:
    request = SettingRequest(NAME, {"flag": "batch.enabled", "on": "perhaps"}, "chat", Policy())
    with pytest.raises(NotAccepted, match=r"flags.switch_off: on: Input should be a valid boolean"):
        request.order(FlagReading(value=Switch(on=True)), "")


def test_the_store_is_the_one_that_was_chosen() -> None:
    request = SettingRequest(NAME, {"flag": "batch.enabled", "on": "false"}, "chat", Policy(systems={"flags": "flagd"}))
    assert request.of == Flag(flag="batch.enabled", store="flagd")
