"""Who answered: personal codes that prove it, and the look-up of who somebody says they are (design §4, "Who answered").

A code is an HMAC-SHA256 over person, incident, question and digest, cut to 40 bits (`7-4XQ2-M9KD`): short, because a person types it at 3 a.m.;
good for one question of one incident, and the workflow counts wrong ones. Codes reach people by page or direct message only.
"""

import hashlib
import hmac
import json
import re

from pydantic import JsonValue

from activities.action import Call, Order, Risk, System, Value, action
from activities.organisation.organisation import Organisation
from activities.organisation.people import Person, Roster

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})
_LENGTH = 8  # characters of 5 bits: 40 bits


class Codes:
    """Mints and checks personal codes. `secret`: at least 16 bytes, known to the workers only. Raises ValueError for a shorter one."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the secret for personal codes needs at least 16 bytes")
        self._secret = secret

    def mint(self, person: str, incident: str, question: int, digest: str) -> str:
        """The code with which `person` (an id) answers `question`; the same every time, so that a reminder repeats it."""
        sealed = json.dumps([person, incident, question, digest]).encode()
        number = int.from_bytes(hmac.new(self._secret, sealed, hashlib.sha256).digest()[:5], "big")
        letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(35, -1, -5))
        return f"{question}-{letters[:4]}-{letters[4:]}"

    def matches(self, code: str, person: str, incident: str, question: int, digest: str) -> bool:
        """True for that very code, whatever its capitals, dashes, spaces, O for 0 or I for 1. As fast for wrong as for right."""
        return hmac.compare_digest(_as_typed(code), _as_typed(self.mint(person, incident, question, digest)))

    def seal(self, said: JsonValue) -> str:
        """What only a worker of ours can put under a message to a workflow; anybody can send the message itself."""
        return hmac.new(self._secret, b"seal" + json.dumps(said, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def place(name: str) -> str:
    """What a code for signing is bound to, where a code of an incident is bound to its id."""
    return f"policy/{name}"


def _as_typed(code: str) -> bytes:
    return re.sub(r"[\s\-‐-―_]", "", code).upper().translate(_MISREAD).encode()


class Identify(Order, target="roster", effect="find out who answers"):
    """Who is it that answers? By code, or by what they claim. `questions`: number and digest of every question ever asked."""

    incident_id: str
    code: str = ""
    claims: str = ""
    questions: tuple[tuple[int, str], ...] = ()


class Identity(Value):
    """Who answered. `question`: the one that the code is for. `why`: what was wrong, in one sentence; empty when the code was right."""

    person: Person | None = None
    question: int | None = None
    verified: bool = False
    why: str = ""
    roster: Roster


class Sealed(Order, target="seal", effect="see whether a message comes from a worker of ours"):
    said: dict[str, JsonValue]
    seal: str


class Identities(System):
    def __init__(self, organisation: Organisation, codes: Codes) -> None:
        self._organisation = organisation
        self._codes = codes

    @action("identities.identify", risk=Risk.C0)
    async def identify(self, order: Identify, call: Call) -> Identity:
        """Who answers. A wrong code raises nothing: it is an answer too, for the workflow to note. Refused: the roster cannot be read."""
        roster = self._organisation.read_roster()
        return self._by_code(order, roster) if order.code.strip() else _by_claim(order, roster)

    @action("identities.vouched", risk=Risk.C0)
    async def vouched(self, order: Sealed, call: Call) -> bool:
        """True when the seal is ours and fits the message word for word."""
        return hmac.compare_digest(order.seal.encode(), self._codes.seal(order.said).encode())

    def _by_code(self, order: Identify, roster: Roster) -> Identity:
        owners = [
            (person, number)
            for number, digest in order.questions
            for person in roster.people.values()
            if self._codes.matches(order.code, person.id, order.incident_id, number, digest)
        ]
        if len(owners) != 1:  # two owners of one code: one chance in 2^40, and then it proves nothing
            return Identity(why=_what_is_wrong(order), roster=roster)
        ((person, number),) = owners
        return Identity(person=person, question=number, verified=True, roster=roster)


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


def _what_is_wrong(order: Identify) -> str:
    typed = _as_typed(order.code).decode()
    number = typed[:-_LENGTH]
    if len(typed) <= _LENGTH or not number.isdecimal() or set(typed[-_LENGTH:]) - set(_ALPHABET):
        return "that is not a code: a code is the question's number and eight characters, like 7-4XQ2-M9KD"
    if len(number) > 6 or int(number) not in {asked for asked, _ in order.questions}:
        return f"the code is for question {number[:6]}, which was never asked in {order.incident_id}"
    return f"the code fits nobody on the roster for question {number} of {order.incident_id}: look for a slip of the finger"
