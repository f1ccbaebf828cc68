"""The facts of an incident as somebody types them: one option for every field of `Facts`, so that no rule is out of reach. Light: no SDK."""

import re
from collections.abc import Mapping
from enum import StrEnum
from inspect import Parameter
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from starters.screens.text import CliError
from workflows.severity.facts import Cve, Facts

FIX = "incident severity --help"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
ALSO = {"regions_major": "--regions", "duration_s": "--duration", "monitoring_blind_s": "--blind"}  # shorter names for the same


def fields() -> dict[str, FieldInfo]:
    """Every fact that can be told; those of the vulnerability begin with `cve_`."""
    flat: dict[str, FieldInfo] = {}
    for name, field in Facts.model_fields.items():
        flat |= {f"cve_{part}": inside for part, inside in Cve.model_fields.items()} if name == "cve" else {name: field}
    return flat


def options() -> list[Parameter]:
    """A command-line option for each; and how to say that one is unknown, or that all of them are unsure."""
    unsure = Annotated[bool, typer.Option("--unsure", help="You are unsure how bad it is.")]
    looked_for = "A fact that you looked for and do not know. May be repeated."
    unknown = Annotated[list[str], typer.Option("--unknown", metavar="FACT", help=looked_for)]
    return [*(_option(name, field) for name, field in fields().items()), option("unsure", unsure, False), option("unknown", unknown, [])]


def option(name: str, annotation: Any, default: object) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def facts_of(said: Mapping[str, Any], unknown: list[str], unsure: bool) -> Facts:
    """The facts that were typed. `unknown`: those that somebody looked for and cannot tell. Raises `CliError`."""
    told: dict[str, Any] = {name: _read(name, typed) for name, typed in said.items() if typed not in (None, [])}
    told |= {_named(name): _unknown(_named(name)) for name in unknown}
    if unsure:
        told["confidence"] = None
    cve = {name.removeprefix("cve_"): told.pop(name) for name in list(told) if name.startswith("cve_")}
    try:
        return Facts.model_validate(told | ({"cve": cve} if cve else {}))
    except ValidationError as wrong:
        first = wrong.errors()[0]
        at, *inside = first["loc"]
        option = f"cve-{inside.pop(0)}" if at == "cve" else str(at)
        where = " ".join(("--" + option.replace("_", "-"), *map(str, inside)))
        raise CliError(f"{where}: {first['msg']} (got {first['input']!r})", FIX) from None


def _option(name: str, field: FieldInfo) -> Parameter:
    flag, also, kind = "--" + name.replace("_", "-"), [ALSO[name]] if name in ALSO else [], field.annotation
    if bool in (kind, *get_args(kind)):
        return option(
            name, Annotated[bool | None, typer.Option(f"{flag}/--no-{flag[2:]}", help=f"{field.description}.", show_default=False)], None
        )
    many = get_origin(kind) in (dict, frozenset)
    help_ = f"{field.description}{'; may be repeated' if many else ''}."
    declared = typer.Option(flag, *also, metavar=_metavar(name, kind), help=help_, show_default=False)
    return option(name, Annotated[list[str], declared], []) if many else option(name, Annotated[str | None, declared], None)


def _ordered(kind: Any) -> type[StrEnum] | None:
    return kind if isinstance(kind, type) and issubclass(kind, StrEnum) else None


def _metavar(name: str, kind: Any) -> str:
    if ordered := _ordered(kind):
        return "|".join(member.lower() for member in ordered)
    if get_origin(kind) is frozenset:
        return "REGION"
    if get_origin(kind) is dict:
        return "REGION=SHARE" if name == "err_ratio" else "REGION=N"
    return "DURATION" if name.endswith("_s") else "SHARE" if name.endswith("ratio") or name == "confidence" else "N"


def _read(name: str, typed: Any) -> Any:
    kind = fields()[name].annotation
    if isinstance(typed, bool):
        return typed
    if _ordered(kind):
        return str(typed).strip().upper().replace("-", "_").replace(" ", "_")
    if get_origin(kind) is frozenset:
        return frozenset(typed)
    if get_origin(kind) is not dict:
        return _number(str(typed), seconds=name.endswith("_s"))
    pairs = [each.partition("=") for each in typed]
    for region, equals, value in pairs:
        if not equals or not region:
            raise CliError(f"--{name.replace('_', '-')} wants REGION=NUMBER, not {region + equals + value!r}", FIX)
    return {region.strip(): _number(value) for region, _, value in pairs}


def _number(typed: str, *, seconds: bool = False) -> str | float:
    """`0.6` and `60%` are the same, and so are `360` and `6m`; what is neither goes on as it is, and the model refuses it."""
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([%smhd])", typed.strip().lower())
    if found and found[2] == "%":
        return float(found[1]) / 100
    if found and seconds:
        return float(found[1]) * SECONDS[found[2]]
    return typed.strip()


def _named(typed: str) -> str:
    name = typed.strip().lstrip("-").replace("-", "_").replace(".", "_").lower()
    full = {flag[2:].replace("-", "_"): field for field, flag in ALSO.items()}.get(name, name)
    if full not in fields():
        raise CliError(f"there is no fact {typed!r}", FIX)
    return full


def _unknown(name: str) -> str | None:
    """How a fact says that nobody knows; some can only be left out."""
    kind = fields()[name].annotation
    if _ordered(kind):
        return "UNKNOWN"
    if type(None) in get_args(kind):
        return None
    raise CliError(f"{name.replace('_', '-')} cannot be unknown: leave it out, or say --unsure", FIX)
