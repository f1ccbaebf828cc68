"""One leak, as it is looked at: which endpoints, since when, whether it is possible by siblings, and who saw what of whom (A.5 T1, T2)."""

from datetime import datetime

from activities.action import Risk, Role
from activities.metrics.curves import CurveOf, CurveReading, Curves
from activities.row_security.row_security import IntegrityOf, RowSecurity
from activities.tenancy.ledger import LeakEvidence, LeakLedger, TraceLeaks
from activities.tenancy.matrix import IsolationProbes, Matrix, MatrixOf
from activities.tenancy.plane import CrossingsOf, FactsOf, HomesOf, MapOf, TenancyMap
from activities.values import Curve
from workflows.engine.verbs import Verbs
from workflows.incident import Incident, QuestionDraft, QuestionKind
from workflows.playbooks.tenant_isolation.findings import Findings
from workflows.status import DrawnMatrix


class Leak:
    def __init__(self, verbs: Verbs, incident: Incident, found: Findings) -> None:
        self._verbs, self._incident, self._numbers = verbs, incident, verbs.policy.tenant_isolation
        self.found = found
        self._since = verbs.declared_at - verbs.policy.paced(self._numbers.back)  # from when on the access log is looked at
        self._asked: set[str] = set()
        self._by_hand = 0  # the task of denying by hand, where there is no map

    @classmethod
    async def known(cls, verbs: Verbs, incident: Incident) -> "Leak":
        """What there is to leak. Without the map nothing can be denied by us: people deny it, and the rest goes on."""
        verbs.evidence_about(f"curve/{Curve.ISOLATION}/{verbs.service}")
        verbs.evidence_about(f"tenancy/{verbs.service}")
        known = await verbs.look(IsolationProbes.map, MapOf(service=verbs.service))
        if known is not None:
            return cls(verbs, incident, Findings(known))
        service = (await verbs.catalogue()).services.get(verbs.service)
        found = Findings(TenancyMap(endpoints=(), canaries=(), regions=service.regions if service is not None else ()), mapped=False)
        leak = cls(verbs, incident, found)
        leak.denied_by_people()
        return leak

    def denied_by_people(self) -> None:
        """A task with a time, and somebody is paged for it."""
        verbs, due = self._verbs, self._verbs.clock() + self._verbs.policy.for_people(self._numbers.denied_within)
        what = f"Deny by hand whatever of {verbs.service} shows tenants one another's data"
        task = verbs.task(f"{what}, at the gateway or by taking it offline: it has no tenancy map that can be read", Role.SECURITY_LEAD)
        task.due = f"{due:%H:%M} UTC"
        verbs.page((Role.SECURITY_LEAD, Role.OPS_LEAD), f"{what}, until {task.due}: it has no tenancy map, so that we can deny nothing")
        self._by_hand = task.number

    async def stopped_by_hand(self, asks: str, roles: tuple[Role, ...], *, risk: Risk = Risk.C0) -> None:
        """People say what no canary can. Raises `HandOver` where they do not."""
        verbs = self._verbs
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"{asks} (task {self._by_hand})", roles=roles, risk=risk, strict=risk is Risk.C3,
                kind=QuestionKind.APPROVAL if risk is Risk.C3 else QuestionKind.CONFIRMATION,
                facts=(f"{verbs.service} has no tenancy map: no canary can try it, and the access log is all that we may see",),
                effect="the playbook goes on, on your word", inverse="decline: people carry on by hand",
            )
        )  # fmt: skip
        if not decision.granted:
            verbs.hand_over(f"{verbs.service} has no tenancy map, and nobody says that nothing crosses any more")

    async def curve(self) -> CurveReading | None:
        verbs, policy = self._verbs, self._verbs.policy
        order = CurveOf(curve=Curve.ISOLATION, service=verbs.service, numbers=policy.curves, fresh=policy.stability.fresh)
        return await verbs.look(Curves.read, order)

    async def suspects(self) -> None:
        """By the alert, by the counters, by the log. Where nothing points to one, people say which: nothing is denied on a guess."""
        verbs, found = self._verbs, self.found
        seen, found.crossed = await verbs.together(
            self.curve(), verbs.look(IsolationProbes.crossed, CrossingsOf(service=verbs.service, since=self._since))
        )
        named = [self._incident.labels.get("endpoint", "")]
        named += [one.labels.get("endpoint", "") for one in (seen.ill if seen else ())]
        named += found.crossed.endpoints if found.crossed else ()
        found.endpoints = dict.fromkeys(name for name in named if found.map.of(name))
        regions = [one.labels.get("region", "") for one in (seen.ill if seen else ())]
        regions += [self._incident.labels.get("region", ""), *(found.crossed.regions if found.crossed else ())]
        found.regions = dict.fromkeys(one for one in regions if one in found.map.regions)
        if found.mapped and not found.endpoints:
            await self.everywhere()
        if found.mapped and not found.endpoints:
            await self._which()

    async def everywhere(self) -> Matrix | None:
        """Canaries try every endpoint."""
        return await self.reproduce(tuple(one.name for one in self.found.map.endpoints))

    async def _which(self) -> None:
        """Canaries see nothing, and nothing has counted anything: a report of a customer is all that there is."""
        verbs, found = self._verbs, self.found
        names = ", ".join(one.name for one in found.map.endpoints)
        asks = "By which endpoint is it said to leak? Canaries, counters and the access log show none"
        said = await verbs.ask(asks, roles=(Role.SECURITY_LEAD, Role.OPS_LEAD), example='"documents.get"', facts=(f"there are {names}",))
        if said is None or found.map.of(str(said.value)) is None:
            verbs.hand_over("nobody says which endpoint leaks, and no endpoint is denied on a guess")
        found.endpoints[str(said.value)] = None

    async def reproduce(self, endpoints: tuple[str, ...], *, behind: bool = False) -> Matrix | None:
        """By canary tenants only (T1). None: they do not answer, or there is nothing that they could try."""
        verbs, found = self._verbs, self.found
        if not found.mapped:
            return None
        seen = await verbs.look(IsolationProbes.matrix, MatrixOf(service=verbs.service, endpoints=endpoints, map=found.map, behind=behind))
        if seen is not None:
            found.take(seen)
            verbs.note(seen.summary, "finding")
        return seen

    async def facts(self) -> None:
        """The role, the pool, the keys; and whose home is where. A tenant in two regions is asked about, never guessed."""
        verbs, found = self._verbs, self.found
        found.facts, found.homes = await verbs.together(
            verbs.look(IsolationProbes.facts, FactsOf(service=verbs.service)),
            verbs.look(IsolationProbes.homes, HomesOf(service=verbs.service)),
        )
        for tenant in found.homes.unknown if found.homes else ():
            if tenant not in self._asked:
                self._asked.add(tenant)
                await self._home_of(tenant)

    async def _home_of(self, tenant: str) -> None:
        verbs, found = self._verbs, self.found
        verbs.note(f"{tenant} is said to be at home in several regions: it counts in each of them until somebody says where", "unknown")
        task = verbs.task(f"Say in which region {tenant} is at home, and mend its record: it is in several", Role.OPS_LEAD)
        if not verbs.rehearsing:
            verbs.branch(f"the home of {tenant}", self._asked_home(tenant, task.number))
        if found.regions:
            found.regions |= dict.fromkeys(found.map.regions)

    async def _asked_home(self, tenant: str, number: int) -> None:
        """Beside the rest: containment does not wait for it."""
        verbs, found = self._verbs, self.found
        said = await verbs.ask(
            f"In which region is {tenant} at home (task {number})?",
            roles=(Role.OPS_LEAD, Role.SECURITY_LEAD),
            example=f'"{found.map.regions[0]}"',
        )
        if said is not None and said.value in found.map.regions and found.homes is not None:
            at = {**found.homes.at, tenant: str(said.value)}
            found.homes = found.homes.model_copy(update={"at": at, "unknown": tuple(one for one in found.homes.unknown if one != tenant)})
            verbs.note(f"{tenant} is at home in {said.value}, says {said.by}", "finding")

    def judge(self) -> None:
        """How sure it is; a leak that was seen is SEV-1, and everybody who needs to know is there."""
        self._verbs.note(self.found.in_words(), "finding")
        self._verbs.classify(self.found.severity_facts())

    async def crossed_since(self, since: datetime) -> bool | None:
        """Whether anything has crossed since then, by the log. None: nobody can say."""
        verbs, found = self._verbs, self.found
        seen = await verbs.look(IsolationProbes.crossed, CrossingsOf(service=verbs.service, since=since))
        if seen is None:
            return None
        found.endpoints |= dict.fromkeys(name for name in seen.endpoints if found.map.of(name))
        if seen.n:
            verbs.note(f"since it was denied: {seen.summary}", "no help")
        return True if seen.n else (False if seen.complete else None)

    async def scope(self) -> None:
        """Who saw what of whom, as far as it is known now; again when it has stopped."""
        await self.write_ledger()
        self.judge()
        await self.call_others_in()

    async def write_ledger(self) -> None:
        """Owner, viewer, object, class of field, count, time (T2); and whether rows hang on another tenant's rows."""
        verbs, found = self._verbs, self.found
        traced, rows = await verbs.together(
            verbs.look(LeakEvidence.ledger, TraceLeaks(service=verbs.service, since=self._since, incident_id=verbs.incident_id)),
            verbs.look(RowSecurity.integrity, IntegrityOf(service=verbs.service, store=self._verbs.policy.systems.get("row_security", ""))),
        )
        found.ledger = traced if isinstance(traced, LeakLedger) else None  # a plan only says that it would be written
        if traced is None:
            self._once(
                "Write the leak ledger by hand: the access log does not answer, and everybody counts as concerned", Role.SECURITY_LEAD
            )
        elif (ledger := found.ledger) is not None:
            verbs.note(ledger.summary, "leak matrix", pairs=len(ledger.pairs), reads=ledger.rows)
            cells = [(one.owner, one.viewer, one.count) for one in ledger.pairs]
            verbs.draw(DrawnMatrix(name="leak matrix", row="owner", column="viewer", cells=cells, more=ledger.more))
        if rows is not None:
            verbs.note(rows.summary, "finding")
        if rows is None or rows.broken or rows.unknown:
            what = rows.summary if rows else "nobody could look whether rows hang on another tenant's rows"
            self._once(f"Check the rows of every tenant, and mend what hangs on another's: {what}", Role.DB_LEAD)

    def _once(self, text: str, role: Role) -> None:
        if text not in self._asked:
            self._asked.add(text)
            self._verbs.task(text, role)

    async def call_others_in(self) -> None:
        """Personal data that crossed tenants is a breach (X1)."""
        found = self.found
        if found.confirmed and "data_breach" not in self._asked:
            self._asked.add("data_breach")
            counted = found.ledger.summary if found.ledger else "nobody can say who saw what: assume everything that can be reached"
            self._verbs.exposed(f"isolation failure confirmed; {counted}", tenants=tuple(found.ledger.owners) if found.ledger else ())
            await self._verbs.call_in("data_breach", f"isolation failure confirmed; {counted}", {"signal": "isolation"})
