"""`incident policy`, `incident done` and `incident wait` against a server and a worker: what a person types, and reads."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from starters.cli import cli
from tests.playbooks.llm_provider_outage.outage import outage
from tests.stage.drill import Drill, drill

SOON = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
TEXT = (
    f"Automation may carry out models.shift without asking, until {SOON} 00:00 UTC: failover to an equal provider at a like price. "
    "Failover: parity of at least 0.95, price of at most ×1.3."
)
IN_FORCE = f"in force: the standing policy for models.shift (signed by dana and pat; until {SOON} 00:00 UTC)"
ANOTHER = "ask for another one without --code\n    → incident policy show\n"


class Terminal:
    def __init__(self, stage: Drill, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        for name in ("temporal_address", "ledger_url", "organisation", "queue"):
            monkeypatch.setenv(f"INCIDENT_{name.upper()}", str(getattr(stage.settings, name)))
        monkeypatch.delenv("INCIDENT_AS", raising=False)

    async def types(self, *words: str) -> tuple[int, str]:
        """A command: its exit code and everything it said."""
        code = await asyncio.to_thread(cli.run, list(words))
        said = self._capsys.readouterr()
        return code, said.out + said.err

    async def reads(self, *words: str) -> Any:
        code, said = await self.types(*words, "--json")
        assert code == 0, said
        return json.loads(said)


async def test_two_people_sign_a_policy_each_with_a_code_and_one_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with drill(tmp_path) as stage:
        file = stage.settings.organisation
        text = file.read_text().replace("standing_signed = false", "standing_signed = true")
        file.write_text(text.replace("2099-01-01T00:00:00Z", f"{SOON}T00:00:00Z"))
        at = Terminal(stage, capsys, monkeypatch)
        sign, codes = ("policy", "sign", "models.shift", "--as"), {}
        show = ("policy", "show", "models.shift")
        assert await at.types("policy", "show") == (0, shown("NOT in force: two people must sign it, and nobody has"))
        for who in ("dana", "pat"):
            assert await at.types(*sign, who) == (0, f"a code for this very text is on its way to {who}: {TEXT}\n")
            codes[who] = await stage.code(who, 0)
        not_hers = f"that code is not dana's for this text of models.shift; {ANOTHER}"
        assert await at.types(*sign, "dana", "--code", codes["pat"]) == (1, not_hers)
        assert await at.types(*sign, "dana", "--code", "0-0000-0000") == (1, not_hers)
        for _ in range(2):  # twice is once
            said = "dana has signed: two people must sign it, and dana has\n"
            assert await at.types(*sign, "dana", "--code", codes["dana"]) == (0, said)
        assert await at.types(*sign, "pat", "--code", codes["pat"]) == (0, f"pat has signed: {IN_FORCE}\n")
        assert await at.types(*show) == (0, shown(IN_FORCE))
        (told,) = await at.reads(*show)
        assert (told["name"], told["text"], told["signed_by"], told["why_not"]) == ("models.shift", TEXT, ["dana", "pat"], "")
        said = "models.shift is revoked by pat: what it allowed is asked from now on\n"
        assert await at.types("policy", "revoke", "models.shift", "--as", "pat") == (0, said)
        code, said = await at.types(*show)
        assert code == 0 and said.startswith(shown("NOT in force: pat revoked it at ").rstrip("\n"))
        (told,) = await at.reads(*show)
        assert told["why_not"].startswith("pat revoked it at ")
        code, said = await at.types(*sign, "dana", "--code", codes["dana"])
        assert code == 1 and "write another expires_at into organisation.toml, and sign that" in said


async def test_a_policy_that_is_none_and_a_person_that_is_none_are_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with drill(tmp_path) as stage:
        at = Terminal(stage, capsys, monkeypatch)
        none = "there is no standing policy for models.degrade; there are models.shift ([policy.standing])\n    → incident policy show\n"
        for words in (("show",), ("sign", "--as", "dana"), ("revoke", "--as", "dana")):
            assert await at.types("policy", words[0], "models.degrade", *words[1:]) == (1, none)
        for what in ("sign", "revoke"):
            code, said = await at.types("policy", what, "models.shift", "--as", "mallory")
            assert code == 1 and said.startswith("'mallory' is not on the roster; the people on it are dana, lee")
        file = stage.settings.organisation
        before, _, after = file.read_text().partition('[policy.standing."models.shift"]')
        file.write_text(before + after.partition("\n\n")[2])
        assert await at.types("policy", "show") == (0, "there is no standing policy: everything is asked\n")
        assert await at.reads("policy", "show") == []


async def test_a_task_is_ticked_once_and_who_did_it_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outage(tmp_path) as (stage, incident):
        at = Terminal(stage, capsys, monkeypatch)
        await incident.hears("affected tenants directly")
        number = next(task.number for task in (await incident.status()).tasks if "affected tenants directly" in task.text)
        done = ("done", incident.id)
        for code, words, pattern in (  # how many tasks there are by now is the playbook's
            (1, ("99", "--as", "lee"), r"say which task is done: tasks 1 to \d exist\n"),
            (
                0,
                (f"[{number}]", "told 12 of them", "--as", "lee"),
                rf"task {number} of {incident.id} is done, says lee; \d (is|are) open\n",
            ),
            (1, (str(number), "--as", "noor"), rf"task {number} is done already: lee, \d\d:\d\d:\d\d UTC\n"),
        ):
            ended, said = await at.types(*done, *words)
            assert ended == code and re.fullmatch(pattern, said), said
        none = "done needs the task's number; if several incidents are open, give the incident first\n    → incident done --help\n"
        assert await at.types(*done, "--as", "lee") == (1, none)
        task = (await at.reads("status", incident.id, "--live"))["status"]["tasks"][number - 1]
        assert (task["number"], task["done_by"], task["said"]) == (number, "lee", "told 12 of them")


async def test_a_question_is_kept_waiting_and_the_screen_says_by_whom_and_until_when(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No code is needed: it decides nothing."""
    async with outage(tmp_path) as (stage, incident):
        at = Terminal(stage, capsys, monkeypatch)
        question = await incident.question("from retrieval only")
        wait = ("wait", incident.id, str(question.number), "--as")
        ended, said = await at.types(*wait, "noor")
        assert ended == 1 and f"noor is not Ops Lead or Incident Commander; question {question.number} is for" in said
        ended, said = await at.types(*wait, "lee", "--reason", "sales asks them first")
        until = r"stays open, and nobody is paged about it before (\d\d:\d\d):\d\d UTC"
        found = re.fullmatch(rf"question {question.number} {until}\n", said)
        assert ended == 0 and found is not None, said
        _, screen = await at.types("status", incident.id, "--live")
        assert f"kept waiting by lee until {found[1]} UTC" in " ".join(screen.split()), screen


def shown(state: str) -> str:
    return f"models.shift: {TEXT}\n    {state}\n"
