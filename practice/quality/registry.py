"""The registry: versions of models, prompts and guard chains, which of them serve, and which triples were blessed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

PARTS = ("model", "prompt", "guard")
ALIAS = "production"
DAY = 86_400.0
STICKS = 0.2  # the share of the traffic that stays with what served before, until its sessions end or are cleared
ENDS = 0.999  # of the sticky sessions so many are left after a step

Triple = tuple[int, int, int]
"""Versions of model, prompt and guard chain."""


def said(triple: Triple) -> str:
    """As it stands in labels: `6/12/3`."""
    return "/".join(map(str, triple))


def read(text: str) -> Triple | None:
    """The triple that such a text means; None for anything else."""
    found = [int(one) if one.isascii() and one.isdigit() and len(one) < 9 else 0 for one in text.split("/")]
    return (found[0], found[1], found[2]) if len(found) == 3 and all(found) else None


@dataclass
class Entry:
    """One thing of the registry: its versions, with who made each and when (world seconds since the beginning), and its aliases."""

    part: str
    versions: dict[int, tuple[str, float]]
    aliases: dict[str, int]

    @property
    def newest(self) -> int:
        return max(self.versions)


@dataclass
class Release:
    """A triple that was released. `blessed` (seconds since the beginning): when its evals passed and a person let it go; None: never."""

    triple: Triple
    blessed: float | None
    blocklisted: bool = False  # it re-opens a way in for injected instructions that was closed since
    why: str = ""


@dataclass
class Rollout:
    """A candidate that gets a share of the new sessions."""

    candidate: str | None = None
    percent: float = 0.0


@dataclass
class Publishing:
    """Whether publishes are let through, and whether rollouts may grow."""

    publishes: Literal["open", "refused"] = "open"
    rollouts: Literal["open", "held"] = "open"


@dataclass
class Snapshot:
    """The dated snapshot of the provider's model that is pinned; None: the provider's floating name."""

    pinned: str | None = None


@dataclass
class Batch:
    """When batch work runs: `now`, `off_peak` where it costs less, or not at all."""

    when: Literal["now", "off_peak", "paused"] = "now"


@dataclass(frozen=True)
class Offer:
    """A model that a route may be answered by."""

    model: str
    provider: str
    parity: float
    price_ratio: float


OFFERS = (
    Offer("aurora-large-4", "aurora", 1.0, 1.0),
    Offer("aurora-mini-4", "aurora", 0.955, 0.35),
    Offer("borealis-pro-2", "borealis", 0.97, 1.1),
    Offer("cumulus-8b", "cumulus", 0.88, 0.4),
)


def _entry(part: str, first: int, last: int, serves: int) -> Entry:
    versions = {number: ("ci", -DAY * (last + 1 - number)) for number in range(first, last + 1)}
    return Entry(part, versions, {ALIAS: serves})


@dataclass
class Registry:
    """All of it, for the one model route of the platform. It begins with four blessed triples, and the newest of them serves."""

    entries: dict[str, Entry] = field(
        default_factory=lambda: {
            "model": _entry("model", 4, 6, 6),
            "prompt": _entry("prompt", 9, 12, 12),
            "guard": _entry("guard", 1, 3, 3),
        }
    )
    releases: list[Release] = field(
        default_factory=lambda: [
            Release((4, 9, 1), -40 * DAY, blocklisted=True, why="answers the injection of case 118"),
            Release((5, 10, 1), -30 * DAY),
            Release((5, 10, 2), -20 * DAY),
            Release((5, 11, 3), -9 * DAY),
            Release((6, 12, 3), -2 * DAY),
        ]
    )
    rollout: Rollout = field(default_factory=Rollout)
    publishing: Publishing = field(default_factory=Publishing)
    snapshot: Snapshot = field(default_factory=Snapshot)
    batch: Batch = field(default_factory=Batch)
    models: dict[str, str] = field(default_factory=dict)  # tenant → the model that answers it, where it is not the usual one
    floating: dict[str, str] = field(
        default_factory=lambda: {"aurora": "aurora-large-4-2026-08-06", "borealis": "borealis-pro-2-2026-05-11"}
    )
    snapshots: dict[str, str] = field(  # dated snapshot → its provider
        default_factory=lambda: {"aurora-large-4-2026-04-02": "aurora", "aurora-large-4-2026-08-06": "aurora"}
    )
    sticky: dict[Triple, float] = field(default_factory=dict)  # what served before → the share of the traffic that is still with it
    generation: int = 1  # of sticky routes; a higher one clears them
    cleared_for: dict[str, int] = field(default_factory=dict)  # key of whoever cleared them → the generation that came of it
    served: Triple | None = None  # at the last step

    def imposed(self) -> dict[str, object]:
        """What is held back or chosen otherwise than usual: a recovery puts it back as it was."""
        return {"publishing": [self.publishing.publishes, self.publishing.rollouts], "batch": self.batch.when, "models": dict(self.models)}

    @property
    def serving(self) -> Triple:
        """What new sessions get, the rollout aside."""
        return tuple(self.entries[part].aliases.get(ALIAS, 0) for part in PARTS)  # type: ignore[return-value]

    @property
    def candidate(self) -> Triple | None:
        return read(self.rollout.candidate or "") if self.rollout.percent > 0 else None

    def has(self, triple: Triple) -> bool:
        return all(number in self.entries[part].versions for part, number in zip(PARTS, triple, strict=True))

    def model_id(self, provider: str) -> str:
        """What the provider says answered: a dated snapshot."""
        pinned = self.snapshot.pinned
        return pinned if pinned and self.snapshots.get(pinned) == provider else self.floating.get(provider, provider)

    def settle(self) -> None:
        """Let the sessions of what served until now stay where they are, and some of the older ones end. Once in a step."""
        now = self.serving
        if self.served not in (None, now):
            left = {triple: share * (1 - STICKS) for triple, share in self.sticky.items()}
            left[self.served] = left.get(self.served, 0.0) + STICKS
            left.pop(now, None)
            self.sticky = left
        self.served = now
        if self.sticky:
            self.sticky = {triple: share * ENDS for triple, share in self.sticky.items() if share > 0.001}

    def shares(self) -> dict[Triple, float]:
        """Who answers: the sticky sessions by what they began with, the others by what serves, or by the candidate."""
        found = dict(self.sticky)
        new = 1 - sum(found.values())
        tried = self.candidate
        share = self.rollout.percent / 100 if tried else 0.0
        if tried:
            found[tried] = found.get(tried, 0.0) + new * share
        found[self.serving] = found.get(self.serving, 0.0) + new * (1 - share)
        return found

    def clear(self, key: str) -> int:
        """End every sticky session. The same key again does nothing."""
        if key not in self.cleared_for:
            self.generation += 1
            self.sticky = {}
            self.cleared_for[key] = self.generation
        return self.cleared_for[key]

    def publish(self, part: str, by: str, now: float) -> int:
        """A new version of a part, which serves at once. `now`: seconds since the beginning."""
        entry = self.entries[part]
        number = entry.newest + 1
        entry.versions[number] = (by, now)
        entry.aliases[ALIAS] = number
        self.releases.append(Release(self.serving, None))
        return number
