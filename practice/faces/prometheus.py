"""Prometheus' HTTP API and text exposition (prometheus.io/docs/prometheus/latest/querying/api). Real time outside, world time inside.

As a bare Prometheus it asks for no credentials.
"""

from __future__ import annotations

import math
from typing import Any

from promql_parser import parse_duration

from practice.http.face import Call, Face, Refusal, Reply
from practice.metrics.promql import compiled
from practice.metrics.promql_words import Moment, PromqlError
from practice.world.clock import from_rfc3339


def _refused(status: int, message: str) -> Reply:
    kind = {400: "bad_data", 422: "execution", 503: "unavailable"}.get(status, "internal")
    return Reply({"status": "error", "errorType": kind, "error": message}, status)


FACE = Face(
    "prometheus",
    authorised=lambda headers: True,
    refused=_refused,
    throttled=lambda: Reply({"status": "error", "errorType": "too_many_requests", "error": "slow down"}, 429),
)


@FACE.reads("metrics", "/metrics")
def metrics(call: Call) -> Reply:
    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    return Reply(text=call.world.metrics.exposition(), headers=headers)


@FACE.reads("query", "/prom/api/v1/query")
@FACE.reads("query.post", "/prom/api/v1/query", "POST")
def query(call: Call) -> Reply:
    """An instant query. In a following world `time` also moves the clock."""
    shown = _instant(call, "time", call.real())
    at = _seen(call, shown)
    asked = _compiled(call)
    if asked.windows is not None:
        rows = asked.windows(Moment(call.world.metrics, at))
        return _success("matrix", [{"metric": dict(labels), "values": _points(call, points)} for labels, points in rows])
    try:
        value = asked.instant(call.world.metrics, at)
    except PromqlError as error:
        raise call.refuse(422, str(error)) from error
    if isinstance(value, list):
        rows_out = [{"metric": dict(labels), "value": [round(shown, 3), _text(x)]} for labels, x in value]
        return _success("vector", rows_out)
    return _success("scalar", [round(shown, 3), _text(value)])


@FACE.reads("query_range", "/prom/api/v1/query_range")
@FACE.reads("query_range.post", "/prom/api/v1/query_range", "POST")
def query_range(call: Call) -> Reply:
    """A range query. `start` and `end` are real time, `step` is world seconds."""
    for name in ("start", "end", "step"):
        if not call.one(name):
            raise call.refuse(400, f'invalid parameter "{name}": cannot parse "" to a valid timestamp')
    start, end = (_instant(call, name, 0.0) for name in ("start", "end"))
    end_seen = _seen(call, end)
    asked = _compiled(call)
    try:
        rows = asked.range(call.world.metrics, call.world.clock.to_world(start), end_seen, _step(call))
    except PromqlError as error:
        raise call.refuse(400, str(error)) from error
    return _success("matrix", [{"metric": labels, "values": _points(call, points)} for labels, points in rows])


@FACE.reads("alerts", "/prom/api/v1/alerts")
def alerts(call: Call) -> Reply:
    found = [alert for group in call.world.rule_groups() for rule in group["rules"] for alert in rule.get("alerts", [])]
    return Reply({"status": "success", "data": {"alerts": found}})


@FACE.reads("rules", "/prom/api/v1/rules")
def rules(call: Call) -> Reply:
    return Reply({"status": "success", "data": {"groups": call.world.rule_groups()}})


def _success(kind: str, result: list[Any]) -> Reply:
    return Reply({"status": "success", "data": {"resultType": kind, "result": result}})


def _compiled(call: Call) -> Any:
    text = call.one("query")
    if not text:
        raise call.refuse(400, 'invalid parameter "query": unknown position: parse error: no expression found in input')
    try:
        return compiled(text)
    except PromqlError as error:
        raise Refusal(_refused(400, f'invalid parameter "query": {error}')) from error


def _instant(call: Call, name: str, default: float) -> float:
    """A timestamp parameter: Unix seconds or RFC 3339."""
    text = call.one(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        try:
            value = from_rfc3339(text)
        except ValueError:
            raise call.refuse(400, f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp') from None
    if not math.isfinite(value):
        raise call.refuse(400, f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp')
    return value


def _seen(call: Call, real: float) -> float:
    """The world instant that is asked about. Showing it to a following clock moves the world; a stale read stays behind."""
    stale = call.now < call.world.clock.now() - 1.0
    call.world.clock.show(real)
    call.world.advance()
    world = call.world.clock.to_world(real)
    return min(world, call.now) if stale else world


def _step(call: Call) -> float:
    text = call.one("step")
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(parse_duration(text).total_seconds())
    except ValueError:
        raise call.refuse(400, f'invalid parameter "step": cannot parse "{text}" to a valid duration') from None


def _points(call: Call, points: list[tuple[float, float]]) -> list[list[Any]]:
    return [[round(call.world.clock.to_real(at), 3), _text(value)] for at, value in points]


def _text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() else repr(value)
