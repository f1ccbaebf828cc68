"""Verbs that are derived: one piece of code, declared once for every system that stands on it, with that system's own types and names."""

from collections.abc import Awaitable, Callable
from typing import Any, get_args, get_origin

from activities.action import Call, action

Body = Callable[[Any, Any, Call], Awaitable[Any]]


def derive(system: type, attribute: str, body: Body, name: str, order: Any, answer: Any, **declared: Any) -> None:
    """Give `system` the verb `name` as `attribute`. The annotations are the real types: Temporal reads orders and answers by them."""

    async def verb(self: Any, order: Any, call: Call) -> Any:
        return await body(self, order, call)

    verb.__doc__, verb.__name__, verb.__qualname__ = body.__doc__, attribute, f"{system.__qualname__}.{attribute}"
    verb.__module__ = system.__module__
    verb.__annotations__ = {"order": order, "call": Call, "return": answer}
    setattr(system, attribute, action(name, **declared)(verb))


def arguments(cls: type, base: type) -> tuple[Any, ...]:
    """With which types a class fills in the parameters of a generic base, also through generic classes between."""
    for parent in getattr(cls, "__orig_bases__", ()):
        origin, given = get_origin(parent), get_args(parent)
        if origin is base:
            return given
        if isinstance(origin, type) and issubclass(origin, base):
            filled = dict(zip(getattr(origin, "__parameters__", ()), given, strict=False))
            return tuple(filled.get(one, one) for one in arguments(origin, base))
    raise TypeError(f"{cls.__name__} does not say which {base.__name__} it is")
