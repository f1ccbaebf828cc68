"""Where else it lies, and keeping it out: the hunt, the sources, the hosts, the strict profile, the guardrails that are down (A.3 T2, M4–M6)."""

from activities.action import Role
from activities.agents.examining import Answer
from activities.agents.holding import PLATFORM, STRICT, Profile, ProfileOf, Profiles
from activities.agents.seen import Agents, AgentsOf
from activities.egress.egress import DENIED, deny
from activities.egress.rendering import NOT_FETCHED, stop_rendering
from activities.guardrails.guardrails import CLOSED, TIGHTENED, Guardrails, PostureOf, StatusOf
from activities.search.quarantine import KEPT_OUT, StoreOf, StoreQuarantines, keep_out
from activities.search.search import Hunt, Search
from workflows.engine.verbs import Verbs
from workflows.incident import Silence
from workflows.playbooks.prompt_injection.findings import CORPUS, Findings
from workflows.playbooks.prompt_injection.sessions import WHY, Sessions

WORKLOAD = "agents"


class Sources:
    def __init__(self, verbs: Verbs, sessions: Sessions) -> None:
        self._verbs, self._sessions, self._numbers = verbs, sessions, verbs.policy.prompt_injection
        self._kept: set[tuple[str, str]] = set()
        self._strict: set[str] = set()
        self._said: set[str] = set()

    @property
    def found(self) -> Findings:
        return self._sessions.found

    async def guarded(self) -> None:
        """While the guardrails are down, high-risk tools are closed and chat goes on with a banner."""
        verbs, route = self._verbs, self._verbs.service
        status = await verbs.look(Guardrails.status, StatusOf(route=route))
        if status is not None and status.up is False:
            verbs.note("the guardrails are down: high-risk tools are closed, chat goes on with a banner", "finding")
            await verbs.impose(TIGHTENED, Guardrails.order(PostureOf(route=route), CLOSED, why="the guardrails are down"))

    async def hunt(self) -> None:
        """In every store, by hash and by likeness, with what share of it was looked at (T2)."""
        verbs = self._verbs
        orders = [Hunt(incident_id=verbs.incident_id, evidence=name, numbers=verbs.policy.hunt) for name in self.found.items]
        for order, answer in zip(orders, await verbs.together(*(verbs.look(Search.hunt, one) for one in orders)), strict=True):
            self.found.hunts[order.evidence] = answer
            verbs.note(
                f"hunt for {order.evidence[:16]}…: {answer.summary if answer else 'the search does not answer: not excluded'}", "finding"
            )
        if open_ := self.found.not_excluded:
            self._once(f"Look through {', '.join(open_)} by hand: it is not excluded that the same lies there too", Role.SECURITY_LEAD)

    async def call_others_in(self) -> None:
        """What is another playbook's as well; this one goes on (X1, spec §11)."""
        verbs, found = self._verbs, self.found
        if found.left is not Answer.NO:
            why = f"data may have gone outside ({found.left}); the manifest of the evidence has what was kept"
            await verbs.call_in("data_breach", why, {"signal": "injection"})
        if found.untraced:
            self._once(
                f"Say of {', '.join(found.untraced)}: it cannot be excluded that data was seen; no trace was kept", Role.SECURITY_LEAD
            )
        if CORPUS in found.sources:
            await verbs.call_in("cache_poisoning", f"{len(found.sources[CORPUS])} documents of the corpus give orders")
        if found.foreign:
            await verbs.call_in("tenant_isolation", f"{len(found.foreign)} tool calls name another tenant")

    async def contain(self) -> None:
        """Hosts, rendering, sources and profile, side by side."""
        verbs, found = self._verbs, self.found
        away = found.left is not Answer.NO
        await verbs.together(
            *(verbs.impose(DENIED, deny(host, WORKLOAD, why=WHY)) for host in found.hosts if not self._again(f"host {host}")),
            *([verbs.impose(NOT_FETCHED, stop_rendering(self._numbers.rendered_on, WHY))] if away and not self._again("rendering") else []),
            self._keep_out(),
            self._hold_strictly(),
        )

    async def _keep_out(self) -> None:
        """Everywhere it was found, our own without asking (M5)."""
        for store, documents in self.found.sources.items():
            new = {id: owner for id, owner in documents.items() if (store, id) not in self._kept}
            ours, theirs = [id for id, owner in new.items() if not owner], [id for id, owner in new.items() if owner]
            for named in filter(None, (ours, theirs)):
                await self._keep_out_of(store, named, sorted({new[id] for id in named} - {""}))
            self._kept |= {(store, id) for id in new}

    async def _keep_out_of(self, store: str, named: list[str], owners: list[str]) -> None:
        verbs, numbers = self._verbs, self._numbers
        now = await verbs.look(StoreQuarantines.read, StoreQuarantines.look(StoreOf(store=store)))
        if now is None:
            self._once(f"Keep {len(named)} documents of {store} out of what agents retrieve: it cannot be done by us", Role.SECURITY_LEAD)
            return
        order = keep_out(store, now, numbers, named, owners=owners, why=WHY)
        facts = (f"{len(named)} documents of {store}" + (f", owned by {', '.join(owners)}" if owners else ""),)
        done = await verbs.impose(KEPT_OUT, order, facts=facts, silence=Silence.SAFE)
        if done.unanswered:
            await verbs.impose(KEPT_OUT, keep_out(store, now, numbers, named, owners=owners, only_from_tools=True, why=WHY))
        elif done.declined:
            self._once(
                f"Keep {len(named)} documents of {store} from agents in another way: their quarantine was declined", Role.SECURITY_LEAD
            )

    async def _hold_strictly(self) -> None:
        """Strict prompt profile and outputs checked by a schema: for the tenants concerned; where they are many, for everybody (M6)."""
        verbs, tenants = self._verbs, self.found.tenants
        if len(tenants) >= self._numbers.platform_tenants and PLATFORM not in self._strict:
            self._strict.add(PLATFORM)
            if await self._strictly(PLATFORM):
                return
        for tenant in tenants if PLATFORM not in self._strict or not verbs.in_force(STRICT) else ():
            if tenant not in self._strict:
                self._strict.add(tenant)
                if not await self._strictly(tenant):
                    self._once(f"Hold the agents of {tenant} strictly in another way: it was not agreed to", Role.AI_ML_LEAD)

    async def _strictly(self, tenant: str) -> bool:
        order = Profiles.order(ProfileOf(tenant=tenant), Profile(strict=True, schema_validated=True), why=WHY)
        facts = (f"{len(self.found.cases)} sessions of {len(self.found.tenants)} tenants are concerned",)
        return bool(await self._verbs.impose(STRICT, order, facts=facts, silence=Silence.SAFE, authorised=tenant != PLATFORM))

    async def stop_everywhere(self, why: str) -> None:
        """The tools by which it acts are stopped for everybody."""
        if self._again("stopped everywhere"):
            return
        verbs = self._verbs
        verbs.note(f"{why}: tools are stopped for everybody", "no help")
        agents = (await verbs.do(Agents.list, AgentsOf())).agents
        if not await self._sessions.stop_tools(tuple(dict.fromkeys(tool for one in agents for tool in one.tools))):
            verbs.task("Stop the tools of agents for everybody by hand, or say why they go on: it was not agreed to", Role.SECURITY_LEAD)

    async def helped(self) -> bool:
        """Whether nothing more is brought about, and no further session is concerned. What is, is contained."""
        verbs, sessions = self._verbs, self._sessions
        await verbs.rest(self._numbers.helped_within, "whether anything more is brought about")
        curve, new = await sessions.curve(), await sessions.suspects()
        if new:
            await sessions.contain(new)
        return not new and (verbs.rehearsing or curve is None or not curve.ill)

    def judge(self) -> None:
        """How far it came, as far as it is known now."""
        verbs, found = self._verbs, self.found
        verbs.classify(found.severity_facts())
        if found.executed is not Answer.NO:
            verbs.restrict("an injected instruction was carried out, or nobody can say that it was not")

    def _once(self, text: str, role: Role) -> None:
        if not self._again(text):
            self._verbs.task(text, role)

    def _again(self, what: str) -> bool:
        """Whether it was so before."""
        before = what in self._said
        self._said.add(what)
        return before
