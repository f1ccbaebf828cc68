"""Queues of RabbitMQ: what its management API says, and what it is not asked. The practice face, and Debian's own server where it is installed."""

import asyncio
import base64
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from activities.action import Refused
from activities.kit.http import HttpClient
from activities.queues.celery import Catalogued
from activities.queues.holding import Consumers
from activities.queues.holding import pause as paused
from activities.queues.queues import CensusOf, JobsOf, Queues, WorkOf
from activities.queues.rabbitmq import RabbitMQ
from practice.jobs import faults
from practice.jobs.work import Work
from starters.gameday.processes import free_ports
from tests.activities.kit.stage import FollowingClock, refused, stage, tried

KNOWN = Catalogued.read("interactive=critical:60:product:yes, reports=deferrable:14400:analytics:yes, gone=standard:60:nobody")
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
BASIC = {"Authorization": "Basic practice-token"}


async def test_depths_rates_and_what_is_in_flight_are_the_brokers_own() -> None:
    played = stage()
    faults.break_(played.world.state.part(Work), "hot_tenant", "interactive", "cedar-homes", None, played.world.clock.now(), None)
    played.world.clock.show(played.world.clock.now() + 300)
    played.world.advance()
    queues = Queues(RabbitMQ(played.client("/rabbitmq", **BASIC), "jobs", KNOWN))
    work = await queues.work(WorkOf(broker="rabbitmq"), played.call())
    interactive, gone = work.of("interactive"), work.of("gone")
    assert interactive is not None and (interactive.depth or 0) > 100 and (interactive.drains_in or 0) == float("inf")
    assert interactive.oldest_age_seconds is None, "it shows no age where producers give none, and none is made up"
    assert gone is not None and gone.depth is None and gone.workers is None, "a queue that the broker does not list is unknown"
    census = await queues.census(CensusOf(broker="rabbitmq"), played.call())
    assert census.waiting >= (interactive.depth or 0) and census.balanced is None


async def test_the_oldest_message_is_as_old_as_its_producer_says() -> None:
    played = stage()
    work = played.world.state.part(Work)
    faults.break_(work, "hot_tenant", "interactive", "cedar-homes", None, played.world.clock.now(), None)
    played.world.clock.show(played.world.clock.now() + 300)
    played.world.advance()
    work.queues["interactive"].stamped = True
    queues = Queues(RabbitMQ(played.client("/rabbitmq", **BASIC), "jobs", KNOWN))
    oldest = played.world.clock.now() - min(job.at for job in work.queues["interactive"].waiting)
    seen = (await queues.work(WorkOf(broker="rabbitmq"), played.call())).of("interactive")
    assert seen is not None and oldest > 10 and seen.oldest_age_seconds == pytest.approx(oldest, abs=1.0)
    early = (await queues.work(WorkOf(broker="rabbitmq"), played.call(later=-3600))).of("interactive")
    assert early is not None and early.oldest_age_seconds is None, "a stamp of the future says nothing"


async def test_consumers_that_acknowledge_nothing_are_done_with_what_they_were_given() -> None:
    """Otherwise a queue that is served well looks as if nobody did anything."""
    played = stage()
    work = played.world.state.part(Work)
    faults.break_(work, "hot_tenant", "interactive", "cedar-homes", None, played.world.clock.now(), None)
    played.world.clock.show(played.world.clock.now() + 300)
    played.world.advance()
    queues = Queues(RabbitMQ(played.client("/rabbitmq", **BASIC), "jobs", KNOWN))
    rates = []
    for acks in (True, False):
        work.queues["interactive"].acks = acks
        seen = (await queues.work(WorkOf(broker="rabbitmq"), played.call())).of("interactive")
        rates.append(seen.completions_per_second if seen is not None else None)
    assert rates[0] == rates[1] and (rates[0] or 0.0) > 0.0


async def test_what_it_cannot_is_refused_in_words_and_no_message_is_disturbed() -> None:
    played = stage()
    rabbit = RabbitMQ(played.client("/rabbitmq", **BASIC), "jobs", KNOWN)
    with pytest.raises(Refused, match="only by delivering it"):
        await Queues(rabbit).jobs(JobsOf(queue="interactive", broker="rabbitmq"), played.call())
    consumers = Consumers(rabbit, FollowingClock())
    why = await refused(lambda: tried(Consumers.change, consumers, paused("reports", "rabbitmq"), played.call(key="k")))
    assert "whoever runs the consumers" in why


@contextlib.contextmanager
def real_rabbit(home: Path) -> Iterator[str]:
    """Debian's server on loopback, with its management API; the address of that. It is ended with its whole group."""
    amqp, api, dist, epmd = free_ports(4)
    (home / "enabled_plugins").write_text("[rabbitmq_management].")
    lines = f"listeners.tcp.1 = 127.0.0.1:{amqp}", "management.tcp.ip = 127.0.0.1", f"management.tcp.port = {api}"
    (home / "rabbit.conf").write_text("\n".join(lines) + "\n")
    environment = {
        **os.environ, "HOME": str(home), "RABBITMQ_NODENAME": f"judge{api}@localhost", "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbit"), "RABBITMQ_DIST_PORT": str(dist), "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd), "ERL_EPMD_RELAXED_COMMAND_CHECK": "1", "RABBITMQ_CONF_ENV_FILE": "/dev/null",
    }  # fmt: skip
    process = subprocess.Popen(
        [str(SERVER)], env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield f"http://127.0.0.1:{api}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait(20)
        subprocess.run(["epmd", "-port", str(epmd), "-kill"], env=environment, capture_output=True, check=False)


@pytest.mark.processes
@pytest.mark.skipif(not SERVER.exists() or shutil.which("erl") is None, reason="apt-get install rabbitmq-server")
async def test_debians_rabbitmq_says_the_same(tmp_path: Path) -> None:
    guest = {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}
    with real_rabbit(tmp_path) as url:
        async with httpx.AsyncClient(base_url=url, headers=guest, timeout=5.0) as api:
            until = time.monotonic() + 60
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await api.get("/api/overview")).status_code == 200:
                        break
                assert time.monotonic() < until, "it did not start"
                await asyncio.sleep(0.2)
            for name in ("interactive", "reports"):
                (await api.put(f"/api/queues/%2F/{name}", json={"durable": True})).raise_for_status()
            for n in range(3):
                body = {"properties": {}, "routing_key": "interactive", "payload": str(n), "payload_encoding": "string"}
                assert (await api.post("/api/exchanges/%2F/amq.default/publish", json=body)).json() == {"routed": True}
            played = stage()
            queues = Queues(RabbitMQ(HttpClient(url, guest), "/", KNOWN))
            while (found := (await queues.work(WorkOf(broker="rabbitmq"), played.call())).of("interactive")) is None or found.depth != 3:
                assert time.monotonic() < until, found
                await asyncio.sleep(0.5)
            assert found.in_flight == 0 and found.workers == 0
            assert (await queues.census(CensusOf(broker="rabbitmq"), played.call())).waiting == 3
