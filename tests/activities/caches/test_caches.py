"""The cache of answers on a real Valkey, under the user that we come as: exactly what is named goes, and nothing is lost on the way."""

import gzip
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from activities.action import Call, NotYet, Refused
from activities.caches.caches import Caches
from activities.caches.evidence import CacheEvidence
from activities.caches.keys import Entries
from activities.caches.orders import CacheExport, CensusOf, Invalidation
from activities.caches.valkey import Valkey
from activities.evidence.folder import Folder
from activities.evidence.store import EvidenceStore
from activities.organisation.numbers import CacheNumbers
from practice.stores.valkey import PASSWORD
from tests.activities.kit.stage import attempt, refused
from tests.stores.caches import NoWaiting, client, emptied, server

CALL = Call(incident_id="inc-20261123-chat", key="k", at=datetime.now(UTC))
KEPT = "sha256 of what was kept"


def store(home: Path) -> EvidenceStore:
    return EvidenceStore(Folder(home), None)


@pytest.fixture
def product() -> Iterator[redis.Redis]:
    with emptied().client() as found:
        yield found


@pytest.fixture
async def caches(product: redis.Redis, tmp_path: Path) -> AsyncIterator[Caches]:
    async with client() as cache:
        yield Caches(cache, NoWaiting())


def fill(product: redis.Redis, under: str = "acme", domain: str = "billing", n: int = 3, **entry: Any) -> list[str]:
    keys = [f"cag:{under}:{domain}:v1:model:aurora:{number:08x}" for number in range(n)]
    cites = [{"id": "billing/refunds", "hash": "aa"}]
    for key in keys:
        product.set(
            key, json.dumps({"answer": "30 days", "tenant": under, "documents": cites, "prompt": "v12", "created_at": "x", **entry})
        )
    return keys


def asked(who: redis.Redis, *words: str) -> None:
    who.execute_command(*words)  # type: ignore[no-untyped-call]


def wanted(**entries: str) -> Invalidation:
    return Invalidation(entries=Entries(**entries), evidence=KEPT)


async def test_a_census_says_how_full_it_is_and_whose_entries_are_meant(caches: Caches, product: redis.Redis) -> None:
    fill(product, "acme"), fill(product, "birch", n=2), fill(product, "cedar", n=1, tenant="acme")
    product.set("sess:1", "somebody's session")
    seen = await caches.census(CensusOf(entries=Entries(domain="billing")), CALL)
    assert (seen.keys, seen.meant, seen.misfiled, seen.unreadable) == (7, 6, 1, 0)
    assert seen.tenants == ("acme", "birch", "cedar") and seen.used_memory_human and seen.maxmemory_policy == "allkeys-lru"


async def test_what_is_named_is_removed_and_nothing_else(caches: Caches, product: redis.Redis) -> None:
    fill(product, "acme", n=2500), fill(product, "birch", n=3500), product.set("sess:1", "x")
    effect = await attempt(Caches.invalidate, caches, wanted(tenant="acme", domain="billing"), CALL)
    assert effect.after["removed"] == 2500 and effect.before == {"keys": 6001, "meant": 2500}
    assert product.dbsize() == 3501 and product.get("sess:1") == "x"
    again = await attempt(Caches.invalidate, caches, wanted(tenant="acme", domain="billing"), CALL)
    assert again.adopted and again.after["removed"] == 0


async def test_entries_are_chosen_by_what_they_cite(caches: Caches, product: redis.Redis) -> None:
    """By document, by its version, by the prompt: none of it stands in a key."""
    poisoned = [{"id": "billing/refunds", "hash": "bb"}]
    fill(product, "acme", n=4), fill(product, "birch", n=3, documents=poisoned), fill(product, "cedar", n=2, prompt="v13")
    version = wanted(domain="billing", document="billing/refunds", version="bb")
    assert (await attempt(Caches.invalidate, caches, version, CALL)).after["removed"] == 3
    assert (await attempt(Caches.invalidate, caches, wanted(domain="billing", prompt="v13"), CALL)).after["removed"] == 2
    assert product.dbsize() == 4


async def test_an_entry_that_cannot_be_read_is_counted_and_stays(caches: Caches, product: redis.Redis) -> None:
    fill(product, "acme", n=2)
    product.set("cag:acme:billing:v1:model:aurora:broken", "\x00 no JSON")
    effect = await attempt(Caches.invalidate, caches, wanted(domain="billing", document="billing/refunds"), CALL)
    assert effect.after == {"removed": 2, "came_back": 0, "unreadable": 1, "evidence": KEPT} and product.dbsize() == 1


@pytest.mark.parametrize("tenant", ["*", "a*", "acm[e]", "acm?", "a\\*"])
async def test_a_name_with_the_signs_of_a_pattern_matches_only_itself(caches: Caches, product: redis.Redis, tenant: str) -> None:
    fill(product, "acme"), fill(product, tenant, n=2)
    effect = await attempt(Caches.invalidate, caches, wanted(tenant=tenant), CALL)
    assert effect.after["removed"] == 2 and product.dbsize() == 3


REFUSALS = [
    (Invalidation(entries=Entries(domain="billing"), evidence=""), "kept as evidence"),
    (wanted(), "name a domain or a tenant"),
    (wanted(model="aurora"), "name a domain or a tenant"),
    (wanted(tenant="a:b"), "holds a colon"),
]


@pytest.mark.parametrize(("order", "says"), REFUSALS)
async def test_what_is_too_wide_or_not_kept_is_refused(caches: Caches, product: redis.Redis, order: Invalidation, says: str) -> None:
    fill(product, n=20)
    assert says in await refused(lambda: attempt(Caches.invalidate, caches, order, CALL))
    assert product.dbsize() == 20


async def test_more_than_policy_allows_of_all_keys_is_refused(caches: Caches, product: redis.Redis) -> None:
    fill(product, n=900), fill(product, "birch", "product", n=100)
    said = await refused(lambda: attempt(Caches.invalidate, caches, wanted(domain="billing"), CALL))
    assert "900 of 1000 keys, more than 50%" in said and "namespace" in said and product.dbsize() == 1000
    little = wanted(domain="billing").model_copy(update={"numbers": CacheNumbers(few=1000)})
    assert (await attempt(Caches.invalidate, caches, little, CALL)).after["removed"] == 900


async def test_a_writer_that_brings_it_back_is_told(caches: Caches, product: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(product, n=5)
    remove = Valkey.unlink

    async def and_back(self: Valkey, keys: list[str]) -> int:
        gone = await remove(self, keys)
        fill(product, n=2, created_at=str(uuid.uuid4()))
        return gone

    monkeypatch.setattr(Valkey, "unlink", and_back)
    effect = await attempt(Caches.invalidate, caches, wanted(domain="billing", document="billing/refunds"), CALL)
    assert effect.after["came_back"] == 2 and "somebody writes them" in effect.summary
    filled = await attempt(Caches.invalidate, caches, wanted(domain="billing"), CALL)
    assert filled.after["came_back"] == 0, "an entry that was made anew is what is wanted"


async def test_what_is_kept_as_evidence_is_there_once_and_no_word_of_it_is_told(product: redis.Redis, tmp_path: Path) -> None:
    fill(product, n=80, answer="the secret of acme")
    order, system = CacheExport(incident_id=CALL.incident_id, entries=Entries(domain="billing")), CacheEvidence(client(), store(tmp_path))
    effect = await attempt(CacheEvidence.keep, system, order, CALL)
    again = await attempt(CacheEvidence.keep, system, order, CALL, 2)
    kept = json.loads(gzip.decompress(Path(effect.after["location"]).read_bytes()))
    assert len(kept["keys"]) == 80 and len(kept["sample"]) == 50 and "secret" in json.dumps(kept["sample"])
    assert "secret" not in effect.model_dump_json() and len(effect.after["sha256"]) == 64
    assert again.after["keys"] == 80


# -- what the server says ---------------------------------------------------------------------------------------------------------------


async def test_the_acl_forbids_what_we_never_want() -> None:
    """KEYS, FLUSHDB, other prefixes, writes: the server itself says no, whatever we were to ask."""
    emptied().client().set("sess:1", "x")
    with server().client("incident") as ours:
        for words in (
            ("KEYS", "*"),
            ("FLUSHDB",),
            ("FLUSHALL",),
            ("UNLINK", "sess:1"),
            ("GET", "sess:1"),
            ("SET", "cag:a", "1"),
            ("CONFIG", "GET", "*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                asked(ours, *words)


async def test_an_acl_that_forbids_is_said_in_words(product: redis.Redis, tmp_path: Path) -> None:
    fill(product)
    asked(product, "ACL", "SETUSER", "looker", "on", f">{PASSWORD}", "~cag:*", "+@read", "+@connection", "+info", "+dbsize", "+scan")
    async with client("looker") as cache:
        said = await refused(lambda: attempt(Caches.invalidate, Caches(cache, NoWaiting()), wanted(domain="billing"), CALL))
    assert "does not let looker do this (unlink)" in said and "ACL" in said and product.dbsize() == 3


async def test_a_wrong_password_is_said_in_words(product: redis.Redis, tmp_path: Path) -> None:
    async with Valkey(server().address(), "wrong") as cache:
        with pytest.raises(Refused, match=r"refuses incident.*INCIDENT_CACHE_PASSWORD"):
            await Caches(cache, NoWaiting()).census(CensusOf(), CALL)


async def test_a_cache_that_is_away_is_tried_again(tmp_path: Path) -> None:
    async with Valkey("redis://incident@127.0.0.1:1/0", PASSWORD) as cache:
        with pytest.raises(NotYet, match="the cache is away"):
            await attempt(Caches.invalidate, Caches(cache, NoWaiting()), wanted(domain="billing"), CALL)


async def test_in_failover_nothing_is_lost_and_the_rest_is_done_later(caches: Caches, product: redis.Redis) -> None:
    """A replica refuses to remove anything: that is no end, and nothing was done."""
    fill(product, n=4)
    asked(product, "REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(NotYet, match="in failover"):
            await attempt(Caches.invalidate, caches, wanted(domain="billing"), CALL)
    finally:
        asked(product, "REPLICAOF", "NO", "ONE")
    assert (await attempt(Caches.invalidate, caches, wanted(domain="billing"), CALL)).after["removed"] == 4


async def test_a_late_process_removes_nothing(caches: Caches, product: redis.Redis) -> None:
    fill(product, n=4)
    with pytest.raises(NotYet, match="does not write any more"):
        await attempt(
            Caches.invalidate,
            caches,
            wanted(domain="billing"),
            CALL,
            worked=timedelta(seconds=11),
            start_to_close_timeout=timedelta(seconds=10),
        )
    assert product.dbsize() == 4


async def test_what_is_not_configured_says_so(tmp_path: Path) -> None:
    async with Valkey("", missing="not configured: INCIDENT_CACHE_ADDRESS is not set") as cache:
        with pytest.raises(Refused, match="INCIDENT_CACHE_ADDRESS"):
            await Caches(cache, NoWaiting()).census(CensusOf(), CALL)
