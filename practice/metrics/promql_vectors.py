"""PromQL operators: binary ones between vectors, and aggregations (prometheus.io/docs/prometheus/latest/querying/operators)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import promql_parser as ast

from practice.metrics.promql_functions import quantile
from practice.metrics.promql_words import Evaluate, Labels, Moment, PromqlError, Value, Vector, bare

Key = tuple[tuple[str, str], ...]


def _divided(a: float, b: float) -> float:
    if b != 0:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _power(a: float, b: float) -> float:
    try:
        return float(a**b)
    except (OverflowError, ZeroDivisionError):
        return math.inf


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
    "%": lambda a, b: math.fmod(a, b) if b else math.nan,
    "^": _power,
}
COMPARISON: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
GROUPINGS = [ast.VectorMatchCardinality.ManyToOne, ast.VectorMatchCardinality.OneToMany]
SETS = ("and", "or", "unless")


def combined(tree: Any, left: Evaluate, right: Evaluate) -> Evaluate:
    sign, modifier = str(tree.op), tree.modifier
    key = _matching(modifier)
    if modifier is not None and modifier.card in GROUPINGS:
        raise PromqlError("group_left and group_right are not supported here")
    if sign in SETS:
        return lambda moment: _set(sign, _rows(left(moment)), _rows(right(moment)), key)
    as_bool = modifier is not None and bool(modifier.return_bool)

    def evaluate(moment: Moment) -> Value:
        return _binary(sign, left(moment), right(moment), as_bool, key)

    return evaluate


def _rows(value: Value) -> Vector:
    if not isinstance(value, list):
        raise PromqlError("set operators work on instant vectors only")
    return value


def _matching(modifier: Any) -> Callable[[Labels], Key]:
    """Which labels must agree for two rows to match."""
    matching = modifier.matching if modifier is not None else None
    if matching is None:
        return lambda labels: tuple(sorted(bare(labels).items()))
    names = sorted(matching.labels)
    if matching.type == ast.LabelModifierType.Include:
        return lambda labels: tuple((name, labels.get(name, "")) for name in names)
    ignored = {*names, "__name__"}
    return lambda labels: tuple(sorted((k, v) for k, v in labels.items() if k not in ignored))


def _set(sign: str, left: Vector, right: Vector, key: Callable[[Labels], Key]) -> Vector:
    if sign == "or":
        have = {key(labels) for labels, _ in left}
        return left + [row for row in right if key(row[0]) not in have]
    there = {key(labels) for labels, _ in right}
    return [row for row in left if (key(row[0]) in there) == (sign == "and")]


def _binary(sign: str, left: Value, right: Value, as_bool: bool, key: Callable[[Labels], Key]) -> Value:
    if not isinstance(left, list) and not isinstance(right, list):
        return ARITHMETIC[sign](left, right) if sign in ARITHMETIC else float(COMPARISON[sign](left, right))
    if not isinstance(right, list):
        number = right
        return [row for labels, v in _rows(left) for row in _row(sign, labels, v, number, v, as_bool)]
    if not isinstance(left, list):
        number = left
        return [row for labels, v in right for row in _row(sign, labels, number, v, v, as_bool)]
    return _matched(sign, left, right, as_bool, key)


def _row(sign: str, labels: Labels, a: float, b: float, kept: float, as_bool: bool) -> Vector:
    """One result row, or none when a comparison filters it out; a filter keeps the row as it was."""
    if sign in ARITHMETIC:
        return [(bare(labels), ARITHMETIC[sign](a, b))]
    holds = COMPARISON[sign](a, b)
    if as_bool:
        return [(bare(labels), float(holds))]
    return [(labels, kept)] if holds else []


def _matched(sign: str, left: Vector, right: Vector, as_bool: bool, key: Callable[[Labels], Key]) -> Vector:
    partners: dict[Key, float] = {}
    for labels, value in right:
        match = key(labels)
        if match in partners:
            raise PromqlError(
                "found duplicate series for the match group on the right side of the operation; many-to-many matching not allowed"
            )
        partners[match] = value
    result: Vector = []
    used: set[Key] = set()
    for labels, value in left:
        match = key(labels)
        if match not in partners:
            continue
        if match in used:
            raise PromqlError("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")
        used.add(match)
        filters = sign in COMPARISON and not as_bool
        result += _row(sign, labels if filters else dict(match), value, partners[match], value, as_bool)
    return result


def _numbers(values: list[float]) -> list[float]:
    """The least and the greatest are taken among what is a number, as Prometheus does."""
    return [value for value in values if not math.isnan(value)]


FOLD: dict[str, Callable[[list[float]], float]] = {
    "sum": lambda values: float(sum(values)),
    "avg": lambda values: sum(values) / len(values),
    "min": lambda values: min(_numbers(values), default=math.nan),
    "max": lambda values: max(_numbers(values), default=math.nan),
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
}


def aggregated(tree: Any, inner: Evaluate, parameter: Evaluate | None) -> Evaluate:
    """An aggregation, by or without labels."""
    sign, key = str(tree.op), _grouping(tree.modifier)
    if sign not in FOLD and sign not in {"topk", "bottomk", "quantile"}:
        raise PromqlError(f"the aggregation {sign} is not supported here")

    def evaluate(moment: Moment) -> Vector:
        groups: dict[Key, Vector] = {}
        for row in _rows(inner(moment)):
            groups.setdefault(key(row[0]), []).append(row)
        if sign in FOLD:
            fold = FOLD[sign]
            return [(dict(by), fold([value for _, value in rows])) for by, rows in groups.items()]
        number = parameter(moment) if parameter else math.nan
        if isinstance(number, list):
            raise PromqlError(f"the parameter of {sign} must be a scalar")
        if sign == "quantile":
            return [(dict(by), quantile(number, [value for _, value in rows])) for by, rows in groups.items()]
        best = sign == "topk"
        ranked = (sorted(rows, key=lambda row: row[1], reverse=best) for rows in groups.values())
        return [row for rows in ranked for row in rows[: int(number)]]

    return evaluate


def _grouping(modifier: Any) -> Callable[[Labels], Key]:
    if modifier is None:
        return lambda labels: ()
    names = sorted(modifier.labels)
    if modifier.type == ast.AggModifierType.By:
        return lambda labels: tuple((name, labels[name]) for name in names if name in labels)
    dropped = {*names, "__name__"}
    return lambda labels: tuple(sorted((k, v) for k, v in labels.items() if k not in dropped))
