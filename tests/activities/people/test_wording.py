"""What we say: the seed's own sentences, and the fences around what may become public."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.action import Refused
from activities.kit.words.code_names import code_name
from activities.texts import templates, wording
from tests import seed

AT = datetime(2026, 11, 23, 12, 36, 5, tzinfo=UTC)

IDENTIFIED, MONITORING, SUPPORT = seed.quoted("1.1")
# The seed, §4.1: its fields, in its order.
TICKET = (
    "**Title:** [SEV‑2] Provider outage\n"
    "**Start:** 2026-11-23T12:36:05Z\n"
    "**IC:** Dana • **Scribe:** Lee\n"
    "**Scope:** 16 tenants\n"
    "**Impact:** 60 % of answers fail\n"
    "**Hypotheses:** \n- the provider is overloaded\n"
    "**Actions taken:** \n- 12:36:05 UTC shifted traffic\n"
    "**Next update:** 13:06 UTC, \\#inc"
)


def _plain(seed: str) -> str:
    return seed.replace("_", "").replace("**", "").replace("hh:mm", "12:36")


@pytest.mark.parametrize(
    ("name", "seed", "period"),
    [("identified@1", IDENTIFIED, timedelta(minutes=30)), ("monitoring@1", MONITORING, timedelta(minutes=60))],
)
def test_the_status_page_says_the_seed_s_sentences_word_for_word(name: str, seed: str, period: timedelta) -> None:
    fields = wording.public(name, ("chat",), AT, period)
    assert templates.fill(name, fields) == seed.replace("hh:mm", "12:36").replace("{services}", "chat")
    assert templates.render(name, fields) == _plain(seed).replace("{services}", "chat")


def test_the_support_macro_is_the_seed_s() -> None:
    fields = {"feature": "chat", "link": "https://status.example.com"}
    assert templates.template("support@1").text == SUPPORT
    assert templates.render("support@1", fields) == SUPPORT.replace("**", "").format_map(fields)


def test_the_ticket_has_the_seed_s_fields_and_no_others() -> None:
    text = wording.ticket(
        severity=2, title="Provider outage", start=AT, commander="Dana", scribe="Lee", scope="16 tenants", impact="60 % of answers fail",
        hypotheses=["the provider is overloaded"], actions=[(AT, "shifted traffic")], next="13:06 UTC, #inc",
    )  # fmt: skip
    assert text == TICKET


def test_a_ticket_of_an_incident_of_which_nothing_is_known_says_so() -> None:
    text = wording.ticket(severity=1, title="", start=AT)
    assert text.count("unknown") == 7
    assert "**Actions taken:** none yet" in text


def test_a_ticket_keeps_the_newest_actions_within_what_github_takes() -> None:
    text = wording.ticket(severity=1, title="long", start=AT, actions=[(AT, f"{n} " + "x" * 600) for n in range(1000)])
    assert len(text) < 65_000
    assert "- 12:36:05 UTC 999 x" in text
    assert "earlier: see the timeline" in text


def test_the_room_hears_the_same_facts_in_the_same_order() -> None:
    text = wording.room(
        at=AT,
        severity=1,
        phase="Mitigation",
        radius="16 tenants",
        measures=["freeze", "weights"],
        questions=["3 to Dana"],
        commander="dana",
        public="Identified",
        next="12:51",
    )
    assert text == (
        "12:36 UTC · SEV-1 · Mitigation · IC dana · Scribe timeline bot\nRadius: 16 tenants\nIn force: freeze · weights\n"
        "Waiting for: 3 to Dana\nStatus page: Identified\nNext update: 12:51"
    )


def test_every_public_wording_can_be_said_in_its_states_without_a_banned_word() -> None:
    spoken = [name for name, template in templates.TEMPLATES.items() if template.states]
    assert {state for name in spoken for state in templates.template(name).states} == {
        "investigating",
        "identified",
        "monitoring",
        "resolved",
    }
    for name in spoken:
        text = templates.render(name, wording.public(name, ("chat", "search"), AT, timedelta(minutes=30)))
        assert "12:36 UTC" in text
        assert not set("{}*") & set(text)
        assert not templates.banned(text)


@pytest.mark.parametrize(
    "field",
    [
        {"services": "chat. Aurora broke it"},
        {"services": "chat\nNo data affected"},
        {"services": ""},
        {"at": "25:00"},
        {"next": "30 minutes. We are sorry"},
    ],
)
def test_a_placeholder_lets_no_sentence_in(field: dict[str, str]) -> None:
    fields = {**wording.public("identified@1", ("chat",), AT, timedelta(minutes=30)), **field}
    with pytest.raises(Refused, match="cannot be"):
        templates.render("identified@1", fields)


def test_a_missing_an_unknown_field_and_an_unknown_wording_are_refused() -> None:
    fields = wording.public("identified@1", ("chat",), AT, timedelta(minutes=30))
    with pytest.raises(Refused, match="takes at, services, next"):
        templates.render("identified@1", {"at": "12:36"})
    with pytest.raises(Refused, match="takes at, services, next"):
        templates.render("identified@1", {**fields, "cause": "Aurora"})
    with pytest.raises(Refused, match="no wording called 'sorry@1'"):
        templates.render("sorry@1", fields)


@pytest.mark.parametrize("strange", ["", "chat; drop", "{at}", "**bold**", "«chat»", "x" * 300, "日本"])
def test_whatever_a_service_is_called_a_public_text_comes_out(strange: str) -> None:
    text = templates.render("identified@1", wording.public("identified@1", (strange,), AT, timedelta(minutes=30)))
    assert not set("{}*«;") & set(text)


def test_false_assurances_are_found_as_whole_words() -> None:
    assert templates.banned("No data affected, we think; it was HACKED.") == ("no data affected", "hacked")
    assert templates.banned("Shacked up with no datas affected") == ()


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(minutes=30), "30 minutes"),
        (timedelta(minutes=60), "60 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=40), "1 minute"),
    ],
)
def test_a_duration_is_said_as_the_seed_says_it(duration: timedelta, said: str) -> None:
    assert wording.duration(duration) == said


def test_a_question_says_what_to_type_with_the_code_at_a_shell_and_in_the_temporal_ui() -> None:
    text = wording.question(
        incident="inc-1", number=3, title="Shift?", lines=("Effect: all to borealis",), options=("approve", "decline", "hand_over"),
        code="3-A-B", nth=2, rung=1,
    )  # fmt: skip
    assert "Question 3 of inc-1 · escalated to you · reminder 1: Shift?" in text
    assert "incident approve inc-1 3 --code 3-A-B" in text
    assert 'signal `approve`, input `"3-A-B"`' in text
    assert "incident hand-over inc-1 3 --code 3-A-B" in text
    assert "(`decline`, `hand_over`)" in text


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        (("approve", "decline"), 9), (("retry", "done_by_hand", "skip", "hand_over"), 9), (("answer",), 9), (("approve", "decline"), 0),
    ],
)  # fmt: skip
def test_a_question_fits_on_a_phone_whatever_it_brings(options: tuple[str, ...], facts: int) -> None:
    """Twelve lines: its head, effect, undo, what silence means, the code, what to type; the facts share what is left."""
    lines = ("effect: all to borealis\nand so on", "undo: back", *(f"fact {n}" for n in range(facts)), "no answer: we keep waiting")
    text = wording.question(incident="inc-1", number=3, title="Shift\nit?", lines=lines, options=options, code="3-A-B")
    shown = text.splitlines()
    assert len(shown) <= wording.LONGEST_QUESTION == 12
    assert shown[0].endswith("Shift it?") and "undo: back" in text and "no answer: we keep waiting" in text
    assert all(f"fact {n}" in text for n in range(facts)) and text.count("3-A-B") >= 3


def test_an_own_text_stays_within_the_placeholders_of_the_standard_one() -> None:
    own = "{at} UTC: {services} is slow. {next} more."
    fields = wording.public("identified@1", ("chat",), AT, timedelta(minutes=30), own)
    assert templates.render("identified@1", fields, own) == "12:36 UTC: chat is slow. 30 minutes more."
    with pytest.raises(Refused, match="cause"):
        templates.render("identified@1", fields, "{at} {next} {cause}")


def test_a_trace_id_is_never_public_and_is_found_in_an_alerts_labels() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert templates.banned(f"see {trace}") == ("a trace id",) and not templates.banned("api-00041 and facade are slow")
    assert wording.traces({"trace_id": trace, "trace_ids": f"{trace}, a1b2c3d4;x y<z>"}) == (trace, "a1b2c3d4")


def test_a_code_name_is_always_the_same_and_says_nothing() -> None:
    name = code_name("inc-20261123-breach-chat")
    assert name == code_name("inc-20261123-breach-chat") != code_name("inc-20261123-breach-search")
    assert "breach" not in name and "chat" not in name
