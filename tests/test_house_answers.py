"""The house rule of playbooks and procedures: they go by the answers of verbs and by the engine's clock, and by nothing else (ADR 27).

Then a run can begin anew from the answers that it has got, and goes the same ways. What is true only at the moment would lead it elsewhere.
"""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import workflow

from tests.test_house import ROOT, files
from workflows.engine.clock import answering, clock
from workflows.people.background import together

OF_WORKFLOW = {"defn", "run"}  # all that a playbook takes from the SDK: its waits and its time are verbs
# What changes while an incident runs: the parts of the engine, and what is known of a measure. Its own verbs say it.
LIVE = {"state", "lifted_at", "held_by", "certain"}
MODULES = {"workflows.engine.state", "workflows.engine.clock", "workflows.waiting"}  # theirs, in which verbs are made


def live(source: str) -> Iterator[str]:
    """What in a module is read of the moment: the SDK's time and waits, the incident's state, private parts of others."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if any(one.name.startswith("temporalio") for one in names):
                yield ast.unparse(node)
            case ast.ImportFrom(module=str(module)) if module in MODULES or module.startswith("temporalio."):
                yield ast.unparse(node)
            case ast.ImportFrom(module="temporalio", names=names) if any(one.asname or one.name != "workflow" for one in names):
                yield ast.unparse(node)
            case ast.Attribute(value=ast.Name(id="workflow"), attr=attr) if attr not in OF_WORKFLOW:
                yield ast.unparse(node)
            case ast.Name(id="getattr" | "vars" | "setattr"):
                yield f"{node.id}: say which attribute it is"
            case ast.Attribute(attr=attr) if attr in LIVE or f"_{attr.lstrip('_')}" == "_state" or _of_others(node):
                yield ast.unparse(node)


def _of_others(node: ast.Attribute) -> bool:
    """A private part of something else: `verbs._proof`."""
    private = node.attr.startswith("_") and not node.attr.startswith("__")
    return private and not (isinstance(node.value, ast.Name) and node.value.id == "self")


def of_the_engine(source: str) -> Iterator[str]:
    """Private parts that a playbook itself uses: they are the engine's, which it inherits."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            yield ast.unparse(node)


def test_playbooks_and_procedures_go_by_answers_alone() -> None:
    sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in files("workflows/playbooks", "workflows/procedures")}
    assert len(sources) > 10, "they have moved: this test must follow"
    assert not {name: found for name, source in sources.items() if (found := sorted(set(live(source))))}, (
        "ask a verb (workflows/engine/verbs.py)"
    )
    playbooks = {name: source for name, source in sources.items() if "@workflow.defn" in source}
    assert not {name: found for name, source in playbooks.items() if (found := sorted(set(of_the_engine(source))))}


@pytest.mark.parametrize(
    "line",
    [
        "while workflow.now() < deadline: pass",
        "await workflow.wait_condition(lambda: done)",
        "await workflow.sleep(60)",
        "from temporalio.workflow import now",
        "from temporalio import workflow as w",
        "import temporalio.workflow",
        "from workflows.waiting import waited",
        "from workflows.engine.state import IncidentState",
        "if verbs.state.rehearsing: pass",
        "n = len(self._verbs.state.steps)",
        "if self.state.mitigated_at: pass",
        "done = self._state.run_state",
        "if imposed.lifted_at: pass",
        "if pin.held_by: pass",
        "await self._verbs._proof.rest(1, '')",
        "at = getattr(verbs, 'state').alarm",
    ],
)
def test_what_is_read_of_the_moment_is_seen(line: str) -> None:
    assert list(live(line))


@pytest.mark.parametrize(
    "line",
    [
        "deadline = verbs.clock() + within",
        "if verbs.rehearsing: pass",
        "self._tried += 1",
        "if not verbs.in_force(MEASURE): pass",
        "@workflow.defn\nclass A: ...",
    ],
)
def test_answers_may_be_gone_by(line: str) -> None:
    assert not list(live(line))


BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)


class Wall:
    """The time of a workflow that has no worker."""

    def __init__(self) -> None:
        self.now = BEGAN

    def minutes(self, n: int) -> datetime:
        self.now = BEGAN + timedelta(minutes=n)
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    wall = Wall()
    monkeypatch.setattr(workflow, "now", lambda: wall.now)
    return wall


async def test_the_clock_stands_at_the_last_answer(wall: Wall) -> None:
    """A failure is an answer too. What others do meanwhile does not move it."""

    @answering
    async def verb(minute: int, broken: bool = False) -> int:
        wall.minutes(minute)
        if broken:
            raise ValueError
        return minute

    assert clock(BEGAN) == BEGAN
    assert await verb(1) == 1
    answered = BEGAN + timedelta(minutes=1)
    wall.minutes(2)
    assert clock(BEGAN) == answered
    with pytest.raises(ValueError):
        await verb(3, broken=True)
    assert clock(BEGAN) == BEGAN + timedelta(minutes=3)


async def test_each_branch_has_its_own_clock(wall: Wall) -> None:
    """It begins with that of the branch which began it; the answers of all are one answer to that branch."""
    seen: list[datetime] = []

    @answering
    async def verb(minute: int) -> None:
        wall.minutes(minute)

    async def branch(minute: int) -> None:
        seen.append(clock(BEGAN))
        await verb(minute)
        seen.append(clock(BEGAN))

    await verb(1)
    await answering(together)(branch(2), branch(4))
    assert [at - BEGAN for at in seen] == [timedelta(minutes=n) for n in (1, 2, 1, 4)]
    assert clock(BEGAN) == BEGAN + timedelta(minutes=4)
