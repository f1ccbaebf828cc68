"""Reads the organisation's file, `organisation.toml`, section by section."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from activities.action import Call, Order, Refused, Role, System, Value, action
from activities.organisation import misread
from activities.organisation.catalogue import Catalogue
from activities.organisation.communications import Communications, Contacts, Links
from activities.organisation.people import Roster
from activities.organisation.policy import Policy
from activities.texts import templates


class _OnCall(Value):
    """Section `[oncall]`: role → escalation policy."""

    oncall: dict[Role, str] = {}


# Everything that the file may hold. The model is what a stray key is looked up in; tables of names have none.
SECTIONS: dict[str, type[BaseModel] | None] = {
    "policy": Policy, "people": None, "services": None, "links": Links, "contacts": Contacts, "oncall": None, "templates": None,
}  # fmt: skip


class ReadAll(Order):
    """All of it: these verbs take no parameter."""

    def target(self) -> str:
        return "organisation"

    def effect(self) -> str:
        return "read the organisation's policy and roster"


class Organisation(System):
    """Reads `organisation.toml`: `[policy]`, `[people.<id>]`, `[services.<name>]`, `[links]`, `[contacts]`, `[oncall]`, `[templates]`."""

    def __init__(self, path: Path) -> None:
        self.path = path

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

    @action("organisation.communications")
    async def communications(self, order: ReadAll, call: Call) -> Communications:
        """How this organisation speaks: links, contacts, its own words."""
        return self.read_communications()

    def read_communications(self) -> Communications:
        """The same, outside an activity. Raises `Refused` with the key at fault and the fix."""
        table = self._table()
        named = {name: table[name] for name in ("links", "contacts", "templates") if name in table}
        try:
            said = Communications.model_validate(named)
        except ValidationError as wrong:
            raise Refused(self._explain(wrong, Communications)) from None
        for name, text in said.templates.items():
            if why := templates.unfit(name, text):
                raise Refused(f"{self.path}: templates.{name}: {why}")
        return said

    def read_on_call(self) -> dict[Role, str]:
        """PagerDuty's escalation policy for each role that has one. Raises `Refused` with the key at fault and the fix."""
        try:
            return _OnCall.model_validate({"oncall": self._table().get("oncall", {})}).oncall
        except ValidationError as wrong:
            raise Refused(self._explain(wrong, _OnCall)) from None

    def read_catalogue(self) -> Catalogue:
        """The same, outside an activity. Raises `Refused` with the key at fault and the fix."""
        named = self._table().get("services", {})
        try:
            return Catalogue.model_validate({"services": {k: {"name": k, **_as_table(v)} for k, v in named.items()}})
        except ValidationError as wrong:
            raise Refused(self._explain(wrong, Catalogue)) from None

    def read_policy(self) -> Policy:
        """The same, outside an activity. Raises `Refused` with the key at fault and the fix."""
        try:
            return Policy.model_validate(self._table().get("policy", {}))
        except ValidationError as wrong:
            raise Refused(self._explain(wrong, Policy, "policy")) from None

    def read_roster(self) -> Roster:
        """The same, outside an activity. Raises `Refused` with the key at fault and the fix."""
        named = self._table().get("people", {})
        try:
            return Roster.model_validate({"people": {k: {"id": k, "name": k.title(), **_as_table(v)} for k, v in named.items()}})
        except ValidationError as wrong:
            raise Refused(self._explain(wrong, Roster)) from None

    def _table(self) -> dict[str, Any]:
        try:
            table = tomllib.loads(self.path.read_text())
        except FileNotFoundError:
            raise Refused(f"{self.path} does not exist; copy organisation.example.toml there and fill it in") from None
        except tomllib.TOMLDecodeError as wrong:
            raise Refused(f"{self.path} is not valid TOML: {wrong}") from None
        for name, section in table.items():
            if name not in SECTIONS:
                raise Refused(f"{self.path}: {misread.unknown_section(name, SECTIONS)}")
            if not isinstance(section, dict):
                raise Refused(f"{self.path}: [{name}] is a section, not a value: write [{name}] and its keys below. {misread.EXAMPLE}")
        return table

    def read_whole(self) -> None:
        """Read every section once. Raises `Refused` with the first key at fault and the fix."""
        for read in (self.read_policy, self.read_roster, self.read_catalogue, self.read_communications, self.read_on_call):
            read()

    def _explain(self, wrong: ValidationError, model: type[BaseModel], section: str = "") -> str:
        return f"{self.path}: {misread.explain(wrong, model, section)}"


def _as_table(given: Any) -> dict[str, Any]:
    """A section's table; anything else is left to the model to refuse."""
    return given if isinstance(given, dict) else {"": given}
