"""The rules of the house, so that they need not be remembered (docs: CONTRIBUTING.md)."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import grimp
import pytest
from temporalio import workflow
from temporalio.converter import WithSerializationContext

import activities
from activities.action import Imposition, Order, Risk, action_of
from activities.kit.setting import Change
from activities.models.routes import Shift
from tests.stage.organisation import stage_settings
from worker.converter import TolerantConverter, data_converter
from worker.playbooks import PlaybookInfo, discover
from worker.wiring import wire
from workflows.incident import Card
from workflows.people.access import COMMANDS_NEED
from workflows.people.messages import MESSAGES

ROOT = Path(__file__).parent.parent
OURS = ("activities", "workflows", "worker", "starters", "practice")
PLAYBOOKS = list(discover().values())
LONGEST_PLAYBOOK = 110  # lines of a playbook file
LONGEST_RUN = 70
# Words of plumbing: a playbook says what is done, not how often it is tried.
PLUMBING = re.compile(r"timeout|retry_policy|RetryPolicy|execute_activity|asyncio|heartbeat|\brpc\b", re.IGNORECASE)
UGLY = re.compile(
    r"\b(\w+_activity|\w*Manager|\w*Helper|utils|handle_(?!async_request)\w+|process_(?!bind_param|result_value)\w+)\b"
)  # three are SQLAlchemy's and httpx's
DRAWN_AT_IMPORT = re.compile(r"default_factory\s*=\s*(lambda:?\s*)?\(?\s*(uuid|random|time|datetime|os\.environ|secrets)")

# What workflows are made of. The sandbox holds the playbooks to it; what they stand on passes through it (ADR 15).
MAY_IMPORT = {
    "activities", "workflows", "temporalio", "pydantic", "asyncio", "collections", "contextlib", "contextvars", "dataclasses", "datetime", "enum",
    "functools", "hashlib", "inspect", "itertools", "json", "math", "operator", "re", "string", "textwrap", "types", "typing",
}  # fmt: skip
OF_ASYNCIO = {
    "current_task",
    "create_task",
    "gather",
    "shield",
    "timeout",
    "wait_for",
    "Task",
    "Future",
    "Lock",
    "Event",
    "CancelledError",
    "FIRST_COMPLETED",
}
NOT_BUILT_IN = {"open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__", "globals", "hash"}
OF_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
CHANGING = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}
OF_THE_SANDBOX = re.compile(r"\b(datetime|date)\b")  # classes that a playbook sees only through the sandbox's own wrapper
READS_A_CLOCK = re.compile(r"\b(datetime|date)\.(now|utcnow|today)$")


def files(*packages: str) -> Iterator[Path]:
    """Every Python file of these packages."""
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def tracked() -> list[Path]:
    """Everything git knows, and everything it would take."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("info", PLAYBOOKS, ids=lambda info: info.name)
class TestAPlaybook:
    """What every playbook file must be. A thirteenth is in these tests by being there."""

    def test_is_its_docstring_its_card_and_its_run(self, info: PlaybookInfo) -> None:
        tree = ast.parse(self.source(info))
        assert (ast.get_docstring(tree) or "").startswith((f"{info.card.section} ", "Triage")), "begin with the seed's heading"
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        methods = [node.name for node in classes[0].body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert len(classes) == 1 and not functions, "no helpers beside the playbook"
        assert methods == ["run"], "if `run` needs a helper, a verb is missing elsewhere"
        assert isinstance(info.card, Card)

    def test_is_short(self, info: PlaybookInfo) -> None:
        source = self.source(info)
        run = next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.AsyncFunctionDef))
        assert len(source.splitlines()) <= LONGEST_PLAYBOOK
        assert (run.end_lineno or 0) - run.lineno <= LONGEST_RUN

    def test_says_what_and_not_how(self, info: PlaybookInfo) -> None:
        body = self.source(info).split("async def run", 1)[1]
        assert not PLUMBING.findall(body)
        assert re.search(r"async with self\.\w+\(\):", body), "a playbook has phases"

    def test_has_its_stories_and_its_history(self, info: PlaybookInfo) -> None:
        told = ROOT / "tests" / "playbooks"
        assert (told / f"test_{info.name}.py").exists() or (told / info.name / "test_story.py").exists(), f"tell {info.name} as stories"
        assert list((ROOT / "tests" / "histories").glob(f"{info.name}-*.json.gz")), "record it: python -m tests.stage.record_histories"

    def source(self, info: PlaybookInfo) -> str:
        return Path(inspect.getfile(info.cls)).read_text()


def test_every_playbook_has_a_section_and_a_name_of_its_own() -> None:
    assert len({info.card.section for info in PLAYBOOKS}) == len(PLAYBOOKS)
    assert len({info.card.short for info in PLAYBOOKS}) == len(PLAYBOOKS)


def test_activities_are_invoked_in_one_place() -> None:
    """Only then can risk, approval, key, retries and timeline not be forgotten."""
    found = [p.relative_to(ROOT).as_posix() for p in files("workflows") if re.search(r"\b(execute|start)_(local_)?activity", p.read_text())]
    assert found == ["workflows/engine/invoker.py"]
    assert (ROOT / found[0]).read_text().count("workflow.start_activity(") == 1


def test_tasks_are_begun_awaited_and_cancelled_in_one_place() -> None:
    """Only there a cancel always ends a task: an activity that answers at that moment makes the SDK forget it."""
    at_large = re.compile(
        r"\.cancel\(|\b(create_task|ensure_future|TaskGroup|gather|shield|uncancel)\(|(?<!begun\()workflow\.execute_child"
    )
    found = [p.relative_to(ROOT).as_posix() for p in files("workflows") if at_large.search(p.read_text())]
    assert found == ["workflows/people/background.py"]


def test_approval_is_granted_in_one_place() -> None:
    found = [p.relative_to(ROOT).as_posix() for p in files("workflows") if re.search(r"\bGrant\(", p.read_text())]
    assert found == ["workflows/people/approvals.py"]


def test_the_workflow_side_has_no_deferred_annotations() -> None:
    """`@workflow.init` and `@workflow.run` are compared by their annotations; deferred ones differ."""
    assert not [p for p in files("workflows", "activities") if "from __future__ import annotations" in p.read_text()]


def test_no_value_is_drawn_when_a_model_is_made() -> None:
    """A default drawn from time, chance or the environment differs at replay, and nothing would notice."""
    assert not [p for p in files("workflows", "activities") if DRAWN_AT_IMPORT.search(p.read_text())]


def test_no_module_imports_itself_by_way_of_others() -> None:
    """No import circles, imports for type checkers included."""
    graph = grimp.build_graph(*OURS)
    try:
        TopologicalSorter({module: graph.find_modules_directly_imported_by(module) for module in graph.modules}).prepare()
    except CycleError as circle:
        pytest.fail(" → ".join(reversed(circle.args[1])))


def test_the_domain_has_no_untyped_options() -> None:
    """`**how: Any` lets `silense="yes"` pass the type checker."""
    untyped = re.compile(r"\*\*\w+: Any\b")
    found = [
        f"{p.relative_to(ROOT)}: {line.strip()}"
        for p in files("workflows")
        for line in p.read_text().splitlines()
        if untyped.search(line) and "def __init_subclass__" not in line
    ]
    assert not found


def nondeterministic(source: str) -> Iterator[str]:
    """What in a module differs from one run to the next: clocks, chance, the environment, threads, files, the network."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                yield from (f"import {name.name}" for name in node.names if name.name.partition(".")[0] not in MAY_IMPORT)
            case ast.ImportFrom() if (node.module or "").partition(".")[0] not in MAY_IMPORT:
                yield f"from {node.module}"
            case ast.Attribute(value=ast.Name(id="asyncio")) if node.attr not in OF_ASYNCIO:
                yield f"asyncio.{node.attr}"
            case ast.Attribute() if READS_A_CLOCK.search(ast.unparse(node)):
                yield ast.unparse(node)
            case ast.Name() if node.id in NOT_BUILT_IN:
                yield node.id
            case ast.Global():
                yield f"global {', '.join(node.names)}"
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, what]) if OF_THE_SANDBOX.search(ast.unparse(what)):
                yield f"{ast.unparse(node)}: in the sandbox this is no class"
    yield from kept_between_runs(ast.parse(source))


def kept_between_runs(module: ast.Module) -> Iterator[str]:
    """What one run of a workflow would leave for another: a module that passes through the sandbox is there once for all of them."""
    shared = {name.id for node in module.body for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
              if isinstance(node, ast.Assign | ast.AnnAssign)}  # fmt: skip
    for inner in (node for outer in module.body if isinstance(outer, OF_FUNCTIONS) for node in ast.walk(outer)):
        match inner:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()) if name in shared:
                yield ast.unparse(inner)
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()) if name in shared:
                yield ast.unparse(inner)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=changed)) if name in shared and changed in CHANGING:
                yield ast.unparse(inner)
            case ast.FunctionDef(decorator_list=wrapped) if any(re.search(r"\b(lru_)?cache\b", ast.unparse(one)) for one in wrapped):
                yield f"{inner.name} is cached"
            case ast.ClassDef(body=body):
                yield from (
                    f"{inner.name}: {ast.unparse(one)}"
                    for one in body
                    if isinstance(one, ast.Assign) and isinstance(one.value, ast.List | ast.Dict | ast.Set)
                )


def test_workflows_are_deterministic() -> None:
    found = {f"{p.relative_to(ROOT)}: {found}" for p in files("workflows") for found in nondeterministic(p.read_text())}
    assert found == {"workflows/playbook.py: import importlib"}, (
        "that one loads a playbook that is called in; which there are, an activity says"
    )


@pytest.mark.parametrize(
    "source",
    [
        "import random", "import os.path", "from time import time", "from threading import Thread", "datetime.now(UTC)",
        "datetime.date.today()", "asyncio.to_thread(f)", "asyncio.wait(tasks)", "open('f')", "hash(x)", "global seen",
        "isinstance(x, datetime)", "SEEN = {}\ndef f():\n    SEEN['a'] = 1", "@cache\ndef f(): ...", "class A:\n    seen = []",
        "SEEN: list[int] = []\nclass A:\n    def f(self):\n        SEEN.append(1)",
    ],
)  # fmt: skip
def test_what_is_not_deterministic_is_found(source: str) -> None:
    assert list(nondeterministic(source))


def test_names_are_the_domains_words() -> None:
    ugly = {
        f"{p.relative_to(ROOT)}: {node.name}"
        for p in files(*OURS)
        for node in ast.walk(ast.parse(p.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and UGLY.fullmatch(node.name)
    }
    assert not ugly


def test_nothing_names_this_workplace() -> None:
    """No path of a machine, no registry, no tool that others do not have."""
    forbidden = re.compile("/wo" + "rk/|\\.\\./sha" + "red|farm-" + "(studio|bench)|pypi\\.org/simple|index-url")
    allowed = {"Makefile", "test_house.py"}  # the Makefile keeps an index out of the lock files; this file has the pattern
    found = [
        p.relative_to(ROOT).as_posix()
        for p in tracked()
        if p.suffix not in (".png", ".gz", ".svg") and p.name not in allowed and forbidden.search(p.read_text(errors="replace"))
    ]
    assert not found


def test_the_practice_platform_knows_no_playbook() -> None:
    names = [word for info in PLAYBOOKS for word in (info.name, info.type)]
    assert not [
        p for p in files("practice") if any(re.search(rf"\b{word}\b", p.read_text()) for word in names if word not in ("triage", "Triage"))
    ]


def verbs() -> list[object]:
    names = [found.name for found in pkgutil.walk_packages(activities.__path__, "activities.") if ".migrations" not in found.name]
    modules = [importlib.import_module(name) for name in names]
    classes = [c for m in modules for c in vars(m).values() if inspect.isclass(c) and c.__module__ == m.__name__]
    return [v for c in classes for v in vars(c).values() if hasattr(v, "__action__")]


def test_every_verb_says_what_it_does() -> None:
    undocumented = [action_of(v).name for v in verbs() if not inspect.getdoc(v)]  # type: ignore[arg-type]
    assert not undocumented


@pytest.mark.parametrize("verb", verbs(), ids=lambda verb: action_of(verb).name)
def test_every_order_says_itself_to_a_person(verb: object) -> None:
    """Target, effect, inverse; and by hand wherever something changes."""
    order = next(iter(inspect.get_annotations(inspect.unwrap(verb), eval_str=True).values()))  # type: ignore[arg-type]
    assert issubclass(order, Order)
    for name, template in (("target", order.acts_on), ("effect", order.does)):
        declared = template or getattr(order, name) is not getattr(Order, name)
        assert declared, f"class {order.__name__}(…, {name}=…): say it as a template"
    if action_of(verb).writes:  # type: ignore[arg-type]
        assert (order.inverse, order.undone) != (Order.inverse, Order.undone) and order.by_hand is not Order.by_hand, order.__name__


def test_an_imposition_carries_its_own_undo() -> None:
    for order in (Shift, Change):
        assert issubclass(order, Imposition)
        assert {"look", "given", "undo"} <= set(vars(order))


@pytest.mark.parametrize("info", PLAYBOOKS, ids=lambda info: info.name)
def test_every_door_is_guarded(info: PlaybookInfo) -> None:
    """Each message is a signal and an update under one name; every update has a validator; everything has a description."""
    defined = workflow._Definition.must_from_class(info.cls)
    assert {name for name in defined.signals if name} == set(MESSAGES)
    assert set(MESSAGES) | {"alert"} == set(defined.updates)
    assert None in defined.signals, "a signal of an unknown name is noted"
    assert all(update.validator for update in defined.updates.values())
    named: list[Any] = [*defined.signals.values(), *defined.updates.values(), *defined.queries.values()]
    assert all(one.description for one in named if one.name)


def test_every_command_says_what_it_takes_of_its_sender() -> None:
    """A message without a row would be accepted from anybody, or from nobody (`workflows/people/access.py`)."""
    assert set(COMMANDS_NEED) == set(MESSAGES)


def test_c4_has_no_verb() -> None:
    """What automation may never do does not exist in code (spec §2.8)."""
    assert max(Risk) is Risk.C3
    assert not [action_of(v).name for v in verbs() if re.search("flush|purge|drop|truncate|destroy", action_of(v).name)]  # type: ignore[arg-type]


async def test_the_worker_serves_every_verb(tmp_path: Path) -> None:
    """A verb that no worker serves would leave its step waiting for ever."""
    async with AsyncExitStack() as stack:
        fleet = await wire(stage_settings("http://127.0.0.1:9", tmp_path, tmp_path / "organisation.toml"), stack)
        served = [action_of(verb).name for verb in fleet.activities]
    assert len(served) == len(set(served))
    assert {action_of(v).name for v in verbs()} <= set(served)  # type: ignore[arg-type]


def test_no_payload_wants_to_know_where_it_stands() -> None:
    """The sandbox gives no serialization context (ADR 15): a converter that wants one must not come in unnoticed."""
    assert data_converter.payload_codec is None and data_converter.external_storage is None
    encodings = TolerantConverter().converters.values()
    assert "with_context" not in vars(TolerantConverter) and not any(isinstance(one, WithSerializationContext) for one in encodings)


def test_the_readme_lists_every_playbook() -> None:
    readme = (ROOT / "README.md").read_text()
    assert not [info.name for info in PLAYBOOKS if f"`{info.name}`" not in readme]
