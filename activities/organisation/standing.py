"""Standing policies: what automation may do without asking, because two people said so beforehand (spec §2.5.6).

The text stands in `organisation.toml`. It is in force when two people on the roster have each signed exactly this text with a personal code,
for 90 days at most. A signature is kept once, in the record's database, under our seal; a text that was changed has none.
"""

import asyncio
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from activities.action import Call, Effect, Limits, Order, Refused, System, Value, action, digest
from activities.identity.codes import Codes, place
from activities.kit.words.shell import command
from activities.ledger.database import insert_into
from activities.ledger.ledger import Ledger
from activities.ledger.tables import Instant, required, tables
from activities.organisation.organisation import Organisation
from activities.organisation.policy import StandingAuthorisation

LONGEST = timedelta(days=90)  # a signature is good for no longer (spec §2.5.6)
SIGNED, REVOKED = "signed", "revoked"

signatures = sa.Table(
    "signatures",
    tables,
    sa.Column("policy", sa.String(120), primary_key=True),  # the verb, as it stands in the organisation's file
    sa.Column("digest", sa.String(64), primary_key=True),  # of the text that was signed
    sa.Column("person", sa.String(80), primary_key=True),
    sa.Column("verdict", sa.String(10), primary_key=True),  # signed | revoked
    *required(Instant, "at"),
    *required(sa.String(64), "seal"),
)


class StandingOf(Order, target="policy/{name}", effect="see who has signed the standing policy for {name}"):
    name: str


class SignPolicy(StandingOf, effect="{person} signs the standing policy for {name}"):
    """Sign it, with the code that was sent for this very text."""

    undone = "revoke the policy"

    person: str
    code: str

    def by_hand(self) -> tuple[str, ...]:
        """It sends a code, and says how to go on: nobody signs without one."""
        return (command("incident", "policy", "sign", self.name, "--as", self.person),)


class RevokePolicy(StandingOf, effect="{person} revokes the standing policy for {name}"):
    """End it. The same text never comes into force again; one with another date may."""

    undone = "write another date into the file, and sign that"

    person: str

    def by_hand(self) -> tuple[str, ...]:
        return (command("incident", "policy", "revoke", self.name, "--as", self.person),)


class Signature(Value):
    person: str
    verdict: str
    at: datetime


class StandingPolicy(Value):
    """One standing policy as it is now. `why_not`: why it is not in force; empty when it is."""

    name: str
    text: str
    digest: str
    signed_by: tuple[str, ...] = ()
    until: datetime | None = None
    trusted: bool = False  # nobody signed: this installation trusts the local user, and says so
    why_not: str = ""

    @property
    def in_words(self) -> str:
        by = "nobody signed it: this installation trusts the local user" if self.trusted else f"signed by {' and '.join(self.signed_by)}"
        return f"the standing policy for {self.name} ({by}; until {self.until:%Y-%m-%d %H:%M} UTC)" if self.until else self.why_not


def wording(name: str, said: StandingAuthorisation, limits: Limits) -> str:
    """The exact text that is signed: what it allows, within which limits, until when, and why."""
    return (
        f"Automation may carry out {name} without asking, until {said.expires_at:%Y-%m-%d %H:%M} UTC: {said.why}. Failover: parity of at least "
        f"{limits.parity:g}, price of at most ×{limits.price_ratio:g}."
    )


def judged(
    name: str,
    said: StandingAuthorisation,
    limits: Limits,
    known: Iterable[Signature],
    roster: Iterable[str],
    now: datetime,
    *,
    trusted: bool,
) -> StandingPolicy:
    """Whether it is in force. `known`: the signatures under exactly this text that bear our seal. `trusted`: none are needed here."""
    text, people = wording(name, said, limits), set(roster)
    policy = StandingPolicy(name=name, text=text, digest=digest(text))
    given = sorted((one for one in known if one.verdict == SIGNED and one.person in people), key=lambda one: (one.at, one.person))
    by = tuple(dict.fromkeys(one.person for one in given))
    until = min(said.expires_at, given[0].at + LONGEST) if given and not trusted else said.expires_at
    revoked = next((one for one in known if one.verdict == REVOKED), None)
    if revoked is not None:
        why_not = f"{revoked.person} revoked it at {revoked.at:%Y-%m-%d %H:%M} UTC"
    elif until <= now:
        why_not = f"it ended at {until:%Y-%m-%d %H:%M} UTC"
    elif not trusted and len(by) < 2:
        why_not = f"two people must sign it, and {' and '.join(by) or 'nobody'} has"
    else:
        why_not = ""
    return policy.model_copy(update={"signed_by": by, "until": until, "trusted": trusted, "why_not": why_not})


class StandingPolicies(System):
    def __init__(self, organisation: Organisation, ledger: Ledger, codes: Codes) -> None:
        self._organisation, self._ledger, self._codes = organisation, ledger, codes

    @action("policies.of")
    async def of(self, order: StandingOf, call: Call) -> StandingPolicy:
        """The policy as it is now: the text in the file, and who has signed exactly that."""
        return await asyncio.to_thread(self.look, order.name, call.at)

    @action("policies.sign", writes=True)
    async def sign(self, order: SignPolicy, call: Call) -> Effect:
        """Signed, and read back. Refused: no such policy, a date too far ahead, not on the roster, or a code that is not for this text."""
        policy = await asyncio.to_thread(self.look, order.name, call.at)
        if (policy.until is not None and policy.until <= call.at) or "revoked" in policy.why_not:
            raise Refused(f"{order.name}: {policy.why_not}; write another expires_at into {self._organisation.path.name}, and sign that")
        if self._said(order.name).expires_at > call.at + LONGEST:
            raise Refused(f"{order.name} ends too late: its expires_at may lie {LONGEST.days} days ahead at most")
        if order.person not in self._organisation.read_roster().people:
            raise Refused(f"{order.person} is not on the roster")
        if not self._codes.matches(order.code, order.person, place(order.name), 0, policy.digest):
            raise Refused(f"that code is not {order.person}'s for this text of {order.name}; ask for another one without --code")
        await asyncio.to_thread(self._keep, policy, order.person, SIGNED, call.at)
        now = await asyncio.to_thread(self.look, order.name, call.at)
        return order.done("the signature was read back", after={"why_not": now.why_not, "says": now.in_words})

    @action("policies.revoke", writes=True)
    async def revoke(self, order: RevokePolicy, call: Call) -> Effect:
        """Ended at once. Anybody on the roster may: what is not authorised is asked."""
        if order.person not in self._organisation.read_roster().people:
            raise Refused(f"{order.person} is not on the roster")
        policy = await asyncio.to_thread(self.look, order.name, call.at)
        await asyncio.to_thread(self._keep, policy, order.person, REVOKED, call.at)
        now = await asyncio.to_thread(self.look, order.name, call.at)
        return order.done("the record was read back", after={"why_not": now.why_not})

    def look(self, name: str, at: datetime) -> StandingPolicy:
        """The same as `of`, outside an activity."""
        policy, said = self._organisation.read_policy(), self._said(name)
        text = wording(name, said, policy.limits)
        people = self._organisation.read_roster().people
        trusted = not policy.standing_signed
        return judged(name, said, policy.limits, self._known(name, digest(text)), people, at, trusted=trusted)

    def _said(self, name: str) -> StandingAuthorisation:
        known = self._organisation.read_policy().standing
        if name not in known:
            raise Refused(f"there is no standing policy for {name}; there are {', '.join(sorted(known)) or 'none'} ([policy.standing])")
        return known[name]

    def _known(self, name: str, text: str) -> list[Signature]:
        """What is on record under this text, and bears our seal: anybody who can write to the database could put a row there."""
        mine = sa.and_(signatures.c.policy == name, signatures.c.digest == text)
        rows = [dict(row._mapping) for row in self._ledger.read(sa.select(signatures).where(mine))]
        sealed = [row for row in rows if hmac.compare_digest(row["seal"], self._seal(row))]
        return [Signature.model_validate({name: row[name] for name in Signature.model_fields}) for row in sealed]

    def _keep(self, policy: StandingPolicy, person: str, verdict: str, at: datetime) -> None:
        row: dict[str, Any] = {"policy": policy.name, "digest": policy.digest, "person": person, "verdict": verdict, "at": at}
        with self._ledger.writing() as connection:
            connection.execute(insert_into(connection, signatures).values({**row, "seal": self._seal(row)}).on_conflict_do_nothing())

    def _seal(self, row: Mapping[str, Any]) -> str:
        return self._codes.seal(
            {name: str(row[name]) for name in ("policy", "digest", "person", "verdict")} | {"at": row["at"].isoformat()}
        )
