"""Rather down than leaking: endpoints denied, evidence, read-only, caches passed by, sessions ended, a surface offline (A.5 M1 to M6)."""

import asyncio
from collections.abc import Sequence

from activities.action import Role
from activities.caches.evidence import CacheEvidence
from activities.caches.keys import Entries
from activities.caches.orders import CacheExport
from activities.cdn.cdn import BYPASSED, CdnEvidence, GenerationOf, Generations, SampleExport, bypass, next_generation
from activities.edge.endpoints import DENIED, EndpointOf, deny
from activities.edge.surfaces import OFFLINE, SurfaceOf, take_offline
from activities.retriever.serving import CAG_OFF, NamespaceOf, Namespaces, bump, cag_off
from activities.sessions.sessions import IssuedOf, Revocations, RevokeSessions, Sessions
from activities.tenancy.ledger import IsolationExport, LeakEvidence
from activities.tenancy.matrix import IsolationProbes, TagsOf
from activities.tenancy.plane import EndpointSeen
from activities.values import listed
from activities.write_gate.regional import REGION_READ_ONLY, region_read_only
from workflows.engine.verbs import Verbs
from workflows.incident import Silence
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.tenant_isolation.findings import Findings
from workflows.playbooks.tenant_isolation.leak import Leak
from workflows.procedures.database_copy import keep_database

WHY = "data crosses tenants"


class Containment:
    def __init__(self, verbs: Verbs, leak: Leak) -> None:
        self._verbs, self._leak, self._numbers = verbs, leak, verbs.policy.tenant_isolation
        self._gate = verbs.policy.systems.get("endpoints", "")
        self._denying: dict[str, asyncio.Task[None]] = {}
        self._sampled: set[str] = set()  # of which a sample is kept, so that keys may get another generation (INV-1)
        self._bumped: set[str] = set()
        self._signed_out: set[str] = set()
        self._said: set[str] = set()

    @property
    def found(self) -> Findings:
        return self._leak.found

    # ---- M1 ----

    async def deny_suspects(self) -> None:
        """At most some seconds after canaries were let at them, within five minutes of the beginning; proven in every region."""
        verbs, names = self._verbs, tuple(self.found.endpoints)
        trying = verbs.branch("canaries", self._leak.reproduce(names))
        await verbs.waited(trying.done, verbs.policy.paced(self._numbers.tried_within), "canaries at the suspect endpoints")
        await self.deny(tuple(self.found.endpoints))
        late = verbs.clock() - verbs.declared_at > verbs.policy.paced(self._numbers.denied_within)
        if self.found.mapped and late and not verbs.rehearsing:
            verbs.note("suspect endpoints were denied later than five minutes after the beginning", "late")

    async def deny(self, endpoints: tuple[str, ...]) -> None:
        """Each of them, side by side. One that is not denied in time is waited for no longer: what people say of it goes on beside the rest."""
        verbs = self._verbs
        for name in endpoints:
            if name not in self._denying:
                self._denying[name] = verbs.branch(f"the denial of {name}", self._deny(name))
        wanted = [self._denying[name] for name in endpoints]
        await verbs.waited(
            lambda: all(one.done() for one in wanted), verbs.policy.paced(self._numbers.denied_within), "endpoints to be denied"
        )
        for one in wanted:
            if one.done() and not one.cancelled():
                one.result()  # what broke it is not lost

    async def _deny(self, name: str) -> None:
        result = await self._verbs.impose(DENIED, deny(self._endpoint(name), self._numbers, WHY))
        if not result and not self._verbs.rehearsing:
            self._once(f"Deny {name} by hand: it was not agreed to, or it could not be done", Role.SECURITY_LEAD)

    def _endpoint(self, name: str) -> EndpointOf:
        return EndpointOf(service=self._verbs.service, endpoint=name, canaries=self.found.map.canaries, gate=self._gate)

    # ---- M2 ----

    async def keep_evidence(self) -> None:
        """Requests and ids of answers, samples of cache and CDN, the database: before anything of it is changed (INV-1)."""
        verbs, incident = self._verbs, self._verbs.incident_id
        since = verbs.declared_at - verbs.policy.paced(self._numbers.back)
        kept = await verbs.look(LeakEvidence.keep, IsolationExport(service=verbs.service, since=since, incident_id=incident))
        if kept is None:
            self._once("Keep the access log by hand: ours could not be taken", Role.SECURITY_LEAD)
        elif not kept.assumed:
            verbs.note(kept.summary, "evidence hold")
        keeping = verbs.branch("the snapshot of the database", keep_database(verbs))
        await self.sample()
        await verbs.waited(keeping.done, verbs.policy.paced(self._numbers.denied_within), "the snapshot of the database")
        if keeping.done() and not keeping.cancelled():
            keeping.result()  # one that takes longer holds up nothing

    async def sample(self) -> None:
        """Of everything shared before a suspect endpoint: what is kept there, and whose it is."""
        verbs, incident = self._verbs, self._verbs.incident_id
        for one in self.found.caches:
            if one.name in self._sampled:
                continue
            numbers = verbs.policy.cache_poisoning.cache
            kept = (
                await verbs.look(CdnEvidence.keep, SampleExport(kept_path=one.name, incident_id=incident))
                if one.cdn
                else await verbs.look(
                    CacheEvidence.keep, CacheExport(incident_id=incident, entries=Entries(domain=one.cache), sample=numbers.sample)
                )
            )
            if kept is not None:
                self._sampled.add(one.name)
            else:
                self._once(
                    f"Keep a sample of what is cached before {one.name} by hand: its keys stay as they are until then", Role.OPS_LEAD
                )

    # ---- M3 ----

    async def read_only(self) -> None:
        """The regions concerned take no writes, once it is confirmed: what is written now may be another tenant's (seed)."""
        verbs, found = self._verbs, self.found
        if not found.confirmed:
            return
        await verbs.together(*(self._read_only(region) for region in found.regions or found.map.regions))

    async def _read_only(self, region: str) -> None:
        verbs, order = self._verbs, region_read_only(self._verbs.service, region, self._verbs.policy.mitigation, WHY)
        done = await verbs.impose(REGION_READ_ONLY, order, silence=Silence.SAFE, authorised=True)
        if done.unanswered:  # narrower: what writes at the surfaces concerned; alone only while it is measured that something leaks
            surfaces = self.found.surfaces
            await self.deny(tuple(one.name for one in self.found.map.endpoints if one.writes and one.surface in surfaces))
        elif done.declined:
            verbs.note(f"{region} goes on taking writes: read-only was declined", "declined")

    # ---- M4 to M6 ----

    async def until_stopped(self) -> None:
        """Whatever people are asked meanwhile: what is not shown to have stopped within 15 minutes goes offline, rather down than leaking (M4)."""
        verbs = self._verbs
        if not self.found.mapped:
            asks = f"Is everything denied by which data of {verbs.service} crosses tenants, and does nothing cross any more?"
            await self._leak.stopped_by_hand(asks, (Role.SECURITY_LEAD, Role.OPS_LEAD))
            return
        stopping = verbs.branch("containment", self._stopped())
        if not await verbs.waited(stopping.done, verbs.policy.paced(self._numbers.offline_after), "nothing to cross any more"):
            await self.offline("it is not shown within the time that is set that nothing crosses any more")
        elif not stopping.result():
            await self.offline("it was denied and passed by in vain")

    async def _stopped(self) -> bool:
        """Deny what still leaks, pass by caches, end sessions; look whether it helped."""
        verbs, found = self._verbs, self.found
        for _ in range(self._numbers.rounds):
            if found.layer_unknown:
                verbs.note("on which layer it leaks is unknown: the whole surface is denied", "finding")
                await self.deny(tuple(one.name for surface in found.surfaces for one in found.of_surface(surface)))
            await self.deny(tuple(found.endpoints))
            await self.sample()
            await self.pass_caches_by()
            await self.end_sessions()
            if await self._helped() or verbs.rehearsing:
                return True
        return False

    async def _helped(self) -> bool:
        """Customers, canaries and the log: nothing crosses since. What does is denied in the next round; what says nothing is no yes."""
        verbs, began = self._verbs, self._verbs.clock()
        await verbs.rest(self._numbers.helped_within, "whether anything crosses still")
        endpoints = tuple(dict.fromkeys((*self.found.siblings, *(one.name for one in self.found.map.endpoints))))
        seen = await self._leak.reproduce(endpoints)
        crossed = await self._leak.crossed_since(began)
        return seen is not None and seen.clean and crossed is False

    async def pass_caches_by(self) -> None:
        """Bypass, sample, another generation of keys; a thousand hits, and none with another tenant's tag (M5). Going back is barred."""
        for one in self.found.caches:
            await (self._past_the_cdn(one) if one.cdn else self._past_the_cache(one))
            await self._look_at_tags(one)

    async def _past_the_cdn(self, one: EndpointSeen) -> None:
        verbs = self._verbs
        await verbs.impose(BYPASSED, bypass(one.name, WHY))
        if one.name in self._sampled and one.name not in self._bumped:
            now = await verbs.read(Generations.read, Generations.look(GenerationOf(kept_path=one.name)))
            if await verbs.propose(Generations.change, next_generation(one.name, now, WHY)):
                self._bumped.add(one.name)

    async def _past_the_cache(self, one: EndpointSeen) -> None:
        verbs = self._verbs
        await verbs.impose(CAG_OFF, cag_off(one.cache, verbs.policy.cache_poisoning, WHY))
        if one.name in self._sampled and one.name not in self._bumped:
            now = await verbs.read(Namespaces.read, Namespaces.look(NamespaceOf(domain=one.cache)))
            if await verbs.propose(Namespaces.change, bump(one.cache, now, WHY)):
                self._bumped.add(one.name)

    async def _look_at_tags(self, one: EndpointSeen) -> None:
        verbs = self._verbs
        tags = await verbs.look(IsolationProbes.tags, TagsOf(service=verbs.service, endpoint=one.name, map=self.found.map))
        if tags is not None:
            verbs.note(f"{one.name}: {tags.summary}", "no help" if tags.foreign else "finding")

    async def end_sessions(self) -> None:
        """Identities that are mixed up: who has signed in since shortly before the first crossing signs in again, tenant by tenant; service
        accounts go on (M6). Where that does not help, everybody of the regions concerned."""
        verbs, found = self._verbs, self.found
        if not found.mixed or "sessions" in self._said:
            return
        whose = (*found.tenants, *(one.name for one in found.map.canaries if one.region in (found.regions or found.map.regions)))
        if not whose:
            self._once("End the sessions of the regions concerned by hand: nobody can say whose home is there", Role.SECURITY_LEAD)
            return
        window, first = [one for one in whose if one not in self._signed_out], "window" not in self._said
        self._said.add("window")
        facts: tuple[str, ...] = ("every session from before now ends: sign-in knows no earlier bound", "service accounts go on")
        since = found.first - verbs.policy.paced(self._numbers.session_window) if found.first is not None else None
        if first and since is not None:
            issued = await verbs.look(Sessions.issued, IssuedOf(tenants=tuple(window), since=since))
            if issued is not None:
                verbs.note(issued.summary, "finding")
                window, facts = [one for one in window if one not in issued.none], (issued.summary, *facts)
        if window:
            await self._sign_out(window, facts)

    async def _sign_out(self, whose: Sequence[str], facts: tuple[str, ...]) -> None:
        verbs, numbers, at = self._verbs, self._numbers, self._verbs.clock()
        self._signed_out.update(whose)
        orders = [RevokeSessions(tenant=one, revoked_before=at, tenants=len(whose)) for one in whose]
        asks = f"Sign out everybody of {len(whose)} tenants, because identities are mixed up? Service accounts go on"
        decision = await verbs.approve_all(Revocations.run, orders, ApprovalTerms(asks=asks, facts=facts))
        if decision.grant is None:
            self._said.add("sessions")
            self._once(
                f"End the sessions of {len(whose)} tenants, or say how identities are told apart: it was declined", Role.SECURITY_LEAD
            )
            return
        for start in range(0, len(orders), numbers.session_batch):
            batch = orders[start : start + numbers.session_batch]
            await verbs.together(*(verbs.propose(Revocations.run, one, under=decision.grant) for one in batch))

    async def offline(self, why: str) -> None:
        """The surface is taken off the load balancer: a person says so, or the policy that two people have signed."""
        verbs, found = self._verbs, self.found
        verbs.note(f"{why}: {listed(found.surfaces)} goes offline", "no help")
        for surface in found.surfaces:
            of = SurfaceOf(service=verbs.service, surface=surface, endpoint=found.of_surface(surface)[0].name, canaries=found.map.canaries)
            done = await verbs.impose(OFFLINE, take_offline(of, why), facts=(found.in_words(),), authorised=found.confirmed)
            if not done and not verbs.rehearsing:
                self._once(
                    f"Take {surface} out of DNS, or say why it may go on: it leaks, and it was not taken offline", Role.INCIDENT_COMMANDER
                )

    def _once(self, text: str, role: Role) -> None:
        if text not in self._said:
            self._said.add(text)
            self._verbs.task(text, role)
