"""Personal codes: who answered, proven; and what is said when it is not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from activities.action import Call
from activities.identity.codes import COMMANDS, Codes, Identify, Identities, Identity
from activities.organisation.organisation import Organisation

CODES = Codes(b"a practice secret, long enough")
INCIDENT = "inc-20261123-chat"
NAMES = some.sampled_from(["dana", "lee", "noor", "d", "ana"])
BOUND_TO = some.tuples(
    NAMES, some.sampled_from([INCIDENT, "inc-20261123-chat-2"]), some.integers(1, 12), some.sampled_from(["aa", "ab", ""])
)


@given(asked=BOUND_TO, tried=BOUND_TO)
@settings(max_examples=200)
def test_a_code_fits_its_person_incident_question_and_digest_and_no_others(
    asked: tuple[str, str, int, str], tried: tuple[str, str, int, str]
) -> None:
    assert CODES.matches(CODES.mint(*asked), *tried) is (asked == tried)


@given(asked=BOUND_TO, typed=some.data())
@settings(max_examples=100)
def test_a_code_may_be_typed_in_any_capitals_with_any_dashes_and_misread_letters(
    asked: tuple[str, str, int, str], typed: some.DataObject
) -> None:
    swaps = {"0": "0Oo", "1": "1IiLl"}
    letters = [typed.draw(some.sampled_from(swaps.get(c, c + c.lower()))) for c in CODES.mint(*asked) if c != "-"]
    assert CODES.matches(typed.draw(some.sampled_from(["", "-", " ", " - "])).join(letters), *asked)


@given(asked=BOUND_TO, place=some.integers(0, 7), other=some.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
@settings(max_examples=100)
def test_one_wrong_letter_is_a_wrong_code(asked: tuple[str, str, int, str], place: int, other: str) -> None:
    number, first, second = CODES.mint(*asked).split("-")
    letters = list(first + second)
    letters[place] = other
    assert CODES.matches(f"{number}-{''.join(letters)}", *asked) is (letters == list(first + second))


def test_the_codes_of_another_secret_do_not_fit() -> None:
    theirs = Codes(b"another secret of theirs").mint("dana", INCIDENT, 1, "aa")
    assert not CODES.matches(theirs, "dana", INCIDENT, 1, "aa")


def test_a_short_secret_is_no_secret() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Codes(b"short")


def test_a_code_reads_as_the_question_and_two_groups_of_four() -> None:
    assert CODES.mint("dana", INCIDENT, 12, "aa").count("-") == 2
    assert CODES.mint("dana", INCIDENT, 12, "aa").startswith("12-")


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    file = tmp_path / "organisation.toml"
    file.write_text('[people.dana]\nroles = ["incident_commander"]\n[people.lee]\nname = "Lee Lopez"\nroles = ["ops_lead"]\n')
    return Identities(Organisation(file), CODES)


QUESTIONS = ((1, "aa"), (2, "bb"))


async def _identified(identities: Identities, call: Callable[..., Call], *, code: str = "", claims: str = "") -> Identity:
    order = Identify(incident_id=INCIDENT, code=code, claims=claims, questions=QUESTIONS)
    return await identities.identify(order, call())


async def test_a_code_names_its_owner_and_its_question_whatever_the_sender_claims(
    identities: Identities, call: Callable[..., Call]
) -> None:
    found = await _identified(identities, call, code=CODES.mint("dana", INCIDENT, 1, "aa").lower(), claims="lee")
    assert (found.person and found.person.id, found.question, found.verified, found.why) == ("dana", 1, True, "")
    assert set(found.roster.people) == {"dana", "lee"}


async def test_a_code_for_commands_names_its_owner_and_no_question(identities: Identities, call: Callable[..., Call]) -> None:
    """One that has expired or was used is not among those that are good: it proves nothing, and says where another comes from."""
    code = CODES.mint("dana", INCIDENT, COMMANDS, "cc")
    order = Identify(incident_id=INCIDENT, code=code, questions=(*QUESTIONS, (COMMANDS, "cc")))
    found = await identities.identify(order, call())
    assert (found.person and found.person.id, found.question, found.verified) == ("dana", COMMANDS, True)
    late = await _identified(identities, call, code=code)
    assert not late.verified and f"incident code {INCIDENT}" in late.why


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("approve", "that is not a code"),
        ("ABCD-EFGH", "that is not a code"),
        ("9-ABCD-EFGH", "question 9, which was never asked"),
        ("99999999999999999999-ABCD-EFGH", "which was never asked"),
        ("2-ABCD-EFGH", "fits nobody on the roster for question 2"),
        (CODES.mint("dana", INCIDENT, 1, "a digest that has changed since"), "fits nobody"),
        (CODES.mint("kim", INCIDENT, 1, "aa"), "fits nobody"),
        (CODES.mint("dana", "inc-20261123-search", 1, "aa"), "fits nobody"),
    ],
)
async def test_a_wrong_code_proves_nothing_and_says_why(identities: Identities, call: Callable[..., Call], code: str, why: str) -> None:
    found = await _identified(identities, call, code=code, claims="dana")
    assert (found.person, found.question, found.verified) == (None, None, False)
    assert why in found.why


@pytest.mark.parametrize(
    ("claims", "person", "why"),
    [
        ("LEE lopez", "lee", "gave no code"),
        ("dana", "dana", "gave no code"),
        ("mallory", None, "nobody called 'mallory'"),
        ("", None, "neither a code nor a name"),
    ],
)
async def test_a_claim_is_looked_up_and_never_verified(
    identities: Identities, call: Callable[..., Call], claims: str, person: str | None, why: str
) -> None:
    found = await _identified(identities, call, claims=claims)
    assert (found.person.id if found.person else None, found.verified) == (person, False)
    assert why in found.why


async def test_the_code_is_not_in_what_is_returned(identities: Identities, call: Callable[..., Call]) -> None:
    code = CODES.mint("lee", INCIDENT, 2, "bb")
    found = await _identified(identities, call, code=code)
    assert code not in found.model_dump_json()
