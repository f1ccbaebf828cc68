"""`incident freeze` on a real server: what is frozen, what may pass, and the release after an incident is over."""

import asyncio
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.action import Call
from activities.freeze.freezes import Freezes
from activities.freeze.orders import Hold
from activities.organisation.organisation import Organisation
from starters.cli import cli
from tests.stage.real_server import RealServer, real_server
from tests.stage.running import until

pytestmark = pytest.mark.processes

A = "inc-20261123-out-api"
DIGEST = "sha256:" + "0a1b2c3d4e5f" * 5 + "0000"
HEADERS = {"Authorization": "Bearer practice-token"}


class Terminal:
    def __init__(self, stage: RealServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        monkeypatch.setenv("INCIDENT_TEMPORAL_ADDRESS", stage.settings.temporal_address)
        monkeypatch.setenv("INCIDENT_LEDGER_URL", stage.settings.ledger_url)
        monkeypatch.setenv("INCIDENT_ORGANISATION", str(stage.settings.organisation))
        monkeypatch.delenv("INCIDENT_AS", raising=False)

    async def types(self, *words: str) -> tuple[int, str]:
        """A command: its exit code and everything it said."""
        code = await asyncio.to_thread(cli.run, list(words))
        said = self._capsys.readouterr()
        return code, said.out + said.err


async def _hold(stage: RealServer) -> None:
    """An incident's worker holds a freeze of `api`."""
    service = Organisation(stage.settings.organisation).read_catalogue().services["api"]
    order = Hold(service=service, holder=A, reason="errors", by="dana")
    at = (await stage.practice.get("/practice/clock")).json()["real"]
    call = Call.model_validate({"incident_id": A, "key": f"{A}/freezes.hold/freeze/api/1", "at": at})
    (freezes,) = [system for system in stage.fleet.systems if isinstance(system, Freezes)]
    assert "GitHub refused the push" in (await freezes.hold(order, call)).proven_by


async def test_a_commander_lets_go_after_the_incident_is_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """List, show, exempt and release; with codes, because policy wants them; every no is a sentence with a way out."""
    async with real_server(tmp_path, pace=1.0) as stage:
        at = Terminal(stage, capsys, monkeypatch)
        assert await at.types("freeze", "list") == (0, "nothing is frozen\n")
        code, said = await at.types("freeze", "release", "api", "--incident", A, "--reason", "over", "--as", "dana")
        assert (code, "api is not frozen" in said) == (1, True)
        await _hold(stage)

        async def listed() -> bool:
            return f"api: {A}, since" in (await at.types("freeze", "list"))[1]

        await until(listed, "the server's listing to show it")
        (row,) = json.loads((await at.types("freeze", "list", "--json"))[1])
        assert (row["service"], row["in_force"]) == ("api", True)
        _, said = await at.types("freeze", "show", "api")
        assert f"held by {A}" in said and "a probe deploy was refused" in said

        exempt = ("freeze", "exempt", A, "--service", "api", "--digest", DIGEST, "--purpose", "hotfix", "--as", "dana")
        code, said = await at.types(*exempt)
        assert code == 1 and "incident approve freeze-api 1 --code CODE" in said
        code, said = await at.types(*exempt, "--code", await stage.code("dana", 1))
        assert code == 0 and "may pass, by a push to hotfix/0a1b2c3d4e5f" in said
        assert "may pass: one hotfix of sha256:0a1b2c3d4e5f" in (await at.types("freeze", "show", "api"))[1]
        assert (await at.types(*exempt[:-4], "--purpose", "fun"))[0] == 2
        assert "is no digest" in (await at.types("freeze", "exempt", A, "--service", "api", "--digest", "v1", "--purpose", "hotfix"))[1]

        assert "needs a reason" in (await at.types("freeze", "release", "api", "--incident", A))[1]
        code, said = await at.types("freeze", "release", "api", "--incident", A, "--reason", "over", "--as", "lee")
        assert code == 1 and "lee is not Incident Commander" in said
        code, said = await at.types("approve", "freeze-api", "2", "--code", await stage.code("dana", 2), "--as", "dana")
        assert (code, "nobody holds the freeze any more" in said) == (0, True), said
        handle = stage.client.get_workflow_handle("freeze-api")

        async def over() -> bool:
            return (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED

        await until(over, "the freeze's workflow to end")
        assert (await stage.practice.get("/github/repos/acme/api/rulesets", headers=HEADERS)).json() == []
        assert await at.types("freeze", "show", "api") == (0, "api is not frozen\n")
