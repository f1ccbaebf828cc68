"""The subset of PromQL that alert rules and verifications use. Text is parsed once and compiled to closures.

Semantics as documented at prometheus.io/docs/prometheus/latest/querying, version 3 (windows are open on the left).
Not there: group_left/group_right, `@`, predict_linear and the trigonometry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import promql_parser as ast

from practice.metrics.metrics import Metrics
from practice.metrics.promql_functions import OVER_TIME, OVER_VECTOR, ROUNDING, histogram_quantile, rate_of
from practice.metrics.promql_vectors import aggregated, combined
from practice.metrics.promql_words import Evaluate, Moment, PromqlError, Sample, Value, Vector, Windows, bare

MATCH = [(ast.MatchOp.Equal, "="), (ast.MatchOp.NotEqual, "!="), (ast.MatchOp.Re, "=~"), (ast.MatchOp.NotRe, "!~")]
RATES = ("rate", "increase", "delta", "irate", "idelta")
MAX_POINTS = 11_000

Select = Any  # Moment → Windows


@dataclass(frozen=True)
class Query:
    text: str
    evaluate: Evaluate
    windows: Select | None = None  # set when the expression is a range vector

    def instant(self, metrics: Metrics, at: float) -> Value:
        """The value at one instant: a number, or a vector. Raises PromqlError."""
        return self.evaluate(Moment(metrics, at))

    def vector(self, metrics: Metrics, at: float) -> Vector:
        """As `instant`, a number being a vector of one."""
        value = self.instant(metrics, at)
        return value if isinstance(value, list) else [({}, value)]

    def range(self, metrics: Metrics, start: float, end: float, step: float) -> list[tuple[dict[str, str], list[Sample]]]:
        """Points at start, start + step, … not after end, by series. Raises PromqlError."""
        if step <= 0 or end < start:
            raise PromqlError("zero or negative query resolution step widths are not accepted, and end must not be before start")
        count = int((end - start) / step + 1e-9) + 1
        if count > MAX_POINTS:
            raise PromqlError("exceeded maximum resolution of 11,000 points per timeseries")
        rows: dict[tuple[tuple[str, str], ...], tuple[dict[str, str], list[Sample]]] = {}
        for index in range(count):
            at = start + index * step
            for labels, value in self.vector(metrics, at):
                key = tuple(sorted(labels.items()))
                rows.setdefault(key, (dict(labels), []))[1].append((at, value))
        return list(rows.values())


@lru_cache(maxsize=1024)
def compiled(text: str) -> Query:
    """Parse and compile. Raises PromqlError."""
    try:
        tree = ast.parse(text)
    except ValueError as error:
        raise PromqlError(f"parse error: {error}") from error
    if isinstance(tree, ast.MatrixSelector | ast.SubqueryExpr):
        windows = _windows(tree)

        def refuse(moment: Moment) -> Value:
            raise PromqlError('invalid expression type "range vector" here')

        return Query(text, refuse, windows)
    return Query(text, _compile(tree))


def _compile(tree: Any) -> Evaluate:
    if isinstance(tree, ast.NumberLiteral):
        number = float(tree.val)
        return lambda moment: number
    if isinstance(tree, ast.ParenExpr):
        return _compile(tree.expr)
    if isinstance(tree, ast.UnaryExpr):
        return _negated(_compile(tree.expr))
    if isinstance(tree, ast.VectorSelector):
        return _instant_selector(tree)
    if isinstance(tree, ast.AggregateExpr):
        return aggregated(tree, _compile(tree.expr), _compile(tree.param) if tree.param is not None else None)
    if isinstance(tree, ast.BinaryExpr):
        return combined(tree, _compile(tree.lhs), _compile(tree.rhs))
    if isinstance(tree, ast.Call):
        return _function(tree)
    raise PromqlError(f"not supported here: {type(tree).__name__}")


def _negated(inner: Evaluate) -> Evaluate:
    def negate(moment: Moment) -> Value:
        value = inner(moment)
        return [(bare(labels), -x) for labels, x in value] if isinstance(value, list) else -value

    return negate


def _matchers(selector: Any) -> tuple[tuple[str, str, str], ...]:
    if selector.at is not None:
        raise PromqlError("the @ modifier is not supported here")
    return tuple((m.name, next(sign for op, sign in MATCH if op == m.op), m.value) for m in selector.matchers.matchers)


def _offset(tree: Any) -> float:
    return float(tree.offset.total_seconds()) if tree.offset is not None else 0.0


def _instant_selector(selector: Any) -> Evaluate:
    name, matchers, offset = selector.name, _matchers(selector), _offset(selector)

    def select(moment: Moment) -> Vector:
        at = moment.at - offset
        found = ((s, s.at(at)) for s in moment.metrics.select(name, matchers))
        return [({"__name__": s.name, **s.labels}, value) for s, value in found if value is not None]

    return select


def _windows(tree: Any) -> Select:
    if isinstance(tree, ast.SubqueryExpr):
        return _subquery(tree)
    if not isinstance(tree, ast.MatrixSelector):
        raise PromqlError("expected a range vector, such as x[5m]")
    selector = tree.vector_selector
    name, matchers, offset = selector.name, _matchers(selector), _offset(selector)
    length = tree.range.total_seconds()

    def windows(moment: Moment) -> Windows:
        end = moment.at - offset
        found = ((s, s.window(end - length, end)) for s in moment.metrics.select(name, matchers))
        return [({"__name__": s.name, **s.labels}, samples) for s, samples in found if samples]

    return windows


def _subquery(tree: Any) -> Select:
    inner = _compile(tree.expr)
    length, offset = tree.range.total_seconds(), _offset(tree)
    step = tree.step.total_seconds() if tree.step is not None else 60.0

    def windows(moment: Moment) -> Windows:
        end = moment.at - offset
        at = (math.floor((end - length) / step) + 1) * step
        rows: dict[tuple[tuple[str, str], ...], tuple[dict[str, str], list[Sample]]] = {}
        while at <= end:
            value = inner(Moment(moment.metrics, at))
            for labels, x in value if isinstance(value, list) else [({}, value)]:
                rows.setdefault(tuple(sorted(labels.items())), (dict(labels), []))[1].append((at, x))
            at += step
        return list(rows.values())

    return windows


def _function(tree: Any) -> Evaluate:
    name, args = tree.func.name, list(tree.args)
    if name in RATES:
        return _rate(name, args[0])
    if name in OVER_TIME:
        return _over_time(name, args)
    if name in OVER_VECTOR or name in ROUNDING:
        return _over_vector(name, args)
    if name == "histogram_quantile":
        quantile, buckets = _compile(args[0]), _compile(args[1])
        return lambda moment: histogram_quantile(_number(quantile(moment)), _vector(buckets(moment)))
    if name == "time":
        return lambda moment: moment.at
    if name == "vector":
        number = _compile(args[0])
        return lambda moment: [({}, _number(number(moment)))]
    if name == "scalar":
        one = _compile(args[0])
        return lambda moment: _scalar(_vector(one(moment)))
    if name in {"absent", "absent_over_time"}:
        return _absent(args[0])
    raise PromqlError(f'unknown function with name "{name}"')


def _rate(name: str, arg: Any) -> Evaluate:
    """The rate family; over a plain selector it needs no list of samples, which keeps range queries quick."""
    length = arg.range.total_seconds()
    if isinstance(arg, ast.SubqueryExpr) or name not in {"rate", "increase"}:
        windows, offset = _windows(arg), _offset(arg if isinstance(arg, ast.SubqueryExpr) else arg.vector_selector)

        def from_samples(moment: Moment) -> Vector:
            end = moment.at - offset
            found = ((labels, rate_of(name, samples, end - length, end)) for labels, samples in windows(moment))
            return [(bare(labels), value) for labels, value in found if value is not None]

        return from_samples
    selector = arg.vector_selector
    metric, matchers, offset = selector.name, _matchers(selector), _offset(selector)

    def from_series(moment: Moment) -> Vector:
        end = moment.at - offset
        start = end - length
        spans: dict[int, tuple[int, int]] = {}
        result: Vector = []
        for series in moment.metrics.select(metric, matchers):
            times = series.times
            span = spans.get(id(times))
            if span is None:
                span = spans[id(times)] = series.span_of_times(start, end)
            if series.kind == "recorded":
                value = rate_of("increase", series.window(start, end), start, end)
            else:
                value = series.increase(max(series.born, span[0]), span[1], start, end)
            if value is not None:
                result.append((series.labels, value / length if name == "rate" else value))
        return result

    return from_series


def _over_time(name: str, args: list[Any]) -> Evaluate:
    fold = OVER_TIME[name]
    parameter = _compile(args[0]) if name == "quantile_over_time" else None
    windows = _windows(args[-1])
    keep = name == "last_over_time"

    def over_time(moment: Moment) -> Vector:
        q = _number(parameter(moment)) if parameter else 0.0
        return [(labels if keep else bare(labels), fold(samples, q)) for labels, samples in windows(moment)]

    return over_time


def _over_vector(name: str, args: list[Any]) -> Evaluate:
    inner = _compile(args[0])
    parameters = [_compile(arg) for arg in args[1:]]
    if name in ROUNDING:
        function = ROUNDING[name]

        def each(moment: Moment) -> Vector:
            numbers = [_number(p(moment)) for p in parameters]
            return [(bare(labels), function(value, *numbers)) for labels, value in _vector(inner(moment))]

        return each
    whole = OVER_VECTOR[name]
    return lambda moment: whole(_vector(inner(moment)))


def _absent(arg: Any) -> Evaluate:
    selector = arg.vector_selector if isinstance(arg, ast.MatrixSelector) else arg
    found = _windows(arg) if isinstance(arg, ast.MatrixSelector | ast.SubqueryExpr) else _compile(arg)
    labels = {}
    if isinstance(selector, ast.VectorSelector):
        labels = {label: value for label, operator, value in _matchers(selector) if operator == "=" and label != "__name__"}
    return lambda moment: [] if found(moment) else [(labels, 1.0)]


def _number(value: Value) -> float:
    if isinstance(value, list):
        raise PromqlError("expected type scalar in call to function, got instant vector")
    return value


def _vector(value: Value) -> Vector:
    if not isinstance(value, list):
        raise PromqlError("expected type instant vector in call to function, got scalar")
    return value


def _scalar(vector: Vector) -> float:
    return vector[0][1] if len(vector) == 1 else math.nan
