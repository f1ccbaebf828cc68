"""The ladder of an open question: who is asked next and when, what "keep waiting" means, and what no answer means (spec §2.5)."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from textwrap import shorten

from temporalio import workflow

from activities.action import Role
from workflows.incident import Question, QuestionState, Severity, Silence
from workflows.people.context import IncidentContext
from workflows.people.notices import SLOW_PAGE, URGENT_PAGES, Notices
from workflows.people.roster import FURTHER_ROLES
from workflows.waiting import waited

Over = Callable[[], bool]


class Ladder:
    """Sends a question and pages on, until it is over; then silence means what the question says."""

    def __init__(self, state: IncidentContext, notices: Notices) -> None:
        self._state, self._notices = state, notices

    async def climb(self, question: Question, over: Over) -> None:
        """Until it is over. Raises nothing: what was answered stands in the question."""
        policy, severity = self._state.policy, self._state.severity
        ladder = policy.rhythm(severity).ladder
        for step, wait in enumerate(ladder):
            if step:
                self._escalate(question, step)
            if await self._sent_and_answered(question, step + 1, policy.for_people(wait), over) or await self._kept_waiting(question, over):
                return
        if question.silence is not Silence.HOLD and question.expires_at is not None:
            if await waited(over, question.expires_at - workflow.now(), _summary(question)):
                return
            self._state.approvals.close(question, QuestionState.EXPIRED, workflow.now())
            return
        for nth in count(len(ladder) + 1):
            pause = policy.repage if nth <= URGENT_PAGES else SLOW_PAGE
            if await self._sent_and_answered(question, nth, policy.for_people(pause), over) or await self._kept_waiting(question, over):
                return
            self._check_that_the_commander_answers(question)

    def _escalate(self, question: Question, step: int) -> None:
        role = FURTHER_ROLES[min(step, len(FURTHER_ROLES)) - 1]
        question.escalation = step
        if role not in question.roles and not question.strict and self._state.assignments.holders((role,)):
            question.roles = (*question.roles, role)
            self._state.note("escalated", f"[{question.number}] {role.title} may answer now too", question=question.number)

    async def _sent_and_answered(self, question: Question, nth: int, wait: timedelta, over: Over) -> bool:
        """Send it beside the wait: a chat that hangs must not delay an answer that comes another way."""
        self._notices.send(question, nth)
        return await waited(over, wait, _summary(question))

    async def _kept_waiting(self, question: Question, over: Over) -> bool:
        """While somebody who may answer wants it to wait, nobody is paged about it. True: it was over meanwhile."""
        while question.waits_until is not None and question.waits_until > workflow.now():
            if await waited(over, question.waits_until - workflow.now(), f"{_summary(question)} (kept waiting)"):
                return True
        return False

    def _check_that_the_commander_answers(self, question: Question) -> None:
        """At SEV-1 a commander who leaves a decision open for too long is paged again, and command is offered to the deputy (spec §4)."""
        state, assignments = self._state, self._state.assignments
        commander = assignments.roster.people.get(state.commander())
        if commander is None or commander.id in assignments.unresponsive or state.severity is not Severity.SEV1:
            return
        since = max(question.asked_at, assignments.last_message.get(commander.id, question.asked_at))
        limit = state.policy.for_people(state.policy.commander_silent)
        if not assignments.role_of(commander, question.roles) or workflow.now() - since < limit:
            return
        assignments.unresponsive.add(commander.id)
        state.note("silent", f"{commander.id} commands and has not answered [{question.number}] since {since:%H:%M:%S} UTC: paged again")
        deputy = next((person for person in assignments.holders((Role.DEPUTY,)) if person.id != commander.id), None)
        if deputy is not None:
            self._notices.offer(Role.INCIDENT_COMMANDER, deputy, "automation")


def _summary(question: Question) -> str:
    return f"question {question.number}: {shorten(question.asks, 80, placeholder='…')}"
