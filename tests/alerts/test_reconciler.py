"""What no incident can see of itself, against a real Temporal server: terminated, reset, never begun. Found once, paged once, said how to mend."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from activities.ledger.discrepancies import Discrepancies
from activities.ledger.ledger import Ledger
from activities.ledger.record import Record
from activities.paging.pager import Pager
from starters.alerts import reconciler
from starters.alerts.reconciler import Reconciler
from starters.cli import doctor
from starters.reading import Reader
from tests.screens import situations
from tests.stage.real_server import RealServer, Running, real_server
from tests.stage.running import until
from worker.service import ContextFree
from worker.wiring import building

pytestmark = pytest.mark.processes

INCIDENT = "inc-20261123-llm-chat"


@dataclass
class Watched:
    """A real stage and the reconciler of one receiver."""

    stage: RealServer
    ledger: Ledger
    stack: AsyncExitStack

    async def reconciler(self) -> Reconciler:
        async def connected() -> Any:
            return self.stage.client

        return Reconciler(self.stage.settings, self.ledger, connected, building(self.stage.settings, self.stack).system(Pager))

    async def woken(self) -> dict[str, int]:
        """How often each person was paged about an incident that is lost."""
        told = {}
        for person in ("dana", "lee", "noor", "ravi", "kim", "pat"):
            inbox = (await self.stage.practice.get(f"/practice/inbox/{person}")).raise_for_status().json()["inbox"]
            told[person] = sum("--by-hand" in str(letter["text"]) for letter in inbox)
        return {person: times for person, times in told.items() if times}

    async def in_force(self) -> Running:
        """An incident that has something in force, on record."""
        await self.stage.break_the_provider()
        incident = await self.stage.declare(INCIDENT, {"service": "chat"})

        async def imposed() -> bool:
            known = self.ledger.status(INCIDENT)
            return known is not None and bool(known.status["in_force"])

        await until(imposed, "a measure in force on the record")
        return incident


@asynccontextmanager
async def watched(tmp: Path) -> AsyncIterator[Watched]:
    async with real_server(tmp) as stage, AsyncExitStack() as stack:
        yield Watched(stage, Ledger(stage.settings.ledger_url), stack)


async def test_a_playbook_that_somebody_terminates_is_found_paged_once_and_shown(tmp_path: Path) -> None:
    """Measures in force, no playbook: three receivers side by side page once, and say how to lift everything by hand."""
    async with watched(tmp_path) as here:
        first, second, third = [await here.reconciler() for _ in range(3)]
        assert await first.once() == []
        incident = await here.in_force()
        assert await first.once() == []
        await incident.handle.terminate("somebody pressed the wrong button")
        (found,), *_ = await asyncio.gather(first.once(), second.once(), third.once())
        assert found.kind == "no playbook" and "terminated" in found.text
        assert f"incident measures {INCIDENT} --by-hand" in found.text
        await first.once()
        await second.once()
        assert await here.woken() == {"dana": 1, "lee": 1, "kim": 1}
        kept = Discrepancies(here.ledger).open()
        assert [(one.kind, one.told) for one in kept] == [("no playbook", "dana, lee, kim")]
        assert Reader(here.stage.settings).lost() == {INCIDENT}
        seen = await doctor._incidents(here.stage.client, here.stage.settings)
        assert seen.state == "broken" and "measures in force, no playbook" in seen.said and INCIDENT in seen.fix


async def test_a_playbook_that_was_reset_has_forgotten_what_it_did(tmp_path: Path) -> None:
    async with watched(tmp_path) as here:
        watching = await here.reconciler()
        incident = await here.in_force()
        described = await incident.handle.describe()
        history = await incident.handle.fetch_history()
        early = next(e.event_id for e in history.events if e.HasField("workflow_task_completed_event_attributes"))
        await here.stage.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default", workflow_execution=WorkflowExecution(workflow_id=INCIDENT, run_id=described.run_id), reason="by mistake",
                workflow_task_finish_event_id=early, request_id="reset-1",
            )
        )  # fmt: skip
        found = await watching.once()
        assert [one.kind for one in found] == ["reset"] and "does not know what it did since" in found[0].text
        assert f"incident measures {INCIDENT} --by-hand" in found[0].text
        assert await here.woken()


async def test_a_playbook_that_cannot_go_on_is_found_though_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its workflow task fails for ever. That is told once, with what fails, where to look, and what a reset would keep; doctor says it too."""
    async with watched(tmp_path) as here:
        watching, incident = await here.reconciler(), await here.in_force()

        def broken(self: ContextFree, act: Any) -> Any:
            if any(job.HasField("remove_from_cache") for job in act.jobs):
                return self._inner.activate(act)
            raise KeyError("a bug of ours")

        monkeypatch.setattr(ContextFree, "activate", broken)
        await incident.handle.signal("note", "anything")

        async def found() -> Any:
            return next((one for one in await watching.once() if one.kind == "stands still"), None)

        finding = await until(found, "the incident that stands still")
        assert "does not advance" in finding.text and "in force" in finding.text and finding.severity == 1
        assert "a bug of ours" in finding.text and "a reset would keep events up to" in finding.text
        assert f"incident by-hand {INCIDENT}" in finding.text
        assert set((await here.woken()).values()) == {1}
        seen = await doctor._incidents(here.stage.client, here.stage.settings)
        assert seen.state == "broken" and "does not advance" in seen.said


async def test_a_second_run_under_the_id_of_an_incident_is_told(tmp_path: Path) -> None:
    """Terminated and started again: the new run knows nothing of what the old one left in force."""
    async with watched(tmp_path) as here:
        watching, incident = await here.reconciler(), await here.in_force()
        await incident.handle.terminate("again, please")
        await here.stage.declare(INCIDENT, {"service": "chat"})
        found = await watching.once()
        assert [one.kind for one in found] == ["another run"] and "in force" in found[0].text
        over = {**here.ledger.incidents()[0].status, "version": 10_000, "state": "resolved", "closed_at": datetime.now(UTC).isoformat()}
        here.ledger.write(Record(incident_id=INCIDENT, status=over))
        assert [one.kind for one in await watching.once()] == ["another run"]
        assert set((await here.woken()).values()) == {1}


async def test_in_shadow_mode_it_is_written_down_and_nobody_is_woken(tmp_path: Path) -> None:
    async with watched(tmp_path) as here:
        incident = await here.in_force()
        await incident.handle.terminate("gone")
        organisation = here.stage.settings.organisation
        organisation.write_text(organisation.read_text().replace('mode = "live"', 'mode = "shadow"'))
        await (await here.reconciler()).once()
        assert await here.woken() == {}
        assert [one.told for one in Discrepancies(here.ledger).open()] == ["nobody: shadow mode"]


async def test_an_incident_that_never_began_or_that_nobody_said_anything_about_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started on a queue that nobody serves; and open for long without a service."""
    monkeypatch.setattr(reconciler, "BEGINS_WITHIN", timedelta(seconds=1))
    monkeypatch.setattr(reconciler, "SCOPE_WITHIN", timedelta(seconds=1))
    async with watched(tmp_path) as here:
        watching = await here.reconciler()
        await here.stage.client.start_workflow("LLMProviderOutage", {"service": "chat"}, id="inc-20261123-llm-lost", task_queue="nobody")
        await here.stage.client.start_workflow("Triage", id="inc-20261123-unknown", task_queue=here.stage.urgent)

        async def both() -> bool:
            return sorted(one.kind for one in await watching.once()) == ["no record", "no scope"]

        await until(both, "both findings")


async def test_what_is_well_again_is_cleared(tmp_path: Path) -> None:
    """The record is closed by hand later, or the playbook runs again: the finding goes, and its row stays."""
    async with watched(tmp_path) as here:
        watching = await here.reconciler()
        here.ledger.write(Record(incident_id=situations.ASKING, status=situations.asking().model_dump(mode="json")))
        assert [one.kind for one in await watching.once()] == ["no playbook"]
        over = situations.over().model_copy(update={"incident_id": situations.ASKING, "version": 99, "closed_at": datetime.now(UTC)})
        here.ledger.write(Record(incident_id=situations.ASKING, status=over.model_dump(mode="json")))
        assert await watching.once() == []
        assert Discrepancies(here.ledger).open() == []
