"""Celery on Redis or Valkey: its broker's lists, and its remote control, spoken as kombu speaks them (docs.celeryq.dev, docs/queues.md).

The client keeps our contract as far as Celery can. What it cannot is refused, and what it cannot tell is None: Celery counts no arrivals, and
knows no tenants' limits. A worker that is expected and does not answer is unknown. Nothing is purged: what leaves a queue is moved to a list
beside it, message by message, and by a script that moves it once or not at all.
"""

import hashlib
import json
import math
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import unquote

from activities.action import Call, NotYet, Refused
from activities.caches.valkey import Valkey
from activities.kit.http import Conflict
from activities.kit.rest import Json
from activities.queues.control import Broker, QueueControl, cannot, one_queue
from activities.queues.remote_control import SEPARATOR, RemoteControl
from activities.values import Value

PRIORITIES = (0, 3, 6, 9)
MOVE = "if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then redis.call('LPUSH', KEYS[2], ARGV[1]) return 1 end return 0"
MOVE_BACK = MOVE.replace("LPUSH", "RPUSH")
# Which boot of a worker answers. In a container every boot has the same process id, and the uptime is told in whole seconds, some of them late:
# the instant that was noted first stays the name of a boot.
BOOT = """
local kept = redis.call('GET', KEYS[1])
local was = kept and cjson.decode(kept)
local pid, booted = ARGV[1], tonumber(ARGV[2])
if was and was.pid == pid and (booted == nil or math.abs(was.booted - booted) < 5) then return was.booted end
local now = math.max(math.floor(booted or tonumber(ARGV[3])), was and was.booted + 1 or 0)
redis.call('SET', KEYS[1], cjson.encode({pid = pid, booted = now}))
return now
"""
BINS = ("poison", "whole", "expired")
KEPT = "incident.queues"  # what we must remember of a queue: who consumed it, and what is parked of it
MOST = 10_000  # of a list that are looked at: the oldest. How many there are is asked apart


class Catalogued(dict[str, tuple[str | None, float | None, str, bool | None]]):
    """What is known of each queue: class, how long a job may wait (seconds), owner, whether it may be done twice.

    From a setting: `interactive=critical:60:product:yes, reports=deferrable:14400:analytics`. What is not said is unknown.
    """

    @classmethod
    def read(cls, text: str) -> "Catalogued":
        found = cls()
        for entry in filter(None, (one.strip() for one in text.split(","))):
            name, _, said = entry.partition("=")
            kind, may_wait, owner, twice = [*(part.strip() for part in said.split(":")), "", "", "", ""][:4]
            found[name.strip()] = (
                kind or None, float(may_wait) if may_wait else None, owner, {"yes": True, "no": False}.get(twice),
            )  # fmt: skip
        return found


class Kept(Value):
    """What we note of a queue's consumers. `workers`: that take its jobs when nothing is paused; `since`: that did before our last write."""

    workers: tuple[str, ...] = ()
    share: float | None = None  # that our last write wanted
    since: tuple[str, ...] = ()
    from_share: float = 1.0
    heard: bool = False  # by everybody whom it was told: what looks like half of it afterwards is somebody else's
    by: str = ""


class Celery(QueueControl):
    """One app of Celery on one broker. `expected`: the workers that must answer."""

    broker: ClassVar[Broker] = "celery"

    def __init__(self, broker: Valkey, queues: Catalogued, expected: Sequence[str] = (), *, patience: float = 1.5) -> None:
        self._broker, self._queues, self._expected = broker, queues, tuple(expected)
        self.remote = RemoteControl(broker, self._expected, patience)

    # ---- the contract ----

    async def get(self, call: Call, path: str, **asked: Any) -> Json:
        match _parts(path):
            case ["work"]:
                return await self._work()
            case ["census"]:
                return await self._census()
            case ["queues", name, "jobs"]:
                least, limit = int(asked.get("least_attempts") or 0), int(asked.get("limit") or 100)
                rows = [one for one in map(_job, await self._waiting(one_queue(name))) if (one["attempts"] or 0) >= least]
                return {"jobs": rows[:limit]}
            case ["queues", name, "parked"]:
                return {"jobs": [_job(one) for one in reversed(await self._listed(_parking(one_queue(name), asked["bin"])))]}
            case ["queues", name, "consumers"]:
                return await self._consumers(one_queue(name))
            case ["queues", name, "parked", bin]:
                return await self._parked(one_queue(name), bin)
            case ["workers", worker, "stacks"]:
                return await self._doing(worker)
            case ["restarts", *rest]:
                return await self._restart(rest[0]) if rest else {"restarts": await self._restarts(asked["key"])}
            case [*_, what]:
                raise Refused(cannot("celery", what) or f"Celery has no {what}")
        raise Refused(f"Celery has nothing at {path}")

    async def put(self, call: Call, path: str, etag: str, body: Json) -> None:
        if (await self.get(call, path))["etag"] != etag:
            raise Conflict("it was changed since it was read", "")
        match _parts(path):
            case ["queues", name, "consumers"]:
                await self._consume(name, float(body["share"]), call.incident_id)
            case ["queues", name, "parked", bin]:
                await self._park(name, bin, body, call.incident_id)
            case [*_, what]:
                raise Refused(cannot("celery", what) or f"Celery has no {what}")

    async def restart(self, call: Call, worker: str) -> Json:
        """A warm shutdown of one worker: whoever supervises it starts it anew. Told again under the same key, as long as the same boot answers."""
        known = await self._restarts(call.key)
        if known and known[0]["state"] != "unheard":
            return dict(known[0])
        boot = await self._boot(worker)
        if boot is None:
            raise NotYet(f"{worker} does not answer: nobody can say what is ended")
        id = known[0]["id"] if known else uuid.uuid4().hex
        if not known:
            note = {"id": id, "key": call.key, "worker": worker, "boot": boot}
            await self._broker.command("SET", f"{KEPT}.restart.{id}", json.dumps(note))
        await self.remote.told("shutdown", {}, [worker], answers=False)
        return await self._restart(id)

    # ---- looking ----

    async def _work(self) -> Json:
        consumed, stats = await self.remote.told("active_queues"), await self._stats()
        queues = [await self._queue(name, consumed) for name in self._queues]
        names = dict.fromkeys((*self._expected, *sorted(stats)))
        boots = {name: await self._boot(name, stats) for name in names}
        workers = [
            {
                "name": name, "generation": boots[name] or 1, "answered": name in stats,
                "stuck_seconds": None, "job": None,
            }
            for name in names
        ]  # fmt: skip
        size = len(names)
        return {
            "queues": queues,
            "workers": workers,
            "pool": {"workers": size, "most": None, "running": len(stats)},
            "downstream": {},
            "db_connections_free": None,
        }

    async def _queue(self, name: str, consumed: Json) -> Json:
        kind, may_wait, owner, twice = self._queues[name]
        waiting = await self._waiting(name)
        jobs = [_job(one) for one in waiting]
        tenants = Counter(one["tenant"] for one in jobs if one["tenant"])
        ages = [one["age_seconds"] for one in jobs if one["age_seconds"] is not None]
        attempts = Counter(one["attempts"] for one in jobs if one["attempts"])
        whole = sum(tenants.values())
        unanswered = set(self._expected) - set(consumed)
        return {
            "name": name, "kind": kind, "owner": owner, "depth": await self._many(*_keys(name)), "depth_usual": None,
            "oldest_age_seconds": max(ages) if ages else None if jobs else 0.0, "objective_seconds": may_wait, "arrivals_per_second": None,
            "arrivals_usual": None, "completions_per_second": None, "retry_share": None, "expired_share": None,
            "attempts": {str(n): many for n, many in attempts.items()}, "in_flight": len(await self._in_flight(name)),
            "parked": await self._many(*(_parking(name, bin) for bin in BINS)), "idempotent": twice,
            "workers": None if unanswered else sum(name in _names(queues) for queues in consumed.values()),
            "tenants": {tenant: many / whole for tenant, many in tenants.items()} if whole else {},
        }  # fmt: skip

    async def _census(self) -> Json:
        """By message id: what waits, what is held, what is parked. Arrivals and completions the jobs' own records know."""
        waiting, held, parked = list[str](), list[str](), list[str]()
        for name in self._queues:
            waiting += [_job(one)["id"] for one in await self._waiting(name)]
            held += [_job(one)["id"] for one in await self._in_flight(name)]
            for bin in BINS:
                parked += [_job(one)["id"] for one in await self._listed(_parking(name, bin))]
        places = Counter([*waiting, *held, *parked])
        doubled = [id for id, times in places.items() if times > 1]
        return {
            "arrived": None, "completed": None, "waiting": await self._many(*(key for name in self._queues for key in _keys(name))),
            "in_flight": len(held), "parked": await self._many(*(_parking(name, bin) for name in self._queues for bin in BINS)), "expired": None,
            "dead_letters": None, "lost": None, "doubled": doubled,
        }  # fmt: skip

    async def _waiting(self, queue: str) -> list[Json]:
        """The oldest first. An empty queue does not exist: that is a depth of nothing."""
        found = [one for key in _keys(queue) for one in await self._listed(key)]
        return list(reversed(found))

    async def _listed(self, key: str) -> list[Json]:
        """The newest first, and of many the oldest: age beats depth."""
        return [json.loads(one) for one in await self._broker.command("LRANGE", key, -MOST, -1)]

    async def _many(self, *keys: str) -> int:
        return sum([int(await self._broker.command("LLEN", key)) for key in keys])

    async def _in_flight(self, queue: str) -> list[Json]:
        """What workers hold, and have not acknowledged."""
        held = [json.loads(one) for one in await self._broker.command("HVALS", "unacked")]
        return [message for message, _, routing_key in held if routing_key == queue]

    # ---- consumers ----

    async def _consumers(self, queue: str) -> Json:
        base, now, kept = await self._consuming(queue)
        if not base:
            raise Refused(f"no worker takes jobs of {queue}, and none is known that did")
        share, way = _share(base, now, kept), _on_its_way(base, now, kept)
        ours = way is not None or (kept.share is not None and len(now) == _many(kept.share, base))
        return {"share": share, "on_its_way": way, "etag": _etag([base, now, share, way]), "changed_by": kept.by if ours else ""}

    async def _consuming(self, queue: str) -> tuple[list[str], list[str], Kept]:
        """The workers that take its jobs when nothing is paused, those that do now, and what we have asked for last."""
        consumed = await self.remote.told("active_queues")
        if missing := sorted(set(self._expected) - set(consumed)):
            raise NotYet(f"{', '.join(missing)} did not answer: whether it takes jobs of {queue} is unknown")
        now = sorted(worker for worker, queues in consumed.items() if queue in _names(queues))
        kept = Kept.model_validate_json(await self._broker.command("GET", f"{KEPT}.consumers.{queue}") or "{}")
        return sorted({*kept.workers, *now}), now, kept

    async def _consume(self, queue: str, share: float, who: str) -> None:
        """The first of its workers take jobs, the others are told to take none. They forget it when they are restarted.

        Noted first: from where to where. A busy worker lets a command lapse; what only some have heard is known by the note, and continued.
        """
        base, now, kept = await self._consuming(queue)
        going_on = share == kept.share and _on_its_way(base, now, kept) is not None
        since, from_share = (kept.since, kept.from_share) if going_on else (tuple(now), _share(base, now, kept))
        note = Kept(workers=tuple(base), share=share, since=since, from_share=from_share, by=who)
        await self._broker.command("SET", f"{KEPT}.consumers.{queue}", note.model_dump_json())
        many = _many(share, base)
        silent = set[str]()
        for method, meant in (
            ("add_consumer", [one for one in base[:many] if one not in now]),
            ("cancel_consumer", sorted({*base[many:]} & {*now})),
        ):
            silent |= {*meant} - {*await self.remote.told(method, {"queue": queue}, meant)} if meant else set()
        if not silent:
            await self._broker.command("SET", f"{KEPT}.consumers.{queue}", note.model_copy(update={"heard": True}).model_dump_json())

    # ---- parking ----

    async def _parked(self, queue: str, bin: str) -> Json:
        kept = json.loads(await self._broker.command("GET", f"{KEPT}.parked.{queue}.{bin}") or "{}")
        said = {"ids": kept.get("ids", []), "before": kept.get("before"), "everything": kept.get("everything", False)}
        return {**said, "etag": _etag([queue, bin, said, kept.get("written", "")]), "changed_by": kept.get("by", "")}

    async def _park(self, queue: str, bin: str, body: Json, who: str) -> None:
        """What is meant is moved out, what is not meant any more is moved back; the note of it is written last."""
        ids, before, everything = set(body["ids"]), body["before"], body["everything"]
        limit = _seconds(before)

        def meant(message: Json) -> bool:
            job = _job(message)
            at = message["headers"].get("enqueued_at")
            return everything or job["id"] in ids or (limit is not None and at is not None and float(at) < limit)

        parking = _parking(queue, bin)
        await self._moved(parking, queue, MOVE_BACK, lambda message: not meant(message), newest_first=True)
        for key in _keys(queue):
            await self._moved(key, parking, MOVE, meant)
        note = {"ids": sorted(ids), "before": before, "everything": everything, "by": who, "written": uuid.uuid4().hex}
        await self._broker.command("SET", f"{KEPT}.parked.{queue}.{bin}", json.dumps(note))

    async def _moved(self, key: str, to: str, how: str, meant: Callable[[Json], bool], *, newest_first: bool = False) -> None:
        """One by one, until no more of it is at that end. What somebody else has taken meanwhile is not moved."""
        end = (0, MOST - 1) if newest_first else (-MOST, -1)
        while found := [one for one in await self._broker.command("LRANGE", key, *end) if meant(json.loads(one))]:
            moved = [await self._broker.command("EVAL", how, 2, key, to, one) for one in (found if newest_first else reversed(found))]
            if not any(moved):
                return

    # ---- workers ----

    async def _stats(self) -> Json:
        return await self.remote.told("stats")

    async def _boot(self, worker: str, stats: Json | None = None) -> int | None:
        """Which boot of it answers, as a number that grows. None: none does."""
        said = (await self._stats() if stats is None else stats).get(worker)
        if said is None or said.get("pid") is None:
            return None
        now, uptime = time.time(), said.get("uptime")
        booted = "" if uptime is None else f"{now - float(uptime):.0f}"
        return int(await self._broker.command("EVAL", BOOT, 1, f"{KEPT}.boot.{worker}", str(said["pid"]), booted, f"{now:.0f}"))

    async def _doing(self, worker: str) -> Json:
        """Celery shows no stacks by remote control: what a worker is doing and holds. SIGUSR1 writes the stacks into its log."""
        active, reserved = await self.remote.told("active", {}, [worker]), await self.remote.told("reserved", {}, [worker])
        boot = await self._boot(worker)
        if worker not in active or boot is None:
            raise NotYet(f"{worker} does not answer: what it is doing is unknown")
        return {
            "worker": worker,
            "generation": boot,
            "stacks": json.dumps({"active": active[worker], "reserved": reserved.get(worker)}, default=str),
        }

    async def _restarts(self, key: str) -> list[Json]:
        keys = [one async for batch in self._broker.batches(f"{KEPT}.restart.*", 1000) for one in batch]
        kept = [json.loads(await self._broker.command("GET", one)) for one in keys]
        return [await self._restart(one["id"]) for one in kept if one["key"] == key]

    async def _restart(self, id: str) -> Json:
        """Whoever answers after the shutdown was sent has not heard it: a worker hears in order, and one that shuts down answers no more."""
        kept = json.loads(await self._broker.command("GET", f"{KEPT}.restart.{id}") or "{}")
        if not kept:
            raise Refused(f"there is no restart {id}")
        boot = await self._boot(kept["worker"])
        state = "running" if boot is None else "unheard" if boot == kept["boot"] else "done"
        return {"id": id, "worker": kept["worker"], "generation": boot or kept["boot"], "state": state}


def _job(message: Json) -> Json:
    """What the headers say of a message; its arguments are never looked at. `enqueued_at` and `tenant` are headers of ours (docs/queues.md)."""
    headers = message.get("headers") or {}
    at = headers.get("enqueued_at")
    age = None if at is None else max(0.0, time.time() - float(at))
    return {
        "id": str(headers.get("id", "")),
        "tenant": str(headers.get("tenant") or ""),
        "age_seconds": age,
        "attempts": headers.get("retries"),
    }


def _many(share: float, workers: Sequence[str]) -> int:
    """So many of these workers are that share, at least."""
    return math.ceil(round(share * len(workers), 6))


def _share(base: Sequence[str], now: Sequence[str], kept: Kept) -> float:
    """The share that is in force: as it was asked for, where it is so many workers."""
    exact = kept.share is not None and len(now) == _many(kept.share, base)
    return round(kept.share if exact and kept.share is not None else len(now) / len(base), 4) if base else 0.0


def _on_its_way(base: Sequence[str], now: Sequence[str], kept: Kept) -> tuple[float, float] | None:
    """From which share to which a write of ours is, that broke off: each worker is as it was before, or as was wanted. None: it is not."""
    if kept.share is None or kept.heard:
        return None
    wanted = base[: _many(kept.share, base)]
    halfway = all((one in now) in (one in kept.since, one in wanted) for one in base)
    return (kept.from_share, kept.share) if halfway and set(now) not in (set(kept.since), set(wanted)) else None


def _parts(path: str) -> list[str]:
    """The parts of a path below its version, as they were before they were quoted."""
    return [unquote(part) for part in path.strip("/").split("/")[1:]]


def _names(queues: Any) -> set[str]:
    return {str(one.get("name")) for one in queues or ()}


def _keys(queue: str) -> tuple[str, ...]:
    """The lists of a queue: one for each priority."""
    return tuple(f"{queue}{SEPARATOR}{priority}" if priority else queue for priority in PRIORITIES)


def _parking(queue: str, bin: str) -> str:
    return f"{queue}.parked.{bin}"


def _etag(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _seconds(instant: str | None) -> float | None:
    return None if instant is None else datetime.fromisoformat(instant).timestamp()
