"""Incidents and their clocks: an incident in which data may have been seen starts them, tells them more, and ends long before they do."""

import ast
import re
from datetime import timedelta
from pathlib import Path

from temporalio.client import WorkflowExecutionStatus

from activities.action import Refused
from activities.clocks.clock import ClocksState, ClockState
from activities.clocks.clocks import Clocks, state_of
from tests.playbooks.tenant_isolation.leaking import leaking
from tests.stage.drill import Drill
from tests.stage.running import RunningIncident, until
from tests.test_house import ROOT, files
from workflows.incident import Phase
from workflows.status import ItemState

NOBODY_NAMED = "customer-contract/tenants not named yet"


async def clocks_of(stage: Drill, incident: RunningIncident) -> ClocksState:
    return await state_of(stage.env.client, incident.id)


async def test_clocks_outlive_their_incident(tmp_path: Path) -> None:
    """The incident is stood down, and a day later its clocks still tell Legal."""
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        await incident.hears("the legal clocks of")
        status = await incident.status()
        (item,) = [one for one in status.checklist if one.key == "legal_clocks"]
        assert item.state in (ItemState.DONE, ItemState.LATE)
        state = await clocks_of(stage, incident)
        assert state.restricted and state.title == "", "a restricted incident says nothing of itself"
        assert state.events["aware"][0].at == status.declared_at, "suspected from the beginning"
        assert "isolation failure is confirmed" in state.why[0]
        await incident.verified("stand_down", "dana", reason="a drill")
        await incident.ends()
        stage.world.clock.following = False
        await stage.env.client.get_workflow_handle("freeze-api").terminate("it looks every minute, which takes long for a day")
        handle = stage.env.client.get_workflow_handle(f"clocks-{incident.id}")
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        await stage.env.sleep(timedelta(hours=25))

        async def missed() -> bool:
            return (await clocks_of(stage, incident)).clocks[NOBODY_NAMED].state is ClockState.MISSED

        await until(missed, "a clock that nobody has answered to be missed")
        letters = (await stage.http.get("/practice/inbox/lou")).json()["inbox"]
        told = [str(letter["text"]) for letter in letters if "Legal clocks of" in str(letter["text"])]
        named = [clock.whom for clock in (await clocks_of(stage, incident)).clocks.values() if clock.whom]
        assert told and named and not [text for text in told if any(whom in text for whom in named)], "no tenant is named in a page"


async def test_a_confirmed_leak_names_its_tenants_to_the_clocks(tmp_path: Path) -> None:
    """New facts reach the clocks that run: each tenant of the leak ledger has its own."""
    async with leaking(tmp_path, "missing_where", endpoints=("documents.get",)) as (stage, incident):
        await incident.is_in(Phase.MITIGATION)
        await incident.hears("isolation failure confirmed")

        async def named() -> ClocksState | None:
            state = await clocks_of(stage, incident)
            return state if state.tenants else None

        state: ClocksState = await until(named, "the tenants of the ledger")
        assert {f"gdpr-33-2/{tenant}" for tenant in state.tenants} <= set(state.clocks)
        assert len(state.events["aware"]) == len(state.why) > 1


async def test_in_shadow_mode_no_clock_is_started_and_legal_has_the_task(tmp_path: Path) -> None:
    async with leaking(tmp_path, "missing_where", mode="shadow") as (stage, incident):
        await incident.hears("Keep the legal clocks by hand")
        (task,) = [task for task in (await incident.status()).tasks if "legal clocks" in task.text]
        assert f"incident clocks open {incident.id} --aware" in task.by_hand[0]
        try:
            await clocks_of(stage, incident)
        except Refused as none:
            assert "has no legal clocks" in none.message
        else:
            raise AssertionError("shadow mode has started clocks")


async def test_clocks_that_cannot_be_started_are_a_page_and_a_task_until_they_run(tmp_path: Path) -> None:
    """Their workflow is refused for a while: people are told at once, and the clocks are started as soon as that is possible."""
    async with leaking(tmp_path, "missing_where", serving=False) as (stage, incident):
        (system,) = [one for one in stage.fleet.systems if isinstance(one, Clocks)]
        codes, system._codes = (
            system._codes,
            type(system._codes)(b"another secret of other workers"),
        )  # a worker that was given a wrong secret
        await stage.start_worker()
        await incident.say("note", {"by": "dana", "text": "look"})
        await incident.hears("Keep the legal clocks by hand")
        (task,) = [task for task in (await incident.status()).tasks if "legal clocks" in task.text]
        assert task.open and "not one of our workers'" in task.text
        system._codes = codes
        await incident.hears("clocks: the legal clocks of")

        async def ticked() -> bool:
            return not next(task for task in (await incident.status()).tasks if "legal clocks" in task.text).open

        await until(ticked, "the task to be ticked")
        why = (await clocks_of(stage, incident)).why
        assert "isolation failure is confirmed" in why[0], "the one that failed first is not left out"
        assert len(set(why)) == len(why), "each was reported once, however often it was tried"


def stated(source: str) -> list[str]:
    """Every sentence that is handed to people as a task or a follow-up."""
    said: list[str] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="task" | "follow_up" | "_once"), args=[text, *_]):
                said.append(ast.unparse(text))
    return said


STOOD_IN = re.compile(r"72 ?h|regulat|authorit(y|ies)|notif(y|ication)|legal clock|Say whether .* personal data|Art\. ?3[34]", re.I)


def test_no_stated_task_stands_in_for_a_clock() -> None:
    """What the clocks keep is no sentence in a list of tasks. The one that is left is said where they cannot be started."""
    assert STOOD_IN.search("Tell the authority within 72 h")
    found = {path.name: [text for text in stated(path.read_text()) if STOOD_IN.search(text)] for path in files("workflows")}
    left = {name: texts for name, texts in found.items() if texts}
    assert list(left) == ["reporting.py"] and (ROOT / "workflows/clocks/reporting.py").exists()
