"""How a game day went, from the record, the effect log, the metrics, and how the world stands before and after; and how that is shown.

Times are world seconds, from the instant at which something was broken.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import httpx
from pydantic import BaseModel
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from activities.kit.words import promql
from activities.ledger.effects import PROVEN, Done
from activities.metrics import queries
from starters.gameday.day import Day
from starters.postmortem import postmortem
from starters.screens import shadow_report
from workflows.incident import State
from workflows.status import Status, StepState

Json = dict[str, Any]
# A folder of ours, and a workflow of ours: what that one does outside has keys of its own. A real Valkey has no log of who did what, and letters
# have keys of their own (their Message-IDs).
OUR_OWN = frozenset({"evidence", "freezes", "caches", "clocks", "mail", "watches"})
LEASES = "llm.routes.lease"  # renewing a lease is no change of the world
KNOWLEDGE = ("cag", "coalescing", "serving", "freshness")  # a new index and a new namespace stay, and so does a quarantine
SLO = 0.999
FOUR_WEEKS = timedelta(days=28)
STEP = 15  # world seconds between two samples


class Scorecard(BaseModel):
    playbook: str
    incident_id: str
    pace: float
    detected_seconds: float | None
    acknowledged_seconds: float | None
    mitigated_seconds: float | None
    resolved_seconds: float | None
    questions: int
    answered_verified: int
    error_budget_burnt: float | None
    measures_in_force: list[str]
    world_restored: bool
    effects: int
    effects_lost: int
    effects_doubled: int
    killed: str = ""
    recovered_seconds: float | None = None  # real seconds from the restart to the next thing that happened
    state: str
    why_not: list[str] = []
    passed: bool


def count_effects(log: Iterable[Json], done: Iterable[Done]) -> tuple[int, list[str], list[str]]:
    """How many changes the targets saw; which recorded ones they never saw (lost); which they saw twice (doubled).

    One key may cover several writes (a room, its topic, its pins); the very same write twice under one key is a double.
    """
    ours = [e for e in log if e.get("key") and e.get("changed") and e.get("route") != LEASES]
    seen = Counter((e["key"], e["route"], str(e["target"]), e["asked"]) for e in ours)
    doubled = [f"{key} at {target} ×{n}" for (key, _route, target, _asked), n in seen.items() if n > 1]
    keys = {e["key"] for e in ours}
    recorded = [d for d in done if d.outcome in PROVEN and d.proven_by and not d.adopted and d.verb.partition(".")[0] not in OUR_OWN]
    lost = [d.key for d in recorded if not any(key == d.key or key.startswith(f"{d.key}/") for key in keys)]
    return len(ours), lost, doubled


def score(
    status: Status, log: Sequence[Json], done: Sequence[Done], *, broken_at: datetime, detected_at: datetime | None, pace: float,
    burnt: float | None, restored: bool, killed: str = "", recovered: float | None = None, spared: int = 0,
) -> Scorecard:  # fmt: skip
    """The scorecard, from the record. `spared`: kills that were wanted and never came."""
    effects, lost, doubled = count_effects(log, done)
    in_force = [f"{m.name}: {m.target}" for m in status.in_force]
    unheld = [f"{m.name}: {m.target}" for m in status.in_force if not (m.sticky and m.held_by)]  # what is sticky stands in somebody's name
    why_not = [
        *(["it was not resolved but " + str(status.state)] if status.state is not State.RESOLVED else []),
        *(["the impact was never seen to end"] if status.mitigated_at is None else []),
        *([f"in force: {', '.join(unheld)}"] if unheld else []),
        *(["the world is not as it was"] if not restored else []),
        *([f"effects lost: {', '.join(lost[:5])}"] if lost else []),
        *([f"effects doubled: {', '.join(doubled[:5])}"] if doubled else []),
        *([f"{spared} of the kills never came: the incident was over before"] if spared else []),
        *[f"step {s.verb} {s.target}: {s.state}" for s in status.steps if s.state in (StepState.FAILED, StepState.SKIPPED)],
    ]
    reached = {
        "detected": detected_at,
        "acknowledged": status.acknowledged_at,
        "mitigated": status.mitigated_at,
        "resolved": status.resolved_at,
    }
    return Scorecard(
        playbook=status.playbook, incident_id=status.incident_id, pace=pace, questions=len(status.questions),
        **{f"{name}_seconds": round(status.policy_time(broken_at, at).total_seconds(), 1) if at else None for name, at in reached.items()},
        answered_verified=sum(bool(q.answers) and all(g.verified for g in q.answers) for q in status.questions), error_budget_burnt=burnt,
        measures_in_force=in_force, world_restored=restored, effects=effects, effects_lost=len(lost), effects_doubled=len(doubled),
        killed=killed, recovered_seconds=recovered, state=str(status.state), why_not=why_not, passed=not why_not,
    )  # fmt: skip


def budget_burnt(practice: httpx.Client, service: str, end: datetime, lasted: timedelta) -> float | None:
    """The share of four weeks' error budget that failed requests used up in so much world time before an instant, by the Prometheus face."""
    world_seconds = max(int(lasted.total_seconds()), STEP)

    def grown(**labels: str) -> float | None:
        query = promql.total(promql.increase(queries.requests(service, **labels), timedelta(seconds=world_seconds)))
        answer = practice.get("/prom/api/v1/query", params={"query": query, "time": end.timestamp()}).raise_for_status().json()
        found = answer["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    failed, total = grown(outcome="error"), grown()
    return failed / (total / world_seconds * FOUR_WEEKS.total_seconds() * (1 - SLO)) if failed is not None and total else None


def standing_of(world: Json) -> Json:
    """What a recovery must put back: routes, modes, flags and the clients' policy; splits, weights, limits, gates and feeds of the services;
    what is held back of agents, answers and releases. What is sticky is not in it."""
    route = world["route"]
    weights = _shares(route["weights"])
    return {
        "weights": weights, "overrides": {t: w for t, w in route["overrides"].items() if _shares(w) != weights},
        "modes": {t: m for t, m in route["modes"].items() if m != "normal"}, "flags": world["flags"],
        "policy": {k: v for k, v in world["policy"].items() if k not in ("etag", "version")},
        "services": {name: _service(service) for name, service in world["fleet"]["services"].items()},
        "imposed": world.get("imposed", {}),
        "feeds": {name: (feed["running"], feed["pinned"]) for name, feed in world["fleet"]["feeds"].items()},
        "knowledge": {name: {part: of[part] for part in KNOWLEDGE} for name, of in world.get("knowledge", {}).items()},
        "rulesets": sorted(str(rule.get("name")) for rules in world.get("rulesets", {}).values() for rule in rules),
    }  # fmt: skip


def _service(service: Json) -> Json:
    places, cloud = service["places"], service["platform"] == "cloud_run"
    return {
        "split": {region: _shares(place["split"]) for region, place in places.items()} if cloud else {},
        "least": {region: place["least"] for region, place in places.items()}, "weights": service["weights"],
        "gateway": {k: v for k, v in service["gateway"].items() if k in ("rate_limit_rps", "breaker")},
        "gate": service["gate"]["admitted"],
    }  # fmt: skip


def _shares(weights: dict[str, float]) -> dict[str, float]:
    return {provider: share for provider, share in weights.items() if share}


def card_of(day: Day, status: Status) -> Scorecard:
    pace, end = day.options.pace, status.closed_at or datetime.now(UTC)
    lasted = status.policy_time(day.broken_at, end)
    done = [*day.ledger.effects(day.incident), *day.ledger.effects(f"freeze-{status.service}")]  # and of the freeze that it held
    return score(
        status, day.stage.effects(), done, broken_at=day.broken_at, detected_at=status.declared_at, pace=pace,
        burnt=budget_burnt(day.stage.practice, day.scenario.service, end, lasted),
        restored=standing_of(day.stage.world()) == day.before, killed="; ".join(day.killed),
        recovered=median(day.recovered) if day.recovered else None,
        spared=day.options.kills - len(day.killed) if day.options.kill else 0,
    )  # fmt: skip


def show(day: Day, status: Status, card: Scorecard) -> bool:
    """Write the scorecard and the draft post-mortem beside each other, and show them. Whether it passed.

    In shadow mode: what would have been done beside what people did; passed when it was resolved and no target saw anything of us.
    """
    written, draft, entries = day.stage.home / "scorecard.json", day.stage.home / "postmortem.md", day.ledger.timeline(day.incident)
    written.write_text(card.model_dump_json(indent=2) + "\n")
    draft.write_text(postmortem.draft(status, entries, day.ledger.effects(day.incident)))
    if not day.console.is_terminal:
        day.console.print(day.screen(status))
    if day.options.shadow:
        for line in (*shadow_report.lines(shadow_report.compare(status, entries)), f"effects: {card.effects}"):
            day.say(line)
        return card.effects == 0 and status.state is State.RESOLVED
    day.console.print(Panel(_table(card), title=f"{card.incident_id}  {'PASSED' if card.passed else 'NOT PASSED'}", expand=False))
    for line in (
        f"effects at the targets: {card.effects}, lost {card.effects_lost}, doubled {card.effects_doubled}",
        *(f"  not passed: {why}" for why in card.why_not),
        f"scorecard     {written}",
        f"post-mortem   {draft} (draft)",
    ):
        day.say(line)
    return card.passed


def _table(card: Scorecard) -> Table:
    table = Table(show_header=False, box=None)
    for name, value in (
        ("time to detect", span_of(card.detected_seconds)),
        ("time to acknowledge", span_of(card.acknowledged_seconds)),
        ("time to mitigate", span_of(card.mitigated_seconds)),
        ("time to resolve", span_of(card.resolved_seconds)),
        ("questions", f"{card.questions}, {card.answered_verified} answered with a personal code"),
        ("error budget burnt", "unknown" if card.error_budget_burnt is None else f"{card.error_budget_burnt:.1%} of four weeks'"),
        ("in force", "; ".join(card.measures_in_force) or "none"),
        ("the world", "as it was" if card.world_restored else "NOT as it was"),
        *((("killed", card.killed), ("recovered", f"{card.recovered_seconds} s after the restart (median)")) if card.killed else ()),
    ):
        table.add_row(name, escape(value))
    return table


def span_of(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"
