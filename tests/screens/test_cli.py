"""The `incident` command against a real ledger, with nothing else alive: reading works, and every error is a sentence with a way out."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import sqlalchemy as sa
import typer
import typer.main

from activities.kit.holding import Hold, Thing
from activities.ledger.holders import RecordedHolders
from activities.ledger.ledger import Ledger
from activities.ledger.record import Record
from starters.cli import cli, messages
from tests.screens import situations
from workflows.status import Status

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "docs" / "cli.md"
ORGANISATION = """
[people.dana]
roles = ["incident_commander"]
[people.lee]
roles = ["ops_lead", "scribe"]
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        return json.loads(self.out)


Incident = Callable[..., Ran]


@pytest_asyncio.fixture(loop_scope="session")
async def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("INCIDENT_LEDGER_URL", f"sqlite:///{tmp_path}/ledger.db")
    monkeypatch.setenv("INCIDENT_ORGANISATION", str(tmp_path / "organisation.toml"))
    monkeypatch.setenv("INCIDENT_TEMPORAL_ADDRESS", "127.0.0.1:9")
    monkeypatch.delenv("INCIDENT_AS", raising=False)
    (tmp_path / "organisation.toml").write_text(ORGANISATION)
    book = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    book.migrate()
    return await situations.fill(book)


@pytest.fixture
def incident(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> Incident:
    def ask(*words: str) -> Ran:
        code = cli.run(words)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Ran(code, captured.out, captured.err)

    return ask


def test_list_shows_what_is_open_and_all_shows_what_is_over(incident: Incident) -> None:
    assert "inc-20261123-llm-chat" in incident("list").out
    assert "॥ [3] LLM" in incident("list").out
    assert situations.OVER not in incident("list").out
    assert situations.OVER in incident("list", "--all").out
    (row,) = incident("list", "--json").told
    assert (row["incident_id"], row["asking"], row["in_force"]) == (situations.ASKING, [3], ["high-PSU tools off", "retrieval only"])
    assert (row["source"], row["severity"], row["state"], row["age_seconds"] >= 0) == ("the ledger", 2, "open", True)


def test_status_shows_the_question_and_what_to_type(incident: Incident) -> None:
    seen = incident("status")
    assert seen.code == 0
    assert "incident approve inc-20261123-llm-chat 3 --code CODE" in seen.out
    assert "from the ledger, " in seen.out
    assert len(incident("status", "--full").out.splitlines()) > len(seen.out.splitlines())


def test_status_as_json_is_the_status_with_its_source_and_age(incident: Incident) -> None:
    told = incident("status", "--json").told
    assert set(told) == {"incident_id", "source", "as_of", "age_seconds", "status", "lacking"}
    assert Status.model_validate(told["status"]) == situations.asking()


@pytest.mark.parametrize("part", ["", "inc-20261123-llm-chat", "inc-20261123", "chat", "llm-chat"])
def test_an_incident_is_found_by_any_end_of_its_id_or_by_being_the_only_open_one(incident: Incident, part: str) -> None:
    assert incident("status", "--json", *filter(None, [part])).told["incident_id"] == situations.ASKING


async def test_two_open_incidents_must_be_told_apart(incident: Incident, ledger: Ledger) -> None:
    await situations.fill(ledger, only=situations.asking(incident_id="inc-20261123-llm-chat-2"))
    assert incident("status").err.startswith("2 incidents are open: give one of inc-20261123-llm-chat")
    assert "may mean" in incident("status", "inc-2026").err
    assert incident("status", "--json", "chat-2").told["incident_id"] == "inc-20261123-llm-chat-2"


def test_watch_where_there_is_no_terminal_prints_lines_and_ends_with_the_incident(incident: Incident) -> None:
    seen = incident("watch", situations.OVER)
    assert seen.code == 0
    assert seen.out.splitlines()[0] == "11:42:00 inc-20261120-llm-search SEV-2 closed closed commander dana"
    assert incident("watch", "--json", situations.OVER).told["status"]["state"] == "closed"


def test_the_timeline_says_whether_somebody_altered_it(incident: Incident, ledger: Ledger) -> None:
    told = incident("timeline", "--json").told
    assert (told["intact"], told["broken_at"], len(told["entries"]), told["source"]) == (True, None, 6, "the ledger")
    assert "10:06:00 granted      [2] approve by lee (self-declared)" in incident("timeline").out
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("UPDATE entries SET text='dana was asleep' WHERE number=3"))
    seen = incident("timeline")
    assert (seen.code, seen.err.splitlines()[0]) == (1, "entry 3 is missing or was altered: the hash chain breaks there")


def test_the_postmortem_is_written_once_and_then_renewed_around_what_people_wrote(incident: Incident, tmp_path: Path) -> None:
    paper = tmp_path / "deep" / "postmortem.md"
    assert incident("postmortem", "-o", str(paper)).out.endswith("drafted\n")
    paper.write_text(paper.read_text().replace("- Primary:", "- Primary: a push at noon"))
    assert incident("postmortem", "-o", str(paper)).out.endswith("renewed; what people wrote is kept\n")
    assert "- Primary: a push at noon" in paper.read_text()
    assert incident("postmortem").out.startswith("# Post-mortem: inc-20261123-llm-chat")
    assert incident("postmortem", "--json").told["answers_self_declared"] == 1


def test_a_post_mortem_keeps_its_line_ends_and_says_what_is_theirs_by_now(incident: Incident, tmp_path: Path) -> None:
    paper = tmp_path / "postmortem.md"
    incident("postmortem", "-o", str(paper))
    text = paper.read_text().replace("- nobody was told anything", "- I told everybody").replace("acknowledged — dana", "woken — dana")
    paper.write_bytes(text.replace("\n", "\r\n").encode())
    said = incident("postmortem", "-o", str(paper)).out.splitlines()
    assert said[0].startswith("not renewed, because somebody edited it: timeline")
    assert "woken — dana" in paper.read_text()
    assert b"\r\n" in paper.read_bytes() and b"\n" not in paper.read_bytes().replace(b"\r\n", b"")


async def test_the_checklist_is_a_sheet_until_the_playbook_ticks_it(incident: Incident, ledger: Ledger, tmp_path: Path) -> None:
    sheet = incident("checklist").out
    assert "SEV-1  SEV-2  SEV-3" in sheet
    assert "by (UTC)" in incident("checklist", "chat").out
    assert "The playbook has ticked nothing yet: tick by hand." in incident("checklist", "chat").out
    (tmp_path / "organisation.toml").write_text(ORGANISATION + "[policy.first_minutes.freeze]\n1 = 60\n2 = 900\n3 = 960\n")
    assert re.search(r"Freeze deploys: .* 1 min +15 min +16 min", incident("checklist").out)
    items = {item["key"]: item for item in incident("checklist", "--json").told["items"]}
    assert items["freeze"]["within_seconds"] == {"SEV-1": 60, "SEV-2": 900, "SEV-3": 960}
    assert (items["declare"]["text"], items["declare"]["due_at"]) == ("Declare incident; assign **IC** and **Scribe**.", None)
    await situations.fill(ledger, only=situations.ticked())
    seen = incident("checklist", "chat")
    assert "9 done, 1 of them late · MISSED: freeze · 2 open" in seen.out
    assert "from the ledger, " in seen.out
    told = incident("checklist", "chat", "--json").told
    assert {tick["key"]: tick["state"] for tick in told["ticks"]}["freeze"] == "missed"
    assert {item["key"]: item for item in told["items"]}["freeze"]["due_at"] == "2026-11-23T10:17:00+00:00"
    assert incident("list", "--json").told[0]["missed"] == ["freeze"]
    assert "MISSED: freeze" in incident("list").out


def test_the_rest_by_hand_and_the_measures_come_from_the_ledger(incident: Incident) -> None:
    assert "curl -X POST https://flags.internal/api/flags/tools.high_psu/on" in incident("by-hand").out.splitlines()
    told = incident("by-hand", "--json").told
    assert ([step["number"] for step in told["steps"]], [q["number"] for q in told["questions"]]) == ([6, 8], [3])
    assert [measure["number"] for measure in incident("measures", "--json").told["in_force"]] == [2, 1]
    assert "retrieval only chat/acme" in incident("measures").out
    assert incident("measures", "--by-hand").out.splitlines()[-2] == "curl -X POST https://flags.internal/api/flags/tools.high_psu/on"
    assert incident("measures", "search").out == "nothing is in force\n"


def test_what_two_incidents_hold_is_shown_and_one_that_is_over_can_be_dropped(incident: Incident, ledger: Ledger) -> None:
    running, things = "inc-20261123-llm-chat", [Thing("flags.switch_off", "flag/tools.high_psu")]
    both = tuple(
        Hold(incident=one, key=one, need={"on": False}, says="switch it off", since=datetime(2026, 11, 23, 10, tzinfo=UTC))
        for one in (situations.OVER, running)
    )
    RecordedHolders(ledger).write(things, lambda _: {things[0]: both})
    said = incident("measures").out
    assert "flag/tools.high_psu is held by 2 incidents; the last one puts it back" in said
    assert f"{situations.OVER} (availability) since 10:00:00 UTC: switch it off" in said
    assert all(line.startswith("#") for line in incident("measures", "--by-hand").out.splitlines() if situations.OVER in line)
    assert "it lets go when it ends" in incident("measures", running, "--drop").err
    assert "it held flag/tools.high_psu" in "".join(incident("measures", situations.OVER, "--drop")[1:])
    assert "is held by" not in incident("measures").out
    assert [one.incident for one in RecordedHolders(ledger).read()[things[0]]] == [running]


def test_what_is_not_known_is_never_called_nothing(incident: Incident, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No ledger and no server: then nobody knows what is in force, and it is said so."""
    monkeypatch.setenv("INCIDENT_LEDGER_URL", f"sqlite:///{tmp_path}/none.db")
    for words in (["measures"], ["measures", "--by-hand"], ["by-hand", "inc-20261123-llm-chat"]):
        seen = incident(*words)
        assert (seen.code, seen.out) == (1, "")
        assert "the Temporal server at 127.0.0.1:9 does not answer" in seen.err


def test_a_status_that_a_newer_worker_wrote_is_read_all_the_same(incident: Incident, ledger: Ledger) -> None:
    told = situations.asking(version=60).model_dump(mode="json")
    told |= {"mood": "calm", "steps": [{**step, "colour": "green"} for step in told["steps"]]}
    ledger.write(Record(incident_id=situations.ASKING, status=told))
    assert "from the ledger (a newer version wrote it), " in incident("status").out
    assert "tools.high_psu/on" in incident("by-hand").out
    ledger.write(Record(incident_id=situations.ASKING, status=told | {"version": 61, "phase": "limbo"}))
    assert "was written by another version of this product" in incident("status").err


def test_a_country_without_a_calendar_is_found_by_the_doctor(incident: Incident, tmp_path: Path) -> None:
    (tmp_path / "organisation.toml").write_text('[policy]\ncountry = "Narnia"\n' + ORGANISATION)
    (check,) = [check for check in incident("doctor", "--json").told if check["name"] == "organisation"]
    assert (check["state"], "there is no calendar of 'Narnia'" in check["said"]) == ("broken", True)
    assert "weekends only: there is no calendar of 'Narnia'" in incident("postmortem", situations.OVER).out


def test_the_playbooks_can_be_listed(incident: Incident) -> None:
    assert "§2.2  llm_provider_outage" in incident("playbooks").out
    keys = {"name", "workflow_type", "section", "title", "floor", "short", "lead", "triggers"}
    assert all(keys <= set(one) for one in incident("playbooks", "--json").told)


AWAY = "the Temporal server at 127.0.0.1:9 does not answer"
NOBODY = "'mallory' is not on the roster; the people on it are dana, lee"
WRONG = {
    "unknown incident": (["status", "inc-nowhere"], "there is no incident 'inc-nowhere'", "incident list --all"),
    "unknown command": (["frobnicate"], "No such command 'frobnicate'.", "incident --help"),
    "a missing argument": (["declare"], "Missing argument 'playbook'.", "incident declare --help"),
    "an option that is none": (["status", "--verbose"], "No such option: --verbose", "incident status --help"),
    "two questions": (["approve", "3", "4"], "give one incident and one question, not '3 4'", "incident approve --help"),
    "a severity that is none": (["reclassify", "SEV-9"], "'SEV-9' is not a severity; say SEV-1 to SEV-5", "incident reclassify --help"),
    "a role that is none": (
        ["assign", "king", "lee"],
        "there is no role 'king'; the roles are incident_commander",
        "incident assign --help",
    ),
    "a person that is none": (["assign", "ops_lead", "mallory"], NOBODY, "incident doctor"),
    "a speaker that is none": (["approve", "3", "--as", "mallory"], NOBODY, "incident doctor"),
    "a playbook that is none": (["declare", "volcano"], "there is no playbook called 'volcano'; there are ", "incident playbooks"),
    "a note about two things": (
        ["note", "x", "--impact", "--scope"],
        "one note is about one thing, not about impact and scope",
        "incident note --help",
    ),
    "no fact": (["severity", "--unknown", "weather"], "there is no fact 'weather'", "incident severity --help"),
    "by hand of nothing": (["by-hand", "inc-nowhere"], "there is no incident 'inc-nowhere'", "incident list --all"),
    "a note about nothing": (["note", "x", "--about", "weather"], "a note is about a hypothesis, an impact", "incident note --help"),
    "no reason": (["stand-down"], "standing down needs a reason", 'incident stand-down --reason "…"'),
    "undo without a step": (["undo", "chat"], "undo needs the number of a step", "incident undo --help"),
    "undo of a step that imposed nothing": (
        ["undo", "1", "--by-hand"],
        "step 1 has imposed nothing that is in force; in force by a step: 5 (high-PSU tools off: tools.high_psu)",
        "incident measures inc-20261123-llm-chat",
    ),
    "server away: steering": (["approve", "3", "--as", "dana"], AWAY, "incident doctor"),
    "server away: declaring": (["declare", "2.2", "--service", "chat"], AWAY, "incident doctor"),
    "server away: live": (["status", "--live"], AWAY, "incident doctor"),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_error_is_one_sentence_and_the_command_that_fixes_it(incident: Incident, name: str) -> None:
    words, sentence, fix = WRONG[name]
    seen = incident(*words)
    lines = seen.err.splitlines()
    assert seen.code in (1, 2)
    assert lines[0].startswith(sentence)
    assert lines[1:] == [f"    → {fix}"]


def test_what_a_step_imposed_is_undone_by_hand_from_the_record_alone(incident: Incident) -> None:
    seen = incident("undo", "5", "--by-hand")
    assert seen.code == 0 and "curl -X POST https://flags.internal/api/flags/tools.high_psu/on" in seen.out
    assert seen.out.startswith("# ") and "high-PSU tools off" in seen.out.splitlines()[0]


def test_settings_that_are_wrong_are_a_sentence(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCIDENT_CLIENT_TIMEOUT", "soon")
    seen = incident("list")
    assert (seen.code, seen.err.startswith("the settings are wrong: client_timeout: ")) == (1, True)
    (check,) = incident("doctor", "--json").told
    assert (check["state"], check["fix"]) == ("broken", "set INCIDENT_CLIENT_TIMEOUT right in .incident/settings.env")


def test_without_ledger_and_server_both_are_named(incident: Incident, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INCIDENT_LEDGER_URL", f"sqlite:///{tmp_path}/none.db")
    seen = incident("list")
    assert seen.err.startswith(f"there is no ledger at {tmp_path}/none.db yet; the worker makes it when it starts; and the Temporal server")


def test_the_doctor_says_what_is_broken_and_how_to_mend_it(incident: Incident, ledger: Ledger) -> None:
    seen = incident("doctor", "--json")
    states = {check["name"]: check["state"] for check in seen.told}
    assert seen.code == 1
    assert [name for name, state in states.items() if state == "broken"] == ["temporal", "codes"]
    platforms, tenants = {"kubernetes", "cloud run", "edge", "github repositories", "gateway"}, {"canaries", "tenancy", "tenancy_database"}
    builds = {"supply inventory", "osv", "kev", "epss", "github advisories", "github actions", "github switches", "kubernetes admission"}
    assets = {"network", "flows", "compute engine"}
    unused = platforms | tenants | builds | assets  # this organisation names no service
    good = {"settings", "organisation", "ledger", "record", "alert token", "folder"}
    assert good | unused == {name for name, state in states.items() if state == "good"}
    assert states["mode"] == "warning" and states["slack"] == "warning"  # shadow mode, and nothing is configured here
    assert all(check["fix"] for check in seen.told if check["state"] == "broken")
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM entries WHERE number=6"))
    assert "✖ record: entries are missing or were altered: inc-20261123-llm-chat at entry 6" in incident("doctor").out


def test_a_short_number_is_the_question_wherever_it_stands() -> None:
    assert messages._question("approve", ["3"]) == ("", 3)
    assert messages._question("approve", ["chat", "[3]"]) == messages._question("approve", ["3", "chat"]) == ("chat", 3)
    assert messages._question("approve", []) == ("", None)
    assert messages._value('{"a": 1}') == {"a": 1}
    assert messages._value("chat") == "chat"


def test_reading_loads_neither_the_client_nor_the_playbooks_nor_what_serves_them(ledger: Ledger) -> None:
    """What makes a command slow to start is what it imports: reading needs none of that."""
    program = (
        "import sys; from starters.cli.cli import run; "
        "heavy = ('temporalio.client', 'temporalio.worker', 'worker.wiring', 'worker.playbooks', 'uvicorn', 'google.auth'); "
        "[print(word, run([word]), [name for name in heavy if name in sys.modules], file=sys.stderr) for word in sys.argv[1:]]"
    )
    words = ("list", "status", "timeline", "by-hand", "measures", "checklist", "postmortem")
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=ROOT, env=dict(os.environ), check=False
    )
    assert done.stderr.splitlines() == [f"{word} 0 []" for word in words]


def test_the_exit_code_is_the_command_s_own(ledger: Ledger) -> None:
    """As people run it: a process of its own, whose exit code comes from `os._exit`."""
    done = subprocess.run([sys.executable, "-m", "starters", "status", "nonsense"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "there is no incident 'nonsense'")


def manual() -> str:
    """docs/cli.md, from what the command says of itself."""
    group: Any = typer.main.get_command(cli.app)
    parts = ["# `incident`", f"```\n{_help(group, 'incident')}\n```"]
    for name, command in group.commands.items():
        parts += [f"## `incident {name}`\n\n```\n{_help(command, f'incident {name}')}\n```"]
        parts += [
            f"### `incident {name} {part}`\n\n```\n{_help(each, f'incident {name} {part}')}\n```"
            for part, each in getattr(command, "commands", {}).items()
        ]
    note = "Generated from `--help`; `make docs` renews it."
    return "\n\n".join([parts[0], note, *parts[1:]]) + "\n"


def _help(command: Any, name: str) -> str:
    context = command.make_context(name, [], resilient_parsing=True, terminal_width=100, max_content_width=100)
    return re.sub(r"[ \t]+$", "", command.get_help(context), flags=re.MULTILINE).strip()


def test_the_manual_is_what_the_command_says() -> None:
    assert PAPER.read_text() == manual(), "make docs"


if __name__ == "__main__":
    PAPER.write_text(manual())
