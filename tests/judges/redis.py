"""Debian's redis-server as a judge: the tests of the cache's client, with the user and the ACL that we come as, on Redis instead of Valkey."""

import os
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from practice.stores import valkey
from tests.judges.verdicts import Judge, Program, Verdict, suite

SERVER = Program("redis-server", "redis-server")
TESTS = ("tests/activities/caches/test_caches.py", "tests/incident/procedures/test_do_invalidate.py")


async def run(folder: Path) -> Sequence[Verdict]:
    environment = {valkey.PROGRAM: SERVER.found()}
    with patch.dict(os.environ, environment), valkey.running() as server, server.client() as product:
        told = product.info("server")
    said = f"the server says that it is {told.get('server_name', 'redis')} {told['redis_version']}"
    if "valkey_version" in told:
        raise RuntimeError(f"{SERVER.found()} is not Redis: {said}")
    return [suite("the cache's client, by Debian's Redis", TESTS, environment, said)]


JUDGE = Judge("redis", run, (SERVER,))
