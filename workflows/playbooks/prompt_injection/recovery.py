"""What was done is undone, or told to its customer; a fix must withstand the attack before anything is let go on (A.3 M7, M8, R1, R2)."""

from activities.action import Risk, Role
from activities.agents.holding import STRICT, Profile, ProfileOf, Profiles
from activities.agents.replays import AttackReplays, Replay, ReplayCounts
from activities.agents.sessions import QUARANTINED
from activities.agents.undoing import ToolCalls, UndoCall
from activities.egress.egress import DENIED
from activities.egress.rendering import NOT_FETCHED
from activities.search.quarantine import KEPT_OUT
from workflows.engine.measures import Imposed
from workflows.engine.verbs import Verbs
from workflows.incident import QuestionDraft, QuestionKind, Silence
from workflows.people.questions import ApprovalTerms, Decision
from workflows.playbooks.prompt_injection.sessions import WHY, Sessions
from workflows.status import Task

BOTH = (Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER)


class Recovery:
    def __init__(self, verbs: Verbs, sessions: Sessions) -> None:
        self._verbs, self._sessions, self._numbers = verbs, sessions, verbs.policy.prompt_injection
        self.false_alarm = False
        self._undone: set[str] = set()
        self._replays = 0
        self._fix: Task | None = None

    # -- nothing happened ---------------------------------------------------------------------------------------------------------

    async def nothing_wrong(self) -> None:
        """Where nothing was done, Security may say that it was no attack: then its tenant keeps tools that only read, until it was looked at."""
        verbs = self._verbs
        if not self._sessions.attempt_only or self.false_alarm:
            return
        decision = await verbs.confirm(
            QuestionDraft(
                asks="Nothing that it asked for was done. Is it a false positive?", roles=(Role.SECURITY_LEAD,), silence=Silence.SKIP,
                facts=tuple(case.facts.summary for case in self._sessions.found.cases.values() if case.facts),
                effect="the sessions go on with tools that only read, and it is looked at within "
                f"{self._numbers.review_within.total_seconds() / 60:.0f} minutes", inverse="decline: it is an attack, and stays contained",
            )
        )  # fmt: skip
        self.false_alarm = decision.granted and not verbs.rehearsing
        if self.false_alarm:
            await self._narrower()

    async def _narrower(self) -> None:
        verbs, numbers = self._verbs, self._numbers
        due = verbs.clock() + verbs.policy.for_people(numbers.review_within)
        task = verbs.task(
            "Review what the guardrails have taken for an attack, and say whether its tenant has all of its tools back", BOTH[0]
        )
        task.due = f"{due:%H:%M} UTC"
        for tenant in self._sessions.found.tenants:
            order = Profiles.order(ProfileOf(tenant=tenant), Profile(allow=numbers.read_only_tools), why="until it was reviewed")
            await verbs.impose(STRICT, order, silence=Silence.SKIP)
        await self._let_go_on("Let these sessions go on, with tools that only read?")

    # -- what it did --------------------------------------------------------------------------------------------------------------

    async def undo(self) -> None:
        """By list: what is ours with one yes, what others own with two; what cannot be undone is told to its customer (M7)."""
        verbs, found = self._verbs, self._sessions.found
        for case in found.cases.values():
            calls = case.facts.undoable if case.facts else ()
            for external in (False, True):
                orders = [
                    UndoCall(id=one.id, tool=one.tool, session=case.session.id, external=external, reason=WHY)
                    for one in calls
                    if one.external is external and one.id not in self._undone
                ]
                await self._undo(orders, case.session.tenant)
            lasting = case.facts.lasting if case.facts else ()
            if lasting and case.session.id not in self._undone:
                named = ", ".join(sorted({f"{one.tool} {one.id}" for one in lasting})[:5])
                what = f"{len(lasting)} things that its agent did cannot be undone ({named})"
                verbs.task(
                    f"Contact {case.session.tenant}, before anything is public: {what}. No text of the attack goes along", Role.COMMS_LEAD
                )
            self._undone.add(case.session.id)

    async def _undo(self, orders: list[UndoCall], tenant: str) -> None:
        if not orders:
            return
        verbs, tools = self._verbs, ", ".join(sorted({one.tool for one in orders}))
        self._undone.update(one.id for one in orders)
        terms = ApprovalTerms(asks=f"Undo {len(orders)} calls of {tools} for {tenant}?", facts=tuple(one.id for one in orders[:5]))
        decision = await verbs.approve_all(ToolCalls.undo, orders, terms)
        if decision.grant is None:
            verbs.task(f"Undo {len(orders)} calls of {tools} for {tenant} by hand, or tell them: it was declined", Role.OPS_LEAD)
            return
        for order in orders:
            await verbs.propose(ToolCalls.undo, order, under=decision.grant)

    # -- the fix ------------------------------------------------------------------------------------------------------------------

    async def fixed(self) -> None:
        """People repair it; the captured attack and other ways to say it must not get through, and innocent requests still must (M8, R1)."""
        verbs, numbers = self._verbs, self._numbers
        if self.false_alarm:
            return
        if self._fix is None:
            what = "Patch the tools: check where arguments come from, allow and deny lists; test it with the captured attack"
            self._fix = verbs.task(
                f"{what}; ship it under an exemption token of the freeze, and block the version before it", Role.OPS_LEAD
            )
        deadline = verbs.clock() + verbs.policy.paced(numbers.replay_patience)
        while open_ := await self._replayed():
            verbs.note(f"not repaired: {'; '.join(open_)}", "replay")
            if verbs.clock() >= deadline:
                await self._all_the_same(open_)
                return
            await verbs.rest(numbers.replay_again, "the fix, which people ship")
        if not verbs.rehearsing:
            verbs.note("the captured attack does not get through any more, and innocent requests do", "replay")

    async def _replayed(self) -> tuple[str, ...]:
        """What does not withstand yet; empty when everything does. What was never captured cannot be replayed, and proves nothing."""
        verbs, found = self._verbs, self._sessions.found
        self._replays += 1
        carried = {item.evidence: name for name, one in found.cases.items() if one.facts for item in one.facts.items}
        if not carried:
            return () if verbs.rehearsing else ("nothing was captured that could be replayed",)
        results = [
            await verbs.look(AttackReplays.run, Replay(session=name, round=self._replays)) for name in dict.fromkeys(carried.values())
        ]
        if verbs.rehearsing:
            return ()
        return tuple(filter(None, (self._lacks(None if one is None else ReplayCounts.of(one)) for one in results)))

    def _lacks(self, counts: ReplayCounts | None) -> str:
        numbers = self._numbers
        if counts is None:
            return "the replay says nothing"
        few = counts.variants < numbers.variants or counts.transformations < numbers.transformations
        refused = counts.more_refused is None or counts.more_refused > numbers.benign_margin
        return counts.summary if few or counts.bypassed or refused else ""

    async def _all_the_same(self, open_: tuple[str, ...]) -> None:
        verbs = self._verbs
        decision = await verbs.confirm(
            QuestionDraft(
                kind=QuestionKind.APPROVAL, roles=BOTH, facts=open_, risk=Risk.C3, strict=True,
                asks="No replay has shown that it is repaired. End it all the same, with the sessions in quarantine?",
                effect="recovery goes on; what is in quarantine stays there", inverse="decline: people carry on by hand",
            )
        )  # fmt: skip
        if not decision.granted:
            verbs.hand_over(f"it is not repaired: {'; '.join(open_)}")
        self._keep(verbs.in_force(QUARANTINED), decision)

    # -- letting go on ------------------------------------------------------------------------------------------------------------

    async def let_go_on(self) -> None:
        """Sessions go on only on the word of Security and of the commander, both (R2)."""
        await self._let_go_on("Let these sessions go on? The attack does not get through any more")

    async def _let_go_on(self, asks: str) -> None:
        verbs = self._verbs
        held = [imposed for imposed in verbs.in_force(QUARANTINED) if not verbs.kept_by(imposed)]
        if not held:
            return
        decision = await verbs.confirm(
            QuestionDraft(
                kind=QuestionKind.APPROVAL, asks=asks, roles=BOTH, risk=Risk.C3, strict=True, effect="; ".join(one.undo.effect() for one in held),
                inverse="quarantine them again", covers=tuple(digest for one in held for digest in one.covers((one.undo,))),
                by_hand=tuple(line for one in held for line in one.undo.by_hand()),
            )
        )  # fmt: skip
        if not decision.granted:
            self._keep(held, decision)
            return
        for one in held:
            await verbs.lift(one, decision.grant)

    async def keep_the_rest(self) -> None:
        """Sources, hosts and rendering stay as they are held, in somebody's name: nothing of it is let in with the rest, unless it was no attack."""
        verbs = self._verbs
        if self.false_alarm:
            return
        measures = (KEPT_OUT, DENIED, NOT_FETCHED)
        held = [one for measure in measures for one in verbs.in_force(measure) if not verbs.kept_by(one)]
        if not held:
            return
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"Who keeps {len(held)} things in force that the attack came by? Approve to keep them in your name", roles=BOTH,
                effect="; ".join(one.says for one in held), inverse="; ".join(dict.fromkeys(one.order.inverse() for one in held)),
            )
        )  # fmt: skip
        self._keep(held, decision)

    def _keep(self, held: list[Imposed], decision: Decision) -> None:
        for one in held:
            self._verbs.keep(one, decision.by)
