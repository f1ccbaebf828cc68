"""Every order that there is, built from its own fields: the same order with any text in all of its strings."""

import importlib
import pkgutil
import types
import typing
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

import activities
from activities.action import Order

AT = datetime(2026, 11, 24, 14, 7, tzinfo=UTC)
VARIANTS = 3  # every choice is made in so many ways: which of several words, whether what may be left out is there


def every_order() -> list[type[Order]]:
    """Every order that can be given: those that say what they do."""
    for found in pkgutil.walk_packages(activities.__path__, "activities."):
        if ".migrations" not in found.name:
            importlib.import_module(found.name)
    known = sorted(_below(Order), key=lambda one: (one.__module__, one.__name__))
    return [
        one for one in known if (one.effect is not Order.effect or one.does) and one.__module__.startswith("activities.") and _whole(one)
    ]


def room(kind: type[Order]) -> str:
    """Where an order belongs: its system. The kit's own orders belong to what they are about."""
    arguments = kind.__pydantic_generic_metadata__["args"]
    return (arguments[0] if arguments else kind).__module__.split(".")[1]


def _whole(kind: type[Order]) -> bool:
    """Whether nothing is left open: a form of the kit is an order only with a setting in it."""
    form = kind.__pydantic_generic_metadata__
    return not form["parameters"] and Any not in form["args"]


def _below(kind: type[Order]) -> Iterator[type[Order]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


class Filled:
    """Builds values. Every string is `text` and a number of its own, so that two of them are never the same and their order never changes."""

    def __init__(self, text: str, variant: int) -> None:
        self.text = text
        self.variant = variant
        self.strings: list[str] = []

    def order(self, kind: type[Order]) -> Order:
        made = self._model(kind)
        assert isinstance(made, Order)
        return made

    def _model(self, kind: type[BaseModel]) -> BaseModel:
        given: dict[str, Any] = {}
        for name, field in kind.model_fields.items():
            value = self._value(field.annotation, field.default)
            if value is not None or field.is_required():
                given[name] = value
        return kind(**given)

    def _string(self) -> str:
        self.strings.append(f"{self.text}{len(self.strings):03}")
        return self.strings[-1]

    def _value(self, kind: Any, default: Any) -> Any:
        origin, inside = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return self._value(inside[0], default)
        if origin is Literal:
            return inside[self.variant % len(inside)]
        if origin in (typing.Union, types.UnionType):
            some = [one for one in inside if one is not type(None)]
            return None if len(some) < len(inside) and self.variant == 1 else self._value(some[self.variant % len(some)], default)
        if origin in (tuple, list, frozenset, set):
            ends = Ellipsis in inside or origin is not tuple
            return origin(self._value(one, None) for one in ((inside[0],) * 2 if ends else inside))
        if origin is dict:
            return {self._value(inside[0], None): self._value(inside[1], None) for _ in range(2)}
        return self._plain(kind, default)

    def _plain(self, kind: Any, default: Any) -> Any:
        if kind is str:
            return self._string()
        if isinstance(kind, type) and issubclass(kind, Enum):
            members = list(kind)
            return members[self.variant % len(members)]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return self._model(kind)
        if kind is bool:
            return self.variant != 1
        if kind in (int, float):
            return default if isinstance(default, int | float) and default else kind(1)
        known: dict[Any, Any] = {datetime: AT, date: AT.date(), timedelta: timedelta(minutes=5), bytes: b"x"}
        return known[kind] if kind in known else self._string()
