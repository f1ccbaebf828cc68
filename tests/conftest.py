"""What holds for every test."""

import pytest


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """A set has no order, and the two processes that share the suite must call a test by the same name."""
    return "|".join(sorted(map(str, val))) if isinstance(val, set | frozenset) else None
