"""The Prometheus HTTP API (prometheus.io/docs/prometheus/latest/querying/api). Every query names its instants; no answer is not zero."""

import math
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from activities.action import Call
from activities.kit.http import HttpClient
from activities.kit.words import promql


class Sample(BaseModel):
    """One value of a series at an instant."""

    labels: dict[str, str]
    value: float


class Series(BaseModel):
    """A series over a range: (Unix seconds, value)."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """A metrics store. Durations inside PromQL, and `step`, are policy seconds; instants are real."""

    def __init__(self, door: HttpClient, ui: str = "") -> None:
        self._client = door
        self.ui = ui

    async def query(self, call: Call, expression: str, at: datetime) -> list[Sample]:
        """An instant vector. Empty means that there is no such series, or none that is fresh."""
        found = await self._ask(call, "/api/v1/query", query=expression, time=f"{at.timestamp():.6f}")
        return [Sample(labels=one["metric"], value=float(one["value"][1])) for one in found["result"]]

    async def number(self, call: Call, query: str) -> float | None:
        """The one number that a query gives at the call's instant; None when there is none."""
        return next((sample.value for sample in await self.query(call, query, call.at) if math.isfinite(sample.value)), None)

    async def grown(self, call: Call, series: str, window: timedelta) -> float | None:
        """How much counters grew in the window (policy time) before the call's instant; None where there are no samples of them."""
        return await self.number(call, promql.total(promql.increase(series, window)))

    async def samples(self, call: Call, series: str, window: timedelta, at: datetime) -> list[Series]:
        """The samples themselves, each with its own instant, over the window (policy time) before an instant."""
        found = await self._ask(call, "/api/v1/query", query=promql.over(series, window), time=f"{at.timestamp():.6f}")
        return _series(found)

    async def query_range(self, call: Call, expression: str, start: datetime, end: datetime, step: float) -> list[Series]:
        """Nothing for a span that ends before it begins: a window that has just started again is asked about at once."""
        if end < start:
            return []
        asked = {"start": f"{start.timestamp():.6f}", "end": f"{end.timestamp():.6f}", "step": f"{step:g}"}
        found = await self._ask(call, "/api/v1/query_range", query=expression, **asked)
        return _series(found)

    async def _ask(self, call: Call, path: str, **params: Any) -> dict[str, Any]:
        said: dict[str, Any] = (await self._client.read(call, path, **params)).json()
        answer: dict[str, Any] = said["data"]
        return answer


def _series(found: dict[str, Any]) -> list[Series]:
    return [Series(labels=one["metric"], points=[(float(t), float(v)) for t, v in one["values"]]) for one in found["result"]]
