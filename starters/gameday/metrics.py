"""What the metrics say of a game day, asked of the practice platform's Prometheus face in world time."""

from datetime import datetime, timedelta
from typing import Any

import httpx

from activities.kit.words import promql
from activities.metrics import queries

SLO = 0.999
FOUR_WEEKS = timedelta(days=28)
STEP = 15  # world seconds


class Metrics:
    """Reads the Prometheus face. Instants are real; durations inside PromQL are world time."""

    def __init__(self, practice: httpx.Client, service: str) -> None:
        self._practice = practice
        self._service = service

    def budget_burnt(self, start: datetime, end: datetime, pace: float) -> float | None:
        """The share of four weeks' error budget that failed requests between two real instants used up."""
        world_seconds = max(int((end - start).total_seconds() * pace), STEP)
        window = timedelta(seconds=world_seconds)
        failed, total = self._number(self._grown(window, outcome="error"), end), self._number(self._grown(window), end)
        if failed is None or not total:
            return None
        return failed / (total / world_seconds * FOUR_WEEKS.total_seconds() * (1 - SLO))

    def _grown(self, window: timedelta, **labels: str) -> str:
        return promql.total(promql.increase(queries.requests(self._service, **labels), window))

    def _number(self, query: str, at: datetime) -> float | None:
        found = self._ask("query", query=query, time=at.timestamp())["result"]
        return float(found[0]["value"][1]) if found else None

    def _ask(self, what: str, **params: Any) -> dict[str, Any]:
        answer = self._practice.get(f"/prom/api/v1/{what}", params=params).raise_for_status().json()
        data: dict[str, Any] = answer["data"]
        return data
