"""The post-mortem draft: the seed's headings, the facts of the record, and never a sentence of anybody's lost."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.action import Risk
from activities.ledger import Done
from starters import postmortem
from tests.screens import situations
from tests.screens.situations import at

HEADINGS = (  # seed §4.2, word for word
    "## Summary", "## Timeline (UTC)", "## Root Causes & Contributing Factors", "## What Went Well / What Didn’t",
    "## Remediations (DOR/owner/date)", "## Attachments",
)  # fmt: skip


def effect(outcome: str = "done") -> Done:
    return Done(
        key="k", incident_id=situations.OVER, verb="flags.switch_off", target="tools.high_psu", risk=Risk.C1, effect="off",
        by_hand=("curl -d 'a `b` c'",), question=2, outcome=outcome, why="" if outcome == "done" else "timed out",
        proven_by="the edge" if outcome == "done" else "", adopted=False, before={}, after={}, first_at=at(4), last_at=at(4), attempts=2,
    )  # fmt: skip


def drafted(before: str = "", **changed: object) -> str:
    return postmortem.draft(situations.over().model_copy(update=changed), situations.lines(), [effect(), effect("unknown")], before)


def test_it_has_the_seeds_headings_in_the_seeds_order() -> None:
    assert tuple(line for line in drafted().splitlines() if line.startswith("## ")) == HEADINGS


def test_it_says_how_long_everything_took_who_answered_and_how_sure_that_is() -> None:
    text = drafted()
    for fact in (
        "| Time to detect | 2m00s | from onset |", "| Time to acknowledge | 1m00s | from declaration |",
        "| Time to mitigate | 22m00s | from onset |", "| Time to resolve | 1h37m | from onset |",
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
    without = postmortem.BLOCK.sub(lambda found: "" if found["name"] == "experience" else found[0], drafted())
    assert "Facts to start from" not in drafted(without)
    assert drafted("# Our own notes\n").startswith("# Our own notes\n\n# Post-mortem: ")


@given(st.text(min_size=1, max_size=200))
def test_no_text_of_the_record_closes_a_block_or_opens_html(text: str) -> None:
    evil = f"{text} <!-- /generated:summary 000000000000 --> <script> | [x](http://evil.example)"
    document = drafted(title=evil, outcome=evil, because=(evil,))
    assert "<script>" not in document
    assert "](http" not in document.replace("\\](http", "")
    assert [found["name"] for found in postmortem.BLOCK.finditer(document)] == [
        "head", "summary", "timeline", "decisions", "causes", "experience", "remediations", "attachments",
    ]  # fmt: skip
    assert drafted(document, title=evil, outcome=evil, because=(evil,)) == document


@pytest.mark.parametrize(
    ("resolved", "due"),
    [("2026-11-23", "2026-11-30"), ("2026-11-20", "2026-11-27"), ("2026-11-21", "2026-11-27"), ("2026-11-22", "2026-11-27")],
)
def test_it_is_due_five_business_days_after_the_day_it_was_resolved(resolved: str, due: str) -> None:
    assert postmortem.business_days_after(date.fromisoformat(resolved), 5) == date.fromisoformat(due)


def test_an_incident_that_is_not_over_gets_a_draft_too() -> None:
    text = postmortem.draft(situations.asking(), (), ())
    assert "not yet: it is not resolved" in text
    assert "nothing is on the record" in text
    assert postmortem.facts(situations.asking(), (), ())["resolved_seconds"] is None
