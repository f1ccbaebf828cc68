"""The cache of answers: counted, sampled for evidence, and emptied of exactly what is named (spec §8 S-CACHE).

What is removed is never put back, so it is looked at before: how many keys are meant, and which share of all that is. An entry that comes
back while we look is told: somebody writes it again. FLUSHDB and KEYS have no verb, and the ACL has none of them either.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from activities.action import Call, Effect, NotYet, Patience, Refused, Role, System, action
from activities.caches.keys import Entries
from activities.caches.orders import CacheCensus, CensusOf, Invalidation, risk_of
from activities.caches.valkey import Valkey
from activities.kit.clock import Clock
from activities.kit.fence import refuse_when_late
from activities.kit.pulse import beating

BATCH = 1000
SOON = timedelta(seconds=1)
Found = dict[str, dict[str, Any] | None]


class Caches(System):
    def __init__(self, cache: Valkey, clock: Clock) -> None:
        self._cache, self._clock = cache, clock

    @action("caches.census")
    async def census(self, order: CensusOf, call: Call) -> CacheCensus:
        """How full it is, how often it hits, and whose entries are meant."""
        info, size = await self._cache.info(), await self._cache.size()
        meant = [(key, entry) async for batch in meant_in(self._cache, order.entries, BATCH) for key, entry in batch.items()]
        readable = [(key, entry) for key, entry in meant if entry is not None]
        return CacheCensus(
            keys=size, meant=len(dict(meant)), used_memory_human=str(info.get("used_memory_human", "")),
            evicted_keys=int(info.get("evicted_keys", 0)), hits=int(info.get("keyspace_hits", 0)), misses=int(info.get("keyspace_misses", 0)),
            maxmemory_policy=str(info.get("maxmemory_policy", "")), tenants=tuple(sorted({key.split(":")[1] for key, _ in meant})),
            misfiled=sum(entry.get("tenant") != key.split(":")[1] for key, entry in readable), unreadable=len(meant) - len(readable),
        )  # fmt: skip

    @action("caches.invalidate", risk=risk_of, asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER), patience=Patience.WATCH, writes=True)
    async def invalidate(self, order: Invalidation, call: Call) -> Effect:
        """Removed, and looked at again. Raises `Refused` when too much is meant, `NotYet` while the cache is away: what is left is removed then."""
        if not order.evidence:
            raise Refused("nothing is removed before a sample and the list of keys are kept as evidence (INV-1)")
        if not order.entries.narrow:
            raise Refused(f"{order.entries}: name a domain or a tenant. Everything at once is a person's decision")
        async with beating():
            size = await self._cache.size()
            meant = {key: _mark(e) async for batch in meant_in(self._cache, order.entries, order.numbers.batch) for key, e in batch.items()}
            if len(meant) > order.numbers.few and len(meant) > order.numbers.most_share * size:
                most = f"{order.numbers.most_share:.0%}"
                raise Refused(
                    f"{order.entries} are {len(meant)} of {size} keys, more than {most}: bump the namespace of its domain instead"
                )
            removed, unreadable = await self._removed(order)
            left = await self._left(order, meant)
        if left and not order.entries.by_content:
            raise NotYet(f"{left} of {len(meant)} entries are there still, as they were", after=SOON)
        back = f"; {left} came back meanwhile: somebody writes them" if left else ""
        unread = f"; {unreadable} cannot be read, and stay" if unreadable else ""
        return order.done(
            "looked at again: none of them is there" if not left else "looked at again", f"{removed} of {size} keys removed{back}{unread}",
            adopted=not meant, before={"keys": size, "meant": len(meant)},
            after={"removed": removed, "came_back": left, "unreadable": unreadable, "evidence": order.evidence},
        )  # fmt: skip

    async def _removed(self, order: Invalidation) -> tuple[int, int]:
        """How many were removed, and how many could not be read and stay."""
        removed, unreadable, numbers = 0, 0, order.numbers
        async for batch in meant_in(self._cache, order.entries, numbers.batch):
            gone = [key for key, entry in batch.items() if entry is not None or not order.entries.by_content]
            unreadable += len(batch) - len(gone)
            refuse_when_late()
            removed += await self._cache.unlink(gone)
            await self._clock.sleep(timedelta(seconds=len(gone) / numbers.keys_per_second))
        return removed, unreadable

    async def _left(self, order: Invalidation, before: dict[str, str]) -> int:
        """What is there still: of what is chosen by its content all that is meant, otherwise what is as it was. An entry made anew is none of it."""
        left = 0
        async for batch in meant_in(self._cache, order.entries, order.numbers.batch):
            for key, entry in batch.items():
                left += entry is not None if order.entries.by_content else before.get(key) == _mark(entry)
        return left


async def meant_in(cache: Valkey, entries: Entries, size: int) -> AsyncIterator[Found]:
    """The entries that are meant, in batches. Those that cannot be read come with None, where their key alone does not decide."""
    async for keys in cache.batches(entries.pattern(cache.prefix), size):
        named = [key for key in keys if entries.named_by(key)]
        found = await cache.entries(named)
        yield {key: entry for key, entry in found.items() if entry is None or entries.holds(entry)}


def _mark(entry: dict[str, Any] | None) -> str:
    """By which an entry is known from one that was made anew."""
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
