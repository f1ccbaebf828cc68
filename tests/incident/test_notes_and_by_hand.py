"""Two stories on the drill: what people say about an incident stands on its ticket at once; and when everything of ours is dead, the ledger
alone still says what is in force, how it is lifted, and what is left to do."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from activities.ledger.ledger import Ledger
from activities.ledger.record import Record
from tests import seed
from tests.incident.mechanisms.outage import LOW_PARITY
from tests.screens import situations
from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident, until
from workflows.incident import Phase, State
from workflows.status import Planned, Status

ROOT = Path(__file__).parents[2]


async def ticket(stage: Drill, incident: RunningIncident) -> str:
    """The body of the incident's ticket, as GitHub shows it."""
    number = (await incident.status()).ticket.rpartition("/")[2]
    answer = await stage.http.get(f"/github/repos/acme/incidents/issues/{number}", headers={"Authorization": "Bearer practice-token"})
    return str(answer.raise_for_status().json()["body"])


async def test_a_hypothesis_an_impact_and_a_scope_stand_on_the_ticket_and_in_the_status_at_once(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk()) as stage:
        await stage.edit(providers=LOW_PARITY)
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6)
        incident = await stage.declare()
        await incident.hears("ticket: ticket ")
        await incident.say("note", {"by": "lee", "about": "hypothesis", "text": "aurora is overloaded"})
        await incident.say("note", {"by": "lee", "about": "hypothesis", "text": "or a push at noon"})
        await incident.say("note", {"by": "dana", "about": "impact", "text": "60 % of answers fail"})
        await incident.say("note", {"by": "dana", "about": "scope", "text": "12 tenants\n**IC:** mallory"})
        await incident.say("note", {"by": "dana", "text": "only a note"})

        async def told() -> str:
            body = await ticket(stage, incident)
            return body if "12 tenants" in body else ""

        body = await until(told, "the scope on the ticket")
        fields = [line.split(":**")[0].strip("*") for line in body.splitlines() if line.startswith("**")]
        assert fields == [line.split(":**")[0].strip("*") for line in seed.code("4.1").strip().splitlines()]
        assert r"**Scope:** chat · 12 tenants \*\*IC:\*\* mallory" in body, "no line of a ticket is forged by a note"
        assert "**Impact:** 60 % of answers fail" in body
        assert "\n- aurora is overloaded\n- or a push at noon" in body
        assert "only a note" not in body
        status = await incident.status()
        assert (status.impact, status.hypotheses) == ("60 % of answers fail", ("aurora is overloaded", "or a push at noon"))
        await incident.say("note", {"by": "dana", "about": "impact", "text": "nobody is hit any more"})
        assert (await incident.status()).impact == "nobody is hit any more"


def by_hand(tmp: Path, *words: str) -> str:
    """What the command prints in a process of its own, with nothing at all behind it but the ledger."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("INCIDENT_")} | {
        "INCIDENT_LEDGER_URL": f"sqlite:///{tmp / 'ledger.db'}", "INCIDENT_TEMPORAL_ADDRESS": "127.0.0.1:9",
        "INCIDENT_ORGANISATION": str(tmp / "organisation.toml"), "INCIDENT_SETTINGS": str(tmp / "none.env"),
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "starters", *words], capture_output=True, text=True, cwd=ROOT, env=env, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def commands(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line and not line.startswith("#")]


async def test_with_server_and_worker_dead_the_ledger_says_what_is_in_force_and_what_is_left_to_do(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk()) as stage:
        await stage.edit(providers=LOW_PARITY)
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6)
        incident = await stage.declare()
        question = await incident.question("over from aurora")
        await incident.hears("done: flags.switch_off")

        async def kept() -> Status | None:
            known = stage.fleet.ledger.status(incident.id)
            status = Status.model_validate(known.status) if known else None
            return status if status and len(status.in_force) >= 4 and status.asking else None

        status: Status = await until(kept, "the measures on the ledger")

    # Nothing of ours is alive from here on: no server, no worker, no practice platform.
    printed = by_hand(tmp_path, "by-hand", incident.id)
    for measure in status.in_force:
        assert f"[{measure.number}] {measure.name}" in printed
        assert measure.by_hand and set(measure.by_hand) <= set(commands(printed))
    assert f"[{question.number}]" in printed and set(question.by_hand) <= set(commands(printed))
    assert all(shlex.split(command) for command in commands(printed)), "each is one whole command of a shell"

    latest_first = [command for measure in reversed(status.in_force) for command in measure.by_hand]
    assert commands(by_hand(tmp_path, "measures", "--by-hand")) == latest_first
    told: dict[str, Any] = json.loads(by_hand(tmp_path, "measures", "--json"))
    assert [one["number"] for one in told["in_force"]] == [m.number for m in reversed(status.in_force)]
    assert [one["source"] for one in told["read"]] == ["the ledger"]


async def test_what_an_incident_left_in_force_is_shown_after_it_is_over_and_a_plan_is_printed(tmp_path: Path) -> None:
    book = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    book.migrate()
    ended = situations.asking(state=State.STOOD_DOWN, incident_id="inc-20261122-llm-old", declared_at=situations.at(-1440))
    clean = situations.over()
    planned = situations.asking(plan=[Planned(number=1, phase=Phase.RECOVERY, says="back to aurora", by_hand=("curl -X PUT x",))])
    for status in (ended, clean, planned):
        book.write(Record(incident_id=status.incident_id, status=status.model_dump(mode="json")))
    assert [known.incident_id for known in book.holding()] == [planned.incident_id, ended.incident_id]
    everywhere = by_hand(tmp_path, "measures")
    assert "inc-20261122-llm-old [1]" in everywhere and "the incident is stood down" in everywhere
    assert clean.incident_id not in everywhere
    assert by_hand(tmp_path, "measures", clean.incident_id).startswith("nothing is in force")
    assert by_hand(tmp_path, "by-hand", planned.incident_id).splitlines()[-3:] == [
        "# Recovery:",
        "# 1. back to aurora",
        "curl -X PUT x",
    ]
