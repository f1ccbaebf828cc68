"""Debian's RabbitMQ as a judge: our client reads what really waits, is in flight, comes and is done there; our face shows it in the same fields."""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from activities.action import Call, NotYet
from activities.kit.http import HttpClient
from activities.queues.celery import Catalogued
from activities.queues.rabbitmq import RabbitMQ
from practice.world.stage import served
from tests.activities.queues.test_rabbitmq import SERVER, real_rabbit
from tests.judges.verdicts import Findings, Judge, Program, Verdict, installed, version

AMQP = "5.4.2"
STARTS_WITHIN, SHOWN_WITHIN = 60.0, 30.0  # seconds; the broker counts every five
GUEST = {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}
KNOWN = Catalogued.read("interactive=critical:60:product:yes, reports=deferrable:14400:analytics:yes, gone=standard:60:nobody")
OLD = 600  # seconds: how long the oldest message has waited, as its producer says

# A producer and its consumers, by py-amqp: each line of its input is one thing to do.
PRODUCT = """
import sys, time, amqp
connection = amqp.Connection(f"127.0.0.1:{sys.argv[1]}"); connection.connect()
channel, held, working = connection.channel(), [], False
for queue in ("interactive", "reports"):
    channel.queue_declare(queue, durable=True, auto_delete=False)
    channel.queue_declare(f"{queue}.parked.poison", durable=True, auto_delete=False)
def put(queue, n, age):
    for number in range(n):
        channel.basic_publish(amqp.Message(str(number), timestamp=int(time.time() - age)), routing_key=queue)
def works(queue, ends, no_ack):
    channel.basic_qos(0, 2, False)
    def one(message):
        held.append(message)
        if ends and not no_ack:
            channel.basic_ack(message.delivery_tag)
    channel.basic_consume(queue, callback=one, no_ack=no_ack)
def step(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            connection.drain_events(timeout=0.05)
        except TimeoutError:
            pass
for line in sys.stdin:
    what, *words = line.split()
    if what == "put":
        put(words[0], int(words[1]), float(words[2]))
    elif what == "hold":
        works(words[0], False, False)
    elif what == "work":
        works(words[0], True, words[1] == "no_ack")
    elif what == "flow":
        until = time.monotonic() + float(words[1])
        while time.monotonic() < until:
            put(words[0], 1, 0)
            step(0.1)
    step(0.3)
    print("done", flush=True)
"""


@contextlib.asynccontextmanager
async def product(python: str, amqp: int) -> AsyncIterator[Any]:
    """Say to it what it does; it has done so when the call returns."""
    running = await asyncio.create_subprocess_exec(
        python, "-c", PRODUCT, str(amqp), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    given, told = running.stdin, running.stdout
    assert given is not None and told is not None

    async def does(line: str) -> None:
        given.write(f"{line}\n".encode())
        await given.drain()
        assert (await told.readline()) == b"done\n", line

    try:
        yield does
    finally:
        running.kill()
        await running.wait()


async def _listed(api: httpx.AsyncClient, within: float, what: Any) -> dict[str, Any]:
    """What the broker lists, once that is so; the last it said where it never was."""
    until = time.monotonic() + within
    while True:
        found = {str(one["name"]): one for one in (await api.get("/api/queues/%2F")).json()}
        if what(found) or time.monotonic() > until:
            return found
        await asyncio.sleep(0.5)


async def _starts(api: httpx.AsyncClient) -> int:
    """The port at which it speaks AMQP."""
    until = time.monotonic() + STARTS_WITHIN
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = await api.get("/api/overview")
            if answer.status_code == 200 and (at := [one["port"] for one in answer.json()["listeners"] if one["protocol"] == "amqp"]):
                return int(at[0])
        if time.monotonic() > until:
            raise TimeoutError("RabbitMQ did not start")
        await asyncio.sleep(0.3)


async def judged(url: str, python: str, findings: Findings) -> None:
    call, expect = _call(), findings.expect
    async with httpx.AsyncClient(base_url=url, headers=GUEST, timeout=10.0, trust_env=False) as api, HttpClient(url, GUEST) as http:
        client = RabbitMQ(http, "/", KNOWN)
        async with product(python, await _starts(api)) as does:
            await does(f"put interactive 5 {OLD}")
            await does("put interactive.parked.poison 2 0")
            await _listed(api, SHOWN_WITHIN, lambda found: found["interactive"].get("messages_ready") == 5)
            seen = await _queues(client)
            expect("what waits is read", seen["interactive"]["depth"] == 5, seen["interactive"])
            age = seen["interactive"]["oldest_age_seconds"]
            expect("and how old the oldest is, by its producer's word", age is not None and abs(age - OLD) < 60, age)
            expect("a queue with nothing in it has no age", (seen["reports"]["depth"], seen["reports"]["oldest_age_seconds"]) == (0, 0.0))
            expect("what is not listed is unknown", seen["gone"]["depth"] is None and seen["gone"]["workers"] is None, seen["gone"])
            expect("what is parked is counted", seen["interactive"]["parked"] == 2, seen["interactive"])
            expect("without consumers there are none", seen["interactive"]["workers"] == 0, seen["interactive"])
            await does("hold interactive")
            await _listed(api, SHOWN_WITHIN, lambda found: found["interactive"].get("messages_unacknowledged") == 2)
            seen = await _queues(client)
            held = (seen["interactive"]["depth"], seen["interactive"]["in_flight"], seen["interactive"]["workers"])
            expect("what is in flight and who consumes is read", held == (3, 2, 1), held)
            census = await client.get(call, "/v1/census")
            expect("the census counts all", (census["waiting"], census["in_flight"], census["parked"]) == (3, 2, 2), census)
        await _listed(api, SHOWN_WITHIN, lambda found: found["interactive"].get("messages_ready") == 5)
        async with product(python, await _starts(api)) as does:
            for how, wanted in (("ack", "with acknowledgement"), ("no_ack", "without")):
                queue = "interactive" if how == "ack" else "reports"
                await does(f"work {queue} {how}")
                await does(f"flow {queue} 12")
                seen = await _queues(client)
                rates = [seen[queue][name] or 0.0 for name in ("arrivals_per_second", "completions_per_second")]
                expect(f"what comes and what is done in a second is read, {wanted}", all(2.0 < rate < 20.0 for rate in rates), seen[queue])
        listed = await _listed(api, 0, lambda found: True)
        await _face(listed["interactive"], findings)


def _call() -> Call:
    return Call(incident_id="inc-20261123-queues", key="k", at=datetime.now(UTC))


async def _queues(client: RabbitMQ) -> dict[str, Any]:
    try:
        return {one["name"]: one for one in (await client.get(_call(), "/v1/work"))["queues"]}
    except NotYet as why:
        return {name: {"why": str(why)} for name in KNOWN}


async def _face(real: dict[str, Any], findings: Findings) -> None:
    """Every field that our client reads is in both, and of the same type."""
    async with served() as played, httpx.AsyncClient(base_url=played.url, trust_env=False) as face:
        ours = (await face.get("/rabbitmq/api/queues/jobs", headers={"Authorization": "Basic practice-token"})).json()[0]
        bare = [(await face.get("/rabbitmq/api/queues/jobs")).status_code]
    for name in ("name", "vhost", "state", "type", "messages", "messages_ready", "messages_unacknowledged", "consumers"):
        findings.expect(f"the face has {name} as it has", type(ours.get(name)) is type(real.get(name)), (real.get(name), ours.get(name)))
    for what in ("publish", "ack", "redeliver"):
        rates = [one["message_stats"].get(f"{what}_details", {}).get("rate") for one in (real, ours)]
        findings.expect(f"and the rate of {what}", all(isinstance(one, (int, float)) for one in rates), rates)
    findings.expect("without a password the face says 401, as it does", bare == [401], bare)


async def run(folder: Path) -> Sequence[Verdict]:
    findings = Findings()
    bin_folder = await asyncio.to_thread(installed, "rabbitmq", f"amqp=={AMQP}")
    with real_rabbit(folder) as url:
        await judged(url, str(bin_folder / "python"), findings)
    package = version("dpkg-query", "-W", "-f", "${Package} ${Version}", "rabbitmq-server")
    return [findings.verdict("RabbitMQ's client, and `/rabbitmq` beside it, by Debian's RabbitMQ", f"rabbitmq-server # {package}")]


JUDGE = Judge("rabbitmq", run, (Program(str(SERVER), "rabbitmq-server"), Program("erl", "rabbitmq-server")))
