"""The change freeze of one service (spec §7.2): a set of holders, and branches that are locked while there is one. Id `freeze-<service>`.

It outlives the incidents that hold it, never expires by itself, and belongs to several (ADR 11). It answers `hold` when the lock was read back
and a probe deploy refused, and `release` when the holder is gone, and with the last one the lock. After that it ends, until the next hold.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

from activities.action import Effect, Risk, Role, Verb, action_of
from activities.freeze.freezes import Freezes
from activities.freeze.orders import ExemptDeploy, ExemptionPurpose, FreezeOrder, FreezeRequest, FreezeState, Hold, Release
from activities.identity.codes import Identities, Identity, Sealed
from activities.kit.words.shell import command
from activities.organisation.organisation import Organisation, ReadAll
from workflows.engine.invoker import Invoker
from workflows.errors import NeedsApproval, NotAccepted, RetriesExhausted
from workflows.freeze.holding import Authority, Holding, NotProven
from workflows.freeze.state import Freeze
from workflows.freeze.watching import Watching
from workflows.incident import Answer, Question, Silence
from workflows.people.access import AccessCheck
from workflows.people.background import begun, ended
from workflows.people.messages import Hears, Message, MessageReceiver, add_message_handlers, read
from workflows.people.permissions import Capability, whose
from workflows.people.questions import PROPOSER, ApprovalTerms, Questions

MESSAGES = {
    "hold": 'Freeze deploys for an incident, or for the error budget: {"holder": "inc-20261123-out-api", "by": "dana", "reason": "…"}',
    "release": 'Hold it no longer: {"holder": "inc-20261123-out-api", "by": "dana", "reason": "…"}',
    "exempt": 'Let one deploy pass, once: {"holder": "inc-…", "artefact": "sha256:…", '
    '"purpose": "rollback|hotfix|secret-redeploy|security-patch", "by": "dana"}',
    "approve": 'Yes to a question. Input: the personal code you were sent, as a JSON string: "1-4XQ2-M9KD"',
    "decline": 'No to a question. Input as for approve: "1-4XQ2-M9KD"',
}
VERDICTS = {"approve": "code", "decline": "code"}
COMMAND = whose(Capability.FREEZE_OFF, limits="1")
# What each message wants: an order of a verb; and who may have it without asking.
WANTS: dict[str, tuple[Verb[Any, Effect], type[FreezeOrder], tuple[Role, ...]]] = {
    "hold": (Freezes.hold, Hold, whose(Capability.FREEZE_ON, "R")), "release": (Freezes.release, Release, COMMAND),
    "exempt": (Freezes.exempt, ExemptDeploy, COMMAND),
}  # fmt: skip


def request_of(name: str, given: Sequence[object]) -> FreezeRequest:
    """What was sent to a freeze by the message called `name`. Raises `NotAccepted`."""
    return read(name, given, FreezeRequest, MESSAGES, VERDICTS)


class FreezeMessages(MessageReceiver): ...


add_message_handlers(FreezeMessages, MESSAGES, request_of)


@workflow.defn
class ChangeFreeze(FreezeMessages):
    @workflow.init
    def __init__(self, *given: Any) -> None:
        self.freeze = Freeze(workflow.info().workflow_id, given, workflow.now())
        self.invoker = Invoker(self.freeze, self.freeze.record.counts, keys=self.freeze.record.id)
        self.questions = Questions(self.freeze, self.invoker)
        self.access = AccessCheck(self.freeze, self.invoker, self.questions.notices)
        self.holding = Holding(self.freeze, self.invoker, self.questions)
        self.watching = Watching(self.freeze, self.invoker, self.questions)
        self._asking: dict[str, asyncio.Task[Effect | None]] = {}  # what is asked, by its digest
        self._turn = asyncio.Lock()  # one change at a time: two must not write the ruleset past each other
        self._ready, self._messages = False, 0

    @workflow.run
    async def run(self, *given: Any) -> FreezeState:
        freeze = self.freeze
        try:
            freeze.policy = await self.invoker.quietly(Organisation.policy, ReadAll())
        except RetriesExhausted as out:
            freeze.note("configuration", f"{out.why}; the spec's defaults hold")
        self._ready = True
        watch = begun(self.watching.run())
        while True:
            try:
                await self._wait()
                if self._may_end():
                    break
                if self._may_renew():
                    await self.watching.stop(watch)
                    workflow.continue_as_new(freeze.renewed(self.invoker.counts))
                async with self._turn:
                    await self.holding.tend()
                self._show()
            except asyncio.CancelledError:
                if not freeze.record.holders:
                    raise
                freeze.note("refused", f"cancelled by an operator, and held all the same: {freeze.record.names}; release it instead")
        await self.watching.stop(watch)
        await self.watching.over()
        await self.questions.settle()
        await ended(*self._asking.values())
        return freeze.public()

    async def receive(self, name: str, given: Sequence[object]) -> Effect | str:
        """Act on one message: a worker reads the effect, a person a sentence. Raises `NotAccepted`, or `NotProven`."""
        await workflow.wait_condition(lambda: self._ready)
        try:
            request = request_of(name, given)
            if name in VERDICTS:
                question = self._take(name, request, await self._identified(name, request))
                return (await self._outcome(question)).summary if name == "approve" else f"declined by {question.answers[-1].by}"
            shape = WANTS[name][1]
            words = {"service": await self.holding.place(), **request.model_dump(include=set(shape.model_fields))}
            order = read(name, [words], shape, MESSAGES, {})
            if request.seal:
                return await self._carry_out(name, order, await self._vouched(name, order, request))
            return (await self._by_person(name, order, request)).summary
        finally:
            self._messages += 1
            self._show()

    @property
    def hears(self) -> Hears:
        return Hears(self.freeze, self.access)

    @workflow.query(description="Who holds it, and what may pass")
    def state(self, *given: Any) -> FreezeState:
        return self.freeze.public()

    async def _carry_out(self, name: str, order: FreezeOrder, by: Authority) -> Effect:
        """By the verb that is called like the message."""
        record, holding = self.freeze.record, self.holding
        async with self._turn:
            if name != "hold" and by.key and by.key in record.done:  # a late attempt, or somebody who has read it in the history
                known = self.freeze.exemption(order) if isinstance(order, ExemptDeploy) else None
                return holding.effect("this was done before, on this very message", adopted=True, exemption=known)
            try:
                effect: Effect = await getattr(holding, name)(order, by)
            except (RetriesExhausted, NeedsApproval) as out:
                raise NotProven(str(out)) from None
            record.done += [by.key] if by.key else []
            return effect

    async def _vouched(self, name: str, order: FreezeOrder, request: FreezeRequest) -> Authority:
        """A worker of ours, and where it needs one the grant that it was given: its own activity has checked that."""
        if not await self.invoker.quietly(Identities.vouched, Sealed(said=request.sealed(name, order.service.name), seal=request.seal)):
            raise NotAccepted(f"{name}: the seal is not one of our workers'")
        grant, risk = request.grant, self.invoker.risk(WANTS[name][0], order)
        if risk < Risk.C2:
            return Authority(("automation",), True, request.key)
        if grant is None or not grant.by:
            raise NotAccepted(f"{name} is {risk.label} and was granted by nobody")
        if workflow.now() > grant.expires_at + timedelta(minutes=1):  # what is granted in the last second may arrive in the next
            raise NotAccepted(f"the approval by {' and '.join(grant.by)} expired at {grant.expires_at:%H:%M:%S} UTC")
        return Authority(grant.by, grant.verified, request.key)

    async def _by_person(self, name: str, order: FreezeOrder, request: FreezeRequest) -> Effect:
        """What a person may not do alone, or not without a code, becomes a question to those who may."""
        freeze, identity, (verb, _, roles) = self.freeze, await self._identified(name, request), WANTS[name]
        if identity.person is None:
            raise NotAccepted(identity.why)
        if name == "exempt" and request.purpose == ExemptionPurpose.SECURITY_PATCH:
            roles = (Role.SECURITY_LEAD, *roles)  # also Security's to allow (spec §4)
        alone = self.invoker.risk(verb, order) < freeze.policy.verified_from and freeze.assignments.role_of(identity.person, roles)
        if alone and not request.code:
            return await self._carry_out(name, order, Authority((identity.person.id,), verified=False))
        question = await self._question(name, order, roles, identity.person.id)
        try:
            self._take("approve", request.model_copy(update={"question": question.number}), identity)
        except NotAccepted as no:
            asked = f"question {question.number} goes to {' or '.join(role.title for role in question.roles)}"
            approve = command("incident", "approve", freeze.id, str(question.number), "--code", "CODE")
            raise NotAccepted(f"{no}; {asked}: {approve}") from None
        return await self._outcome(question)

    async def _question(self, name: str, order: FreezeOrder, roles: tuple[Role, ...], proposer: str) -> Question:
        """The open question whether exactly this may be done; a new one when there is none. It is put to people as every question is."""
        covered = order.digest(action_of(WANTS[name][0]).name)

        async def ask() -> Effect | None:
            PROPOSER.set(proposer)
            terms = ApprovalTerms(facts=(f"held by: {self.freeze.record.names}",), least=Risk.C1, roles=roles, silence=Silence.SKIP)
            grant = (await self.questions.approval(WANTS[name][0], [order], terms)).grant
            return await self._carry_out(name, order, Authority(grant.by, grant.verified)) if grant else None

        def found() -> Question | None:
            return next((q for q in self.freeze.approvals.questions if q.open and covered in q.covers), None)

        if found() is None:
            self._asking[covered] = begun(ask())
            await workflow.wait_condition(lambda: found() is not None)
        return found() or self.freeze.approvals.questions[-1]

    async def _outcome(self, question: Question) -> Effect:
        effect = await next(task for covered, task in self._asking.items() if covered in question.covers)
        if effect is None:
            raise NotAccepted(f"question {question.number} is {question.state}: nothing was done")
        return effect

    async def _identified(self, name: str, request: FreezeRequest) -> Identity:
        words = request.model_dump(include={"holder", "artefact", "purpose"})
        return await self.access.identify(name, Message(**request.model_dump(include={"by", "code", "reason", "question"}), fields=words))

    def _take(self, verdict: str, request: FreezeRequest, identity: Identity) -> Question:
        freeze = self.freeze
        answer = Answer(verdict=verdict, **request.model_dump(include={"question", "by", "reason", "code"}))
        try:
            question = freeze.approvals.take(answer, identity, freeze.assignments, freeze.policy, workflow.now())
        except NotAccepted as no:
            raise self.access.refused(no, identity) from None
        given = question.answers[-1]
        said = f"{verdict} by {given.by} ({'verified' if given.verified else 'self-declared'})"
        freeze.note("answered", f"[{question.number}] {said}: {question.asks}", by=given.by)
        return question

    async def _wait(self) -> None:
        """Until something is due, or there is nothing left to do. A message may move what is due, and is heard beside this."""
        while not (self._may_end() or self._may_renew()):
            due = self._due()
            if due is not None and due <= workflow.now():
                return
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda seen=due: self._may_end() or self._may_renew() or self._due() != seen,  # type: ignore[misc]
                    timeout=due - workflow.now() if due else None, timeout_summary="the next look",
                )  # fmt: skip

    def _due(self) -> datetime | None:
        return min(self.freeze.record.due.values(), default=None)

    def _may_end(self) -> bool:
        return self._messages > 0 and not self.freeze.record.holders and workflow.all_handlers_finished()

    def _may_renew(self) -> bool:
        long = self._messages >= self.freeze.policy.freeze.messages_per_run or workflow.info().is_continue_as_new_suggested()
        return long and workflow.all_handlers_finished() and not any(q.open for q in self.freeze.approvals.questions)

    def _show(self) -> None:
        record = self.freeze.record
        workflow.set_current_details("\n".join([f"Change freeze of {record.service}", *(f"* {line}" for line in record.lines())]))
