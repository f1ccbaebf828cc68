"""Limits of what is spent: of a run, an agent, a key, a tenant, a tier, or all; and the quota of a key at its provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from practice.agents.runtime import Run

SCOPES = ("run", "agent", "key", "tenant", "tier", "all")
LOW = 5_000.0
"""Tokens per minute at `llm_rate` low."""
USD_PER_TOKEN = 0.00001
"""At a price ratio of 1."""


@dataclass
class Limit:
    """What one scope may use; null: nothing limits it."""

    psu_daily_cap: float | None = None
    llm_rate: str | int = "normal"
    spend_usd_per_hour: float | None = None
    concurrency: int | None = None

    def idle(self, psu_used: float) -> bool:
        """Whether it holds nothing back, when so much of the day's cap is used."""
        capped = self.psu_daily_cap is not None and psu_used >= self.psu_daily_cap
        return not capped and self.llm_rate == "normal" and self.spend_usd_per_hour is None and self.concurrency is None

    @property
    def tokens_per_minute(self) -> float | None:
        if isinstance(self.llm_rate, str):
            return LOW if self.llm_rate == "low" else None
        return float(self.llm_rate)


@dataclass
class Key:
    """A key of ours at a provider. `networks`: from which it was used lately."""

    name: str
    provider: str
    networks: list[str]
    tokens_per_minute: int | None = None  # the quota at the provider
    disabled: bool = False
    share: float = 1.0  # of what is asked with it, that the provider takes

    def take(self, asked: float) -> None:
        """So many tokens per minute are asked of the provider with it, by us and by whoever else has it."""
        most = 0.0 if self.disabled else asked if self.tokens_per_minute is None else float(self.tokens_per_minute)
        self.share = min(1.0, most / asked) if asked else 1.0


@dataclass
class Budgets:
    """The part of the state that the policy router keeps."""

    limits: dict[str, dict[str, Limit]] = field(default_factory=lambda: {scope: {} for scope in SCOPES})
    keys: dict[str, Key] = field(default_factory=dict)
    psu_used: dict[str, float] = field(default_factory=dict, compare=False)  # since midnight: it depends on the hour
    day: int = field(default=0, compare=False)

    def imposed(self) -> dict[str, object]:
        """What holds something back: a recovery puts it back as it was."""
        limits = {
            f"{scope}/{name}": asdict(limit) for scope, named in self.limits.items() for name, limit in named.items() if limit != Limit()
        }
        return {
            "limits": limits,
            "quotas": {key.name: key.tokens_per_minute for key in self.keys.values() if key.tokens_per_minute is not None},
        }

    def limit(self, scope: str, name: str) -> Limit:
        return self.limits[scope].get(name) or Limit()


def names_of(run: Run, tier: str) -> Mapping[str, tuple[str, ...]]:
    """Under which names the limits of each scope concern a run."""
    return {
        "run": tuple(dict.fromkeys((run.trace, run.parent, run.root))), "agent": (run.agent,), "key": (run.key,),
        "tenant": (run.tenant,), "tier": (tier,), "all": ("all",),
    }  # fmt: skip


def held_back(
    budgets: Budgets, runs: list[Run], wanted: dict[str, float], tier: Callable[[str], str], usd: Callable[[Run], float],
    stolen: Mapping[str, float],
) -> dict[str, float]:  # fmt: skip
    """What each run gets of the tokens per minute that it wants. `usd`: what a token costs it; `stolen`: what others use each key for."""
    given = dict(wanted)
    for scope, limits in budgets.limits.items():
        for name, limit in limits.items():
            if not limit.idle(budgets.psu_used.get(name, 0.0)):  # most of them are, at nearly every step
                among = [run for run in runs if name in names_of(run, tier(run.tenant))[scope]]
                _hold(budgets, scope, name, limit, among, given, usd)
    for key in budgets.keys.values():
        among = [run for run in runs if run.key == key.name]
        key.take(sum(given[run.trace] for run in among) + stolen.get(key.name, 0.0))
        if key.share < 1:
            for run in among:
                given[run.trace] *= key.share
    return given


def _hold(
    budgets: Budgets, scope: str, name: str, limit: Limit, among: list[Run], given: dict[str, float], usd: Callable[[Run], float]
) -> None:
    if limit.concurrency is not None:
        for run in sorted(among, key=lambda run: run.started)[limit.concurrency :]:
            given[run.trace] = 0.0
    if limit.psu_daily_cap is not None and scope == "tenant" and budgets.psu_used.get(name, 0.0) >= limit.psu_daily_cap:
        _scale(among, given, 0.0, lambda run: 1.0)
    if limit.tokens_per_minute is not None:
        _scale(among, given, limit.tokens_per_minute, lambda run: 1.0)
    if limit.spend_usd_per_hour is not None:
        _scale(among, given, limit.spend_usd_per_hour, lambda run: 60 * usd(run))


def _scale(among: list[Run], given: dict[str, float], most: float, weight: Callable[[Run], float]) -> None:
    whole = sum(given[run.trace] * weight(run) for run in among)
    if whole > most:
        for run in among:
            given[run.trace] *= most / whole
