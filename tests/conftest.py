"""What is waited for comes first: real servers, browsers and Prometheus take time and little of the processor, and the rest runs beside them."""

import gc
import os
import sys

import pytest
from hypothesis import settings

WAITS = ("processes", "browser", "prometheus")

# Compiled modules are kept, also where the environment forbids it: every test process and every sandbox would compile them again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.register_profile("no deadline", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("no deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order within each of the two is as it was."""
    items.sort(key=lambda item: not any(item.get_closest_marker(mark) for mark in WAITS))


def pytest_collection_finish() -> None:
    """What was imported stays: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # a test process is short: looking less often saves a tenth of its time
