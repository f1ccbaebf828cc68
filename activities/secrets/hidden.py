"""A secret in our memory, for as long as one attempt takes: it says nothing of itself, whoever prints it or puts it into an error."""

from typing import Any, NoReturn


class Hidden:
    """Wraps a secret. `reveal` is called where it is sent, and nowhere else."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "[redacted]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and other._value == self._value

    def __hash__(self) -> int:
        return hash(type(self))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")

    def __get_pydantic_core_schema__(self, *_: Any) -> NoReturn:
        raise TypeError("a secret is part of no order and of no answer")
