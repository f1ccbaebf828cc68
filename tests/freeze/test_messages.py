"""Whatever is sent to a freeze does no harm."""

from pathlib import Path
from typing import Any

from temporalio import workflow

from tests.freeze.story import ARTEFACT, A, B, story
from tests.stage.running import until
from workflows.freeze.change_freeze import MESSAGES, ChangeFreeze

FORMS: dict[str, tuple[Any, ...]] = {
    "empty": (), "a list": (["hold", 1],), "a number": (7,), "null": (None,), "an empty object": ({},), "a wrong type": ({"holder": 5},),
    "an unknown field": ({"by": "dana", "decision": "yes"},), "an extra argument": ({"by": "dana"}, "and more"), "a string": ("approve",),
    "a wild holder": ({"holder": "../../etc", "by": "dana"},), "a long one": ({"holder": "x" * 5000, "reason": "y" * 50_000},),
    "a forged seal": ({"holder": A, "artefact": ARTEFACT, "purpose": "hotfix", "key": "k", "seal": "0" * 64, "grant": {
        "question": 1, "covers": [], "by": ["dana"], "verified": True, "at": "2026-11-23T12:00:00Z", "expires_at": "2099-01-01T00:00:00Z"}},),
    "a seal of letters": ({"holder": A, "artefact": ARTEFACT, "purpose": "rollback", "seal": "ß"},),
    "a wrong code": ({"holder": A, "artefact": ARTEFACT, "purpose": "rollback", "by": "dana", "code": "1-AAAA-AAAA"},),
}  # fmt: skip


async def test_nothing_that_is_sent_to_a_freeze_harms_it(tmp_path: Path) -> None:
    """Every signal and every update with every wrong input; then a right one works as if nothing had been."""
    async with story(tmp_path) as freeze:
        await freeze.hold()
        for name in (*MESSAGES, "no_such_message"):
            for given in FORMS.values():
                await freeze.handle.signal(name, args=list(given))
        for name in MESSAGES:
            for what, given in FORMS.items():
                assert await freeze.refused(name, *given), f"{name} with {what}"
        sent = len(FORMS) * (len(MESSAGES) + 1)

        async def noted() -> bool:
            return sum(line.startswith("refused: ") for line in await freeze.lines()) >= sent

        await until(noted, f"{sent} refusals")
        assert any("there is no message 'no_such_message'" in line for line in await freeze.lines())
        state = await freeze.state()
        assert [h.id for h in state.holders] == [A] and state.exemptions == () and state.in_force
        await freeze.hold(B)
        assert await freeze.push() == 422
        await freeze.replayed()


async def test_a_freeze_started_askew_from_the_temporal_ui_works(tmp_path: Path) -> None:
    """Everything it needs, it knows by its name."""
    async with story(tmp_path) as freeze:
        for given in ([], ["chat"], [{"kept": 7}], [{"kept": {"began": "yesterday"}}], [1, 2]):
            await freeze.stage.env.client.start_workflow(
                "ChangeFreeze", args=given, id="freeze-api", task_queue=freeze.stage.settings.queues[0]
            )
            assert "held back for budget" in await freeze.say("hold", holder="budget", by="dana", reason="by hand")
            await freeze.say("hold", holder="budget", by="lee")
            assert "noor is not Incident Commander" in await freeze.refused("hold", {"holder": A, "by": "noor"})
            await freeze.handle.terminate("next")
            freeze.repository.rulesets.clear()


def test_every_door_of_a_freeze_is_guarded() -> None:
    """Each message is a signal and an update under one name; every update has a validator; everything has a description."""
    defined = workflow._Definition.must_from_class(ChangeFreeze)
    assert {name for name in defined.signals if name} == set(defined.updates) == set(MESSAGES)
    assert None in defined.signals, "a signal of an unknown name is noted"
    assert all(update.validator for update in defined.updates.values())
    named: list[Any] = [*defined.signals.values(), *defined.updates.values(), *defined.queries.values()]
    assert all(one.description for one in named if one.name)
