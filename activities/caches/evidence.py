"""What is in the cache, kept as evidence before anything of it is removed (INV-1, A.11 M1). The words go to the evidence store, and nowhere else."""

import gzip
import json

from activities.action import Call, Effect, System, action
from activities.caches.caches import BATCH, Found, meant_in
from activities.caches.orders import CacheExport
from activities.caches.valkey import Valkey
from activities.evidence.store import EvidenceStore


class CacheEvidence(System):
    def __init__(self, cache: Valkey, store: EvidenceStore) -> None:
        self._cache, self._store = cache, store

    @action("evidence.cache", writes=True)
    async def keep(self, order: CacheExport, call: Call) -> Effect:
        """The keys that are meant, and a sample of the entries whole, kept once and read back."""
        keys, sample = list[str](), Found()
        async for batch in meant_in(self._cache, order.entries, BATCH):
            keys += batch
            sample |= dict(sorted(batch.items())[: max(0, order.sample - len(sample))])
        raw = json.dumps({"keys": sorted(set(keys)), "sample": sample, "info": await self._cache.info()}, sort_keys=True, default=str)
        kept = await self._store.keep(call, "cache/entries", gzip.compress(raw.encode(), mtime=0), held_until=call.at + order.held_for)
        told = kept.model_dump(mode="json", exclude={"adopted"})
        return order.done(
            "the store shows what was written, with the same hash", f"{len(set(keys))} keys and {len(sample)} entries kept; {kept.summary}",
            adopted=kept.adopted, after={"keys": len(set(keys)), "sample": len(sample), **told},
        )  # fmt: skip
