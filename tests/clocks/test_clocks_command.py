"""`incident clocks` on a real server: what runs, what Legal answers, drafts and receipts; with codes, because policy wants them."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from activities.clocks.clocks import begin, state_of
from activities.ledger.ledger import Ledger
from activities.paging.pager import Pager
from starters.alerts.reconciler import Reconciler
from tests.freeze.test_freeze_command import Terminal
from tests.stage.organisation import OTHERS
from tests.stage.real_server import real_server
from tests.stage.running import until
from worker.wiring import building

pytestmark = pytest.mark.processes

A = "inc-20261127-leak-api"


async def test_legal_answers_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened by hand, assessed, drafted, signed, sent and delayed; every no is a sentence with a way out."""
    async with real_server(tmp_path, pace=1.0, policy=OTHERS) as stage:
        at, used = Terminal(stage, capsys, monkeypatch), set[str]()
        monkeypatch.setenv("INCIDENT_QUEUE", stage.settings.queue)

        async def code(person: str) -> str:
            await at.types("clocks", "code", A, "--as", person)

            async def arrived() -> str:
                letters = (await stage.practice.get(f"/practice/inbox/{person}")).json()["inbox"]
                words = [word.strip('`.,;)"') for letter in letters for word in str(letter["text"]).split()]
                return next((w for w in reversed(words) if w.startswith("0-") and w.count("-") == 2 and w not in used), "")

            used.add(found := str(await until(arrived, f"a code for {person}")))
            return found

        assert await at.types("clocks", "list") == (0, "no legal clock runs\n")
        exit_, said = await at.types("clocks", "show", A)
        assert exit_ == 1 and "has no legal clocks" in said and f"incident clocks open {A}" in said
        exit_, said = await at.types("clocks", "open", A, "--aware", "2026-11-27T15:20", "--reason", "an export", "--as", "sam")
        assert exit_ == 1 and "needs a time zone" in said
        exit_, said = await at.types(
            "clocks", "open", A, "--aware", "2026-11-27T15:20Z", "--tenant", "acme", "--reason", "an export was seen", "--as", "sam"
        )
        assert exit_ == 0 and "provisionally from 2026-11-27 15:20 UTC" in said
        exit_, said = await at.types("clocks", "assess", A, "personal_date=yes", "--as", "lou")
        assert exit_ == 1 and "is no field of the form" in said
        exit_, said = await at.types("clocks", "assess", A, "personal_data=yes", "--as", "lou")
        assert exit_ == 1 and "must be verified" in said
        form = ("personal_data=yes", "countries=DE,US-CA", "counts=DE:1200,US-CA:700", "data_sets=chats:controller", "risk_to_people=yes")
        exit_, said = await at.types("clocks", "assess", A, *form, "--as", "lou", "--code", await code("lou"))
        assert exit_ == 0 and "risk_to_people=yes" in said
        exit_, said = await at.types("clocks", "show", A)
        assert "gdpr-33-1" in said and "2026-11-30 15:20 UTC" in said and "customer-contract/acme" in said and "Legal is asked:" in said
        exit_, said = await at.types("clocks", "show", A, "--json")
        assert json.loads(said)["clocks"]["california-1798-82"]["stages"][0]["deadline"].startswith("2026-12-28T08:00")
        exit_, said = await at.types("clocks", "draft", A, "gdpr-33-1")
        assert "Persons concerned: DE 1200, US-CA 700" in said
        exit_, said = await at.types("clocks", "draft", A, "gdpr-33-1", "--json")
        digest = json.loads(said)["digest"]
        exit_, said = await at.types("clocks", "sign", A, "gdpr-33-1", digest, "--as", "lou", "--code", await code("lou"))
        assert exit_ == 0 and "a person may send it now" in said
        sent = ("clocks", "submitted", A, "gdpr-33-1", "--receipt", "DPC-2026-81", "--at", "2026-11-30T09:00Z", "--as", "lou")
        exit_, said = await at.types(*sent, "--code", await code("lou"))
        assert exit_ == 0 and "receipt DPC-2026-81" in said, said
        exit_, said = await at.types(
            "clocks", "applies", A, "dora-19", "no", "--reason", "no bank", "--as", "lou", "--code", await code("lou")
        )
        assert exit_ == 0 and "dora-19: applies: no" in said
        handle = stage.client.get_workflow_handle(f"clocks-{A}")
        await handle.terminate("by mistake")
        exit_, said = await at.types("clocks", "open", A, "--aware", "2026-11-28T09:00Z", "--reason", "it was ended", "--as", "sam")
        assert exit_ == 0 and "provisionally from 2026-11-27 15:20 UTC" in said, "the first suspicion is not forgotten"
        exit_, said = await at.types("clocks", "show", A)
        assert "gdpr-33-1 complete" in said and "dora-19 not applicable: lou: no bank" in said, said
        exit_, said = await at.types("clocks", "list")
        assert f"{A}:" in said and "customer-contract/acme" in said
        exit_, said = await at.types("clocks", "regimes")
        assert exit_ == 0 and "nydfs (off)" in said and "US federal holidays" in said


async def test_clocks_that_an_operator_has_ended_are_paged(tmp_path: Path) -> None:
    """Once; with the command that starts them again, after which they know what they knew."""
    async with real_server(tmp_path, pace=1.0, policy=OTHERS) as stage, AsyncExitStack() as stack:
        ledger, id = Ledger(stage.settings.ledger_url), f"clocks-{A}"

        async def connected() -> Any:
            return stage.client

        looking = Reconciler(stage.settings, ledger, connected, building(stage.settings, stack).system(Pager))
        await begin(stage.client, A, stage.settings.queues[0], stage.settings.task_patience)
        handle = stage.client.get_workflow_handle(id)
        await handle.execute_update("report", {"by": "sam", "reason": "an export was seen", "tenants": ["acme"]})
        assert await looking.once() == []
        await handle.terminate("by mistake")
        found = await until(looking.once, "the finding")
        assert [one.kind for one in found] == ["clocks ended"] and f"incident clocks open {A}" in found[0].text

        async def woken() -> list[str]:
            letters = (await stage.practice.get("/practice/inbox/lou")).json()["inbox"]
            return [str(letter["text"]) for letter in letters if "nobody is told of a deadline" in str(letter["text"])]

        await until(woken, "a page for Legal")
        await looking.once()
        assert len(await woken()) == 1
        await begin(stage.client, A, stage.settings.queues[0], stage.settings.task_patience)

        async def known() -> bool:
            return (await state_of(stage.client, A)).tenants == ("acme",)

        await until(known, "what they knew")
        assert await looking.once() == []
