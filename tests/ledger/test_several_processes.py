"""Two workers and a receiver write at once, each a process of its own: nothing is lost, nothing is there twice."""

import subprocess
import sys
from datetime import UTC, datetime
from textwrap import dedent

from activities.kit.holding import Hold, Thing
from activities.ledger.holders import RecordedHolders
from activities.ledger.inbox import Inbox
from activities.ledger.ledger import Ledger
from tests.ledger.test_ledger import INCIDENT, chain

TIMES = 12
WORKER = """
    import asyncio, sys
    from activities.action import Effect, Risk
    from activities.kit.holding import Hold, Thing
    from activities.ledger.holders import RecordedHolders
    from activities.ledger.ledger import Ledger
    from tests.ledger.conftest import NOON
    from tests.ledger.test_ledger import Router, call, chain, record

    book, me, lines = Ledger(sys.argv[1]), sys.argv[2], chain({times})
    async def work():
        for nth in range(1, {times} + 1):
            book.write(record(*lines[: nth], version=nth, entries=nth))  # the same again, and one more
            await book.began("routers.shift", Risk.C1, Router(), call(n=nth), 1)
            await book.ended(call(n=nth), "done", Effect(target="route/chat", summary="", proven_by="read back"), "")
            mine = Hold(incident=me, key=f"{{me}}/{{nth}}", need={{"nth": nth}}, says="paused", since=NOON)
            RecordedHolders(book).write([Thing("queues.pause", "queue/a")], lambda held: {{thing: (*held[thing], mine) for thing in held}})
    asyncio.run(work())
"""
RECEIVER = """
    import sys
    from datetime import timedelta
    from activities.ledger.inbox import Delivery, Inbox
    from activities.ledger.ledger import Ledger
    from tests.ledger.conftest import NOON

    inbox = Inbox(Ledger(sys.argv[1]))
    for nth in range({times}):
        inbox.keep(Delivery(id=f"d-{{nth % 3}}", source="alertmanager", raw=b"{{}}", received_at=NOON + timedelta(seconds=nth)))
        inbox.claim(f"key-{{nth}}", f"inc-{{sys.argv[2]}}-{{nth}}")
"""


def test_nothing_is_lost_and_nothing_is_there_twice(url: str) -> None:
    Ledger(url).migrate()
    each = [(WORKER, "worker-a"), (WORKER, "worker-b"), (RECEIVER, "receiver-a"), (RECEIVER, "receiver-b")]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", dedent(program).format(times=TIMES), url, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for program, name in each
    ]
    for process in started:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()[-1500:]
    book = Ledger(url)
    assert book.timeline(INCIDENT) == list(chain(TIMES)) and book.verify(INCIDENT).intact and book.version(INCIDENT) == TIMES
    assert {(one.outcome, one.attempts) for one in book.effects(INCIDENT)} == {("done", 2)} and len(book.effects(INCIDENT)) == TIMES
    held = RecordedHolders(book).read()[Thing("queues.pause", "queue/a")]
    assert sorted(one.key for one in held) == sorted(f"{who}/{nth}" for who in ("worker-a", "worker-b") for nth in range(1, TIMES + 1))
    assert [one["count"] for one in Inbox(book).deliveries()] == [2 * TIMES // 3] * 3
    opened = [Inbox(book).claim(f"key-{nth}", "inc-late") for nth in range(TIMES)]
    assert {name.rpartition("-")[2] for name in opened} == {str(nth) for nth in range(TIMES)} and "inc-late" not in opened


def test_a_name_of_any_length_is_kept(ledger: Ledger) -> None:
    """The target of a change names every tenant that it is about."""
    thing = Thing("limits.change", "limit/tenant/" + "+".join(f"tenant-{nth:03}" for nth in range(180)))
    hold = Hold(incident="inc-1", key=f"inc-1/{thing.verb}/{thing.target}/1", need={}, says="limited", since=datetime.now(UTC))
    RecordedHolders(ledger).write([thing], lambda held: {thing: (hold,)})
    assert RecordedHolders(ledger).read()[thing] == (hold,)
