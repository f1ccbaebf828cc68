"""On whose word a freeze acts: a worker's seal over a grant, a person with the role, or the answer to a question (design §4, Who answered)."""

from datetime import datetime, timedelta

from temporalio import workflow

from activities.action import Risk, Role
from activities.freeze.orders import FreezeRequest
from activities.identity.codes import Identify, Identities, Identity, Sealed
from activities.organisation.organisation import Organisation, ReadAll
from activities.paging.orders import Ask
from activities.paging.pager import Pager
from workflows.engine.invoker import Invoker
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.freeze.freezing import Authority, Freezing
from workflows.incident import Answer, Question


class FreezeAuthority:
    """Finds out who says it, and whether they may. Authority is looked up now, for every message."""

    def __init__(self, freeze: Freezing, invoker: Invoker) -> None:
        self._freeze = freeze
        self._invoker = invoker
        self._told: dict[int, datetime] = {}

    async def of(self, message: str, said: FreezeRequest, risk: Risk, roles: tuple[Role, ...], asks: str) -> Authority:
        """Who orders it. Somebody who may not, or is not verified as far as policy wants, has put a question by it. Raises `NotAccepted`."""
        if said.seal:
            return await self._worker(message, said, risk)
        freeze, now = self._freeze, workflow.now()
        identity = await self._identify(said)
        if identity.person is None:
            raise NotAccepted(identity.why)
        if not said.code and risk < freeze.policy.verified_from and freeze.assignments.role_of(identity.person, roles):
            return Authority(by=(identity.person.id,), verified=False)
        question = freeze.question(message, said, asks, roles, risk, now)
        try:
            self._take(question, "approve", said, identity)
        except NotAccepted as no:
            told = await self._put(question)
            raise NotAccepted(f"{no}; {told}: incident approve {freeze.workflow_id} {question.number} --code CODE") from None
        freeze.pending.pop(question.number, None)
        return _given(question)

    async def answer(self, verdict: str, said: FreezeRequest) -> tuple[str, FreezeRequest, Authority]:
        """Which message is to be carried out after an answer, and on whose word; an empty name: nothing. Raises `NotAccepted`."""
        freeze = self._freeze
        identity = await self._identify(said)
        answered = freeze.approvals.take(
            Answer(verdict=verdict, question=said.question, by=said.by, reason=said.reason, code=said.code),
            identity, freeze.assignments, freeze.policy, workflow.now(),
        )  # fmt: skip
        self._note(answered, verdict)
        message, order = freeze.pending.pop(answered.number, ("", FreezeRequest()))
        return ("", order, _given(answered)) if verdict == "decline" else (message, order, _given(answered))

    async def _worker(self, message: str, said: FreezeRequest, risk: Risk) -> Authority:
        """A worker of ours, and where it needs one the grant that it was given: its own activity has checked that."""
        words = said.sealed(message, self._freeze.service)
        if not await self._invoker.quietly(Identities.vouched, Sealed(said=words, seal=said.seal)):
            raise NotAccepted(f"{message}: the seal is not one of our workers'")
        if risk < Risk.C2:
            return Authority(by=("automation",), verified=True)
        if not said.granted_by or said.until is None:
            raise NotAccepted(f"{message} is {risk.label} and was granted by nobody")
        if workflow.now() > said.until + timedelta(minutes=1):  # what is granted in the last second may arrive in the next
            raise NotAccepted(f"the approval by {' and '.join(said.granted_by)} expired at {said.until:%H:%M:%S} UTC")
        return Authority(by=said.granted_by, verified=said.verified)

    async def _identify(self, said: FreezeRequest) -> Identity:
        freeze = self._freeze
        questions = tuple((q.number, q.digest) for q in freeze.approvals.questions)
        order = Identify(incident_id=freeze.workflow_id, code=said.code.strip(), claims=said.by.strip(), questions=questions)
        try:
            identity = await self._invoker.quietly(Identities.identify, order)
        except RetriesExhausted as out:
            raise NotAccepted(f"cannot find out who you are just now ({out.why}); try again") from None
        freeze.assignments.roster = identity.roster
        return identity

    def _take(self, question: Question, verdict: str, said: FreezeRequest, identity: Identity) -> None:
        freeze = self._freeze
        answer = Answer(verdict=verdict, question=question.number, by=said.by, reason=said.reason, code=said.code)
        freeze.approvals.take(answer, identity, freeze.assignments, freeze.policy, workflow.now())
        self._note(question, verdict)

    def _note(self, question: Question, verdict: str) -> None:
        given = question.given[-1]
        how = "verified" if given.verified else "self-declared"
        self._freeze.note(workflow.now(), "answered", f"[{question.number}] {verdict} by {given.by} ({how}): {question.asks}", given.by)

    async def _put(self, question: Question) -> str:
        """Tell those who may answer, each with their code; not more often than anybody is paged about anything."""
        freeze, now = self._freeze, workflow.now()
        last = self._told.get(question.number)
        if last is not None and now < last + freeze.policy.for_people(freeze.policy.repage):
            return f"question {question.number} was put to {', '.join(question.told) or 'nobody'}"
        try:
            freeze.assignments.roster = await self._invoker.quietly(Organisation.roster, ReadAll())
            people = freeze.assignments.holders(question.roles)
            if not people:
                return f"nobody on the roster may answer question {question.number}"
            lines = (f"held by: {', '.join(freeze.holders) or 'nobody'}", "no answer: it is not done")
            letter = Ask(
                incident_id=freeze.workflow_id, question=question.number, question_digest=question.digest, people=people,
                title=question.asks, lines=lines, options=question.options,
            )  # fmt: skip
            await self._invoker.quietly(Pager.ask, letter)
        except RetriesExhausted as out:
            return f"question {question.number} could not be put to anybody ({out.why})"
        question.told = tuple(person.id for person in people)
        self._told[question.number] = now
        freeze.note(now, "asked", f"[{question.number}] {question.asks}")
        return f"question {question.number} was put to {', '.join(question.told)}"


def _given(question: Question) -> Authority:
    return Authority(by=tuple(given.by for given in question.given), verified=all(given.verified for given in question.given))
