"""Who answered: personal codes that prove it, and the look-up of who somebody says they are (design §4, "Who answered").

A code is an HMAC-SHA256 over person, incident, question, digest and sending, cut to 40 bits (`7-4XQ2-M9KD`): short, because a person types
it at 3 a.m. Codes reach people by page or direct message only. A code is good once: the first message in which it is seen, right or wrong,
spends it, in a store outside the history (ADR 21). Every sending of a question brings other codes.
"""

import hashlib
import hmac
import json
import re
from contextlib import suppress

from pydantic import JsonValue

from activities.action import Call, Order, Patience, Refused, Risk, System, Value, action
from activities.kit.words.shell import command
from activities.ledger.database import LedgerDown
from activities.ledger.ledger import Ledger
from activities.ledger.spent_codes import SpentCode, spend
from activities.organisation.organisation import Organisation
from activities.organisation.people import Person, Roster

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})
_LENGTH = 8  # characters of 5 bits: 40 bits
COMMANDS = 0  # the number of a code for commands: it answers no question
NOT_COUNTED = "the record does not answer, so that your code cannot count now: it is not spent; send it again when the record is back"


class Codes:
    """Mints and checks personal codes. `secret`: at least 16 bytes, known to the workers only. Raises ValueError for a shorter one."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the secret for personal codes needs at least 16 bytes")
        self._secret = secret

    def mint(self, person: str, incident: str, question: int, digest: str, sending: int = 1) -> str:
        """The code that `person` (an id) is sent for `question` with this sending of it; the same whenever that is tried again."""
        sealed = json.dumps([person, incident, question, digest, sending]).encode()
        number = int.from_bytes(hmac.new(self._secret, sealed, hashlib.sha256).digest()[:5], "big")
        letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(35, -1, -5))
        return f"{question}-{letters[:4]}-{letters[4:]}"

    def matches(self, code: str, person: str, incident: str, question: int, digest: str, sending: int = 1) -> bool:
        """True for that very code, whatever its capitals, dashes, spaces, O for 0 or I for 1. As fast for wrong as for right."""
        return hmac.compare_digest(_as_typed(code), _as_typed(self.mint(person, incident, question, digest, sending)))

    def fingerprint(self, code: str) -> str:
        """What stands for a code in our record, however it was typed. Without the secret nobody can find the code that it belongs to."""
        return hmac.new(self._secret, b"spent" + _as_typed(code), hashlib.sha256).hexdigest()

    def seal(self, said: JsonValue) -> str:
        """What only a worker of ours can put under a message to a workflow; anybody can send the message itself."""
        return hmac.new(self._secret, b"seal" + json.dumps(said, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def place(name: str) -> str:
    """What a code for signing is bound to, where a code of an incident is bound to its id."""
    return f"policy/{name}"


def _as_typed(code: str) -> bytes:
    return re.sub(r"[\s\-‐-―_]", "", code).upper().translate(_MISREAD).encode()


class OfMessage(Order):
    """A message to a workflow. `verdict`: its name. `message`: the digest of what was sent, in which run; the same over retries."""

    incident_id: str
    verdict: str = ""
    message: str = ""


class Identify(OfMessage, target="roster", effect="find out who answers"):
    """Who is it that answers? By code, or by what they claim.

    `questions`: number and digest of every question ever asked, how often sent; and of every code for commands that is good now (number 0).
    """

    code: str = ""
    claims: str = ""
    questions: tuple[tuple[int, str, int], ...] = ()
    read: dict[int, int] = {}  # by question: so many sendings others may have read, so that their codes count no more


class SeenCodes(OfMessage, target="codes", effect="spend codes that were typed where none belongs"):
    codes: tuple[str, ...]


class Identity(Value):
    """Who answered. `question`: the one that the code is for; 0: commands. `why`: what was wrong, in one sentence; empty when the code was right.

    `owner`: whose code was spent, also when it had been used before and counts no more.
    """

    person: Person | None = None
    question: int | None = None
    verified: bool = False
    why: str = ""
    owner: Person | None = None
    roster: Roster


class Sealed(Order, target="seal", effect="see whether a message comes from a worker of ours"):
    said: dict[str, JsonValue]
    seal: str


class Identities(System):
    def __init__(self, organisation: Organisation, codes: Codes, ledger: Ledger) -> None:
        self._organisation = organisation
        self._codes = codes
        self._ledger = ledger

    @action("identities.identify", risk=Risk.C0)
    async def identify(self, order: Identify, call: Call) -> Identity:
        """Who answers; a code is spent by it. A wrong code raises nothing: it is an answer too. Refused: the roster cannot be read."""
        try:
            roster = self._organisation.read_roster()
        except Refused:
            if _number(order.code) is not None:
                with suppress(LedgerDown):
                    await self._first(order, order.code)
            raise
        return await self._by_code(order, roster) if order.code.strip() else _by_claim(order, roster)

    @action("identities.spend", risk=Risk.C0, patience=Patience.RECORD)
    async def spend(self, order: SeenCodes, call: Call) -> int:
        """Spend what was seen where nobody asks whose it is; returns how many codes. LedgerDown: it must be tried again."""
        codes = [code for code in order.codes if _number(code) is not None]
        for code in codes:
            await self._first(order, code)
        return len(codes)

    @action("identities.vouched", risk=Risk.C0)
    async def vouched(self, order: Sealed, call: Call) -> bool:
        """True when the seal is ours and fits the message word for word."""
        return hmac.compare_digest(order.seal.encode(), self._codes.seal(order.said).encode())

    async def _by_code(self, order: Identify, roster: Roster) -> Identity:
        number = _number(order.code)
        if number is None:
            return Identity(why="that is not a code: a code is the question's number and eight characters, like 7-4XQ2-M9KD", roster=roster)
        owner = self._owner(order, number, roster)
        try:
            first = await self._first(order, order.code, owner)
        except LedgerDown:
            return Identity(person=owner, question=number if owner else None, why=NOT_COUNTED, roster=roster)
        if (first.message, first.verdict, first.incident_id) != (order.message, order.verdict, order.incident_id):
            where = "" if first.incident_id == order.incident_id else f" to {first.incident_id}"
            used = f"this code was used already, for {first.verdict}{where} at {first.first_at:%H:%M:%S} UTC"
            why = f"{used}; a code is good once: {_another(order, number)}"
            return Identity(owner=owner, question=number if owner else None, why=why, roster=roster)
        if owner is None:
            return Identity(why=_what_is_wrong(order, number), roster=roster)
        return Identity(person=owner, question=number, verified=True, owner=owner, roster=roster)

    def _owner(self, order: Identify, number: int, roster: Roster) -> Person | None:
        """Who was sent this code. Two owners of one code: one chance in 2^40, and then it proves nothing."""
        owners = [
            person
            for asked, digest, sendings in order.questions
            if asked == number
            for person in roster.people.values()
            for sending in range(1 + order.read.get(number, 0), sendings + 1)
            if self._codes.matches(order.code, person.id, order.incident_id, number, digest, sending)
        ]
        return owners[0] if len(owners) == 1 else None

    async def _first(self, order: OfMessage, code: str, owner: Person | None = None) -> SpentCode:
        """The message in which this code was seen first: this one, unless there was another. Raises `LedgerDown`."""
        seen = SpentCode(
            fingerprint=self._codes.fingerprint(code), message=order.message, verdict=order.verdict, incident_id=order.incident_id,
            person=owner.id if owner else "", first_at=self._ledger.now(),
        )  # fmt: skip
        return await spend(self._ledger, seen)


def _by_claim(order: Identify, roster: Roster) -> Identity:
    name = order.claims.strip()
    person = roster.person(name) if name else None
    if person:
        why = f"{person.name} gave no code, so that this is only what the sender says"
    elif name:
        why = f"nobody called {name[:60]!r} is on the roster"
    else:
        why = "the answer carries neither a code nor a name"
    return Identity(person=person, why=why, roster=roster)


def for_commands(code: str) -> bool:
    """Whether it looks like a code for commands."""
    return _number(code) == COMMANDS


def _number(code: str) -> int | None:
    """The question that a code is for, by its looks; None when this is no code."""
    typed = _as_typed(code).decode()
    number = typed[:-_LENGTH]
    looks = len(typed) > _LENGTH and number.isdecimal() and number.isascii() and not set(typed[-_LENGTH:]) - set(_ALPHABET)
    return int(number[:9]) if looks else None


def _another(order: Identify, number: int) -> str:
    """How one gets another code."""
    return f"{command('incident', 'code', order.incident_id)} sends another" if number == COMMANDS else "use a newer one"


def _what_is_wrong(order: Identify, number: int) -> str:
    if number == COMMANDS:
        return f"that code for commands is not good, or not any more: {_another(order, number)}"
    if number not in {asked for asked, _, _ in order.questions}:
        return f"the code is for question {str(number)[:6]}, which was never asked in {order.incident_id}"
    return f"the code fits nobody on the roster for question {number} of {order.incident_id}: look for a slip of the finger"
