"""The seed's own words for a change (§1.3): `orchestrator.autonomy=off`, `scheduler.enabled=false`, `tenant/<t>/psu_daily_cap=100`.

A flag is switched by its name. A limit is of one named tenant, agent, key or run: no pattern is ever sent.
"""

import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from activities.budgets.limit import Caps, Limit, LimitsOf, Scope
from activities.budgets.limits import PATTERN, Clamps, clamp
from activities.flags.flags import HIGH_PSU, PARTS, Flag, Flags, Switch
from activities.kit.setting import Change, Reading
from activities.organisation.policy import Policy
from workflows.errors import NotAccepted

SWITCHES = {"on": True, "true": True, "off": False, "false": False}
LIMITS = tuple(Limit.model_fields)
FLAGS = (*PARTS, HIGH_PSU)


def is_seed_word(word: str) -> bool:
    """Whether it is a flag's name, or what is limited of somebody: `tenant/acme/llm_rate`."""
    return word in FLAGS or word.rpartition("/")[2] in LIMITS


class SeedChange:
    """What a person asks for in the seed's words. Raises `NotAccepted` where a word is not one of them, or means nothing."""

    def __init__(self, word: str, value: str, policy: Policy) -> None:
        self.word, self._policy = word, policy
        self._on = False
        self._limit: dict[str, Any] = {}
        self.flag = word if word in FLAGS else ""
        if self.flag:
            self._on = self._switch(value)
        else:
            self._scope, self._name, field = self._named()
            self._limit = {field: _read(value)}

    @property
    def look(self) -> Any:
        """The verb that reads it, and its order."""
        return (Flags.read, Flags.look(self._flag())) if self.flag else (Clamps.read, Clamps.look(self._of()))

    def order(self, now: Reading[Any], why: str) -> Change[Any, Any]:
        """The order. `now`: what is in force; what is not named of a limit stays."""
        if self.flag:
            return Flags.order(self._flag(), Switch(on=self._on), why=why)
        caps: Caps = now.value
        try:
            limit = Limit.model_validate({**caps.each[self._name].model_dump(), **self._limit})
        except ValidationError as wrong:
            raise NotAccepted(f"{self.word}: {wrong.errors()[0]['msg']}") from None
        return clamp(self._scope, {self._name: limit}, store=self._of().store, why=why)

    def _switch(self, value: str) -> bool:
        if value.lower() not in SWITCHES:
            raise NotAccepted(f"{self.word} is on or off, not {value!r}")
        return SWITCHES[value.lower()]

    def _named(self) -> tuple[Scope, str, str]:
        scope, _, rest = self.word.partition("/")
        name, _, field = rest.rpartition("/")
        scopes = [one for one in get_args(Scope) if one != "all"]
        if field not in LIMITS or scope not in scopes:
            raise NotAccepted(f"whose? Say SCOPE/NAME/{self.word.rpartition('/')[2] or 'llm_rate'}=…; a scope is {', '.join(scopes)}")
        if PATTERN.search(name):
            raise NotAccepted(f"{name!r} is a pattern, and a limit is of one name: name each of them; everybody at once is `clamp-all`")
        return scope, name, field  # type: ignore[return-value]

    def _flag(self) -> Flag:
        return Flag(flag=self.flag, store="flagd" if self._policy.systems.get("flags") == "flagd" else "unleash")

    def _of(self) -> LimitsOf:
        store = "litellm" if self._policy.systems.get("budgets") == "litellm" else "policy router"
        return LimitsOf.model_validate({"scope": self._scope, "names": (self._name,), "store": store})


def seed_changes(fields: Mapping[str, str], policy: Policy) -> list[SeedChange]:
    return [SeedChange(word, value, policy) for word, value in fields.items()]


def _read(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
