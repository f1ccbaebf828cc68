"""Prometheus rule files: recording and alerting rules, and the life of an alert (inactive → pending → firing → resolved)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from promql_parser import parse_duration

from practice.metrics.metrics import Metrics
from practice.metrics.promql import Query, compiled
from practice.metrics.promql_words import Labels, bare
from practice.metrics.templates import filled

Key = tuple[tuple[str, str], ...]


@dataclass
class Alert:
    """One alert of one rule. Instants are world seconds."""

    labels: dict[str, str]
    annotations: dict[str, str]
    value: float
    active_at: float
    fired_at: float | None = None
    keep_until: float | None = None
    resolved_at: float | None = None

    @property
    def state(self) -> str:
        if self.resolved_at is not None:
            return "inactive"
        return "pending" if self.fired_at is None else "firing"


@dataclass
class AlertingRule:
    """`alert:` with its `for` and `keep_firing_for` in seconds."""

    name: str
    query: Query
    labels: dict[str, str]
    annotations: dict[str, str]
    for_seconds: float = 0.0
    keep_firing_seconds: float = 0.0
    alerts: dict[Key, Alert] = field(default_factory=dict)
    last_error: str = ""
    _told: set[Key] = field(default_factory=set)

    def evaluate(self, metrics: Metrics, at: float) -> None:
        self._judge(metrics, at)
        self._tell(metrics, at)

    def _tell(self, metrics: Metrics, at: float) -> None:
        """`ALERTS`, as Prometheus writes it: 1 for every pending and every firing alert, so that rules can ask about one another."""
        now = {tuple(sorted({**a.labels, "alertstate": a.state}.items())) for a in self.alerts.values() if a.resolved_at is None}
        for key in now:
            metrics.record("ALERTS", dict(key), at, 1.0)
        for key in self._told - now:
            metrics.record("ALERTS", dict(key), at, math.nan)
        self._told = now

    def _judge(self, metrics: Metrics, at: float) -> None:
        seen: set[Key] = set()
        for labels, value in self.query.vector(metrics, at):
            key, alert = self._alert(bare(labels), value, at)
            seen.add(key)
            known = self.alerts.get(key)
            if known is None or known.resolved_at is not None:
                known = self.alerts[key] = alert
            known.value, known.annotations, known.keep_until = value, alert.annotations, None
            if known.fired_at is None and at - known.active_at >= self.for_seconds:
                known.fired_at = at
        for key in [k for k in self.alerts if k not in seen]:
            self._gone(key, at)

    def _alert(self, labels: Labels, value: float, at: float) -> tuple[Key, Alert]:
        own = {name: filled(text, labels, value) for name, text in self.labels.items()}
        full = {**labels, **own, "alertname": self.name}
        annotations = {name: filled(text, labels, value) for name, text in self.annotations.items()}
        return tuple(sorted(full.items())), Alert(full, annotations, value, at)

    def _gone(self, key: Key, at: float) -> None:
        alert = self.alerts[key]
        if alert.fired_at is None or (alert.resolved_at is not None and at - alert.resolved_at > 900):
            del self.alerts[key]
        elif alert.resolved_at is None:
            if alert.keep_until is None:
                alert.keep_until = at + self.keep_firing_seconds
            if at >= alert.keep_until:
                alert.resolved_at = at


@dataclass
class RecordingRule:
    """`record:`; the results become series of their own."""

    name: str
    query: Query
    labels: dict[str, str]
    last_error: str = ""
    _was: set[Key] = field(default_factory=set)

    def evaluate(self, metrics: Metrics, at: float) -> None:
        now: set[Key] = set()
        for labels, value in self.query.vector(metrics, at):
            own = {**bare(labels), **self.labels}
            metrics.record(self.name, own, at, value)
            now.add(tuple(sorted(own.items())))
        for key in self._was - now:
            metrics.record(self.name, dict(key), at, math.nan)
        self._was = now


Rule = AlertingRule | RecordingRule


@dataclass
class RuleGroup:
    """Rules that are evaluated together, in order. `interval` is in world seconds; None takes the evaluator's."""

    name: str
    file: str
    interval: float | None
    rules: list[Rule]
    evaluated_at: float | None = None

    def alerts(self) -> Iterator[tuple[AlertingRule, Alert]]:
        for rule in self.rules:
            if isinstance(rule, AlertingRule):
                yield from ((rule, alert) for alert in rule.alerts.values())


def loaded(files: Sequence[Path]) -> list[RuleGroup]:
    """Read rule files; raises ValueError with the file's name for what Prometheus would refuse."""
    groups: list[RuleGroup] = []
    for file in files:
        try:
            for group in yaml.safe_load(file.read_text())["groups"]:
                interval = _seconds(group["interval"]) if "interval" in group else None
                groups.append(RuleGroup(group["name"], str(file), interval, [_rule(rule) for rule in group["rules"]]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file}: {error}") from error
    return groups


def _rule(rule: dict[str, Any]) -> Rule:
    query = compiled(str(rule["expr"]))
    labels = {name: str(value) for name, value in (rule.get("labels") or {}).items()}
    if "record" in rule:
        return RecordingRule(rule["record"], query, labels)
    annotations = {name: str(value) for name, value in (rule.get("annotations") or {}).items()}
    durations = (_seconds(rule.get("for", "0s")), _seconds(rule.get("keep_firing_for", "0s")))
    return AlertingRule(rule["alert"], query, labels, annotations, *durations)


def _seconds(duration: Any) -> float:
    text = str(duration)
    return 0.0 if text in {"0", "0s"} else float(parse_duration(text).total_seconds())
