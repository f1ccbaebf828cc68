"""Reads the table of clocks. A workflow must not call this: it asks an activity.

Our defaults are `regimes.toml` in this folder. An organisation has a file of its own, `clocks.toml`, next to organisation.toml: what it says of
a row replaces our word for it, key by key; a row that is not ours must be whole.
"""

import tomllib
from datetime import time
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from activities.action import Refused
from activities.clocks.calculation import zone_of
from activities.clocks.regimes import ClockTable
from activities.organisation.business_days import calendar_of
from activities.organisation.organisation import explain

FILE = "clocks.toml"
HINT = "`incident clocks regimes --json` shows every row"
DEFAULTS = Path(__file__).with_name("regimes.toml")


def read_table(organisation: Path) -> ClockTable:
    """The table in force. `organisation`: the path of organisation.toml. Raises `Refused` with the key at fault and the fix."""
    path = organisation.with_name(FILE)
    try:
        theirs = tomllib.loads(path.read_text()) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as wrong:
        raise Refused(f"{path} cannot be read: {wrong}") from None
    rows, given = dict(default_rows()), theirs.get("regimes", {})
    for name, row in given.items() if isinstance(given, dict) else ():
        rows[name] = {**rows.get(name, {}), **row} if isinstance(row, dict) else row
    if "trouble" in theirs:
        raise Refused(f"{path}: trouble: there is no such key; take it out")
    try:
        table = ClockTable.model_validate({**theirs, "regimes": rows if isinstance(given, dict) else given})
        _can_be_counted(table)
    except ValidationError as wrong:
        raise Refused(
            f"{path}: {explain(wrong, ClockTable)}".replace("organisation.example.toml has every key with its default", HINT)
        ) from None
    except Refused as wrong:
        raise Refused(f"{path}: {wrong.message}") from None
    return table


def default_rows() -> dict[str, Any]:
    rows: dict[str, Any] = tomllib.loads(DEFAULTS.read_text())["regimes"]
    return rows


def _can_be_counted(table: ClockTable) -> None:
    """Every calendar and every time zone that a row names exists. Raises `Refused` with the row."""
    for name, row in table.regimes.items():
        for rule in (rule for stage in row.stages for rule in stage.due):
            try:
                zone_of(rule.time_zone)
                calendar_of(rule.calendar)
                time.fromisoformat(rule.cutoff or "00:00")
            except Refused as no:
                raise Refused(f"regimes.{name}: {no.message}") from None
            except ValueError:
                raise Refused(f"regimes.{name}: cutoff {rule.cutoff!r} is no time of day; it is written 17:30") from None
    for country in table.closures:
        calendar_of(country)
