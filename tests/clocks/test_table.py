"""The table of clocks is data that Legal owns: what is wrong in it is said with its key; and predicates keep unknown apart from no."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.action import Refused
from activities.clocks.predicates import COMPUTED, Facts, applies, holds, known_predicate
from activities.clocks.table import read_table

GOOD = """
[regimes.our-insurer]
title = "Our insurer"
role = "insured"
version = "policy 77"
source = "policy 77, section 4"
confidence = "high"
recipients = ["the insurer"]
stages = [{ name = "notice", due = [{ since = "aware", unit = "hours", n = 36 }] }]
"""


def table(tmp: Path, text: str) -> Path:
    (tmp / "clocks.toml").write_text(text)
    return tmp / "organisation.toml"


def test_a_row_of_ours_and_a_changed_key_of_yours_both_count(tmp_path: Path) -> None:
    found = read_table(table(tmp_path, GOOD + "[regimes.nydfs]\non = true\n[profile]\nregistrant = false\n"))
    assert found.regimes["our-insurer"].stages[0].due[0].n == 36
    assert found.regimes["nydfs"].on and found.regimes["nydfs"].title.startswith("NYDFS")
    assert found.profile.registrant is False and found.profile.product is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[regimes", "cannot be read"),
        ("[regimes.x]\ntitle = 'x'\n", "regimes.x.role: Field required"),
        (GOOD.replace("hours", "weeks"), "regimes.our-insurer.stages.0.due.0.unit"),
        (GOOD.replace('"aware"', '"awrae"'), "did you mean aware?"),
        (GOOD.replace('"aware"', '"stage:other"'), "no earlier stage of this row"),
        (GOOD.replace("n = 36", 'n = 36, calendar = "XX"'), "regimes.our-insurer: there is no calendar"),
        (GOOD.replace("n = 36", 'n = 36, time_zone = "Mars/Base"'), "regimes.our-insurer: there is no time zone"),
        (GOOD.replace("n = 36", 'n = 36, cutoff = "25:00"'), "is no time of day"),
        (GOOD.replace("n = 36", "n = 0"), "greater than or equal to 1"),
        (GOOD + 'when = ["full_moon"]\n', "'full_moon' is no predicate"),
        (GOOD + 'signs = ["duty_executive"]\n', "notices are Legal's"),
        (GOOD + 'titel = "x"\n', "did you mean title?"),
        (GOOD.replace("our-insurer", "Our_Insurer"), "small letters"),
        ("regimes = 7\n", "regimes"), ("trouble = 'x'\n", "there is no such key"), ("[closures]\nXX = [2026-01-01]\n", "there is no calendar"),
        ("[alarms]\nmissed_again = 'PT0S'\n", "alarms.missed_again"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_said_with_its_key(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        read_table(table(tmp_path, text))
    assert said in refused.value.message and "clocks.toml" in refused.value.message


def test_unknown_is_not_no() -> None:
    facts = Facts(personal_data=True)
    assert applies(["personal_data", "eu", "controller"], facts) == (None, ("countries", "data_sets"))
    assert applies(["personal_data", "eu"], facts.model_copy(update={"countries": ("US-CA",)})) == (False, ("eu",))
    assert applies(["eu"], Facts(countries=())) == (False, ("eu",)), "somebody said that there is none"
    assert applies(["eu"], Facts(countries=("US-CA", "DE"))) == (True, ())


def test_our_role_is_per_data_set() -> None:
    assert holds("controller", Facts()) is None
    both = Facts(data_sets={"chats": "processor", "billing": "controller"})
    assert holds("controller", both) is True and holds("processor", both) is True
    assert holds("controller", Facts(data_sets={"chats": "processor"})) is False
    assert holds("controller", Facts(data_sets={"chats": "processor", "logs": "unknown"})) is None


@pytest.mark.parametrize(
    ("facts", "significant"),
    [
        (Facts(unavailable_minutes=31), True), (Facts(unavailable_minutes=30), None), (Facts(limited_minutes=61, eu_user_share=0.06), True),
        (Facts(limited_minutes=61, eu_users=1_000_001), True), (Facts(limited_minutes=59, eu_user_share=0.5, unavailable_minutes=0), None),
        (Facts(personal_data=True, malicious=True), True), (Facts(personal_data=True, malicious=False, eu_user_share=0.051), True),
        (Facts(personal_data=False, unavailable_minutes=0, limited_minutes=0), False),
    ],
)  # fmt: skip
def test_nis2_significance_is_computed(facts: Facts, significant: bool | None) -> None:
    assert holds("nis2_significant", facts) is significant


@pytest.mark.parametrize(("count", "large"), [(499, False), (500, True)])
def test_the_thresholds_of_500(count: int, large: bool) -> None:
    facts = Facts(counts={"US-NY": count})
    assert holds("phi_500_or_more", facts) is large and holds("phi_under_500", facts) is not large
    assert holds("over_500_in_a_state", facts) is False, "more than 500, here"
    assert holds("phi_500_or_more", Facts()) is None


@given(st.sampled_from([name for name in (*COMPUTED, *Facts.model_fields) if known_predicate(name)]))
def test_nothing_follows_from_nothing(name: str) -> None:
    """Without facts no predicate says no: a clock runs until somebody has answered."""
    assert holds(name, Facts()) is not False


def test_the_example_is_whole_and_changes_nothing_of_ours(tmp_path: Path) -> None:
    text = Path("clocks.example.toml").read_text()
    found, ours = read_table(table(tmp_path, text)), read_table(Path("/nowhere/organisation.toml"))
    assert {name: row for name, row in found.regimes.items() if name in ours.regimes} == ours.regimes
    named = {line[2:].partition(" = ")[0] for line in text.splitlines() if line.startswith("# ") and " = " in line}
    read_table(
        table(tmp_path, "\n".join(line.removeprefix("# ") if line[2:].partition(" = ")[0] in named else line for line in text.splitlines()))
    )
