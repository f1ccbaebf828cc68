"""The record keeps what it is told, once; it sees tampering, and it never gets in the way of an effect."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from activities.action import Call, Effect, Grant, Order, Refused, Risk, System, action
from activities.everything import verbs
from activities.ledger.database import LedgerDown
from activities.ledger.entry import Entry
from activities.ledger.ledger import Ledger
from activities.ledger.record import OVER, Record
from activities.ledger.tables import tables
from tests.ledger.conftest import NOON
from workflows.incident import State

NEWEST = max(p.stem[:4] for p in Path("activities/ledger/migrations/versions").glob("0*.py"))
INCIDENT = "inc-20261123-llm-chat"


def chain(count: int, first: int = 1, previous: str = "") -> tuple[Entry, ...]:
    lines: list[Entry] = []
    for number in range(first, first + count):
        at = NOON + timedelta(seconds=number)
        line = Entry(number=number, at=at, kind="note", text=f"line {number} ×", facts={"share": 0.1, "ok": True, "who": None})
        lines.append(line.sealed(lines[-1].hash if lines else previous))
    return tuple(lines)


def told(version: int, state: str = "open", entries: int = 0) -> dict[str, object]:
    return {
        "incident_id": INCIDENT, "version": version, "playbook": "llm_provider_outage", "section": "2.2", "title": "LLM provider outage",
        "service": "chat", "severity": 2, "phase": "triage", "state": state, "commander": "dana", "dedup_key": "k",
        "declared_at": NOON.isoformat(), "updated_at": (NOON + timedelta(seconds=version)).isoformat(), "entries": entries,
    }  # fmt: skip


def record(*lines: Entry, **status: object) -> Record:
    return Record.model_validate({"incident_id": INCIDENT, "entries": lines, "status": told(**status) if status else None})  # type: ignore[arg-type]


class Router(Order):
    share: float = 0.5

    def target(self) -> str:
        return "route/chat"

    def effect(self) -> str:
        return "half of the traffic goes to borealis"

    def by_hand(self) -> tuple[str, ...]:
        return ("curl -X PUT …",)


class Routers(System):
    @action("routers.shift", risk=Risk.C1)
    async def shift(self, order: Router, call: Call) -> Effect:
        return Effect(target=order.target(), summary="shifted", proven_by="read back", before={"aurora": 1.0}, after={"aurora": 0.5})

    @action("routers.jam", risk=Risk.C1)
    async def jam(self, order: Router, call: Call) -> Effect:
        raise Refused("the route is locked")


def call(verb: str = "routers.shift", n: int = 1) -> Call:
    grant = Grant(question=3, covers=(), by=("dana",), verified=True, at=NOON, expires_at=NOON)
    return Call(incident_id=INCIDENT, key=f"{INCIDENT}/{verb}/route/chat/{n}", at=NOON, grant=grant)


def test_the_same_entries_again_change_nothing(ledger: Ledger) -> None:
    lines = chain(3)
    assert ledger.write(record(*lines)) == 3
    assert ledger.write(record(*lines)) == 0
    assert ledger.write(record(*lines, *chain(1, first=4, previous=lines[-1].hash))) == 1
    assert ledger.timeline(INCIDENT)[:3] == list(lines)
    assert ledger.verify(INCIDENT).intact


def test_another_hash_for_a_known_number_is_refused_and_nothing_of_the_order_is_kept(ledger: Ledger) -> None:
    ledger.write(record(*chain(2), version=1))
    forged = Entry(number=2, at=NOON, kind="note", text="nothing happened").sealed(chain(1)[0].hash)
    with pytest.raises(Refused, match="entry 2 of inc-20261123-llm-chat contradicts the record"):
        ledger.write(record(*chain(1, first=3, previous=forged.hash), forged, version=2))
    assert [line.number for line in ledger.timeline(INCIDENT)] == [1, 2]
    assert ledger.version(INCIDENT) == 1


def test_an_entry_that_does_not_match_its_own_hash_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="tampering"):
        ledger.write(record(chain(1)[0].model_copy(update={"text": "edited on the way"})))


@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        ("UPDATE entries SET text='all quiet' WHERE number=2", 2),
        ("UPDATE entries SET by='mallory' WHERE number=4", 4),
        ("DELETE FROM entries WHERE number=3", 3),
        ("DELETE FROM entries WHERE number=1", 1),
        ("DELETE FROM entries WHERE number=4", 4),
        ("UPDATE entries SET previous='' WHERE number=3", 3),
    ],
)
def test_an_edit_behind_our_back_is_found(ledger: Ledger, tampering: str, broken_at: int) -> None:
    ledger.write(record(*chain(4), version=1, entries=4))
    with ledger.engine.begin() as connection:
        connection.execute(sa.text(tampering))
    assert ledger.verify(INCIDENT).broken_at == broken_at


def test_a_forger_who_seals_another_text_anew_breaks_the_chain_at_the_next_entry(ledger: Ledger) -> None:
    """Each entry is intact by itself, and none is missing: only what the third one stands behind says so."""
    first, second, third = chain(3)
    forged = second.model_copy(update={"text": "all quiet"}).sealed(first.hash)
    ledger.write(record(first, forged, third, version=1, entries=3))
    assert ledger.verify(INCIDENT).broken_at == 3


def test_a_forger_who_leaves_an_entry_out_and_chains_the_rest_anew_is_found_by_the_numbers(ledger: Ledger) -> None:
    """Every hash is right, and as many entries are there as were promised."""
    (first,) = chain(1)
    third = Entry(number=3, at=NOON, kind="note", text="line 3").sealed(first.hash)
    ledger.write(record(first, third, version=1, entries=2))
    assert ledger.verify(INCIDENT).broken_at == 2


def test_a_newer_status_wins_and_an_older_one_never_comes_back(ledger: Ledger) -> None:
    for version in (3, 1, 5, 4, 5):
        ledger.write(record(version=version))
    known = ledger.status(INCIDENT)
    assert known is not None
    assert known.version == 5


def test_open_incidents_are_those_that_something_of_ours_still_runs_for(ledger: Ledger) -> None:
    assert set(OVER) == {state.value for state in State if state.over}
    ledger.write(record(version=1))
    assert [known.incident_id for known in ledger.incidents()] == ledger.ids(open_only=True) == [INCIDENT]
    ledger.write(record(version=2, state="stood down"))
    assert ledger.incidents() == []
    assert ledger.ids() == [INCIDENT]


async def test_a_system_writes_its_effect_on_the_book_itself(ledger: Ledger) -> None:
    routers = Routers()
    routers.book = ledger
    await routers.shift(Router(), call())
    (done,) = ledger.effects(INCIDENT)
    assert (done.verb, done.target, done.outcome, done.attempts, done.question) == ("routers.shift", "route/chat", "done", 1, 3)
    assert (done.before, done.after, done.proven_by, done.by_hand) == ({"aurora": 1.0}, {"aurora": 0.5}, "read back", ("curl -X PUT …",))


async def test_what_was_proven_once_stays_proven_when_the_reply_was_lost_and_the_verb_runs_again(ledger: Ledger) -> None:
    await ledger.began("routers.shift", Risk.C1, Router(), call(), 1)
    await ledger.ended(call(), "done", Effect(target="route/chat", summary="", proven_by="read back"), "")
    await ledger.began("routers.shift", Risk.C1, Router(), call(), 2)
    await ledger.ended(call(), "unknown", None, "connection reset")
    (done,) = ledger.effects(INCIDENT)
    assert (done.outcome, done.attempts, done.proven_by) == ("done", 2, "read back")


async def test_a_refusal_is_on_the_book_with_its_reason(ledger: Ledger) -> None:
    routers = Routers()
    routers.book = ledger
    with pytest.raises(Refused):
        await routers.jam(Router(), call("routers.jam"))
    (tried,) = ledger.effects(INCIDENT)
    assert (tried.outcome, tried.why) == ("refused", "the route is locked")


async def test_an_effect_whose_beginning_the_ledger_missed_is_recorded_all_the_same(ledger: Ledger) -> None:
    await ledger.ended(call(), "adopted", Effect(target="route/chat", summary="", proven_by="read back", adopted=True), "")
    (done,) = ledger.effects(INCIDENT)
    assert (done.verb, done.target, done.outcome, done.adopted) == ("routers.shift", "route/chat", "adopted", True)


async def test_an_effect_goes_on_when_the_ledger_is_broken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    routers = Routers()
    routers.book = Ledger(f"sqlite:///{tmp_path}/never-migrated.db")
    assert (await routers.shift(Router(), call())).proven_by == "read back"
    assert "the ledger did not take an effect" in caplog.text


async def test_an_effect_does_not_wait_for_a_ledger_that_somebody_holds(ledger: Ledger) -> None:
    with Ledger(ledger.url).engine.begin() as holder:  # on SQLite this holds everything
        if holder.dialect.name == "postgresql":
            holder.exec_driver_sql("LOCK TABLE effects IN ACCESS EXCLUSIVE MODE")
        started = datetime.now(UTC)
        await ledger.began("routers.shift", Risk.C1, Router(), call(), 1)
        assert datetime.now(UTC) - started < timedelta(seconds=4)


async def test_the_record_verb_keeps_what_the_workflow_says(ledger: Ledger) -> None:
    assert await ledger.record(record(*chain(2), version=1), call("ledger.record")) == 2
    assert ledger.version(INCIDENT) == 1


def test_a_file_is_durable_and_readable_while_written(tmp_path: Path) -> None:
    with Ledger(f"sqlite:///{tmp_path}/ledger.db").engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_the_tables_are_what_the_code_says(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        assert verbs(), "imports every system, and so every table"
        assert compare_metadata(MigrationContext.configure(connection), tables) == []
        assert ledger.revision() == (NEWEST, NEWEST)


def test_a_ledger_that_is_not_there_is_a_sentence_and_no_empty_file(tmp_path: Path) -> None:
    with pytest.raises(LedgerDown, match="no ledger at"):
        Ledger(f"sqlite:///{tmp_path}/none.db").incidents()
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "torn.db").write_bytes(b"this is no database " * 100)
    with pytest.raises(LedgerDown, match="cannot be read: file is not a database"):
        Ledger(f"sqlite:///{tmp_path}/torn.db").incidents()


def test_processes_that_start_at_once_all_find_their_tables(url: str) -> None:
    program = f"from activities.ledger.ledger import Ledger; book = Ledger({url!r}); book.migrate(); print(book.revision()[0])"
    started = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    for process in started:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out.strip().decode()) == (0, NEWEST), err.decode()
