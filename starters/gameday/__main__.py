"""`make demo`: the first incident, end to end, on your own machine."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from activities.ledger.ledger import Ledger
from starters import steering
from starters.gameday.cast import Cast
from starters.gameday.day import Day
from starters.gameday.processes import DidNotStart
from starters.gameday.scenario import SCENARIOS, Options, Scenario, service_names
from starters.gameday.scorecard import card_of, show, span_of, standing_of
from starters.gameday.stage import Stage, raise_stage
from starters.screens.text import CliError
from worker.process import leave

HOME = Path(".incident/demo")

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


async def play(options: Options, console: Console) -> int:
    """The whole day. Returns the exit code."""
    services = service_names(options.seed)
    pace = f"pace ×{options.pace:g} (one real second is {options.pace:g} s of policy time)"
    slow = {phase.title: min(own, options.pace) for phase, own in SCENARIOS[options.playbook].paces.items() if own < options.pace}
    pace += "".join(f", ×{own:g} in {phase}" for phase, own in slow.items())
    console.print(f"[bold]Incident Playbooks[/] · game day · {options.playbook} · {pace}")
    stage = raise_stage(HOME, options, services)
    ui = f"Temporal UI   http://127.0.0.1:{stage.ports['ui']}/namespaces/default/workflows"
    try:
        console.print(ui)
        day = await _break(options, SCENARIOS[options.playbook].named(services), stage, console)
        status = await day.opens()
        detected = span_of(card_of(day, status).detected_seconds)
        console.print(f"[bold]{status.incident_id}[/] was opened by the alert, {detected} of world time after the fault")
        status = await day.runs()
        passed = show(day, status, card_of(day, status))
        console.print(f"{ui}/{status.incident_id}", soft_wrap=True)
        pids = " ".join(str(pid) for pid in stage.processes.pids().values())
        kept = f"still running, because of KEEP=1; stop it with: kill {pids}"
        console.print(kept if options.keep else "nothing is left running; KEEP=1 make demo leaves it up", soft_wrap=True)
        return 0 if passed else 1
    finally:
        if not options.keep:
            stage.processes.stop_all()


async def _break(options: Options, scenario: Scenario, stage: Stage, console: Console) -> Day:
    client = await steering.connect(stage.settings)
    console.print(f"another shell export INCIDENT_SETTINGS={stage.home / 'settings.env'} && incident watch", soft_wrap=True)
    before = standing_of(stage.world())
    if scenario.edits:
        stage.practice.post("/practice/world", json=scenario.edits).raise_for_status()
    for fault in options.faults:
        stage.practice.post("/practice/injected-faults", json=fault).raise_for_status()
    broken_at = datetime.now(UTC)
    for deed in scenario.deeds:
        if deed.when is None:
            stage.do(deed.lasting() if options.shadow else deed)
    console.print(f"\n{scenario.story}\nWaiting for the alert to fire, from the metrics …\n")
    cast = Cast(stage, client, "auto" if options.mine else options.answers, options.mine, scenario.values)
    later = [deed for deed in scenario.deeds if deed.when is not None]
    return Day(options, scenario, stage, client, Ledger(stage.settings.ledger_url), console, cast, broken_at, before, later)


@app.command()
def game_day(
    playbook: Annotated[
        str, typer.Option(help=f"A file name under workflows/playbooks/: {', '.join(sorted(SCENARIOS))}.")
    ] = "llm_provider_outage",
    answers: Annotated[str, typer.Option(help="Who answers: auto, decline, or me (you, at this terminal).")] = "",
    kill: Annotated[str, typer.Option(help="1 or worker: kill -9 the worker at a random step; temporal: the server.")] = "",
    kills: Annotated[int, typer.Option(help="How often to kill.")] = 1,
    keep: Annotated[str, typer.Option(help="1: leave everything running.")] = "",
    pace: Annotated[float, typer.Option(help="Policy seconds per real second.")] = 0,
    seed: Annotated[int, typer.Option(help="Names and chance of the practice world.")] = 7,
    fault: Annotated[list[str], typer.Option(help='Break a route: {"route": "llm.routes.weights", "mode": "nothing_changed"}')] = [],  # noqa: B006 - typer reads it, nobody changes it
    shadow: Annotated[str, typer.Option(help="1: shadow mode. The playbook only says what it would do, and people mend it.")] = "",
) -> None:
    """Break the practice platform, let the playbook run, and score it."""
    wanted = {"1": "worker", "0": ""}.get(kill, kill)
    for name, value, known in (
        ("--playbook", playbook, sorted(SCENARIOS)), ("--answers", answers, ["", "auto", "decline", "me"]),
        ("--kill", wanted, ["", "worker", "temporal"]),
    ):  # fmt: skip
        if value not in known:
            raise typer.BadParameter(f"{name} is one of {', '.join(filter(None, known))}, not {value!r}")
    here = sys.stdin.isatty() and sys.stdout.isatty()
    options = Options(
        playbook=playbook, answers=answers or ("me" if here else "auto"), kill=wanted, kills=kills, keep=keep not in ("", "0"),
        pace=pace or SCENARIOS[playbook].pace, seed=seed, faults=tuple(json.loads(one) for one in fault), shadow=shadow not in ("", "0"),
    )  # fmt: skip
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    try:
        raise typer.Exit(asyncio.run(play(options, console)))
    except (DidNotStart, CliError) as trouble:
        console.print(f"the game day stopped: {trouble}", style="red", markup=False)
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")
    raise typer.Exit(1)


def main() -> None:
    code = 1
    try:
        app(prog_name="python -m starters.gameday")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    leave(code)


if __name__ == "__main__":
    main()
