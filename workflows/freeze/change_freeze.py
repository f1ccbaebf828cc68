"""The change freeze of one service (spec §7.2): a set of holders, and branches that are locked while there is one. Id `freeze-<service>`.

It does not fit the kit: it outlives the incidents that hold it, never expires by itself, and belongs to several (ADR 11). It answers `hold`
when the lock was read back and a probe deploy refused, and `release` when the holder is gone, and with the last one the lock. It ends after
the last release, and begins anew with the next hold.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from temporalio import workflow

from activities.action import Effect, Risk, Role, Verb, action_of
from activities.freeze.freezes import Freezes
from activities.freeze.orders import ExemptDeploy, ExemptionPurpose, FreezeOrder, FreezeRequest, FreezeState, Hold, Release
from activities.identity.codes import Identify, Identities, Identity, Sealed
from activities.organisation.organisation import Organisation, ReadAll
from workflows.engine.invoker import Invoker, NeedsApproval, RetriesExhausted
from workflows.freeze.holding import Authority, Holding, NotProven
from workflows.freeze.state import Freeze
from workflows.incident import Answer, Question, Silence
from workflows.people.approvals import NotAccepted
from workflows.people.messages import Guarded, open_doors, read
from workflows.people.permissions import Capability, whose
from workflows.people.questions import Questions

COMMAND = whose(Capability.FREEZE_OFF, limits="1")
MESSAGES = {
    "hold": 'Freeze deploys for an incident, or for the error budget: {"holder": "inc-20261123-out-api", "by": "dana", "reason": "…"}',
    "release": 'Hold it no longer: {"holder": "inc-20261123-out-api", "by": "dana", "reason": "…"}',
    "exempt": 'Let one deploy pass, once: {"holder": "inc-…", "artefact": "sha256:…", '
    '"purpose": "rollback|hotfix|secret-redeploy|security-patch", "by": "dana"}',
    "use_exemption": 'Use an exemption up: {"holder": "inc-…", "artefact": "sha256:…", "purpose": "…", "by": "lee"}',
    "approve": 'Yes to a question. Input: the personal code you were sent, as a JSON string: "1-4XQ2-M9KD"',
    "decline": 'No to a question. Input as for approve: "1-4XQ2-M9KD"',
}
VERDICTS = {"approve": "code", "decline": "code"}


# What each message wants: which verb, of which order, and who may have it without asking.
WANTS: dict[str, tuple[Verb[Any, Effect], type[FreezeOrder], tuple[Role, ...]]] = {
    "hold": (Freezes.hold, Hold, whose(Capability.FREEZE_ON, "R")), "release": (Freezes.release, Release, COMMAND),
    "exempt": (Freezes.exempt, ExemptDeploy, COMMAND), "use_exemption": (Freezes.use, ExemptDeploy, whose(Capability.FREEZE_ON, "R")),
}  # fmt: skip


class Wish(NamedTuple):
    """A message that was understood."""

    name: str
    verb: Verb[Any, Effect]
    order: FreezeOrder
    roles: tuple[Role, ...]

    @property
    def covered(self) -> str:
        return self.order.digest(action_of(self.verb).name)


def request_of(name: str, given: Sequence[object]) -> FreezeRequest:
    """What was sent to a freeze by the message called `name`. Raises `NotAccepted`."""
    return read(name, given, FreezeRequest, MESSAGES, VERDICTS)


class FreezeMessages(Guarded): ...


open_doors(FreezeMessages, MESSAGES, request_of)


@workflow.defn
class ChangeFreeze(FreezeMessages):
    """Keeps one service frozen for as long as somebody holds it."""

    @workflow.init
    def __init__(self, *given: Any) -> None:
        self.freeze = Freeze(workflow.info().workflow_id, given, workflow.now())
        self.invoker = Invoker(self.freeze, self.freeze.record.counts, keys=self.freeze.record.id)
        self.questions = Questions(self.freeze, self.invoker)
        self.holding = Holding(self.freeze, self.invoker, self.questions)
        self._asking: dict[str, asyncio.Task[Effect | None]] = {}
        self._turn = asyncio.Lock()  # one change at a time: two must not write the ruleset past each other
        self._ready = False
        self._messages = 0

    @workflow.run
    async def run(self, *given: Any) -> FreezeState:
        """Until the last holder is gone."""
        freeze = self.freeze
        try:
            freeze.policy = await self.invoker.quietly(Organisation.policy, ReadAll())
        except RetriesExhausted as out:
            freeze.note("configuration", f"{out.why}; the spec's defaults hold")
        self._ready = True
        while True:
            try:
                await self._wait()
                if self._may_end():
                    break
                if self._may_renew():
                    workflow.continue_as_new(freeze.renewed(self.invoker.counts))
                async with self._turn:
                    await self.holding.tend()
                workflow.set_current_details(self._details())
            except asyncio.CancelledError:
                if not freeze.record.holders:
                    raise
                freeze.note("refused", f"cancelled by an operator, and held all the same: {freeze.record.names}; release it instead")
        await self.questions.settle()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        return freeze.public()

    # -- messages ---------------------------------------------------------------------------------------------------------------------

    async def hear(self, name: str, given: Sequence[object]) -> Effect | str:
        """Act on one message: a worker reads the effect, a person a sentence. Raises `NotAccepted`, or `NotProven`."""
        await workflow.wait_condition(lambda: self._ready)
        try:
            request = request_of(name, given)
            if name in VERDICTS:
                return await self._answered(name, request)
            wish = await self._wish(name, request)
            if request.seal:
                return await self._carry_out(wish, await self._vouched(wish, request))
            return (await self._said(wish, request)).summary
        finally:
            self._messages += 1
            workflow.set_current_details(self._details())

    def refuse(self, name: str, given: Sequence[object], why: str) -> None:
        """Note what was not accepted. What was sent is not repeated: it may be somebody's code."""
        self.freeze.note("refused", f"{name}: {why}")

    @workflow.query(description="Who holds it, and what may pass")
    def state(self, *given: Any) -> FreezeState:
        return self.freeze.public()

    @workflow.query(description="What happened, a line each")
    def timeline(self, *given: Any) -> list[dict[str, Any]]:
        return [entry.model_dump(mode="json") for entry in self.freeze.timeline.entries]

    async def _wish(self, name: str, request: FreezeRequest) -> Wish:
        verb, shape, roles = WANTS[name]
        words = {"service": await self.holding.place(), **request.model_dump(include=set(shape.model_fields))}
        order = read(name, [words], shape, MESSAGES, {})
        if isinstance(order, ExemptDeploy) and name == "exempt" and order.purpose is ExemptionPurpose.SECURITY_PATCH:
            roles = (Role.SECURITY_LEAD, *roles)  # a patch is also Security's to allow (spec §4)
        return Wish(name, verb, order, roles)

    # -- on whose word (design §4, Who answered) --------------------------------------------------------------------------------------

    async def _vouched(self, wish: Wish, request: FreezeRequest) -> Authority:
        """A worker of ours, and where it needs one the grant that it was given: its own activity has checked that."""
        words = request.sealed(wish.name, self.freeze.record.service)
        if not await self.invoker.quietly(Identities.vouched, Sealed(said=words, seal=request.seal)):
            raise NotAccepted(f"{wish.name}: the seal is not one of our workers'")
        if (risk := self.invoker.risk(wish.verb, wish.order)) < Risk.C2:
            return Authority(("automation",), True, request.key)
        grant = request.grant
        if grant is None or not grant.by:
            raise NotAccepted(f"{wish.name} is {risk.label} and was granted by nobody")
        if workflow.now() > grant.expires_at + timedelta(minutes=1):  # what is granted in the last second may arrive in the next
            raise NotAccepted(f"the approval by {' and '.join(grant.by)} expired at {grant.expires_at:%H:%M:%S} UTC")
        return Authority(grant.by, grant.verified, request.key)

    async def _said(self, wish: Wish, request: FreezeRequest) -> Effect:
        """A person. What they may not do alone, or not without a code, becomes a question to those who may."""
        freeze, identity = self.freeze, await self._identify(request)
        if identity.person is None:
            raise NotAccepted(identity.why)
        risk = self.invoker.risk(wish.verb, wish.order)
        if not request.code and risk < freeze.policy.verified_from and freeze.assignments.role_of(identity.person, wish.roles):
            return await self._carry_out(wish, Authority((identity.person.id,), verified=False))
        question = self._question(wish)
        if question is None:
            self._asking[wish.covered] = asyncio.create_task(self._ask(wish))
            await workflow.wait_condition(lambda: self._question(wish) is not None)
            question = self._question(wish)
        assert question is not None  # noqa: S101 - narrows the type; it was waited for
        try:
            self._take("approve", request.model_copy(update={"question": question.number}), identity)
        except NotAccepted as no:
            whose = " or ".join(role.title for role in question.roles)
            raise NotAccepted(
                f"{no}; question {question.number} goes to {whose}: incident approve {freeze.id} {question.number} --code CODE"
            ) from None
        return await self._outcome(question)

    async def _answered(self, verdict: str, request: FreezeRequest) -> str:
        question = self._take(verdict, request, await self._identify(request))
        if verdict == "decline":
            return f"declined by {question.given[-1].by}"
        return (await self._outcome(question)).summary

    async def _outcome(self, question: Question) -> Effect:
        """What came of a yes."""
        asking = next((task for covered, task in self._asking.items() if covered in question.covers), None)
        effect = await asking if asking else None
        if effect is None:
            raise NotAccepted(f"question {question.number} is {question.state}: nothing was done")
        return effect

    async def _ask(self, wish: Wish) -> Effect | None:
        """Put to people as every question is, with a ladder; what was granted is carried out."""
        facts = (f"held by: {self.freeze.record.names}",)
        decision = await self.questions.approval(wish.verb, [wish.order], facts=facts, roles=wish.roles, silence=Silence.SKIP)
        grant = decision.grant
        return await self._carry_out(wish, Authority(grant.by, grant.verified)) if grant else None

    def _question(self, wish: Wish) -> Question | None:
        """The open question whether exactly this may be done."""
        return next((q for q in self.freeze.approvals.questions if q.open and wish.covered in q.covers), None)

    async def _identify(self, request: FreezeRequest) -> Identity:
        freeze = self.freeze
        questions = tuple((q.number, q.digest) for q in freeze.approvals.questions)
        order = Identify(incident_id=freeze.id, code=request.code.strip(), claims=request.by.strip(), questions=questions)
        try:
            identity = await self.invoker.quietly(Identities.identify, order)
        except RetriesExhausted as out:
            raise NotAccepted(f"cannot find out who you are just now ({out.why}); try again") from None
        freeze.assignments.roster = identity.roster
        return identity

    def _take(self, verdict: str, request: FreezeRequest, identity: Identity) -> Question:
        freeze = self.freeze
        answer = Answer(verdict=verdict, **request.model_dump(include={"question", "by", "reason", "code"}))
        question = freeze.approvals.take(answer, identity, freeze.assignments, freeze.policy, workflow.now())
        given = question.given[-1]
        how = "verified" if given.verified else "self-declared"
        freeze.note("answered", f"[{question.number}] {verdict} by {given.by} ({how}): {question.asks}", by=given.by)
        return question

    async def _carry_out(self, wish: Wish, by: Authority) -> Effect:
        record, verbs = self.freeze.record, self.holding
        do = {"hold": verbs.hold, "release": verbs.release, "exempt": verbs.exempt, "use_exemption": verbs.use}[wish.name]
        async with self._turn:
            if wish.name != "hold" and by.key and by.key in record.done:
                return verbs.again(wish.order)
            try:
                effect: Effect = await do(wish.order, by)  # type: ignore[operator]
            except (RetriesExhausted, NeedsApproval) as out:
                raise NotProven(str(out)) from None
            record.done += [by.key] if by.key else []
            return effect

    # -- time -------------------------------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Until something is due, or there is nothing left to do. A message may move what is due, and is heard beside this."""
        while not (self._may_end() or self._may_renew()):
            due = self._due()
            if due is not None and due <= workflow.now():
                return
            try:
                await workflow.wait_condition(
                    lambda seen=due: self._may_end() or self._may_renew() or self._due() != seen,  # type: ignore[misc]
                    timeout=due - workflow.now() if due else None,
                    timeout_summary="the next look" if due else None,
                )
            except TimeoutError:
                return

    def _due(self) -> datetime | None:
        freeze, record = self.freeze, self.freeze.record
        look = record.looked_at + freeze.policy.paced(freeze.policy.freeze.exemption_look) if freeze.exempted and record.looked_at else None
        due = (*(e.expires_at for e in freeze.live), look, record.ask_at, record.retry_at)
        return min((at for at in due if at is not None), default=None)

    def _may_end(self) -> bool:
        return self._messages > 0 and not self.freeze.record.holders and workflow.all_handlers_finished()

    def _may_renew(self) -> bool:
        long = self._messages >= self.freeze.policy.freeze.messages_per_run or workflow.info().is_continue_as_new_suggested()
        return long and workflow.all_handlers_finished() and not any(q.open for q in self.freeze.approvals.questions)

    def _details(self) -> str:
        record = self.freeze.record
        return "\n".join([f"Change freeze of {record.service}", *(f"* {line}" for line in record.lines())])
