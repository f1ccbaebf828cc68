"""`incident alerts list` and `show`: what was delivered to the receiver, as it is kept, and what became of it. Read from the ledger alone."""

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import JsonValue

from activities.kit.words.escape import visible
from activities.ledger.database import LedgerDown
from activities.ledger.inbox import WAITING, AlertRecord, Delivery, Inbox
from starters.cli import options
from starters.cli.terminal import AsJson, group, say, say_json
from starters.screens.text import CliError, ago, plain, typed

app = group("What was delivered to the alert receiver, and what became of it.")

DAY = "%Y-%m-%d %H:%M:%S"


@app.command("list")
def list_deliveries(
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those with an alert that no incident has been told of yet.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was delivered, the newest first."""
    try:
        rows = Inbox(options.reader().ledger).listed(most, waiting=waiting)
    except LedgerDown as down:
        raise CliError(str(down), "incident doctor") from None
    if as_json:
        return say_json([_plainly(row) for row in rows])
    if not rows:
        return say("no alert waits" if waiting else "nothing was delivered yet")
    for row in rows:
        times = f" · came {row['count']} times" if row["count"] > 1 else ""
        where = f" · {plain(row['incident_id'])}" if row["incident_id"] else ""
        why = f" · {plain(row['why'])}" if row["why"] else ""
        say(f"{row['last_at']:{DAY}} {row['id']} {plain(row['source'])} · {_in_words(row['disposition'])}{where}{times}{why}")
    return None


@app.command()
def show(
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id (`d-…`), or the beginning of it.")], as_json: AsJson = False
) -> None:
    """Show one delivery: what became of each alert in it, and the body as it is kept, without secrets and addresses."""
    inbox = Inbox(options.reader().ledger)
    try:
        row = _found(inbox, delivery)
        alerts = _alerts(inbox, row)
    except LedgerDown as down:
        raise CliError(str(down), "incident doctor") from None
    body = bytes(row["raw"]).decode(errors="replace")
    if as_json:
        return say_json({**_plainly(row), "alerts": [one.model_dump(mode="json") for one in alerts], "body": visible(body)})
    now = datetime.now(UTC)
    say(" · ".join(filter(None, (f"{row['id']} from {plain(row['source'])}: {_in_words(row['disposition'])}", plain(row["why"])))))
    say(f"came {row['count']} times, first {row['received_at']:{DAY}} UTC, last {ago(now - row['last_at'])}")
    for alert in alerts:
        where = f" · {plain(alert.incident_id)}: {typed('status', alert.incident_id)}" if alert.incident_id else ""
        say(f"    {plain(alert.name)} {alert.status} since {alert.starts_at:{DAY}} UTC · {_in_words(alert.disposition)}{where}")
    say("its body, as it is kept" + (" (cut off)" if row["truncated"] else ""))
    for line in _pretty(body):
        print(line)
    return None


def _found(inbox: Inbox, part: str) -> dict[str, Any]:
    rows = inbox.named(part if part.startswith("d-") else f"d-{part}")
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise CliError(f"{part!r} may mean {', '.join(row['id'] for row in rows)}: give more of the id", "incident alerts list")
    raise CliError(f"there is no delivery {part!r}", "incident alerts list")


def _alerts(inbox: Inbox, row: dict[str, Any]) -> list[AlertRecord]:
    """The alerts of a delivery with what became of each, in the order in which they stand in it."""
    from starters.alerts.intake import cases_in  # noqa: PLC0415 - imports every playbook and the SDK

    cases, _ = cases_in(Delivery.model_validate({name: row[name] for name in Delivery.model_fields}))
    known = inbox.known([case.record.id for case in cases])
    return [known.get(case.record.id, case.record) for case in cases]


def _in_words(disposition: str) -> str:
    return "WAITS: no incident has been told yet" if disposition in WAITING else disposition


def _plainly(row: dict[str, Any]) -> dict[str, JsonValue]:
    kept = {name: value for name, value in row.items() if name != "raw"}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in kept.items()}


def _pretty(body: str) -> Iterable[str]:
    """Line by line, and nothing in it moves the cursor."""
    with suppress(ValueError, RecursionError):
        body = json.dumps(json.loads(body), indent=1, ensure_ascii=False)
    return (visible(line) for line in body.splitlines())
