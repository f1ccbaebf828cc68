"""`make demo`: the first incident, end to end, on your own machine."""

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from temporalio.client import Client, WorkflowExecutionStatus

from activities.action import Role
from activities.ledger.ledger import Done, Ledger, LedgerDown
from starters import steering
from starters.errors import CliError
from starters.gameday.cast import PLAYS, Cast
from starters.gameday.metrics import Metrics
from starters.gameday.processes import DidNotStart, Processes
from starters.gameday.scenario import SCENARIOS, Deed, Scenario, service_names
from starters.gameday.scorecard import Scorecard, score
from starters.gameday.stage import TOKEN, Stage, raise_stage
from starters.postmortem import postmortem
from starters.screens import shadow_report
from starters.screens.changes import changes
from starters.screens.incident import render
from workflows.incident import Phase, Question, State
from workflows.status import Status

HOME = Path(".incident/demo")
RULES = sorted(Path("alerts").glob("*.yml"))
OPENS_WITHIN = 90.0  # real seconds from the fault to the incident
ENDS_WITHIN = 900.0  # real seconds; a scripted cast needs two minutes
LOOK_EVERY = 0.1
LAST_KILL = 18  # every playbook has as many steps; a kill that never came proves nothing
COMMANDER = frozenset({Role.INCIDENT_COMMANDER})


@dataclass
class Options:
    """How the demo runs, from the environment that `make demo` passes on."""

    playbook: str
    answers: str  # auto | decline | me
    kill: str  # "" | worker | temporal
    kills: int
    keep: bool
    pace: float
    seed: int
    faults: tuple[dict[str, Any], ...] = ()
    shadow: bool = False  # the playbook only says what it would do; people mend the world by hand

    @property
    def mine(self) -> bool:
        """True when a person at this terminal is the commander."""
        return self.answers == "me"


@dataclass
class Day:
    options: Options
    scenario: Scenario
    stage: Stage
    client: Client
    ledger: Ledger
    console: Console
    cast: Cast
    broken_at: datetime
    before: dict[str, Any]
    incident: str = ""
    killed: list[str] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)
    live: Live | None = None
    asked: set[int] = field(default_factory=set)
    later: list[Deed] = field(default_factory=list)

    def status(self) -> Status | None:
        """The status on record, if there is one."""
        if not self.incident:
            found = [one for one in self.ledger.incidents(open_only=False)]
            self.incident = found[0].incident_id if found else ""
        known = self.ledger.status(self.incident) if self.incident else None
        return Status.model_validate(known.status) if known else None

    def say(self, line: str) -> None:
        """A line for the reader, above the live screen if there is one."""
        self.console.print(escape(line), highlight=False, soft_wrap=True)

    # -- the course of the day --------------------------------------------------------------------------------------------------------

    async def opens(self) -> Status:
        """Wait until the alert has fired and the incident is open."""
        deadline = time.monotonic() + OPENS_WITHIN
        while time.monotonic() < deadline:
            with contextlib.suppress(LedgerDown):
                if (status := self.status()) is not None:
                    return status
            await asyncio.sleep(LOOK_EVERY)
        raise DidNotStart(f"no alert opened an incident within {OPENS_WITHIN:g} s\n{self.stage.processes.tail('receiver')}")

    async def runs(self) -> Status:
        """Show it, answer, and kill when told to, until it has ended."""
        playing = asyncio.create_task(self._plays())
        killing = asyncio.create_task(self._kills()) if self.options.kill else None
        mending = asyncio.create_task(self._mends()) if self.options.shadow else None
        try:
            return await (self._watches_live() if self.console.is_terminal else self._prints())
        finally:
            for task in (playing, killing, mending):
                if task is not None:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task

    async def _mends(self) -> None:
        """Shadow mode: people do a part of it themselves by the vendor's own door, and after a while they have mended the fault."""
        part = self.scenario.mended_after * 60 / self.options.pace / 2
        await asyncio.sleep(part)
        for path in self.scenario.by_hand:
            self.stage.practice.post(path, headers={"Authorization": TOKEN}).raise_for_status()
            self.say(f"          ⟶ somebody, by hand: POST {path}")
        await asyncio.sleep(part)
        self.stage.practice.delete("/practice/provider-faults").raise_for_status()
        while self.later:
            do(self.stage, self.later.pop(0))
        self.say("          ⟶ people have mended the fault")

    async def _plays(self) -> None:
        while True:
            status = self.status()
            if status is not None and status.phase is not Phase.CLOSED:
                try:
                    for line in await self.cast.play(status):
                        self.say(f"          ⟶ {line}")
                except CliError as trouble:
                    self.say(f"          ⟶ {trouble.sentence}")
                self._do_what_is_due(status)
            await asyncio.sleep(LOOK_EVERY * 2)

    def _do_what_is_due(self, status: Status) -> None:
        for deed in [deed for deed in self.later if deed.when in status.phases]:
            self.later.remove(deed)
            do(self.stage, deed)
            self.say(f"********  {deed.story}")

    async def _prints(self) -> Status:
        before: Status | None = None
        deadline = time.monotonic() + ENDS_WITHIN
        while time.monotonic() < deadline:
            status = self.status()
            if status is not None and (before is None or status.version != before.version):
                for line in changes(before, status):
                    self.say(f"{datetime.now(UTC):%H:%M:%S}  {line}")
                if {q.number for q in status.asking} - self.asked:
                    self.asked |= {q.number for q in status.asking}
                    self.console.print(self._screen(status))
                before = status
            if status is not None and status.phase is Phase.CLOSED:
                return status
            await asyncio.sleep(LOOK_EVERY)
        raise DidNotStart(f"the incident did not end within {ENDS_WITHIN:g} s")

    async def _watches_live(self) -> Status:
        deadline = time.monotonic() + (ENDS_WITHIN if not self.options.mine else 24 * 3600)
        with Live(console=self.console, auto_refresh=False, vertical_overflow="crop") as self.live:
            while time.monotonic() < deadline:
                status = self.status()
                if status is not None:
                    self.live.update(self._screen(status), refresh=True)
                    if status.phase is Phase.CLOSED:
                        return status
                    await self._ask_the_person(status)
                await asyncio.sleep(LOOK_EVERY)
        raise DidNotStart("the incident did not end")

    def _screen(self, status: Status) -> Group:
        return render(status, datetime.now(UTC), min(self.console.width, 120), source="the ledger")

    async def _ask_the_person(self, status: Status) -> None:
        """In a terminal you are the commander: you are asked what your role is asked."""
        if not self.options.mine or self.live is None:
            return
        if status.acknowledged_at is None:
            await self._prompt("You are dana, the Incident Commander, and you are being paged. Press Enter to take command ")
            self.say(await steering.say(self.client, status.incident_id, "acknowledge", by="dana"))
            return
        mine = next((q for q in status.asking if q.roles[0] in COMMANDER), None)
        if mine is not None:
            await self._answer(status, mine)

    async def _answer(self, status: Status, question: Question) -> None:
        choices = " | ".join(question.options)
        typed = await self._prompt(
            f"[{question.number}] {question.asks}\n    {choices} (or Enter to keep watching), then a reason if you like: "
        )
        verdict, _, reason = typed.strip().partition(" ")
        matching = [option for option in question.options if verdict and option.startswith(verdict)]
        if len(matching) != 1:
            await asyncio.sleep(2)
            return
        code = self.cast.code(PLAYS[Role.INCIDENT_COMMANDER], question)
        try:
            said = await steering.say(
                self.client, status.incident_id, matching[0], question=question.number, code=code, by="" if code else "dana", reason=reason
            )
        except CliError as trouble:
            said = trouble.sentence
        self.say(f"          ⟶ {said}")
        await asyncio.sleep(0.5)

    async def _prompt(self, text: str) -> str:
        assert self.live is not None  # noqa: S101 - only asked while watching live
        self.live.stop()
        try:
            return await asyncio.to_thread(input, text)
        except EOFError:
            return ""
        finally:
            self.live.start()

    async def _kills(self) -> None:
        """kill -9 at random steps on screen; each time the same process again, and how long until something happens."""
        for at_step in sorted(random.sample(range(2, max(LAST_KILL, 2 + self.options.kills)), self.options.kills)):
            while (status := self.status()) is None or len(status.steps) < at_step:  # noqa: ASYNC110 - as below
                await asyncio.sleep(0.02)
            await asyncio.sleep(random.uniform(0, 0.5))  # a crash does not wait for a good moment, nor for a bad one
            await self._kill_at(self.status() or status)

    async def _kill_at(self, status: Status) -> None:
        step = status.steps[-1]
        self.killed.append(f"{self.options.kill} at step {step.number} ({step.verb}, {step.state})")
        self.say(f"!!!!!!!!  kill -9 {self.killed[-1]}")
        self.stage.processes.kill(self.options.kill)
        version = self._version()
        if self.options.kill == "temporal":
            await asyncio.to_thread(self.stage.restart_temporal)
        else:
            self.stage.restart_worker()
        began = time.monotonic()
        self.say(f"!!!!!!!!  {self.options.kill} is started again")
        while self._version() == version:  # noqa: ASYNC110 - the ledger is a file; it has no event to wait for
            await asyncio.sleep(0.02)
        self.recovered.append(round(time.monotonic() - began, 2))
        self.say(f"!!!!!!!!  the next thing happened {self.recovered[-1]:g} s after the restart")

    def _version(self) -> int:
        status = self.status()
        return status.version if status else 0

    # -- the end ----------------------------------------------------------------------------------------------------------------------

    async def ended(self) -> None:
        """Wait until the workflow itself has ended, so that nothing of it is in flight when we count."""
        handle = self.client.get_workflow_handle(self.incident)
        deadline = time.monotonic() + 30
        while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING and time.monotonic() < deadline:  # noqa: ASYNC110 - as above
            await asyncio.sleep(LOOK_EVERY)

    def card(self, status: Status) -> Scorecard:
        pace = self.options.pace
        metrics = Metrics(self.stage.practice, self.scenario.service)
        end = status.closed_at or datetime.now(UTC)
        heard = self.ledger.incidents(open_only=False)
        return score(
            status, self.stage.effects(), self._done(status), broken_at=self.broken_at,
            detected_at=status.declared_at if heard else None, pace=pace, burnt=metrics.budget_burnt(self.broken_at, end, pace),
            restored=standing_of(self.stage.world()) == self.before, killed="; ".join(self.killed),
            recovered=median(self.recovered) if self.recovered else None,
            spared=self.options.kills - len(self.killed) if self.options.kill else 0,
        )  # fmt: skip

    def _done(self, status: Status) -> list[Done]:
        """What is on record: of the incident, and of the freeze that it held."""
        return [*self.ledger.effects(self.incident), *self.ledger.effects(f"freeze-{status.service}")]

    def write(self, status: Status, card: Scorecard) -> None:
        """The scorecard and the draft post-mortem, beside each other."""
        (self.stage.home / "scorecard.json").write_text(card.model_dump_json(indent=2) + "\n")
        entries = self.ledger.timeline(self.incident)
        (self.stage.home / "postmortem.md").write_text(postmortem.draft(status, entries, self.ledger.effects(self.incident)))

    def show_shadow(self, status: Status, card: Scorecard) -> bool:
        """What would have been done beside what people did. True when it was resolved and no target saw anything of us."""
        if not self.console.is_terminal:
            self.console.print(self._screen(status))
        for line in shadow_report.lines(shadow_report.compare(status, self.ledger.timeline(self.incident))):
            self.say(line)
        self.say(f"effects: {card.effects}")
        return card.effects == 0 and status.state is State.RESOLVED

    def show(self, status: Status, card: Scorecard) -> None:
        if not self.console.is_terminal:
            self.console.print(self._screen(status))
        self.console.print(Panel(_table(card), title=f"{card.incident_id}  {'PASSED' if card.passed else 'NOT PASSED'}", expand=False))
        self.say(f"effects at the targets: {card.effects}, lost {card.effects_lost}, doubled {card.effects_doubled}")
        for why in card.why_not:
            self.say(f"  not passed: {why}")
        self.say(f"scorecard     {self.stage.home / 'scorecard.json'}")
        self.say(f"post-mortem   {self.stage.home / 'postmortem.md'} (draft)")


def standing_of(world: dict[str, Any]) -> dict[str, Any]:
    """What a recovery must put back: routes, modes, flags and the clients' policy; splits, weights, limits, gates and feeds of the services."""
    route = world["route"]
    weights = _shares(route["weights"])
    return {
        "weights": weights, "overrides": {t: w for t, w in route["overrides"].items() if _shares(w) != weights},
        "modes": {t: m for t, m in route["modes"].items() if m != "normal"}, "flags": world["flags"],
        "policy": {k: v for k, v in world["policy"].items() if k not in ("etag", "version")},
        "services": {name: _service(service) for name, service in world["fleet"]["services"].items()},
        "feeds": {name: (feed["running"], feed["pinned"]) for name, feed in world["fleet"]["feeds"].items()},
        "rulesets": sorted(str(rule.get("name")) for rules in world.get("rulesets", {}).values() for rule in rules),
    }  # fmt: skip


def _service(service: dict[str, Any]) -> dict[str, Any]:
    places = service["places"]
    cloud = service["platform"] == "cloud_run"
    return {
        "split": {region: _shares(place["split"]) for region, place in places.items()} if cloud else {},
        "least": {region: place["least"] for region, place in places.items()}, "weights": service["weights"],
        "gateway": {k: v for k, v in service["gateway"].items() if k in ("rate_limit_rps", "breaker")},
        "gate": service["gate"]["admitted"],
    }  # fmt: skip


def _shares(weights: dict[str, float]) -> dict[str, float]:
    return {provider: share for provider, share in weights.items() if share}


def _table(card: Scorecard) -> Table:
    table = Table(show_header=False, box=None)
    for name, value in (
        ("time to detect", _span(card.detected_seconds)),
        ("time to acknowledge", _span(card.acknowledged_seconds)),
        ("time to mitigate", _span(card.mitigated_seconds)),
        ("time to resolve", _span(card.resolved_seconds)),
        ("questions", f"{card.questions}, {card.answered_verified} answered with a personal code"),
        ("error budget burnt", "unknown" if card.error_budget_burnt is None else f"{card.error_budget_burnt:.1%} of four weeks'"),
        ("in force", "; ".join(card.measures_in_force) or "none"),
        ("the world", "as it was" if card.world_restored else "NOT as it was"),
        *((("killed", card.killed), ("recovered", f"{card.recovered_seconds} s after the restart (median)")) if card.killed else ()),
    ):
        table.add_row(name, escape(value))
    return table


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"


async def play(options: Options, console: Console) -> int:
    """The whole day. Returns the exit code."""
    services = service_names(options.seed)
    scenario = SCENARIOS[options.playbook].named(services)
    least_wait = 60.0 if options.mine else 20.0
    processes: Processes | None = None
    try:
        pace = f"pace ×{options.pace:g} (one real second is {options.pace:g} s of policy time)"
        console.print(f"[bold]Incident Playbooks[/] · game day · {options.playbook} · {pace}")
        stage = raise_stage(
            HOME, scenario, services, RULES, pace=options.pace, seed=options.seed, least_wait=least_wait, shadow=options.shadow
        )
        processes = stage.processes
        day = await _break(options, scenario, stage, console)
        status = await day.opens()
        console.print(
            f"[bold]{status.incident_id}[/] was opened by the alert, {_span(day.card(status).detected_seconds)} of world time after the fault"
        )
        status = await day.runs()
        await day.ended()
        card = day.card(status)
        day.write(status, card)
        passed = card.passed
        if options.shadow:
            passed = day.show_shadow(status, card)
        else:
            day.show(status, card)
        _farewell(options, stage, status, console)
        return 0 if passed else 1
    finally:
        if not options.keep:
            _stop(HOME, processes)


async def _break(options: Options, scenario: Scenario, stage: Stage, console: Console) -> Day:
    client = await steering.connect(stage.settings)
    ledger = Ledger(stage.settings.ledger_url)
    console.print(f"Temporal UI   {stage.ui_url}/namespaces/default/workflows")
    console.print(f"another shell export INCIDENT_SETTINGS={stage.home / 'settings.env'} && incident watch", soft_wrap=True)
    before = standing_of(stage.world())
    if scenario.edits:
        stage.practice.post("/practice/world", json=scenario.edits).raise_for_status()
    for fault in options.faults:
        stage.practice.post("/practice/injected-faults", json=fault).raise_for_status()
    broken_at = datetime.now(UTC)
    for deed in scenario.deeds:
        if deed.when is None:
            do(stage, deed.lasting() if options.shadow else deed)
    console.print(f"\n{scenario.story}\nWaiting for the alert to fire, from the metrics …\n")
    cast = Cast(stage, client, "auto" if options.mine else options.answers, COMMANDER if options.mine else frozenset())
    later = [deed for deed in scenario.deeds if deed.when is not None]
    return Day(options, scenario, stage, client, ledger, console, cast, broken_at, before, later=later)


def do(stage: Stage, deed: Deed) -> None:
    stage.practice.post(f"/practice/{deed.path}", json=deed.given).raise_for_status()


def _farewell(options: Options, stage: Stage, status: Status, console: Console) -> None:
    console.print(f"Temporal UI   {stage.ui_url}/namespaces/default/workflows/{status.incident_id}", soft_wrap=True)
    if options.keep:
        pids = " ".join(str(pid) for pid in stage.processes.pids().values())
        console.print(f"still running, because of KEEP=1; stop it with: kill {pids}", soft_wrap=True)
    else:
        console.print("nothing is left running; KEEP=1 make demo leaves it up", soft_wrap=True)


def _stop(home: Path, processes: Processes | None) -> None:
    if processes is not None:
        processes.stop_all()


def read_options(arguments: Sequence[str]) -> Options:
    """From the command line; `make demo` passes the environment on."""
    parser = argparse.ArgumentParser(prog="python -m starters.gameday", description=__doc__)
    parser.add_argument(
        "--playbook", default="llm_provider_outage", choices=sorted(SCENARIOS), help="a file name under workflows/playbooks/"
    )
    parser.add_argument("--answers", default="", choices=["", "auto", "decline", "me"], help="who answers; me: you, at this terminal")
    parser.add_argument("--kill", default="", help="1 or worker: kill -9 the worker at a random step; temporal: the server")
    parser.add_argument("--kills", type=int, default=1, help="how often")
    parser.add_argument("--keep", default="", help="1: leave everything running")
    parser.add_argument("--pace", type=float, default=0, help="policy seconds per real second")
    parser.add_argument("--seed", type=int, default=7, help="names and chance of the practice world")
    parser.add_argument(
        "--fault", action="append", default=[], help='break a route: {"route": "llm.routes.weights", "mode": "nothing_changed"}'
    )
    parser.add_argument("--shadow", default="", help="1: shadow mode; the playbook only says what it would do, and people mend it")
    given = parser.parse_args(arguments)
    answers = given.answers or ("me" if sys.stdin.isatty() and sys.stdout.isatty() else "auto")
    kill = {"": "", "0": "", "1": "worker"}.get(given.kill, given.kill)
    if kill not in ("", "worker", "temporal"):
        parser.error(f"KILL is 1, worker or temporal, not {given.kill}")
    pace = given.pace or SCENARIOS[given.playbook].pace
    return Options(
        given.playbook,
        answers,
        kill,
        given.kills,
        given.keep not in ("", "0"),
        pace,
        given.seed,
        tuple(json.loads(f) for f in given.fault),
        given.shadow not in ("", "0"),
    )


def main() -> None:
    """Entry point. Ends with `os._exit`: a process that used temporalio may abort at interpreter exit (sdk-python#300)."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    code = 1
    try:
        code = asyncio.run(play(read_options(sys.argv[1:]), console))
    except (DidNotStart, CliError) as trouble:
        console.print(f"the game day stopped: {trouble}", style="red", markup=False)
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
