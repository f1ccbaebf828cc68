"""The ledger as it is kept by default, in a file, and as it is kept in a deployment, on a real PostgreSQL."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.ledger.ledger import Ledger
from tests.stores import databases

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def on_postgresql() -> str:
    """The address of a new, empty database there."""
    return databases.server().url(database=databases.database())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return on_postgresql() if request.param == "postgresql" else f"sqlite:///{tmp_path}/deep/ledger.db"


@pytest.fixture
def ledger(url: str) -> Ledger:
    book = Ledger(url, now=lambda: NOON)
    book.migrate()
    return book
