"""What is waited for comes first: real servers, browsers and Prometheus take time and little of the processor, and the rest runs beside them."""

import pytest

WAITS = ("processes", "browser", "prometheus")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order within each of the two is as it was."""
    items.sort(key=lambda item: not any(item.get_closest_marker(mark) for mark in WAITS))
