"""Approvals: the one place that grants. Pure rules; asking, paging and waiting are in `questions.py`.

A question is bound by digest to exactly what will be done. An answer counts when the person holds a role that may answer *now*, when the
question is open, and when the answer is verified as far as policy wants it for this class of risk. Silence never grants (spec §2.5).
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from activities.action import STANDING, Grant, Order, Risk, Role, digest
from activities.identity.codes import COMMANDS, Identity
from activities.organisation.people import Person
from activities.organisation.policy import Policy
from activities.organisation.standing import StandingPolicy
from workflows.errors import NotAccepted
from workflows.incident import AcceptedAnswer, Answer, Question, QuestionDraft, QuestionKind, QuestionState, Silence
from workflows.people.roster import RoleAssignments

BREAK_GLASS = re.compile(r"\s*break[\s-]?glass\b\W*\w.{8,}", re.IGNORECASE | re.DOTALL)  # the words, and a reason after them


class Approvals:
    def __init__(self, incident_id: str) -> None:
        self.incident_id = incident_id
        self.questions: list[Question] = []
        self.barred: dict[str, str] = {}  # who may not say yes in this incident, and why; to say no is always free

    def open(self, draft: QuestionDraft, at: datetime, expires_at: datetime | None = None, *, nonce: str) -> Question:
        """Put a question. C3 may only hold or be safe in silence, and takes two people (spec §2.4, §2.5.5).

        `nonce`: by which the codes of this question are good for no other of its number, in whatever run under this id.
        """
        if draft.risk >= Risk.C3 and draft.silence not in (Silence.HOLD, Silence.SAFE):
            raise ValueError("a C3 question may only hold or be safe in silence")
        number = len(self.questions) + 1
        bound = {
            "incident": self.incident_id, "number": number, "asks": draft.asks, "covers": draft.covers, "inverse": draft.inverse,
            "expires": str(expires_at), "nonce": nonce,
        }  # fmt: skip
        quorum = 2 if draft.risk >= Risk.C3 and draft.kind is QuestionKind.APPROVAL else 1
        question = Question(**dict(draft), number=number, quorum=quorum, digest=digest(bound), asked_at=at, expires_at=expires_at)
        self.questions.append(question)
        return question

    def take(self, answer: Answer, identity: Identity, assignments: RoleAssignments, policy: Policy, at: datetime) -> Question:
        """Count one answer. Raises `NotAccepted` with the reason; then nothing has changed."""
        if identity.person is None:
            raise NotAccepted(identity.why or "nobody by that name is on the roster")
        who, question = identity.person.id, self._meant(answer, identity, identity.person, assignments)
        # Where policy wants answers verified, a role that was given by a self-declared message is none, and takes none from whom the rota names.
        guarded, alone = question.risk >= policy.verified_from, not question.strict
        vouched = assignments.role_of(identity.person, question.roles, alone=alone, sure=guarded)
        role = vouched or assignments.role_of(identity.person, question.roles, alone=alone)
        if role is None and answer.verdict == "decline":
            role = assignments.role_of(identity.person, question.vetoes, alone=False)
        _check(question, answer, who, role, at)
        if answer.verdict == "approve" and who in self.barred:
            raise NotAccepted(f"{who} may not approve here: {self.barred[who]}; somebody else must")
        going_on = answer.verdict != "decline"  # a no by name is free: stopping is never made harder than going on
        if going_on or identity.question is not None:
            check_verified(f"an answer to question {question.number}", question.risk, identity, policy, "send your personal code for it")
        if going_on and vouched is None and role is not None:
            raise NotAccepted(f"{who} is {role.title} by a self-declared message only, which does not count for {question.risk.label}")
        again = any(given.by == who for given in question.answers)
        if again:
            _check_the_glass(question, answer, who, assignments.solo, policy, at)
        elif question.risk >= Risk.C3 and question.kind is QuestionKind.APPROVAL and answer.verdict == "approve":
            _check_two_pairs_of_eyes(question, who, role, assignments)
        question.answers.append(
            AcceptedAnswer(
                verdict=answer.verdict, by=who, role=role, verified=identity.verified, at=at, reason=answer.reason, value=answer.value
            )
        )
        if answer.verdict == "decline":
            self.close(question, QuestionState.DECLINED, at)
        elif again or len({given.by for given in question.answers}) >= question.quorum:
            question.broke_glass = again
            self.close(question, QuestionState.GRANTED, at)
        return question

    def keep_waiting(self, answer: Answer, identity: Identity, assignments: RoleAssignments, at: datetime, lasting: timedelta) -> Question:
        """Somebody who may answer wants it to wait. Nothing is decided; silence takes its meaning so much later. Raises `NotAccepted`."""
        if identity.person is None:
            raise NotAccepted(identity.why or "nobody by that name is on the roster")
        person, question = identity.person, self._meant(answer, identity, identity.person, assignments)
        role = assignments.role_of(person, question.roles) or assignments.role_of(person, question.vetoes, alone=False)
        _check(question, answer, person.id, role, at)
        if question.expires_at is not None:
            question.expires_at += at + lasting - max(at, question.waits_until or at)
        question.waits_until, question.kept_by = at + lasting, person.id
        return question

    def close(self, question: Question, state: QuestionState, at: datetime) -> None:
        """Answered; or expired, which means what the question's `silence` says; or withdrawn, because it need not be answered any more."""
        if question.open:
            question.state, question.closed_at = state, at

    def grant(self, question: Question, lasting: timedelta) -> Grant:
        """What a granted question authorises, from the answer that granted it. Raises when it was not granted."""
        at = question.closed_at
        if question.state is not QuestionState.GRANTED or at is None:
            raise NotAccepted(f"question {question.number} was not granted")
        by, verified = tuple(dict.fromkeys(given.by for given in question.answers)), all(given.verified for given in question.answers)
        basis, until = "break-glass" if question.broke_glass else "answer", at + lasting
        return Grant(question=question.number, covers=question.covers, by=by, verified=verified, at=at, expires_at=until, basis=basis)

    def assume(self, question: Question, lasting: timedelta, at: datetime) -> Grant:
        """What a plan or shadow mode goes on with. It authorises nothing: every verb refuses it (`activities/action.py`)."""
        question.assumed = True
        self.close(question, QuestionState.GRANTED, at)
        covers, until = question.covers, at + lasting
        return Grant(question=question.number, covers=covers, by=(), verified=False, at=at, expires_at=until, basis="assumed")

    def standing(self, orders: Sequence[Order], policy: StandingPolicy, lasting: timedelta, at: datetime) -> Grant | None:
        """What a standing policy, signed by two people beforehand, authorises without asking (spec §2.5.6). None: it is not in force."""
        if policy.why_not or policy.until is None:
            return None
        covers, until = tuple(order.digest(policy.name) for order in orders), min(at + lasting, policy.until)
        return Grant(
            question=0, covers=covers, by=policy.signed_by, verified=not policy.trusted, at=at, expires_at=until, basis=STANDING,
        )  # fmt: skip

    def ordered(
        self, who: str, verified: bool, covers: Sequence[str], lasting: timedelta, at: datetime, basis: str = "stand-down"
    ) -> Grant:
        """What a commander's order authorises: to stand down, lifting what this incident imposed; otherwise what `basis` says; nothing else."""
        return Grant(question=0, covers=tuple(covers), by=(who,), verified=verified, at=at, expires_at=at + lasting, basis=basis)

    def _meant(self, answer: Answer, identity: Identity, person: Person, assignments: RoleAssignments) -> Question:
        if identity.question == COMMANDS:
            raise NotAccepted("that is a code for commands; a question is answered with the code that came with it")
        number = identity.question or answer.question
        if number is not None:
            if not 1 <= number <= len(self.questions):
                asked = f"questions 1 to {len(self.questions)} exist" if self.questions else "nothing was asked so far"
                raise NotAccepted(f"there is no question {number}; {asked}")
            return self.questions[number - 1]
        mine = [q for q in self.questions if q.open and assignments.role_of(person, q.roles) and q.takes(answer.verdict)]
        if len(mine) == 1:
            return mine[0]
        waiting = ", ".join(str(q.number) for q in mine) or "none"
        raise NotAccepted(f"say which question you mean; waiting for you: {waiting}")


def _check(question: Question, answer: Answer, who: str, role: Role | None, at: datetime) -> None:
    number, wanted = question.number, " or ".join(r.title for r in question.roles)
    if answer.question is not None and answer.question != number:
        raise NotAccepted(f"this code is for question {number}, not for {answer.question}")
    if not question.open:
        by = ", ".join(given.by for given in question.answers)
        when = f" at {question.closed_at:%H:%M:%S} UTC" if question.closed_at else ""
        raise NotAccepted(f"question {number} is closed: {question.state}{when}{f' by {by}' if by else ''}")
    if question.expires_at is not None and at >= question.expires_at:
        raise NotAccepted(f"question {number} expired at {question.expires_at:%H:%M:%S} UTC")
    if not question.takes(answer.verdict):
        raise NotAccepted(f"question {number} takes {' | '.join(question.options)}, not {answer.verdict}")
    if role is None:
        raise NotAccepted(f"{who} is not {wanted}; question {number} is for {wanted}")


def check_verified(what: str, risk: Risk, identity: Identity, policy: Policy, remedy: str) -> None:
    """The one rule for answers and commands alike. Raises `NotAccepted` where policy wants a code and there was none, or none that counts."""
    if risk >= policy.verified_from and not identity.verified:
        seen = identity.question is not None  # a code that could not be spent
        raise NotAccepted(identity.why if seen else f"{what} must be verified ({risk.label}): {remedy}")


def enough_without(proposer: str, roles: Sequence[Role], assignments: RoleAssignments) -> bool:
    """Whether two others, in two of these roles, can decide without whoever chose the option."""
    others = (person for person in assignments.roster.people.values() if person.id != proposer)
    seats = [(person.id, role) for person in others if (role := assignments.role_of(person, roles, alone=False, sure=True))]
    return len(dict(seats)) > 1 and len({role for _, role in seats}) > 1


def _check_two_pairs_of_eyes(question: Question, who: str, role: Role | None, assignments: RoleAssignments) -> None:
    if who == question.proposer and who != assignments.solo and enough_without(who, question.roles, assignments):
        raise NotAccepted(f"{who} chose this option and may not grant it too ({question.risk.label})")
    if role and any(given.role is role for given in question.answers):
        raise NotAccepted(f"the second approval of question {question.number} must come from another role than {role.title}")


def _check_the_glass(question: Question, answer: Answer, who: str, solo: str, policy: Policy, at: datetime) -> None:
    """One person decides alone what takes two: only who is alone, after a second person was waited for, where policy allows it."""
    answered = f"{who} has answered question {question.number} already"
    if question.quorum < 2 or question.strict or solo != who or answer.verdict != "approve":
        raise NotAccepted(answered)
    if not policy.break_glass:
        raise NotAccepted(f"{answered}, and {question.risk.label} takes a second person: policy does not allow break-glass")
    if question.alone_from is None or at < question.alone_from:
        raise NotAccepted(f"{answered}; a second person is being paged, for {policy.second_person.total_seconds() / 60:g} minutes")
    if not BREAK_GLASS.match(answer.reason):
        raise NotAccepted(f"{answered}; to decide alone, approve again with a reason that begins “break glass:” and says why")
