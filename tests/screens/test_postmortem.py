"""The post-mortem draft: the seed's headings, the facts of the record, and never a sentence of anybody's lost."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.action import Risk, Role
from activities.ledger.custody import Handled, ManifestLine
from activities.ledger.effects import Done
from activities.ledger.entry import Entry
from activities.organisation.communications import DASHBOARDS
from activities.organisation.people import Person, Roster
from activities.organisation.policy import Policy
from starters.postmortem import numbers, paper, postmortem
from tests import seed
from tests.screens import situations
from tests.screens.situations import at

HEADINGS = tuple(line for line in seed.code("4.2").splitlines() if line.startswith("## "))
BLOCKS = [
    "head", "summary", "impact", "timeline", "causes", "experience", "remediations", "links", "evidence", "decisions", "comms", "measures",
    "effects", "diffs", "by_hand",
]  # fmt: skip


PIECE = ManifestLine(
    incident_id=situations.OVER, asset="session/s-17", at=at(5), collector="automation (agents.export)", sha256="ab" * 32, bytes=812,
    location="gs://evidence/x#7", write_once=True, protection="write-once until 2027-11-30", held_until=at(5),
    custody=(Handled(at=at(5), act="taken", who="automation (agents.export)"), Handled(at=at(9), act="looked at", who="sam")),
)  # fmt: skip


def effect(outcome: str = "done") -> Done:
    return Done(
        key="k", incident_id=situations.OVER, verb="flags.switch_off", target="tools.high_psu", risk=Risk.C1, effect="off",
        by_hand=("curl -d 'a `b` c'",), question=2, outcome=outcome, why="" if outcome == "done" else "timed out",
        proven_by="the edge" if outcome == "done" else "", adopted=False, before={"on": True, "note": "-->"}, after={"on": False, "note": "-->"},
        first_at=at(4), last_at=at(4), attempts=2,
    )  # fmt: skip


def drafted(before: str = "", **changed: object) -> str:
    return postmortem.draft(situations.over().model_copy(update=changed), situations.lines(), [effect(), effect("unknown")], before)


def test_it_has_the_seeds_headings_in_the_seeds_order() -> None:
    assert tuple(line for line in drafted().splitlines() if line.startswith("## ")) == HEADINGS


def test_it_says_how_long_everything_took_who_answered_and_how_sure_that_is() -> None:
    text = drafted()
    for fact in (
        "| Time to detect (TTD) | 2m00s | from onset |", "| Time to acknowledge (TTA) | 1m00s | from declaration |",
        "| Time to mitigate (TTM) | 22m00s | from onset |", "| Time to resolve (TTR) | 1h37m | from onset |",
        "decline by dana as Incident Commander (verified)", "approve by lee as Ops Lead (**self-declared**, not verified)",
        "| 11-23 10:06:00 | flags.switch_off | tools.high_psu | done | the edge | 2 | 2 |",
        "not proven: flags.switch_off tools.high_psu: unknown",
        "- [ ] Update Tool Specs with the failover policy — AI/ML Lead — 2026-11-30", "nothing we imposed is left in force",
        "`` curl -d 'a `b` c' ``", "- 10:03:00 acknowledged — dana takes command (dana)",
    ):  # fmt: skip
        assert fact in text, fact
    assert "\x1b" not in text


def test_drafting_again_renews_what_is_ours_and_keeps_every_word_of_theirs() -> None:
    first = drafted()
    theirs = first.replace("in your words:", "in your words:\nA config push at noon. Sorry.").replace("- Primary:", "- Primary: the push")
    theirs = theirs.replace("- 10:03:00 acknowledged — dana takes command (dana)", "- 10:03:00 dana took command at once")
    again = drafted(theirs, outcome="resolved, twice")
    assert "resolved, twice" in again
    for sentence in ("A config push at noon. Sorry.", "- Primary: the push", "- 10:03:00 dana took command at once"):
        assert sentence in again
    assert again.count("## Summary") == 1
    assert drafted(again, outcome="resolved, twice") == again


def test_a_block_that_somebody_took_out_stays_out_and_a_strange_document_is_kept_whole() -> None:
    without = paper.BLOCK.sub(lambda found: "" if found["name"] == "experience" else found[0], drafted())
    assert "Facts to start from" not in drafted(without)
    assert drafted("# Our own notes\n").startswith("# Our own notes\n\n# Post-mortem: ")


@given(st.text(min_size=1, max_size=200))
def test_no_text_of_the_record_closes_a_block_or_opens_html(text: str) -> None:
    evil = f"{text} <!-- /generated:summary 000000000000 --> <script> | [x](http://evil.example)"
    document = drafted(title=evil, outcome=evil, because=(evil,))
    assert "<script>" not in document
    assert "](http" not in document.replace("\\](http", "")
    assert [found["name"] for found in paper.BLOCK.finditer(document)] == BLOCKS
    assert drafted(document, title=evil, outcome=evil, because=(evil,)) == document


def house(country: str = "", **people: str) -> numbers.House:
    """A policy's country, and for each role somebody of a country."""
    roster = {role: Person(id=role.replace("_", "-"), name=role, roles=(Role(role),), country=where) for role, where in people.items()}
    return numbers.House(Policy(country=country), Roster(people=roster))


@pytest.mark.parametrize(
    ("whose", "due", "calendar"),
    [
        (house(), "2026-11-30", "weekends only: no country is set"),
        (house("us"), "2026-12-01", "holidays of US"),  # Thanksgiving
        (house("US", incident_commander="IE"), "2026-11-30", "holidays of IE"),
        (house("DE-BE", incident_commander=""), "2026-11-30", "holidays of DE-BE"),
        (house("Narnia"), "2026-11-30", "weekends only: there is no calendar of 'Narnia'"),
    ],
)
def test_it_is_due_five_business_days_after_the_day_it_was_resolved_in_its_owners_country(
    whose: numbers.House, due: str, calendar: str
) -> None:
    status = situations.over().model_copy(update={"roles": {}})
    assert f"- **Due:** {due} (5 business days after it was resolved; {calendar}" in postmortem.draft(status, (), (), house=whose)
    assert numbers.facts(status, (), (), whose)["due"] == due


@pytest.mark.parametrize(
    ("person", "policy", "due", "where"),
    [
        ("Pacific/Auckland", "", "2026-12-01", "the days of Pacific/Auckland"),
        ("", "Pacific/Auckland", "2026-12-01", "the days of Pacific/Auckland"),
        ("", "", "2026-11-30", "the days of UTC"),
        ("Narnia", "", "2026-11-30", "the days of UTC: there is no time zone called 'Narnia'"),
    ],
)
def test_a_due_date_is_a_day_where_its_owner_is(person: str, policy: str, due: str, where: str) -> None:
    dana = Person(id="dana", name="Dana", roles=(Role.INCIDENT_COMMANDER,), time_zone=person)
    whose = numbers.House(Policy(time_zone=policy), Roster(people={"dana": dana}))
    late = situations.over().model_copy(update={"roles": {}, "resolved_at": datetime(2026, 11, 23, 22, 0, tzinfo=UTC)})
    assert f"- **Due:** {due} (5 business days after it was resolved; weekends only: no country is set; {where}" in postmortem.draft(
        late, (), (), house=whose
    )


def test_every_remediation_has_an_owner_and_the_owners_own_day() -> None:
    text = postmortem.draft(situations.over(), (), (), house=house("US", ai_ml_lead="IE", incident_commander="US"))
    assert "- [ ] Update Tool Specs with the failover policy — AI/ML Lead (ai-ml-lead) — 2026-11-30" in text
    assert "- [ ] Cache recent answers (CAG): no adapter for it yet — Ops Lead (lee) — 10:30 UTC" in text
    assert "**Due:** 2026-12-01" in text


def test_what_was_missed_in_the_first_minutes_is_a_hint_for_what_did_not_go_well() -> None:
    ticks = situations.ticked().checklist
    text = drafted(checklist=ticks)
    assert "- – first 15 minutes: Freeze deploys: change_freeze = ON: MISSED: was due 10:04:00 UTC" in text
    assert "- – first 15 minutes: Scribe assigned: done 10:14:00 UTC, 2m00s late" in text
    fine = [tick for tick in ticks if tick.state in ("done", "not due", "not applicable")]
    assert "- + every item of the first 15 minutes was done in time" in drafted(checklist=fine)
    assert "first 15 minutes" not in drafted()


def test_the_impact_is_counted_where_it_is_known_and_said_to_be_unknown_where_not() -> None:
    assert "- minutes: 22, from onset until it was mitigated" in drafted()
    assert drafted().count("not measured") == 4
    measured = [
        entry.model_copy(update={"facts": {"tenants": 12, "failed_requests": 1000 * n, "budget_share": 0.1 * n, "no": True}})
        for n, entry in enumerate(situations.lines(), start=1)
    ]
    text = postmortem.draft(situations.over().model_copy(update={"scope": "chat", "pace": 2.0}), measured, ())
    for line in (
        "minutes: 44",
        "tenants: 12 at the most",
        "minutes × tenants: 528",
        "failed requests: 6,000",
        "budget: 60.0%",
        "scope: chat",
    ):
        assert f"{line}" in text, line
    assert numbers.facts(situations.over(), measured, ())["impact"] == {
        "minutes": 22.0, "tenants": 12, "tenant_minutes": 264.0, "failed_requests": 6000, "budget_share": pytest.approx(0.6),
    }  # fmt: skip


def test_the_six_dashboards_fallback_provider_its_attachments() -> None:
    six = {name: f"https://grafana.example.com/d/{n}" for n, name in enumerate(DASHBOARDS)}
    told = postmortem.draft(situations.over(), (), (), house=numbers.House(dashboards=six))
    tail = told[told.index("## Attachments") :]
    assert [name for name, link in six.items() if f"- Dashboard {name}: {link}" in tail] == list(six)


def test_its_attachments_have_links_diffs_decisions_and_who_was_told_what() -> None:
    kinds = {"paged": "dana: acknowledge", "published": "status page: We are investigating.", "note": "see https://traces.example/t/1."}
    said = [*situations.lines(), *(Entry(number=n, at=at(n), kind=kind, text=kinds[kind]) for n, kind in enumerate(kinds, start=7))]
    text = postmortem.draft(situations.over(), said, [effect()])
    tail = text[text.index("## Attachments") :]
    for fact in (
        "- Ticket: OPS-812", "- 10:11:00 note: https://traces.example/t/1\n", "- [1] Block all of chat? (C2) — **declined** after",
        "- 11-23 10:09:00 paged — dana: acknowledge", "- 11-23 10:10:00 published — status page: We are investigating.",
        '```diff\n- "on": true\n+ "on": false\n```',
    ):  # fmt: skip
        assert fact in tail.replace("-  ", "- ").replace("+  ", "+ "), fact


def test_an_incident_that_is_not_over_gets_a_draft_too() -> None:
    text = postmortem.draft(situations.asking(), (), ())
    assert "not known before it is resolved" in text
    assert "nothing is on the record" in text
    assert numbers.facts(situations.asking(), (), ())["resolved_seconds"] is None


def test_it_lists_the_evidence_with_its_custody_and_never_what_it_holds() -> None:
    text = postmortem.draft(situations.over(), [], [], house=numbers.House(evidence=(PIECE,)))
    tail = text[text.index("### Evidence") : text.index("### Questions")]
    for fact in (
        "session/s-17, 812 bytes",
        "ab" * 32,
        "gs://evidence/x#7",
        "write-once until 2027-11-30",
        "looked at 11-23 10:11:00 by sam",
    ):
        assert fact in tail.replace("\\", ""), fact
