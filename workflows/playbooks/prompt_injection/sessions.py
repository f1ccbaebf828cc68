"""Sessions that an attacker speaks in: exported, quarantined, their tokens revoked, and what they did told apart (A.3 M1–M3, T1, T3)."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from activities.action import Role
from activities.agents.examining import Answer, Examinations, ExamineSession
from activities.agents.exporting import ExportSession, SessionExports
from activities.agents.holding import BLOCKED, ToolBlock, ToolBlocks, ToolOf
from activities.agents.seen import Agents, AgentsOf, Session, SessionsOf
from activities.agents.sessions import QUARANTINED, Quarantine, QuarantineOf, Quarantines, RevokeTokens, SessionTokens
from activities.egress.egress import CallsOf, Egress
from activities.metrics.curves import CurveOf, CurveReading, Curves
from activities.values import Curve
from workflows.engine.changes import ChangeResult
from workflows.engine.verbs import Verbs
from workflows.incident import Incident
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.prompt_injection.findings import Case, Findings

WHY = "an instruction inside of what it read"


class Sessions:
    def __init__(self, verbs: Verbs, incident: Incident) -> None:
        self._verbs, self._incident, self._numbers = verbs, incident, verbs.policy.prompt_injection
        self.found = Findings()
        self._holding: dict[str, asyncio.Task[ChangeResult]] = {}

    async def curve(self) -> CurveReading | None:
        verbs, policy = self._verbs, self._verbs.policy
        order = CurveOf(curve=Curve.INJECTION, service=verbs.service, numbers=policy.curves, fresh=policy.stability.fresh)
        return await verbs.look(Curves.read, order)

    async def suspects(self) -> tuple[Session, ...]:
        """Sessions in which the guardrails saw an attack, or that the alert names, and that nobody has looked at."""
        verbs, named = self._verbs, self._incident.labels.get("session", "")
        verbs.evidence_about(f"curve/{Curve.INJECTION}/{verbs.service}")
        seen = (await verbs.do(Agents.sessions, SessionsOf())).sessions
        found = tuple(one for one in seen if one.id == named or one.suspicious(self._numbers))
        return tuple(one for one in found if one.id not in self.found.cases)

    async def first(self) -> tuple[Session, ...]:
        """Those to begin with. Where nothing points to one, people say which; a quarantine on a guess would hit the innocent."""
        if suspects := await self.suspects():
            return suspects
        verbs, seen = self._verbs, await self.curve()
        facts = (seen.in_words,) if seen else ()
        asks = "In which session does it happen? The guardrails point to none"
        said = await verbs.ask(asks, roles=(Role.SECURITY_LEAD, Role.AI_ML_LEAD), example='"s-00002"', facts=facts)
        known = (await verbs.do(Agents.sessions, SessionsOf())).sessions
        chosen = tuple(one for one in known if said is not None and one.id == said.value)
        if not chosen:
            verbs.hand_over("nobody says in which session it happens, and no session is quarantined on a guess")
        return chosen

    async def contain(self, suspects: tuple[Session, ...]) -> None:
        """Each of them, side by side."""
        verbs = self._verbs
        for one in suspects:
            verbs.evidence_about(f"session/{one.id}")
            self.found.cases[one.id] = Case(one)
            who = f"user {one.user} of {one.tenant}"
            verbs.task(f"Review {who}: a victim is not an attacker, and nobody is banned by automation", Role.SECURITY_LEAD)
        await verbs.together(*(self._isolate(self.found.cases[one.id]) for one in suspects))
        verbs.note(self.found.in_words(), "finding")

    async def _isolate(self, case: Case) -> None:
        verbs, session = self._verbs, case.session.id
        began, export = verbs.clock(), self._export(session)
        await self._for(export, self._numbers.quarantine_within, f"the export of session {session}")
        if not export.done():
            verbs.note(f"session {session} is quarantined before its export has ended: harm would go on (INV-1)", "no export")
        hold = self._hold(session)
        await self._for(hold, self._numbers.holds_within, f"session {session} to be quarantined")
        if verbs.clock() - began > verbs.policy.paced(self._numbers.quarantine_latest):
            verbs.note(f"session {session} was quarantined later than it may be", "late")
        await self._revoke(case, held=hold.done())
        case.facts, case.outbound = await verbs.together(self._examine(session, export), self._outbound(session))
        said = case.facts.summary if case.facts else f"{session}: its export cannot be read: what it did cannot be excluded"
        verbs.note(said + (f"; {case.outbound.summary}" if case.outbound else "; nobody can say what left"), "finding")

    def _export(self, session: str) -> asyncio.Task[str]:
        async def exported() -> str:
            order = ExportSession(incident_id=self._verbs.incident_id, session=session)
            kept = await self._verbs.look(SessionExports.export, order)
            return str(kept.after.get("sha256", "")) if kept else ""

        return self._begin(f"the export of {session}", exported())

    def _hold(self, session: str) -> asyncio.Task[ChangeResult]:
        order = Quarantines.order(QuarantineOf(session=session), Quarantine(quarantined=True, reason=WHY), why=WHY)
        self._holding[session] = self._begin(f"the quarantine of {session}", self._verbs.impose(QUARANTINED, order))
        return self._holding[session]

    def _begin(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self._verbs.branch(name, work)

    async def _for(self, work: asyncio.Task[Any], at_most: Any, what: str) -> None:
        """Wait for it, so long."""
        await self._verbs.waited(work.done, self._verbs.policy.paced(at_most), what)

    async def _revoke(self, case: Case, *, held: bool) -> None:
        """Tokens that are revoked hold what a quarantine does not. Where both fail, its tools are stopped."""
        verbs, session = self._verbs, case.session
        if not held:
            verbs.note(f"the quarantine of session {session.id} is not proven yet: its tokens are revoked at once", "no help")
        if await verbs.look(SessionTokens.revoke, RevokeTokens(session=session.id)) is None:
            verbs.note(f"the tokens of session {session.id} cannot be revoked: its tools are stopped for {session.tenant}", "no help")
            agents = (await verbs.do(Agents.list, AgentsOf(tenant=session.tenant))).agents
            tools = next((one.tools for one in agents if one.id == session.agent), ())
            await self.stop_tools(tools, (session.tenant,))

    async def stop_tools(self, tools: tuple[str, ...], tenants: tuple[str, ...] = ()) -> bool:
        """For these tenants; for everybody where none is named, which is one question about all of them."""
        verbs, block = self._verbs, ToolBlock(tenants=tenants, everywhere=not tenants)
        orders = [ToolBlocks.order(ToolOf(tool=tool), block, why=WHY) for tool in tools if tool not in self._numbers.read_only_tools]
        grant = None
        if not tenants:
            named = ", ".join(one.of.tool for one in orders)
            decision = await verbs.approve_all(ToolBlocks.change, orders, ApprovalTerms(asks=f"Stop {named} for everybody?"))
            if (grant := decision.grant) is None:
                return False
        await verbs.together(*(verbs.impose(BLOCKED, one, under=grant) for one in orders))
        return True

    async def _examine(self, session: str, export: asyncio.Task[str]) -> Any:
        """None: what it did is unknown."""
        await self._verbs.waited(export.done, None, f"the export of session {session}")
        if not (evidence := export.result()):
            return None
        order = ExamineSession(
            incident_id=self._verbs.incident_id, session=session, evidence=evidence, numbers=self._verbs.policy.prompt_injection
        )
        return await self._verbs.look(Examinations.examine, order)

    async def _outbound(self, session: str) -> Any:
        return await self._verbs.look(Egress.calls, CallsOf(window=self._numbers.outbound_back, session=session))

    async def held(self) -> None:
        """Every quarantine holds, or people have said what becomes of it."""
        for name, task in self._holding.items():
            await self._verbs.until_free({name: task})
            if not task.cancelled():
                task.result()

    @property
    def attempt_only(self) -> bool:
        return self.found.executed is Answer.NO and self.found.left is Answer.NO
