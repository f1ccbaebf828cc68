"""The table of who may do what, and the assignments of roles (seed §0.2, spec §4)."""

from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from activities.action import Role
from activities.organisation.people import Person, Roster
from activities.organisation.rota import OnDuty
from workflows.people.permissions import TABLE, Capability, may, vetoes, whose
from workflows.people.roster import RoleAssignments

AT = datetime.fromisoformat("2026-11-23T12:00:00+00:00")


# -- the table ------------------------------------------------------------------------------------------------------------------------


def test_every_row_of_the_table_says_something_about_every_role() -> None:
    assert set(TABLE) == set(Capability)
    assert all(len(row) == 12 for row in TABLE.values())


def test_the_table_says_what_the_spec_says() -> None:
    """A sample of each kind of right, footnotes included."""
    assert whose(Capability.ASSIGN) == (Role.INCIDENT_COMMANDER, Role.DEPUTY)
    assert whose(Capability.ASSIGN, limits="2") == (Role.INCIDENT_COMMANDER, Role.DEPUTY, Role.DUTY_EXECUTIVE)
    assert not may(Capability.STAND_DOWN, (Role.DEPUTY,)) and may(Capability.STAND_DOWN, (Role.DEPUTY,), limits="1")
    assert whose(Capability.EVIDENCE_OFF) == (Role.SECURITY_LEAD, Role.LEGAL)
    assert vetoes("models.shift") == (Role.SECURITY_LEAD,) and vetoes("freezes.release") == (Role.SECURITY_LEAD,)
    assert not whose(Capability.EDIT_POLICY) and not vetoes("pager.page")
    assert all(may(Capability.RAISE, (role,), rights="R") for role in Role if role is not Role.ONCALL_MANAGER)


# -- the assignments -------------------------------------------------------------------------------------------------------------------------

PEOPLE = {"dana": (Role.INCIDENT_COMMANDER,), "lee": (Role.OPS_LEAD,), "kim": (Role.DEPUTY,), "eve": ()}
ROSTER = Roster(people={who: Person(id=who, name=who.title(), roles=roles, slack=f"U_{who}") for who, roles in PEOPLE.items()})


def assignments(**duty: Any) -> RoleAssignments:
    """Everybody on the roster, nobody assigned."""
    team = RoleAssignments()
    team.read(OnDuty(roster=ROSTER, **duty), AT)
    return team


def test_a_schedule_says_who_is_called_and_the_roster_file_who_may() -> None:
    team = assignments(on_call={Role.OPS_LEAD: ("eve",)}, sources={Role.OPS_LEAD: "PagerDuty EP_OPS"})
    assert [p.id for p in team.holders((Role.OPS_LEAD,))] == ["eve"]
    assert team.role_of(ROSTER.people["eve"], (Role.OPS_LEAD,)) and team.role_of(ROSTER.people["lee"], (Role.OPS_LEAD,))
    assert "Ops Lead eve (PagerDuty EP_OPS)" in team.rota() and "Deputy kim (roster file)" in team.rota()
    team.assign(Role.OPS_LEAD, ROSTER.people["kim"])
    assert team.role_of(ROSTER.people["eve"], (Role.OPS_LEAD,)) is None and "Ops Lead kim (assigned here)" in team.rota()


def test_whoever_is_alone_acts_in_every_role_and_is_told_everything() -> None:
    team = assignments()
    assert team.role_of(ROSTER.people["eve"], (Role.LEGAL,)) is None
    team.solo = "eve"
    assert team.role_of(ROSTER.people["eve"], (Role.LEGAL,)) is Role.LEGAL and team.may_command(ROSTER.people["eve"])
    assert team.role_of(ROSTER.people["eve"], (Role.LEGAL,), alone=False) is None
    assert [p.id for p in team.holders((Role.LEGAL, Role.OPS_LEAD))] == ["lee", "eve"]


@given(
    st.lists(
        st.tuples(st.sampled_from(("offer", "assign", "accept")), st.sampled_from(list(Role)), st.sampled_from(list(PEOPLE))), max_size=30
    )
)
def test_an_offer_changes_nothing_until_it_is_accepted(moves: list[tuple[str, Role, str]]) -> None:
    """Whatever is offered, assigned and accepted: a role has one holder, and only assignment and acceptance change who it is."""
    team, holder = assignments(), dict[Role, str]()
    for move, role, who in moves:
        if move == "offer":
            team.offer(role, ROSTER.people[who], "dana", AT)
        elif move == "assign":
            team.assign(role, ROSTER.people[who])
            holder[role] = who
        else:
            for offer in team.offered_to(ROSTER.people[who]):
                team.assign(offer.role, ROSTER.people[who])
                holder[offer.role] = who
        assert {role: team.name(role) for role in holder} == holder
        assert all(offer.role not in holder or holder[offer.role] != offer.to or offer.at == AT for offer in team.offers.values())
