"""What mends a domain, in the order of the seed: sample, disable, quarantine, invalidate, refetch, verify (§9.11, A.11 M1 to M6)."""

from activities.action import Role
from activities.caches.caches import Caches
from activities.caches.evidence import CacheEvidence
from activities.caches.keys import Entries
from activities.caches.orders import CacheExport, CensusOf, Invalidation, emptied_by_hand
from activities.retriever.evidence import KnowledgeEvidence, KnowledgeExport
from activities.retriever.fetch import Refetch, Refetches
from activities.retriever.index import Aliases, BuildIndex, Builds, swap
from activities.retriever.library import Libraries, LibraryOf, OriginLoadOf
from activities.retriever.quarantine import QUARANTINED, QuarantineOf, Quarantines, quarantine
from activities.retriever.serving import (
    CAG_OFF,
    COALESCED,
    FRESHENED,
    WITHDRAWN,
    Freshnesses,
    FreshnessOf,
    NamespaceOf,
    Namespaces,
    banner,
    bump,
    cag_off,
    coalesce,
    fresher,
    serve_stale,
    withdraw,
)
from activities.values import listed
from workflows.engine.verbs import Verbs
from workflows.playbooks.cache_poisoning.findings import Found, Verdict
from workflows.playbooks.cache_poisoning.grounding import Grounding

SORRY = "We are checking these answers and cannot give them just now."
CHECKING = "We are checking these answers: please confirm them before you act on them."


class Mending:
    """What was done to the domain, and how often in vain."""

    def __init__(self, verbs: Verbs, grounding: Grounding) -> None:
        self._verbs, self._grounding, self._numbers = verbs, grounding, verbs.policy.cache_poisoning
        self._evidence = ""  # of the cache: by its hash
        self._tries = 0
        self._bumped = False  # what was cached before is not found any more
        self._quarantined: dict[str, set[str]] = {}  # document → the versions of it that are kept out
        self.rewritten: set[str] = set()  # documents that somebody writes again: none of their versions is cited

    @property
    def domain(self) -> str:
        return self._grounding.domain

    async def to_do(self, found: Found) -> bool:
        """Whether there is anything that grounding can mend, and it was not tried too often. Too often: the domain is withdrawn."""
        if not found.grounding:
            return False
        if self._tries > self._numbers.rounds:
            await self.withdraw(f"it was mended {self._tries} times, and answers are {found.verdicts[0]} still")
            return False
        self._tries += 1
        return True

    async def keep_evidence(self) -> None:
        """M1: a sample and the keys of the cache, the texts, headers and embeddings of the index; before anything of it is changed (INV-1)."""
        verbs, domain, incident = self._verbs, self.domain, self._verbs.incident_id
        cache, knowledge = await verbs.together(
            verbs.look(
                CacheEvidence.keep, CacheExport(incident_id=incident, entries=Entries(domain=domain), sample=self._numbers.cache.sample)
            ),
            verbs.look(KnowledgeEvidence.keep, KnowledgeExport(domain=domain, incident_id=incident)),
        )
        self._evidence = str(cache.after.get("sha256", "assumed")) if cache is not None else ""
        if cache is None or knowledge is None:
            missing = listed(tuple(what for what, kept in (("the cache", cache), ("the index", knowledge)) if kept is None))
            verbs.task(f"Keep evidence of {missing} of {domain} by hand: ours could not be taken", Role.SECURITY_LEAD)

    async def contain(self, found: Found) -> None:
        """M2: the cache answers nothing about the domain; misses are held together, so that they do not storm the origin."""
        verbs, why = self._verbs, f"answers are {found.verdicts[0]}"
        await verbs.together(
            verbs.impose(COALESCED, coalesce(self.domain)), verbs.impose(CAG_OFF, cag_off(self.domain, self._numbers, why))
        )  # fmt: skip

    async def keep_out(self, found: Found) -> None:
        """M3: the versions that are wrong; every version of a document that somebody writes again. Stale documents are only old."""
        verbs, bad = self._verbs, found.documents(Verdict.POISONED, Verdict.ORIGIN)
        poison = found.documents(Verdict.POISONED)
        again = {name for name, version in poison.items() if version not in self._quarantined.get(name, {version})}
        if again - self.rewritten:
            self.rewritten |= again
            verbs.note(f"the poison came back: somebody writes {', '.join(sorted(again))} again", "finding")
            await verbs.call_in("secret_compromise", f"whoever writes {', '.join(sorted(again))} of {self.domain} has a way in")
        if not bad:
            return
        named = [name if name in self.rewritten else f"{name}@{version}" for name, version in bad.items()]
        owners = sorted({one.owner for one in found.known(list(bad)) if one.owned_by_a_tenant})
        now = await verbs.read(Quarantines.read, Quarantines.look(QuarantineOf(domain=self.domain)))
        order = quarantine(self.domain, now, self._numbers, documents=named, owners=owners, why=found.verdicts[0])
        if await verbs.impose(QUARANTINED, order, facts=(found.in_words(),)):
            for name, version in bad.items():
                self._quarantined.setdefault(name, set()).add(version)

    async def invalidate(self, found: Found) -> None:
        """M4: a new namespace, which can be undone; then the entries that cite what is wrong. FLUSHDB is nobody's but a person's."""
        verbs, why = self._verbs, f"cached answers are {found.verdicts[0]}"
        await self._until_the_origin_has_room(found)
        now = await verbs.read(Namespaces.read, Namespaces.look(NamespaceOf(domain=self.domain)))
        self._bumped = done = bool(await verbs.propose(Namespaces.change, bump(self.domain, now, why)))
        wrong = found.documents(Verdict.POISONED, Verdict.ORIGIN, Verdict.STALE)
        meant = [Entries(domain=self.domain, document=name, version=version) for name, version in wrong.items()]
        if not self._evidence or found.census is None:
            verbs.note("no entry is removed: the cache cannot be looked into, or nothing of it was kept as evidence")
        else:
            whole = not done or Verdict.MISKEYED in found.verdicts  # no key of the domain can be trusted
            for entries in [Entries(domain=self.domain)] if whole else meant:
                order = Invalidation(entries=entries, evidence=self._evidence, why=why, numbers=self._numbers.cache)
                done = bool(await verbs.propose(Caches.invalidate, order)) or done
        if not done:
            await self._leave_to_a_person(found)

    async def nothing_old(self) -> None:
        """Before the cache is used again: what was cached while answers were wrong must not be found."""
        if not self._bumped:
            verbs = self._verbs
            now = await verbs.read(Namespaces.read, Namespaces.look(NamespaceOf(domain=self.domain)))
            order = bump(self.domain, now, "what was cached while answers were wrong")
            self._bumped = bool(await verbs.propose(Namespaces.change, order))

    async def _until_the_origin_has_room(self, found: Found) -> None:
        """A miss storm: nothing more is made to miss before the origin has room. Old answers may be served meanwhile, unless they are poisoned."""
        verbs, numbers, load = self._verbs, self._numbers, found.origin_load
        if load is None or load < numbers.origin_load:
            return
        verbs.note(f"the origin is at {load:.0%}: nothing is removed from the cache before it is below {numbers.origin_load:.0%}")
        if not found.documents(Verdict.POISONED) and Verdict.MISKEYED not in found.verdicts:
            await verbs.impose(WITHDRAWN, serve_stale(self.domain, "the origin is busy, and nothing is poisoned"))
        until = verbs.clock() + verbs.policy.paced(numbers.refills_within)
        while load is not None and load >= numbers.origin_load and verbs.clock() < until and not verbs.rehearsing:
            await verbs.rest(numbers.look_again, "room at the origin")
            load = (await verbs.read(Libraries.origin_load, OriginLoadOf(service=verbs.service))).ratio

    async def _leave_to_a_person(self, found: Found) -> None:
        """Nothing narrower was granted: what is left is emptying the whole cache, with a census before and after."""
        verbs, before = self._verbs, found.census
        counted = f" (before: {before.summary})" if before is not None else ""
        task = verbs.task(
            f"Decide whether the whole cache is emptied (FLUSHDB){counted}: nothing narrower was granted, and nothing undoes it",
            Role.OPS_LEAD, emptied_by_hand(),
        )  # fmt: skip
        said = await verbs.ask(
            "Was the whole cache emptied?",
            roles=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER),
            example='"emptied" or "left as it is"',
            about=task,
        )
        after = await verbs.look(Caches.census, CensusOf(entries=Entries(domain=self.domain))) if said is not None else None
        if after is not None:
            verbs.note(f"the cache afterwards: {after.summary}")

    async def refetch(self, found: Found) -> bool:
        """M5: from the source of truth, pinned, by two paths. Where the source itself is wrong: its last good version, a banner, its owner."""
        verbs = self._verbs
        pins = {one.id: one.truth_hash or "" for one in found.known([*found.documents(Verdict.POISONED, Verdict.STALE)])}
        wrong = found.known([*found.documents(Verdict.ORIGIN)])
        if wrong:
            names = listed(tuple(one.id for one in wrong))
            owners = listed(tuple(sorted({one.owner for one in wrong})))
            verbs.task(f"Tell whoever owns {names} ({owners}) that the source of truth itself is wrong", Role.AI_ML_LEAD)
            if any(one.id not in found.library.last_good for one in wrong):
                await self.withdraw(f"the source of truth of {names} is wrong, and no good version of it is known")
                return False
            pins |= {one.id: found.library.last_good[one.id] for one in wrong}
            await verbs.impose(WITHDRAWN, banner(self.domain, CHECKING, f"{names}: wrong at the source of truth"))
        for one in found.library.sources:
            if not one.syncing:
                verbs.task(
                    f"Mend the sync of source {one.name} of {self.domain}: it has not run since {one.last_refreshed:%H:%M} UTC",
                    Role.OPS_LEAD,
                )
        pins = {name: pin for name, pin in pins.items() if name not in self.rewritten}
        if not pins:
            return False
        fetched = bool(await verbs.propose(Refetches.run, Refetch(domain=self.domain, documents=tuple(pins), pins=pins)))
        if fetched:
            self._grounding.pinned |= {one.id: pins[one.id] for one in wrong if one.id in pins}
        return fetched

    async def rebuild(self, fetched: bool) -> None:
        """M6: an index beside the one in use, the golden queries, then the alias. The old index is kept."""
        verbs, numbers = self._verbs, self._numbers
        if not fetched or self.rewritten:
            if self.rewritten:
                verbs.note(f"no index is built before whoever writes {', '.join(sorted(self.rewritten))} is shut out")
            return
        built = await verbs.propose(Builds.run, BuildIndex(domain=self.domain, golden=numbers.golden))
        if built.effect is None:
            return
        order = swap(self.domain, dict(built.effect.after), numbers)
        now = await verbs.read(Aliases.read, order.look())
        if not await verbs.propose(Aliases.change, order.given(now), facts=(built.effect.summary, f"index {now.value.index} is kept")):
            verbs.task(
                f"Use the new index of {self.domain} when it is agreed to: what is wrong stays in quarantine until then", Role.AI_ML_LEAD
            )

    async def as_before(self) -> None:
        """Whoever wrote it again is shut out: fetched, indexed and used like anything else."""
        names, self.rewritten = sorted(self.rewritten), set()
        library = await self._verbs.do(Libraries.library, LibraryOf(domain=self.domain))
        pins = {one.id: one.truth_hash or "" for one in library.documents if one.id in names}
        order = Refetch(domain=self.domain, documents=tuple(pins), pins=pins)
        await self.rebuild(bool(await self._verbs.propose(Refetches.run, order)))

    async def freshen(self) -> None:
        """Step 7: stricter freshness while it lasts, and answers with the date of what they cite."""
        verbs = self._verbs
        if verbs.in_force(FRESHENED):
            return
        now = await verbs.read(Freshnesses.read, Freshnesses.look(FreshnessOf(domain=self.domain)))
        await verbs.impose(FRESHENED, fresher(self.domain, now, self._numbers.freshness))

    async def withdraw(self, why: str) -> None:
        """The domain answers "unavailable". Broad, and therefore asked."""
        await self._verbs.impose(WITHDRAWN, withdraw(self.domain, SORRY, why), facts=(why,))
