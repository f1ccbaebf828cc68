"""A standing policy is in force when two people have signed exactly its text, for 90 days at most (spec §2.5.6)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from activities.action import Call, Limits, Refused
from activities.identity.codes import Codes, place
from activities.ledger.ledger import Ledger
from activities.organisation.organisation import Organisation
from activities.organisation.policy import StandingAuthorisation
from activities.organisation.standing import (
    LONGEST,
    REVOKED,
    SIGNED,
    RevokePolicy,
    Signature,
    SignPolicy,
    StandingPolicies,
    judged,
    signatures,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
VERB = "models.shift"
FILE = """
[policy.standing."models.shift"]
expires_at = {until}
why = "failover to an equal provider"
[people.dana]
roles = ["incident_commander"]
[people.pat]
roles = ["duty_executive"]
"""


def signed(person: str, at: datetime = NOW, verdict: str = SIGNED) -> Signature:
    return Signature(person=person, verdict=verdict, at=at)


@pytest.mark.parametrize(
    ("known", "at", "why_not"),
    [
        ([signed("dana"), signed("pat")], NOW, ""),
        ([], NOW, "two people must sign it, and nobody has"),
        ([signed("dana")], NOW, "two people must sign it, and dana has"),
        ([signed("dana"), signed("dana", NOW + DAY)], NOW + DAY, "two people must sign it, and dana has"),
        ([signed("dana"), signed("mallory")], NOW, "two people must sign it, and dana has"),
        ([signed("dana"), signed("pat")], NOW + LONGEST, "it ended at 2027-02-21"),
        ([signed("dana", NOW - 80 * DAY), signed("pat")], NOW + 11 * DAY, "it ended at 2026-12-03"),
        ([signed("dana"), signed("pat"), signed("pat", NOW, REVOKED)], NOW, "pat revoked it"),
    ],
)
def test_it_takes_two_people_on_the_roster_and_a_date_ahead(known: list[Signature], at: datetime, why_not: str) -> None:
    said = StandingAuthorisation(expires_at=NOW + 365 * DAY, why="x")
    policy = judged(VERB, said, Limits(), known, ("dana", "pat"), at, trusted=False)
    assert policy.why_not.startswith(why_not) and bool(policy.why_not) is bool(why_not), policy


def test_where_the_local_user_is_trusted_it_counts_unsigned_and_says_so() -> None:
    said = StandingAuthorisation(expires_at=NOW + 365 * DAY, why="x")
    policy = judged(VERB, said, Limits(), [], (), NOW, trusted=True)
    assert policy.why_not == "" and "nobody signed it: this installation trusts the local user" in policy.in_words
    assert judged(VERB, said, Limits(), [], (), NOW + 366 * DAY, trusted=True).why_not


class Desk:
    """A file, a record and the workers' key."""

    def __init__(self, tmp: Path) -> None:
        self.file = tmp / "organisation.toml"
        self.writes()
        self.ledger = Ledger(f"sqlite:///{tmp / 'ledger.db'}")
        self.ledger.migrate()
        self.codes = Codes(b"0123456789abcdef")
        self.policies = StandingPolicies(Organisation(self.file), self.ledger, self.codes)

    def writes(self, until: datetime = NOW + 30 * DAY, change: Callable[[str], str] = str) -> None:
        self.file.write_text(change(FILE.format(until=until.isoformat())))

    def code(self, person: str) -> str:
        return self.codes.mint(person, place(VERB), 0, self.policies.look(VERB, NOW).digest)

    async def sign(self, person: str, code: str = "") -> None:
        order = SignPolicy(name=VERB, person=person, code=code or self.code(person))
        await self.policies.sign(order, Call(incident_id="policy", key=f"policy/{person}", at=NOW))

    def why_not(self) -> str:
        return self.policies.look(VERB, NOW).why_not


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_two_signatures_bring_it_into_force_and_one_word_ends_it_for_good(desk: Desk) -> None:
    await desk.sign("dana")
    await desk.sign("dana")
    assert desk.why_not() == "two people must sign it, and dana has"
    await desk.sign("pat")
    assert desk.why_not() == ""
    await desk.policies.revoke(RevokePolicy(name=VERB, person="pat"), Call(incident_id="policy", key="policy/revoke", at=NOW))
    assert desk.why_not().startswith("pat revoked it")
    with pytest.raises(Refused, match="write another expires_at"):
        await desk.sign("dana")


async def test_a_code_is_for_one_person_and_one_text(desk: Desk) -> None:
    code = desk.code("dana")
    with pytest.raises(Refused, match="that code is not pat's"):
        await desk.sign("pat", code)
    with pytest.raises(Refused, match="not on the roster"):
        await desk.sign("mallory")
    desk.writes(NOW + 31 * DAY)
    with pytest.raises(Refused, match="that code is not dana's for this text"):
        await desk.sign("dana", code)
    desk.writes(NOW + 91 * DAY)
    with pytest.raises(Refused, match="90 days"):
        await desk.sign("dana")


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.replace("an equal", "any"),
        lambda file: f"[policy.limits]\nparity = 0.5\n{file}",
        lambda file: file.replace("[people.pat]", "[people.quinn]"),
    ],
    ids=["the text", "the limits that bound it", "who is on the roster"],
)
async def test_what_was_signed_is_void_when_anything_of_it_changes(desk: Desk, change: Callable[[str], str]) -> None:
    await desk.sign("dana")
    await desk.sign("pat")
    desk.writes(change=change)
    assert desk.why_not().startswith("two people must sign it")


async def test_a_row_that_somebody_wrote_into_the_record_is_no_signature(desk: Desk) -> None:
    await desk.sign("dana")
    with desk.ledger.writing() as connection:
        (row,) = connection.execute(sa.select(signatures)).all()
        connection.execute(sa.insert(signatures).values({**row._mapping, "person": "pat"}))
    assert desk.why_not() == "two people must sign it, and dana has"
