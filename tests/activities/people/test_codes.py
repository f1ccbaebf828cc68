"""Personal codes: who answered, proven; and what is said when it is not."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from activities.action import Call, Refused
from activities.identity.codes import COMMANDS, NOT_COUNTED, Codes, Identify, Identities, Identity, SeenCodes
from activities.ledger.database import LedgerDown
from activities.ledger.ledger import Ledger
from activities.organisation.organisation import Organisation

CODES = Codes(b"a practice secret, long enough")
INCIDENT = "inc-20261123-chat"
NAMES = some.sampled_from(["dana", "lee", "noor", "d", "ana"])
BOUND_TO = some.tuples(
    NAMES,
    some.sampled_from([INCIDENT, "inc-20261123-chat-2"]),
    some.integers(1, 12),
    some.sampled_from(["aa", "ab", ""]),
    some.integers(1, 3),
)


@given(asked=BOUND_TO, tried=BOUND_TO)
@settings(max_examples=200)
def test_a_code_fits_its_person_incident_question_digest_and_sending_and_no_others(
    asked: tuple[str, str, int, str, int], tried: tuple[str, str, int, str, int]
) -> None:
    assert CODES.matches(CODES.mint(*asked), *tried) is (asked == tried)


@given(asked=BOUND_TO, typed=some.data())
@settings(max_examples=100)
def test_a_code_may_be_typed_in_any_capitals_with_any_dashes_and_misread_letters(
    asked: tuple[str, str, int, str, int], typed: some.DataObject
) -> None:
    swaps = {"0": "0Oo", "1": "1IiLl"}
    letters = [typed.draw(some.sampled_from(swaps.get(c, c + c.lower()))) for c in CODES.mint(*asked) if c != "-"]
    assert CODES.matches(typed.draw(some.sampled_from(["", "-", " ", " - "])).join(letters), *asked)


@given(asked=BOUND_TO, place=some.integers(0, 7), other=some.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
@settings(max_examples=100)
def test_one_wrong_letter_is_a_wrong_code(asked: tuple[str, str, int, str, int], place: int, other: str) -> None:
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
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    return Identities(Organisation(file), CODES, ledger)


QUESTIONS = ((1, "aa", 2), (2, "bb", 1))


async def _identified(identities: Identities, call: Callable[..., Call], **more: str) -> Identity:
    """As one message says it; `message` is another one."""
    order = Identify(**{"incident_id": INCIDENT, "verdict": "approve", "message": "m1", "questions": QUESTIONS, **more})
    return await identities.identify(order, call())


async def test_a_code_names_its_owner_and_its_question_whatever_the_sender_claims(
    identities: Identities, call: Callable[..., Call]
) -> None:
    found = await _identified(identities, call, code=CODES.mint("dana", INCIDENT, 1, "aa").lower(), claims="lee")
    assert (found.person and found.person.id, found.question, found.verified, found.why) == ("dana", 1, True, "")
    assert set(found.roster.people) == {"dana", "lee"}


async def test_a_code_for_commands_names_its_owner_and_no_question(identities: Identities, call: Callable[..., Call]) -> None:
    """Whether it was used or has expired: it proves nothing, and says where another comes from."""
    used, expired = (CODES.mint("dana", INCIDENT, COMMANDS, digest) for digest in ("cc", "dd"))
    resume = Identify(incident_id=INCIDENT, verdict="resume", message="m1", code=used, questions=(*QUESTIONS, (COMMANDS, "cc", 1)))
    found = await identities.identify(resume, call())
    assert (found.person and found.person.id, found.question, found.verified) == ("dana", COMMANDS, True)
    again = await identities.identify(resume.model_copy(update={"message": "m2"}), call())
    assert again.owner and (again.owner.id, again.verified) == ("dana", False) and "used already, for resume" in again.why
    late = await _identified(identities, call, code=expired)
    assert not late.verified and all(f"incident code {INCIDENT} sends another" in one.why for one in (again, late))


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


# -- good once ------------------------------------------------------------------------------------------------------------------------

CODE = CODES.mint("dana", INCIDENT, 1, "aa", 2)
SPENT = SeenCodes(incident_id=INCIDENT, verdict="note", message="m0", codes=(CODE,))


@pytest.mark.parametrize(
    ("again", "counts"),
    [
        ({}, True),  # the activity is tried again, or the same message is sent again
        ({"code": CODE.lower().replace("-", " ")}, True),
        ({"message": "m2"}, False),  # another reason, another question, another run
        ({"verdict": "decline"}, False),
        ({"incident_id": "inc-20261124-other"}, False),
    ],
)
async def test_a_code_is_good_for_the_first_message_and_for_no_other(
    identities: Identities, call: Callable[..., Call], again: dict[str, str], counts: bool
) -> None:
    first = await _identified(identities, call, code=CODE)
    second = await _identified(identities, call, **{"code": CODE, **again})
    assert first.verified and second.verified is counts and (second.person is not None) is counts
    assert counts or "used already, for approve" in second.why


async def test_whose_code_it_was_is_known_after_its_use_and_the_next_one_is_good(identities: Identities, call: Callable[..., Call]) -> None:
    await _identified(identities, call, code=CODES.mint("dana", INCIDENT, 1, "aa", 1))
    used = await _identified(identities, call, code=CODES.mint("dana", INCIDENT, 1, "aa", 1), message="m2")
    assert used.owner and (used.owner.id, used.question, used.person) == ("dana", 1, None)
    assert (await _identified(identities, call, code=CODE, message="m2")).verified


async def test_a_code_that_fits_nobody_here_is_spent_all_the_same(identities: Identities, call: Callable[..., Call]) -> None:
    """Sent to the wrong incident it stands in that one's history."""
    assert "fits nobody" in (await _identified(identities, call, code=CODE, incident_id="inc-20261124-other")).why
    assert "for approve to inc-20261124-other" in (await _identified(identities, call, code=CODE)).why


async def test_a_code_that_was_seen_elsewhere_in_a_message_is_spent(identities: Identities, call: Callable[..., Call]) -> None:
    assert [await identities.spend(SPENT, call()) for _ in range(2)] == [1, 1]
    assert "used already, for note" in (await _identified(identities, call, code=CODE)).why


async def test_a_code_is_spent_while_the_roster_cannot_be_read(identities: Identities, call: Callable[..., Call], tmp_path: Path) -> None:
    file = tmp_path / "organisation.toml"
    before = file.read_text()
    file.write_text("[people")
    with pytest.raises(Refused):
        await _identified(identities, call, code=CODE, verdict="decline")
    file.write_text(before)
    assert "used already, for decline" in (await _identified(identities, call, code=CODE, message="m2")).why
    assert (await _identified(identities, call, code=CODE, verdict="decline")).verified


async def test_while_the_record_is_away_a_code_proves_nothing_and_is_not_spent(
    identities: Identities, call: Callable[..., Call], tmp_path: Path
) -> None:
    record = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    record.execute("ALTER TABLE spent_codes RENAME TO away")
    away = await _identified(identities, call, code=CODE)
    assert away.person and (away.person.id, away.verified, away.owner, away.why) == ("dana", False, None, NOT_COUNTED)
    assert (await _identified(identities, call, claims="lee")).person
    with pytest.raises(LedgerDown):
        await identities.spend(SPENT, call())
    record.execute("ALTER TABLE away RENAME TO spent_codes")
    assert (await _identified(identities, call, code=CODE)).verified


async def test_of_two_messages_at_once_one_counts(identities: Identities, call: Callable[..., Call]) -> None:
    said = [
        _identified(identities, call, code=CODE, message=f"m{n}", verdict=verdict) for n, verdict in enumerate(["approve", "decline"] * 4)
    ]
    assert [one.verified for one in await asyncio.gather(*said)].count(True) == 1


async def test_no_code_stands_in_the_record(identities: Identities, call: Callable[..., Call], tmp_path: Path) -> None:
    await _identified(identities, call, code=CODE)
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*"))
    assert b"approve" in kept and not any(part.encode() in kept for part in CODE.split("-")[1:])
