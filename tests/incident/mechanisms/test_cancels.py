"""A cancel ends what it is meant for, wherever it comes: also when it meets the answer of an activity, which the SDK alone lets win.

Nothing runs here but the workflow: it is given one workflow task after another, so that every meeting can be chosen.
"""

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from functools import cache, partial
from itertools import product

import pytest
from temporalio import workflow
from temporalio.api.common.v1 import Payload

from tests.histories.test_histories import HISTORIES, history
from tests.incident.mechanisms.driven import Answers, Driven, Job
from worker.converter import data_converter
from worker.playbooks import discover
from workflows.people.background import begun, settled

SAYS = data_converter.payload_converter.to_payload("done")
MOST = 300  # workflow tasks that an incident needs to end
WAYS = ("answers", "stops", "fails")  # how an activity or a child may end, whatever it was asked to do


class Said(Answers):
    """Whatever is asked: done."""

    def of(self, verb: str, key: str) -> Payload | None:
        return SAYS


@workflow.defn
class Waits:
    """Waits for an activity or for a child until somebody cancels that; then says what became of whoever waited."""

    @workflow.run
    async def run(self, what: str) -> str:
        if what == "child":
            work = begun(workflow.execute_child_workflow("Child", id="child", result_type=str))
        else:
            work = workflow.start_activity(
                "look", start_to_close_timeout=timedelta(minutes=1), result_type=str,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )  # fmt: skip
        self.waiting = begun(settled(work))
        self.came_late = False
        await workflow.wait([self.waiting])
        await workflow.wait_condition(workflow.all_handlers_finished)
        return "too late" if self.came_late else "cancelled" if self.waiting.cancelled() else "went on"

    @workflow.signal
    async def cancel(self, turns: int) -> None:
        """After so many turns of the loop: what else came in this workflow task has got so far."""
        for _ in range(turns):
            await asyncio.sleep(0)
        self.came_late = not self.waiting.cancel()


def end(run: Driven, what: str, way: str) -> Job:
    if what == "child":
        return run.child_ended(1, SAYS if way == "answers" else None, failed=way == "fails")
    return run.stopped(1) if way == "stops" else run.answered(1, failed=way == "fails")


def waits(what: str) -> Driven:
    run = Driven(Waits, data_converter.payload_converter.to_payloads([what]), answers=Said())
    if what == "child":
        run.task(run.news.pop())  # it has started
    return run


@pytest.mark.parametrize("what", ["activity", "child"])
@pytest.mark.parametrize("way", WAYS)
def test_a_cancel_is_never_undone_by_an_answer(what: str, way: str) -> None:
    """Whether the cancel comes earlier, in the same workflow task at whatever turn, or twice; and a worker that replays it sees the same."""
    came: list[str] = []
    for turns, earlier in product(range(6), range(3)):
        run = waits(what)
        for _ in range(earlier):
            run.task(run.signal("cancel", turns))
        run.task(end(run, what, way), *([] if earlier else [run.signal("cancel", turns)]))
        came.append(run.said)
        assert run.replays(), (turns, earlier)
        run.evict()
    assert came.count("cancelled") > len(came) / 2 and set(came) <= {"cancelled", "too late"}


@cache
def told(recorded: str) -> tuple[str, Answers]:
    """An incident's id, and what its activities answered when its history was recorded."""
    known = history(HISTORIES / f"{recorded}.json.gz")
    return known.workflow_id, Answers(known)


def incident(recorded: str, answers: Answers | None = None) -> Driven:
    """The same incident once more."""
    id, known = told(recorded)
    return Driven(discover()[recorded.partition("-")[0]].cls, known.given, id=id, answers=answers or known)


def background(run: Driven) -> Iterator[tuple[tuple[str, ...], asyncio.Task[object]]]:
    """Every task that `begun` made and that has not ended, with the functions in which it waits."""
    for task in list(run.instance._tasks):  # type: ignore[attr-defined]
        waiting, functions = task.get_coro(), []
        while inspect.iscoroutine(waiting):
            functions.append(waiting.__qualname__)
            waiting = waiting.cr_await
        if not functions[0].startswith("_WorkflowInstanceImpl"):
            yield tuple(functions), task


def all_done(tasks: list[asyncio.Task[object]]) -> bool:
    return all(task.done() for task in tasks)


def places(recorded: str, tasks: int) -> dict[int, set[tuple[str, ...]]]:
    """Where background tasks wait, by the number of workflow tasks after which each place is reached first."""
    run, known, found = incident(recorded), set[tuple[str, ...]](), defaultdict[int, set[tuple[str, ...]]](set)
    for number in range(1, tasks):
        run.go(number)
        found[number] = {functions for functions, _ in background(run)} - known
        known |= found[number]
    return {number: here for number, here in found.items() if here}


@pytest.mark.parametrize(
    ("recorded", "tasks", "way"),
    [
        ("production_outage-resolved", 66, "the cancel comes first"), ("production_outage-resolved", 40, "it answers all the same"),
        ("slo_burn-waived", 40, "the answer comes first"),
    ],
)  # fmt: skip
def test_every_background_task_ends_when_it_is_cancelled(recorded: str, tasks: int, way: str) -> None:
    """At each of its awaits: the answer that it waits for comes in the same workflow task, or later. Nothing is left for the cache to find."""
    reached = places(recorded, tasks)
    assert sum(map(len, reached.values())) > 25
    for number, here in reached.items():
        run = incident(recorded)
        run.stubborn = True
        run.go(number)
        cancelled = [task for functions, task in background(run) if functions in here]
        for task in cancelled:
            if way == "the answer comes first":
                run.instance.call_soon(task.cancel)  # type: ignore[attr-defined]
            else:
                task.cancel()
        run.task(*([] if way == "it answers all the same" else map(run.answered, list(run.activities))))
        run.until(partial(all_done, cancelled), MOST)
        assert all(task.cancelled() for task in cancelled), here
        run.evict()


@pytest.mark.parametrize("recorded", ["production_outage-false-alarm", "triage-answered"])
def test_an_incident_that_is_cancelled_anywhere_ends(recorded: str) -> None:
    """What it waits for is answered in the same workflow task. It ends, and a worker that replays it sees the same."""
    for nth, number in enumerate(places(recorded, 27)):
        run = incident(recorded)
        run.go(number)
        run.task(run.cancelled(), *map(run.answered, list(run.activities)))
        run.until(run.is_over, MOST)
        assert run.ended == "cancel_workflow_execution", number
        assert nth % 4 or run.replays(), number  # a replay costs as much as all the rest
