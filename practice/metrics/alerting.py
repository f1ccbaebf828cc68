"""Evaluates rules on the world clock and says what changed, as an Alertmanager does: groups, fired, resolved, repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from practice.metrics.promql_words import PromqlError
from practice.metrics.rules import Alert, AlertingRule, RuleGroup, loaded
from practice.world.world import World

EVALUATION_SECONDS = 15.0
REAL_EVALUATION_SECONDS = 0.25
REPEAT_SECONDS = 4 * 3600.0
GROUP_BY = ("alertname", "incident_key")
NEVER = "0001-01-01T00:00:00Z"

Post = Callable[[dict[str, Any]], None]


class Alerting:
    """The rules of one world, evaluated whenever it moves."""

    def __init__(self, world: World, rules: Sequence[Path] = (), post: Post | None = None) -> None:
        self.groups = loaded(rules)
        self._world = world
        self._post = post
        self._told: dict[str, tuple[frozenset[tuple[str, float, bool]], float]] = {}
        if self.groups:
            world.on_moved.append(self.evaluate)
            world.rule_groups = self.as_json

    @property
    def _interval(self) -> float:
        """Evaluating costs real time, so at a high pace it is rarer in world time."""
        return max(EVALUATION_SECONDS, REAL_EVALUATION_SECONDS * self._world.clock.pace)

    def stop(self) -> None:
        if self.evaluate in self._world.on_moved:
            self._world.on_moved.remove(self.evaluate)

    def evaluate(self, at: float) -> None:
        """Evaluate the groups that are due, then tell the receiver what changed."""
        evaluated = False
        for group in self.groups:
            due = max(self._interval, group.interval or 0.0)
            if group.evaluated_at is None or at - group.evaluated_at >= due - 1e-6:
                self._evaluate(group, at)
                evaluated = True
        if evaluated and self._post:
            self._tell(at)

    def _evaluate(self, group: RuleGroup, at: float) -> None:
        group.evaluated_at = at
        for rule in group.rules:
            try:
                rule.evaluate(self._world.metrics, at)
                rule.last_error = ""
            except PromqlError as error:
                rule.last_error = str(error)

    def _tell(self, at: float) -> None:
        """Post every alert group in which something fired or was resolved, or that is due for a repetition."""
        if self._post is None:
            return
        gathered: dict[str, list[Alert]] = {}
        for group in self.groups:
            for _, alert in group.alerts():
                if alert.fired_at is not None:
                    gathered.setdefault(_group_key(alert), []).append(alert)
        for key, alerts in gathered.items():
            news = frozenset((fingerprint(a.labels), a.fired_at or 0.0, a.resolved_at is not None) for a in alerts if self._news(key, a))
            if not news:
                self._told.pop(key, None)
                continue
            told, told_at = self._told.get(key, (frozenset(), 0.0))
            firing = any(not resolved for _, _, resolved in news)
            if news != told or (firing and at - told_at >= REPEAT_SECONDS):
                self._post(self._webhook(key, [a for a in alerts if self._news(key, a)]))
                self._told[key] = (news, at)

    def _news(self, key: str, alert: Alert) -> bool:
        """A firing alert, or one that was resolved and has been told as firing."""
        if alert.resolved_at is None:
            return True
        told, _ = self._told.get(key, (frozenset(), 0.0))
        mark = (fingerprint(alert.labels), alert.fired_at or 0.0)
        return (*mark, False) in told or (*mark, True) in told

    def _webhook(self, key: str, alerts: list[Alert]) -> dict[str, Any]:
        """Alertmanager's webhook body, version 4 (prometheus.io/docs/alerting/latest/configuration/#webhook_config)."""
        rows = [self._alert_json(alert) for alert in sorted(alerts, key=lambda a: sorted(a.labels.items()))]
        first = alerts[0]
        return {
            "version": "4",
            "groupKey": key,
            "truncatedAlerts": 0,
            "status": "firing" if any(row["status"] == "firing" for row in rows) else "resolved",
            "receiver": "practice",
            "groupLabels": {name: first.labels[name] for name in GROUP_BY if name in first.labels},
            "commonLabels": _common([alert.labels for alert in alerts]),
            "commonAnnotations": _common([alert.annotations for alert in alerts]),
            "externalURL": "http://practice.invalid/alertmanager",
            "alerts": rows,
        }

    def _alert_json(self, alert: Alert) -> dict[str, Any]:
        stamp = self._world.clock.stamp
        resolved = alert.resolved_at is not None
        return {
            "status": "resolved" if resolved else "firing",
            "labels": alert.labels,
            "annotations": alert.annotations,
            "startsAt": stamp(alert.fired_at or alert.active_at),
            "endsAt": stamp(alert.resolved_at) if alert.resolved_at is not None else NEVER,
            "generatorURL": "http://practice.invalid/prom/graph",
            "fingerprint": fingerprint(alert.labels),
        }

    def as_json(self) -> list[dict[str, Any]]:
        """The rule groups as `/api/v1/rules` shows them."""
        return [
            {
                "name": group.name,
                "file": group.file,
                "interval": group.interval or self._interval,
                "lastEvaluation": self._world.clock.stamp(group.evaluated_at) if group.evaluated_at else NEVER,
                "rules": [self._rule_json(rule) for rule in group.rules],
            }
            for group in self.groups
        ]

    def _rule_json(self, rule: Any) -> dict[str, Any]:
        common = {
            "name": rule.name,
            "query": rule.query.text,
            "labels": rule.labels,
            "health": "err" if rule.last_error else "ok",
            "lastError": rule.last_error,
        }
        if not isinstance(rule, AlertingRule):
            return {**common, "type": "recording"}
        alerts = [alert for alert in rule.alerts.values() if alert.resolved_at is None]
        states = {alert.state for alert in alerts}
        return {
            **common,
            "type": "alerting",
            "state": "firing" if "firing" in states else "pending" if "pending" in states else "inactive",
            "duration": rule.for_seconds,
            "keepFiringFor": rule.keep_firing_seconds,
            "annotations": rule.annotations,
            "alerts": [
                {
                    "labels": alert.labels,
                    "annotations": alert.annotations,
                    "state": alert.state,
                    "activeAt": self._world.clock.stamp(alert.active_at),
                    "value": f"{alert.value:g}",
                }
                for alert in alerts
            ],
        }


def fingerprint(labels: dict[str, str]) -> str:
    """The 64-bit FNV-1a of the sorted labels, as github.com/prometheus/common/model computes it."""
    value = 0xCBF29CE484222325
    for name, text in sorted(labels.items()):
        for byte in name.encode() + b"\xff" + text.encode() + b"\xff":
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def _group_key(alert: Alert) -> str:
    labels = ", ".join(f'{name}="{alert.labels[name]}"' for name in GROUP_BY if name in alert.labels)
    return "{}:{" + labels + "}"


def _common(maps: list[dict[str, str]]) -> dict[str, str]:
    return {k: v for k, v in maps[0].items() if all(other.get(k) == v for other in maps[1:])}
