"""What is wanted of the cache of answers."""

from datetime import timedelta

from activities.action import Limits, Order, Risk, Value
from activities.caches.keys import Entries
from activities.kit.words.glob import literal
from activities.kit.words.shell import Command, Var, command, comment, pipe
from activities.organisation.numbers import CacheNumbers, EvidenceHold

ADDRESS = Var("CACHE_ADDRESS")
PREFIX = "cag"


def cli(*words: str) -> Command:
    """redis-cli on the cache. It takes the password from `REDISCLI_AUTH`."""
    return command("redis-cli", "-u", ADDRESS, *words)


def listed(entries: Entries) -> Command:
    """Every key that is meant, a line each."""
    parts = (literal(name) if name else "*" for name in (entries.tenant, entries.domain, entries.model))
    tenant, domain, model = parts
    return cli("--scan", "--count", "1000", "--pattern", ":".join((PREFIX, tenant, domain, "v*", "model", model, "*")))


class CensusOf(Order, target="cache", effect="count what is in the cache of answers"):
    """How full the cache is, how often it hits, and how many of its entries are meant."""

    entries: Entries = Entries()

    def by_hand(self) -> tuple[str, ...]:
        seen = pipe(cli("INFO"), command("grep", "-E", "used_memory_human|evicted_keys|keyspace_hits|keyspace_misses|maxmemory_policy"))
        return (seen, cli("DBSIZE"), pipe(listed(self.entries), command("sort", "-u")))


class CacheCensus(Value):
    """`meant`: how many entries the order was about, of `keys` in all. `tenants`: whose they are. `misfiled`: those under another tenant's key."""

    keys: int
    meant: int
    used_memory_human: str
    evicted_keys: int
    hits: int
    misses: int
    maxmemory_policy: str
    tenants: tuple[str, ...] = ()
    misfiled: int = 0
    unreadable: int = 0

    @property
    def summary(self) -> str:
        return f"{self.meant} of {self.keys} entries, {self.used_memory_human}, {self.evicted_keys} evicted, {self.maxmemory_policy}"


class CacheExport(
    Order, target="evidence/{incident_id}", effect="keep {entries} as evidence: their keys, and up to {sample} of them whole"
):
    """What is in the cache, before anything of it is removed (INV-1). The words go to the evidence store, and nowhere else."""

    undone = "nothing to undo: it only reads the cache; what is kept stays"

    incident_id: str
    entries: Entries
    sample: int = CacheNumbers().sample
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        keys = pipe(listed(self.entries), command("sort", "-u"), command("tee", "keys.txt"), command("sha256sum"))
        return (keys, comment(f"then GET the first {self.sample} of keys.txt, and keep both in the evidence store"))


class Invalidation(Order, target="cache/{entries}", effect="remove {entries} from the cache of answers"):
    """Remove entries by SCAN and UNLINK, in batches and at a limited rate. `evidence`: where what is removed was kept before (sha256)."""

    undone = "nothing puts it back: the entries are in the evidence; the cache fills again from the source"

    entries: Entries
    evidence: str
    why: str = ""
    numbers: CacheNumbers = CacheNumbers()

    def by_hand(self) -> tuple[str, ...]:
        if self.entries.by_content:
            return (
                comment(
                    f"no key tells which entries cite {self.entries.document or self.entries.prompt}: GET each of these, and UNLINK those"
                ),
                listed(self.entries),
            )
        batch = str(self.numbers.batch)
        return (pipe(listed(self.entries), command("xargs", "-r", "-d", "\\n", "-n", batch, "redis-cli", "-u", ADDRESS, "UNLINK")),)


def emptied_by_hand() -> tuple[str, ...]:
    """Emptying the whole cache, which only a person may decide: counted before and after."""
    count = pipe(cli("INFO"), command("grep", "-E", "used_memory_human|evicted_keys|db0"))
    return (count, cli("DBSIZE"), cli("FLUSHDB"), cli("DBSIZE"), count)


def risk_of(order: Invalidation, limits: Limits) -> Risk:
    """Narrow where one domain or one tenant is named (spec §8 S-CACHE)."""
    return Risk.C1 if order.entries.narrow else Risk.C2
