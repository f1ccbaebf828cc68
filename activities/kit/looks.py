"""Orders that only read, declared with their class: the sentences are templates over the order's fields."""

from datetime import timedelta
from typing import Any, ClassVar

from activities.action import Order
from activities.values import Value


class ReadOrder(Order):
    """An order that only reads. `target` and `effect` are declared with the class, as templates: `"service/{service}"`."""

    _target: ClassVar[str] = ""
    _effect: ClassVar[str] = ""

    def __init_subclass__(cls, *, target: str = "", effect: str = "") -> None:
        super().__init_subclass__()
        cls._target, cls._effect = target or cls._target, effect or cls._effect

    def target(self) -> str:
        return filled(self._target, self)

    def effect(self) -> str:
        return filled(self._effect, self)


def filled(template: str, value: Value, **more: object) -> str:
    """A template with the fields of a value in it, and more. A duration is said as `5 min`, several names as `a, b and c`."""
    return template.format_map({**{name: _in_words(field) for name, field in value}, **more})


def span(duration: timedelta) -> str:
    """A duration, as people say it: `3 h`, `5 min`, `90 s`."""
    seconds = int(duration.total_seconds())
    if seconds >= 3600 and seconds % 3600 == 0:
        return f"{seconds // 3600} h"
    return f"{seconds // 60} min" if seconds >= 60 and seconds % 60 == 0 else f"{duration.total_seconds():g} s"


def listed(names: tuple[str, ...]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def _in_words(value: Any) -> Any:
    if isinstance(value, timedelta):
        return span(value)
    return listed(value) if isinstance(value, tuple) else value
