"""Debian's PostgreSQL 15 as a judge: the failover's client, row security and the stores themselves, on it instead of the wheel's newer one."""

from collections.abc import Sequence
from pathlib import Path

from practice.stores.postgres import PROGRAMS
from tests.judges.verdicts import Judge, Program, Verdict, suite, version

BIN = Path("/usr/lib/postgresql/15/bin")
SERVER = Program(str(BIN / "postgres"), "postgresql-15")
TESTS = (
    "tests/stores/test_postgres.py",
    "tests/activities/databases/test_postgresql.py",
    "tests/activities/row_security/test_postgresql_catalogue.py",
    "tests/playbooks/database_failover/test_real.py",
)


async def run(folder: Path) -> Sequence[Verdict]:
    said = version(str(BIN / "postgres"))
    return [suite("the clients of PostgreSQL, by Debian's PostgreSQL 15", TESTS, {PROGRAMS: str(BIN)}, said)]


JUDGE = Judge("postgresql", run, (SERVER,))
