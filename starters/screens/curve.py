"""The curve that matters, as a picture of characters: a line in the terminal, a chart in the document. And the matrix: who with whom."""

from collections.abc import Sequence
from datetime import datetime

from workflows.status import DrawnCurve, DrawnMatrix

BARS = "▁▂▃▄▅▆▇█"
UNKNOWN = "·"
NARROWEST = 8  # characters of a column of a matrix


def sparkline(curve: DrawnCurve, width: int) -> str:
    """The newest points, each as high as it is among those shown; what is unknown is a dot."""
    values = [value for _, value in curve.points[-width:]]
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    return "".join(UNKNOWN if value is None else _bar(value, low, high) for value in values)


def height(curve: DrawnCurve, value: float | None) -> str:
    """One height, as people say it."""
    if value is None:
        return "unknown"
    return f"{value:.1%}" if curve.unit == "%" else f"{value:,.4g} {curve.unit}"


def in_words(curve: DrawnCurve) -> str:
    """How high it is now, and what is usual."""
    now = curve.points[-1][1] if curve.points else None
    return f"{height(curve, now)}, usual {height(curve, curve.usual)}"


def chart(curve: DrawnCurve, width: int = 72, rows: int = 8) -> tuple[str, ...]:
    """A chart of characters over the whole time, with its axes. A column is the mean of what falls into it; an empty one is unknown."""
    known = [(at, value) for at, value in curve.points if value is not None]
    if len(known) < 2:
        return ()
    (first, _), (last, _) = curve.points[0], curve.points[-1]
    columns = [_mean(column) for column in _columns(known, first, last, width)]
    low, high = min(0.0, *(value for _, value in known)), max(value for _, value in known)
    if curve.unit == "%":
        low = min(value for _, value in known)
    labels = [height(curve, high - (high - low) * row / (rows - 1)) for row in range(rows)]
    left = max(map(len, labels))
    lines = [
        f"{label:>{left}} │" + "".join(_cell(value, row, rows, low, high) for value in columns).rstrip() for row, label in enumerate(labels)
    ]
    span = f"{first:%m-%d %H:%M} UTC"
    return (*lines, f"{'':>{left}} └" + "─" * width, f"{'':>{left}}  {span}{f'{last:%m-%d %H:%M} UTC':>{width - len(span)}}")


def grid(matrix: DrawnMatrix, width: int, most: int) -> tuple[str, ...]:
    """Rows and columns with the greatest counts first, as many as fit. What is left out is counted under it."""
    rows, columns = (_greatest(matrix, n) for n in (0, 1))
    left = max((len(name) for name in rows[:most]), default=0)
    wide = max((NARROWEST, *map(len, columns[:most])))  # whole names: two tenants may begin alike
    across = columns[: max(1, (width - left - 1) // (wide + 1))][:most]
    counts = {(row, column): n for row, column, n in matrix.cells}
    lines = [f"{'':{left}} " + " ".join(f"{name:>{wide}}" for name in across)]
    lines += [f"{name:{left}} " + " ".join(f"{counts.get((name, column)) or '·':>{wide}}" for column in across) for name in rows[:most]]
    shown = sum((row, column) in counts for row in rows[:most] for column in across)
    hidden = len(matrix.cells) - shown + matrix.more
    return (*lines, f"({hidden} more pairs)") if hidden > 0 else tuple(lines)


def _greatest(matrix: DrawnMatrix, n: int) -> list[str]:
    """The names of the rows (0) or columns (1), those with the most first."""
    totals: dict[str, int] = {}
    for cell in matrix.cells:
        name = str(cell[n])
        totals[name] = totals.get(name, 0) + cell[2]
    return sorted(totals, key=lambda name: (-totals[name], name))


def _columns(known: Sequence[tuple[datetime, float]], first: datetime, last: datetime, width: int) -> list[list[float]]:
    columns: list[list[float]] = [[] for _ in range(width)]
    length = max((last - first).total_seconds(), 1e-9)
    for at, value in known:
        columns[min(width - 1, int((at - first).total_seconds() / length * width))].append(value)
    return columns


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _cell(value: float | None, row: int, rows: int, low: float, high: float) -> str:
    """What of a column falls into one row, counted from the top."""
    if value is None:
        return " "
    eighths = round(8 * rows * (value - low) / (high - low)) if high > low else 1
    filled = max(eighths, 1) - 8 * (rows - 1 - row)
    return " " if filled <= 0 else BARS[min(filled, 8) - 1]


def _bar(value: float, low: float, high: float) -> str:
    return BARS[round((value - low) / (high - low) * (len(BARS) - 1))] if high > low else BARS[0]
