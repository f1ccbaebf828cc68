"""Reads the organisation's file, `organisation.toml`, section by section; and says what is wrong with it, in words that mend it."""

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from activities.action import Call, Order, Refused, Role, System, Value, action
from activities.organisation.catalogue import Blocked, Catalogue
from activities.organisation.communications import Communications, Contacts, Links
from activities.organisation.people import Roster
from activities.organisation.policy import Policy
from activities.organisation.routing import AlertRoute, AlertSource
from activities.texts import templates

EXAMPLE = "organisation.example.toml has every key with its default"

M = TypeVar("M", bound=BaseModel)


class _OnCall(Value):
    """Section `[oncall]`: role → escalation policy."""

    oncall: dict[Role, str] = {}


# Everything that the file may hold. The model is what a stray key is looked up in; tables of names have none.
SECTIONS: dict[str, type[BaseModel] | None] = {
    "policy": Policy, "people": None, "services": None, "blocked": Blocked, "links": Links, "contacts": Contacts, "oncall": None, "templates": None,
    "routes": None, "sources": None,
}  # fmt: skip


class ReadAll(Order, target="organisation", effect="read the organisation's policy and roster"):
    """All of it: these verbs take no parameter."""


class InstalledPlaybooks(Value):
    names: tuple[str, ...]


class Organisation(System):
    """Reads `organisation.toml`: `[policy]`, `[people.<id>]`, `[services.<name>]`, `[blocked]`, `[links]`, `[contacts]`, `[oncall]`,
    `[templates]`, `[routes.<name>]`, `[sources.<name>]`."""

    def __init__(self, path: Path, playbooks: tuple[str, ...] = ()) -> None:
        """`playbooks`: what the workers of this installation serve."""
        self.path, self.installed = path, playbooks

    @action("organisation.policy")
    async def policy(self, order: ReadAll, call: Call) -> Policy:
        """The policy in force; missing keys take the spec's defaults."""
        return self.read_policy()

    @action("organisation.roster")
    async def roster(self, order: ReadAll, call: Call) -> Roster:
        """Who holds which role now."""
        return self.read_roster()

    @action("organisation.catalogue")
    async def catalogue(self, order: ReadAll, call: Call) -> Catalogue:
        """Which services there are, and where they run."""
        return self.read_catalogue()

    @action("organisation.blocked")
    async def blocked(self, order: ReadAll, call: Call) -> Blocked:
        """What must not run again, now."""
        return self.read_blocked()

    @action("organisation.communications")
    async def communications(self, order: ReadAll, call: Call) -> Communications:
        """How this organisation speaks: links, contacts, its own words."""
        return self.read_communications()

    @action("organisation.playbooks")
    async def playbooks(self, order: ReadAll, call: Call) -> InstalledPlaybooks:
        """Which playbooks can be called in."""
        return InstalledPlaybooks(names=self.installed)

    # The same, outside an activity. Each raises `Refused` with the key at fault and the fix.

    def read_communications(self) -> Communications:
        table = self._table()
        named = {name: table[name] for name in Communications.model_fields if name in table}
        said = self._understood(Communications, named)
        for name, text in said.templates.items():
            if why := templates.unfit(name, text):
                raise Refused(f"{self.path}: templates.{name}: {why}")
        return said

    def read_on_call(self) -> dict[Role, str]:
        """PagerDuty's escalation policy for each role that has one."""
        return self._understood(_OnCall, {"oncall": self._table().get("oncall", {})}).oncall

    def read_catalogue(self) -> Catalogue:
        named = self._table().get("services", {})
        return self._understood(Catalogue, {"services": {name: {"name": name, **_as_table(of)} for name, of in named.items()}})

    def read_routes(self) -> tuple[AlertRoute, ...]:
        """Which playbook an alert is for that names none, in the order of the file."""
        named = self._table().get("routes", {})
        return tuple(self._understood(AlertRoute, _as_table(of), f"routes.{name}") for name, of in named.items())

    def read_sources(self) -> dict[str, AlertSource]:
        """Who posts alerts besides Alertmanager and GitHub."""
        named = self._table().get("sources", {})
        return {name: self._understood(AlertSource, _as_table(of), f"sources.{name}") for name, of in named.items()}

    def read_blocked(self) -> Blocked:
        return self._understood(Blocked, self._table().get("blocked", {}), "blocked")

    def read_policy(self) -> Policy:
        return self._understood(Policy, self._table().get("policy", {}), "policy")

    def read_roster(self) -> Roster:
        named = self._table().get("people", {})
        people = {name: {"id": name, "name": name.title(), **_as_table(of)} for name, of in named.items()}
        return self._understood(Roster, {"people": people})

    def _table(self) -> dict[str, Any]:
        try:
            table = tomllib.loads(self.path.read_text())
        except FileNotFoundError:
            raise Refused(f"{self.path} does not exist; copy organisation.example.toml there and fill it in") from None
        except tomllib.TOMLDecodeError as wrong:
            raise Refused(f"{self.path} is not valid TOML: {wrong}") from None
        for name, section in table.items():
            if name not in SECTIONS:
                raise Refused(f"{self.path}: {unknown_section(name, SECTIONS)}")
            if not isinstance(section, dict):
                raise Refused(f"{self.path}: [{name}] is a section, not a value: write [{name}] and its keys below. {EXAMPLE}")
        return table

    def read_whole(self) -> None:
        """Read every section once. Raises `Refused` with the first key at fault and the fix."""
        for read in (
            self.read_policy,
            self.read_roster,
            self.read_catalogue,
            self.read_blocked,
            self.read_communications,
            self.read_on_call,
            self.read_routes,
            self.read_sources,
        ):
            read()

    def _understood(self, model: type[M], given: dict[str, Any], section: str = "") -> M:
        try:
            return model.model_validate(given)
        except ValidationError as wrong:
            raise Refused(f"{self.path}: {explain(wrong, model, section)}") from None


def _as_table(given: Any) -> dict[str, Any]:
    """A section's table; anything else is left to the model to refuse."""
    return given if isinstance(given, dict) else {"": given}


def explain(wrong: ValidationError, model: type[BaseModel], section: str = "") -> str:
    """The first thing that is wrong, as one sentence with its fix. `model`: what the section is read as."""
    first = wrong.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    where = ".".join(part for part in (section, *path) if part)
    if first["type"] == "extra_forbidden":
        known = _known(model, path[:-1])
        near = meant(path[-1], known) or f"; known here: {', '.join(known) or 'nothing'}"
        return f"{where}: there is no such key{near}; rename it or take it out. {EXAMPLE}"
    choices = re.findall(r"'([^']+)'", first["msg"])
    return f"{where}: {first['msg']} (got {first['input']!r}){meant(str(first['input']), choices)}. {EXAMPLE}"


def unknown_section(name: str, sections: dict[str, type[BaseModel] | None]) -> str:
    """A top-level key that nothing reads. One that belongs into a section is shown there."""
    inside = [f"[{section}] {name}" for section, model in sections.items() if model is not None and name in model.model_fields]
    near = f"; did you mean {inside[0]}?" if inside else meant(name, sections).replace("mean ", "mean [").replace("?", "]?")
    known = "" if near else f"; known: {', '.join(f'[{section}]' for section in sections)}"
    return f"{name}: there is no such section{near}{known}; rename it or take it out. {EXAMPLE}"


def meant(typed: str, known: Any) -> str:
    """`; did you mean x?`, when something is called nearly so."""
    near = get_close_matches(typed.lower().replace("-", "_"), list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _known(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys of the model that a path leads to."""
    at: Any = model
    for part in path:
        if isinstance(at, type) and issubclass(at, BaseModel):
            field = at.model_fields.get(part)
            at = field.annotation if field else None
        else:
            at = next((kind for kind in get_args(at) if _is_model(kind)), None)  # an entry of a table, an element of a list
        if at is not None and not _is_model(at) and get_origin(at) is not dict:
            at = next((kind for kind in get_args(at) if _is_model(kind)), at)
    return list(at.model_fields) if _is_model(at) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
