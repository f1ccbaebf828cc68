"""A limit, whose it is, and the way back from it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from activities.budgets.by_hand import by_litellm, by_router
from activities.kit.setting import Resource, SettingValue
from activities.kit.setting.several import Several
from activities.kit.words.shell import Command
from activities.organisation.numbers import MitigationSettings
from activities.values import listed

LOW_TOKENS = 5_000.0  # per minute, at `llm_rate` low
MOST_USD, MOST_PSU = 1_000_000.0, 1e9  # beyond that a limit is a slip of the hand

Scope = Literal["run", "agent", "key", "tenant", "tier", "all"]
BY_HAND: Mapping[str, Callable[[str, str, "dict[str, Any] | None"], tuple[Command, ...]]] = MappingProxyType(
    {"policy router": by_router, "litellm": by_litellm}
)


class LimitsOf(Resource):
    """Whose limits: names of one scope. An agent is named by its id. `store`: where they are kept, because a person's commands depend on it."""

    scope: Scope
    names: tuple[str, ...]
    store: Literal["policy router", "litellm"] = "policy router"

    def __str__(self) -> str:
        return "the limits of everything" if self.scope == "all" else f"the limits of {self.scope} {listed(self.names)}"

    def target(self) -> str:
        return f"limits/{self.scope}/{','.join(self.names)}"

    def concerns_nobody(self) -> bool:
        return not self.names

    def read_by_hand(self) -> tuple[str, ...]:
        return tuple(line for name in self.names for line in BY_HAND[self.store](self.scope, name, None))

    def write_by_hand(self, value: "Caps", prior: object = None) -> tuple[str, ...]:
        return tuple(line for name, limit in value.each.items() for line in BY_HAND[self.store](self.scope, name, limit.model_dump()))


class Limit(SettingValue):
    """What one name may use; None: nothing limits it. `llm_rate`: `normal`, `low`, or tokens per minute. A PSU is a thousand tokens."""

    psu_daily_cap: Annotated[float, Field(ge=0, le=MOST_PSU, allow_inf_nan=False)] | None = None
    llm_rate: Literal["normal", "low"] | Annotated[int, Field(ge=0)] = "normal"
    spend_usd_per_hour: Annotated[float, Field(ge=0, le=MOST_USD, allow_inf_nan=False)] | None = None
    concurrency: Annotated[int, Field(ge=0)] | None = None

    def __str__(self) -> str:
        said = (
            "" if self.psu_daily_cap is None else f"{self.psu_daily_cap:g} PSU a day",
            "" if self.llm_rate == "normal" else "low token rate" if self.llm_rate == "low" else f"{self.llm_rate} tokens per minute",
            "" if self.spend_usd_per_hour is None else f"{self.spend_usd_per_hour:g} USD per hour",
            "" if self.concurrency is None else f"{self.concurrency} runs at a time",
        )
        return listed(tuple(filter(None, said))) or "no limit"

    @property
    def tokens_per_minute(self) -> float | None:
        return LOW_TOKENS if self.llm_rate == "low" else None if isinstance(self.llm_rate, str) else float(self.llm_rate)

    @property
    def zero(self) -> bool:
        """Whether nothing at all is left."""
        return 0 in (self.psu_daily_cap, self.spend_usd_per_hour, self.concurrency, self.tokens_per_minute)

    @property
    def felt(self) -> bool:
        return self != Limit()

    def within(self, other: Self) -> bool:
        """Whether it allows no more than the other does, in anything."""
        pairs = ((one, two) for one, two in zip(_amounts(self), _amounts(other), strict=True) if two is not None)
        return all(one is not None and one <= two for one, two in pairs)

    def met(self, now: Self) -> bool:
        return now.within(self)

    def both(self, other: Self) -> Self:
        """The tighter of each."""
        rate = min((self, other), key=lambda one: one.tokens_per_minute if one.tokens_per_minute is not None else float("inf")).llm_rate
        tighter = {
            name: _least(getattr(self, name), getattr(other, name)) for name in ("psu_daily_cap", "spend_usd_per_hour", "concurrency")
        }
        return self.model_copy(update={**tighter, "llm_rate": rate})

    def pause(self, numbers: MitigationSettings) -> timedelta:
        return numbers.return_pause

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """A quarter of the way, half of it, all of it. Where nothing was limited before, what is allowed doubles at each step but the last."""
        steps = numbers.caps_return
        return (*(self._part_way(before, share, n + 1) for n, share in enumerate(steps[:-1])), before)

    def _part_way(self, before: Self, share: float, nth: int) -> Self:
        def amount(now: float | None, then: float | None) -> float | None:
            if now is None or now == then:
                return now
            return round(now + share * (then - now), 3) if then is not None else now * 2**nth

        tokens = amount(self.tokens_per_minute, before.tokens_per_minute)
        concurrency = amount(self.concurrency, before.concurrency)
        return self.model_copy(
            update={
                "psu_daily_cap": amount(self.psu_daily_cap, before.psu_daily_cap),
                "spend_usd_per_hour": amount(self.spend_usd_per_hour, before.spend_usd_per_hour),
                "concurrency": None if concurrency is None else max(1, round(concurrency)),
                "llm_rate": "normal" if tokens is None else self.llm_rate if tokens == self.tokens_per_minute else round(tokens),
            }
        )


class Caps(Several[Limit], effect="limit {of.scope} {names}: {self}", back="give {of.scope} {names} back what was allowed before: {self}"):
    """The limit of each name. `usual`: what is usual of each, in USD per hour: the fact by which it was decided."""

    volatile: ClassVar[frozenset[str]] = frozenset({"usual"})

    usual: dict[str, float] = {}

    @property
    def names(self) -> str:
        return listed(tuple(self.each))

    def effect(self, of: LimitsOf) -> str:
        usual = "; ".join(f"{usd:g} USD per hour are usual of {name}" for name, usd in self.usual.items())
        return f"limit {of.scope} {self.names}: {self}" + (f" ({usual})" if usual else "")

    def back(self, of: LimitsOf) -> str:
        return f"give {of.scope} {self.names} back what was allowed before: {self}"


def _amounts(limit: Limit) -> tuple[float | None, ...]:
    return limit.psu_daily_cap, limit.tokens_per_minute, limit.spend_usd_per_hour, limit.concurrency


def _least(one: float | None, other: float | None) -> float | None:
    return min((amount for amount in (one, other) if amount is not None), default=None)
