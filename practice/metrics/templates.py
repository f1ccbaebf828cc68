"""The part of Prometheus' alert templates that rules use: `{{ $labels.x }}`, `{{ $value | humanizePercentage }}`.

Format: prometheus.io/docs/prometheus/latest/configuration/template_reference.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_PRINTF = re.compile(r'printf\s+"([^"]*)"(?:\s+(\S+))?')


def filled(text: str, labels: Mapping[str, str], value: float) -> str:
    """The template with its actions carried out; one that is not known stays as it is, to be seen."""

    def act(match: re.Match[str]) -> str:
        first, *functions = [part.strip() for part in match.group(1).split("|")]
        result = _term(first, labels, value)
        for function in functions:
            result = _apply(function, result, labels, value)
        if result is None:
            return match.group(0)
        return result if isinstance(result, str) else f"{result:.4g}" if result != int(result or 0) else f"{result:g}"

    return _ACTION.sub(act, text)


def _term(term: str, labels: Mapping[str, str], value: float) -> str | float | None:
    if term == "$value":
        return value
    if term.startswith("$labels."):
        return labels.get(term.removeprefix("$labels."), "")
    function, _, rest = term.partition(" ")
    if rest and function in HUMANIZE:
        return _apply(function, _term(rest.strip(), labels, value), labels, value)
    if _PRINTF.fullmatch(term):
        return _apply(term, value, labels, value)
    return term[1:-1] if len(term) > 1 and term[0] == term[-1] == '"' else None


def _apply(function: str, result: str | float | None, labels: Mapping[str, str], value: float) -> str | float | None:
    if result is None:
        return None
    printf = _PRINTF.fullmatch(function)
    if printf:
        argument = _term(printf.group(2), labels, value) if printf.group(2) else result
        return printf.group(1) % argument if argument is not None else None
    if function not in HUMANIZE:
        return {"toUpper": str(result).upper(), "toLower": str(result).lower()}.get(function)
    try:
        return HUMANIZE[function](float(result))
    except ValueError:
        return None


def humanize(value: float) -> str:
    """A number with a metric prefix: 1234567 → 1.235M."""
    if value == 0 or math.isnan(value) or math.isinf(value):
        return f"{value:.4g}"
    steps = 0
    while abs(value) >= 1000 and steps < 8:
        value, steps = value / 1000, steps + 1
    while abs(value) < 1 and steps > -8:
        value, steps = value * 1000, steps - 1
    prefix = "kMGTPEZY"[steps - 1] if steps > 0 else "munpfazy"[-steps - 1] if steps < 0 else ""
    return f"{value:.4g}{prefix}"


def humanize_percentage(value: float) -> str:
    """A ratio as a percentage: 0.1234 → 12.34%."""
    return f"{value * 100:.4g}%"


def humanize_duration(value: float) -> str:
    """Seconds as people say them: 3723 → 1h 2m 3s."""
    if math.isnan(value) or math.isinf(value):
        return f"{value:.4g}"
    if abs(value) < 60:
        if abs(value) >= 1 or value == 0:
            return f"{value:.4g}s"
        steps = min(8, max(1, math.ceil(-math.log10(abs(value)) / 3)))
        return f"{value * 1000**steps:.4g}{'munpfazy'[steps - 1]}s"
    sign, seconds = "-" if value < 0 else "", int(abs(value))
    days, hours, minutes, rest = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")]
    while parts[0][0] == 0:
        parts = parts[1:]
    return sign + " ".join(f"{number}{unit}" for number, unit in parts)


HUMANIZE: dict[str, Callable[[float], str]] = {
    "humanize": humanize,
    "humanizePercentage": humanize_percentage,
    "humanizeDuration": humanize_duration,
}
