"""`incident slo`: what is left of a service's error budget, how fast it burns, and what follows. Read from the metrics store itself."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from activities.metrics.slo import ErrorBudget, Finding, SloPolicy
from starters.cli import options
from starters.cli.terminal import AsJson, group, say, say_json
from starters.reading import Reader
from starters.screens.text import CliError, typed

if TYPE_CHECKING:
    from activities.organisation.policy import Policy

app = group()


@app.command()
def slo(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show a service's error budget, how fast it burns, and what follows. Needs only the metrics store: no server, no worker."""
    reader = options.reader()
    policy = options.policy(reader)
    budget = asyncio.run(_count(reader, policy, service))
    if as_json:
        return say_json(told(budget, policy.slo))
    for line in picture(budget, policy.slo):
        say(line)
    return None


def picture(budget: ErrorBudget, policy: SloPolicy) -> list[str]:
    lines = [
        f"the objective of {budget.service}: {budget.slo_target:.2%} of its requests over {span(policy.window)}",
        budget.in_words(policy),
    ]
    for one in budget.burning(policy):
        alert, (long, short) = one.alert, ("unknown" if rate is None else f"{rate:.2f}" for rate in (one.long, one.short))
        burn = f"    burn over {span(alert.long)} {long}, over {span(alert.short)} {short}"
        lines.append(f"{burn} — {alert.says} from {alert.factor:g} on both: {one.finding}")
    for sentence, fix in follows(budget, policy):
        lines += [sentence, *([f"    → {fix}"] if fix else [])]
    return lines


def follows(budget: ErrorBudget, policy: SloPolicy) -> list[tuple[str, str]]:
    """What follows and the command for it, most severe first."""
    findings, exhausted = [one.finding for one in budget.burning(policy)], budget.exhausted(policy)
    if budget.remaining is None:
        return [("no data does not mean healthy: check the scrape, then the service", "")]
    found: list[tuple[str, str]] = []
    if Finding.PAGE in findings:
        found.append(("it burns fast enough for a page", typed("declare", "production_outage", "--service", budget.service)))
    if exhausted:
        declare = typed("declare", "slo_burn", "--service", budget.service)
        found.append(("the budget is exhausted: changes stop, Prod Review is informed", declare))
    elif exhausted is None:
        found.append(("too little history or too few errors to call the budget exhausted", ""))
    if Finding.TICKET in findings:
        found.append(("it burns faster than it recovers: a ticket for the service's owners, no page", ""))
    return found or [("nothing to do: it burns within the budget", "")]


def told(budget: ErrorBudget, policy: SloPolicy) -> dict[str, JsonValue]:
    """The same for programs. Windows in seconds; None: unknown."""
    burning: list[JsonValue] = [
        {
            "says": one.alert.says, "factor": one.alert.factor, "long_seconds": one.alert.long.total_seconds(),
            "short_seconds": one.alert.short.total_seconds(), "long": one.long, "short": one.short, "finding": one.finding.name.lower(),
        }
        for one in budget.burning(policy)
    ]  # fmt: skip
    return {
        "service": budget.service, "slo_target": budget.slo_target, "window_seconds": policy.window.total_seconds(),
        "fresh": budget.fresh, "history_seconds": budget.history.total_seconds(), "requests": budget.month.total, "failed": budget.month.bad,
        "remaining": budget.remaining, "exhausted": budget.exhausted(policy), "burn": burning,
        "follows": [{"sentence": sentence, "command": fix} for sentence, fix in follows(budget, policy)],
    }  # fmt: skip


def span(window: timedelta) -> str:
    seconds = window.total_seconds()
    size, unit = next(((size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "min")) if seconds >= size), (1, "s"))
    return f"{seconds / size:g} {unit}"


async def _count(reader: Reader, policy: "Policy", service: str) -> ErrorBudget:
    from activities.action import Call  # noqa: PLC0415 - the SDK is slow to import, and the help needs none of it
    from activities.metrics.telemetry import BudgetOf, Telemetry  # noqa: PLC0415
    from worker.settings import NoCredential  # noqa: PLC0415
    from worker.systems import complete  # noqa: PLC0415
    from worker.wiring import building  # noqa: PLC0415

    settings = complete(reader.settings)
    if not settings.prometheus_url:
        raise CliError("the address of the metrics store is not configured", "set INCIDENT_PROMETHEUS_URL")
    order = BudgetOf(service=service, slo_target=policy.stability.slo_target, slo=policy.slo)
    call = Call(incident_id="cli", key=f"cli/telemetry.slo/{service}", at=datetime.now(UTC), pace=policy.pace)
    async with AsyncExitStack() as stack:
        try:
            return await building(settings, stack).system(Telemetry).slo(order, call)
        except NoCredential as missing:
            raise CliError(str(missing), "incident doctor") from None
        except Exception as broke:  # whatever a store that is away, or is none, answers with
            why = str(broke) or type(broke).__name__
            raise CliError(f"the metrics store at {settings.prometheus_url} does not answer: {why}", "incident doctor") from None
