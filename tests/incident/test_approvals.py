"""Who may say yes, to what, and when: the pure rules (spec §2.4, §2.5). No answer without authority passes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.action import Risk, Role
from activities.flags.flags import switch_off
from activities.identity.codes import Identity
from activities.organisation.people import Person, Roster
from activities.organisation.policy import Policy
from activities.organisation.standing import StandingPolicy
from workflows.errors import NotAccepted
from workflows.incident import Answer, Question, QuestionDraft, QuestionKind, QuestionState, Silence
from workflows.people.approvals import Approvals, enough_without
from workflows.people.questions import proposed
from workflows.people.roster import RoleAssignments

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
PEOPLE = {
    "dana": (Role.INCIDENT_COMMANDER,), "lee": (Role.OPS_LEAD,), "ravi": (Role.AI_ML_LEAD,), "noor": (Role.COMMS_LEAD,),
    "both": (Role.INCIDENT_COMMANDER, Role.OPS_LEAD), "nobody": (),
}  # fmt: skip
ROSTER = Roster(people={who: Person(id=who, name=who.title(), roles=roles) for who, roles in PEOPLE.items()})
COMMANDERS = (Role.INCIDENT_COMMANDER, Role.AI_ML_LEAD)


def assignments() -> RoleAssignments:
    """Everybody on the roster, nobody assigned."""
    team = RoleAssignments()
    team.roster = ROSTER
    return team


def put(approvals: Approvals, **more: Any) -> Question:
    """A question about a C2 change, for the commander or the AI/ML lead."""
    expires_at = more.pop("expires_at", None)
    usual = {"kind": QuestionKind.APPROVAL, "asks": "Do it?", "roles": COMMANDERS, "risk": Risk.C2, "covers": ("a", "b")}
    return approvals.open(QuestionDraft.model_validate({**usual, **more}), NOW, expires_at, nonce="n")


def said(
    approvals: Approvals, who: str, verdict: str = "approve", *, verified: bool = True, question: int | None = 1, at: datetime = LATER,
    team: RoleAssignments | None = None, bound_to: int | None = None,
) -> Question:  # fmt: skip
    unknown = "nobody by that name is on the roster"
    identity = Identity(person=ROSTER.people.get(who), verified=verified, question=bound_to, roster=ROSTER, why=unknown)
    return approvals.take(Answer(verdict=verdict, question=question, by=who), identity, team or assignments(), Policy(), at)


def refused(approvals: Approvals, who: str, *args: Any, **more: Any) -> str:
    """Why an answer did not count; and nothing has changed."""
    before = [q.model_dump() for q in approvals.questions]
    with pytest.raises(NotAccepted) as no:
        said(approvals, who, *args, **more)
    assert [q.model_dump() for q in approvals.questions] == before
    return str(no.value)


def test_a_yes_by_the_role_grants_exactly_what_was_asked() -> None:
    approvals = Approvals("inc-1")
    question = put(approvals)
    said(approvals, "ravi")
    grant = approvals.grant(question, timedelta(minutes=15))
    assert (grant.covers, grant.by, grant.verified, grant.expires_at) == (("a", "b"), ("ravi",), True, LATER + timedelta(minutes=15))
    assert grant.at == LATER, "it is good from the answer on, not from when it is looked at"


def test_a_no_closes_the_question_and_grants_nothing() -> None:
    approvals = Approvals("inc-1")
    question = put(approvals)
    said(approvals, "dana", "decline")
    assert question.state is QuestionState.DECLINED
    with pytest.raises(NotAccepted):
        approvals.grant(question, timedelta(minutes=15))


def test_who_does_not_count_is_told_why() -> None:
    approvals = Approvals("inc-1")
    put(approvals, expires_at=NOW + timedelta(minutes=10))
    assert "is not Incident Commander or AI/ML Lead" in refused(approvals, "lee")
    assert "roster" in refused(approvals, "mallory")
    assert "must be verified" in refused(approvals, "dana", verified=False)
    assert "takes approve | decline" in refused(approvals, "dana", "retry")
    assert "there is no question 7" in refused(approvals, "dana", question=7)
    assert "there is no question 0" in refused(approvals, "dana", question=0)
    assert "there is no question -1" in refused(approvals, "dana", question=-1)
    assert "expired" in refused(approvals, "dana", at=NOW + timedelta(minutes=10)), "it comes with the expiry, to the second"
    said(approvals, "dana")
    assert "is closed: granted" in refused(approvals, "ravi")
    assert "is closed: granted" in refused(approvals, "dana")


def test_a_code_counts_only_for_its_own_question() -> None:
    approvals = Approvals("inc-1")
    put(approvals), put(approvals)
    assert "this code is for question 2, not for 1" in refused(approvals, "dana", bound_to=2, question=1)
    assert said(approvals, "dana", bound_to=2, question=None).number == 2


def test_a_no_need_not_be_verified() -> None:
    """Stopping is never made harder than going on."""
    approvals = Approvals("inc-1")
    put(approvals)
    assert said(approvals, "dana", "decline", verified=False).state is QuestionState.DECLINED


def test_without_a_number_the_only_question_that_waits_for_you_is_meant() -> None:
    approvals = Approvals("inc-1")
    put(approvals, roles=(Role.OPS_LEAD,)), put(approvals)
    assert said(approvals, "lee", question=None).number == 1
    put(approvals)
    assert "say which question you mean; waiting for you: 2, 3" in refused(approvals, "dana", question=None)


def test_c3_takes_two_people_in_two_roles_and_not_the_proposer() -> None:
    approvals = Approvals("inc-1")
    roles = (Role.INCIDENT_COMMANDER, Role.OPS_LEAD, Role.AI_ML_LEAD)
    question = put(approvals, risk=Risk.C3, roles=roles, proposer="ravi")
    assert "may not grant it too" in refused(approvals, "ravi")
    assert said(approvals, "dana").state is QuestionState.OPEN
    assert "answered question 1 already" in refused(approvals, "dana")
    assert "must come from another role" in refused(approvals, "both")
    assert "must be verified (C3)" in refused(approvals, "lee", verified=False)
    assert said(approvals, "lee").state is QuestionState.GRANTED
    assert approvals.grant(question, timedelta(minutes=30)).by == ("dana", "lee")


@pytest.mark.parametrize(
    ("roles", "risk", "shown", "asked"),
    [
        ((Role.INCIDENT_COMMANDER, Role.OPS_LEAD, Role.AI_ML_LEAD), Risk.C3, "who may not grant it too", 3),
        ((Role.INCIDENT_COMMANDER, Role.OPS_LEAD), Risk.C3, "who may answer because nobody else can", 2),
        ((Role.OPS_LEAD,), Risk.C2, "proposed by lee", 1),
    ],
)
def test_the_question_says_who_proposed_it_and_whether_they_may_answer(roles: tuple[Role, ...], risk: Risk, shown: str, asked: int) -> None:
    """A third person has to exist: with nobody else who can make up the two, the proposer may be one of them, and it is shown."""
    team = assignments()
    team.roster = Roster(people={who: person for who, person in ROSTER.people.items() if who != "both"})
    draft = QuestionDraft(kind=QuestionKind.APPROVAL, asks="?", roles=roles, risk=risk)
    put = proposed(draft, "lee", team)
    assert put.proposer == "lee" and put.facts[-1].endswith(shown) and len(put.roles) == asked
    approvals = Approvals("inc-1")
    approvals.open(put, NOW, nonce="n")
    if asked == 3:
        assert "lee chose this option" in refused(approvals, "lee", team=team)
    else:
        assert said(approvals, "lee", team=team).answers[-1].by == "lee"


@pytest.mark.parametrize("silence", [Silence.SKIP, Silence.ABORT])
def test_silence_on_c3_may_only_hold_or_be_safe(silence: Silence) -> None:
    with pytest.raises(ValueError, match="may only hold or be safe"):
        put(Approvals("inc-1"), risk=Risk.C3, silence=silence)


def test_silence_grants_nothing() -> None:
    approvals = Approvals("inc-1")
    question = put(approvals, silence=Silence.SAFE)
    approvals.close(question, QuestionState.EXPIRED, LATER)
    assert question.state is QuestionState.EXPIRED
    assert "is closed: expired" in refused(approvals, "dana")
    with pytest.raises(NotAccepted):
        approvals.grant(question, timedelta(minutes=15))


def test_an_answer_on_its_way_while_its_question_is_withdrawn_grants_nothing() -> None:
    approvals = Approvals("inc-1")
    question = put(approvals)
    approvals.close(question, QuestionState.WITHDRAWN, LATER)
    assert "question 1 is closed: withdrawn at 12:01:00 UTC" in refused(approvals, "dana")
    with pytest.raises(NotAccepted):
        approvals.grant(question, timedelta(minutes=15))


def test_authority_is_the_rosters_now_and_an_assignment_replaces_it() -> None:
    """Whoever was commander before somebody else was assigned is not any more."""
    approvals, team = Approvals("inc-1"), assignments()
    put(approvals, roles=(Role.INCIDENT_COMMANDER,))
    team.assign(Role.INCIDENT_COMMANDER, ROSTER.people["lee"])
    assert "is not Incident Commander" in refused(approvals, "dana", team=team)
    assert said(approvals, "lee", team=team).state is QuestionState.GRANTED


def test_a_standing_policy_covers_its_own_verb_and_orders_only_and_no_longer_than_it_lasts() -> None:
    order, other = switch_off("batch.enabled", "", Policy()), switch_off("tools.high_psu", "", Policy())
    policy = StandingPolicy(name="flags.switch_off", text="", digest="", signed_by=("dana", "pat"), until=NOW + timedelta(minutes=5))
    grant = Approvals("inc-1").standing([order], policy, timedelta(minutes=15), NOW)
    assert grant is not None
    assert order.digest("flags.switch_off") in grant.covers
    assert other.digest("flags.switch_off") not in grant.covers
    assert order.digest("flags.restore") not in grant.covers
    assert grant.expires_at == policy.until
    not_signed = policy.model_copy(update={"why_not": "two people must sign it"})
    assert Approvals("inc-1").standing([order], not_signed, timedelta(minutes=15), NOW) is None


VERDICTS = ("approve", "decline", "retry", "skip", "done_by_hand", "hand_over", "answer")
answers = st.lists(
    st.tuples(
        st.sampled_from((*PEOPLE, "mallory")), st.sampled_from(VERDICTS), st.booleans(), st.sampled_from((None, 0, 1, 2, 3)),
        st.sampled_from((None, 1, 2)), st.integers(0, 20),
    ),
    max_size=12,
)  # fmt: skip


@given(
    risk=st.sampled_from(Risk),
    roles=st.lists(st.sampled_from(Role), min_size=1, max_size=3, unique=True),
    kind=st.sampled_from(QuestionKind),
    verified_from=st.sampled_from(Risk),
    proposer=st.sampled_from((*PEOPLE, "")),
    sent=answers,
)
def test_no_answer_without_authority_passes(
    risk: Risk, roles: list[Role], kind: QuestionKind, verified_from: Risk, proposer: str,
    sent: list[tuple[str, str, bool, int | None, int | None, int]],
) -> None:  # fmt: skip
    """Whatever is sent, in whatever order: whoever counted had the role, in time, verified as far as policy wants, once."""
    approvals, team, policy = Approvals("inc-1"), assignments(), Policy(verified_from=verified_from)
    options = ("approve", "decline") if kind in (QuestionKind.APPROVAL, QuestionKind.CONFIRMATION) else VERDICTS[2:]
    for _ in range(2):
        draft = QuestionDraft(kind=kind, asks="?", roles=tuple(roles), risk=risk, options=options, proposer=proposer)
        approvals.open(draft, NOW, NOW + timedelta(minutes=10), nonce="n")
    for who, verdict, verified, number, bound_to, minute in sent:
        person = ROSTER.people.get(who)
        identity = Identity(person=person, verified=verified, question=bound_to, roster=ROSTER, why="")
        closed = {q.number for q in approvals.questions if not q.open}
        try:
            question = approvals.take(Answer(verdict=verdict, question=number), identity, team, policy, NOW + timedelta(minutes=minute))
        except NotAccepted:
            continue
        assert person is not None and set(person.roles) & set(roles)
        assert question.number not in closed and minute <= 10
        assert verdict in options
        assert verified or verdict == "decline" or risk < verified_from
        assert bound_to is None or (question.number == bound_to and number in (None, bound_to))
    for question in approvals.questions:
        by = [given.by for given in question.answers]
        assert len(by) == len(set(by)) <= question.quorum
        if question.state is QuestionState.GRANTED and risk is Risk.C3 and kind is QuestionKind.APPROVAL:
            assert len(by) == 2 and len({given.role for given in question.answers}) == 2
            assert proposer not in by or not enough_without(proposer, roles, team)
