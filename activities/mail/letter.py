"""A letter and its list, as they are kept in the evidence store: an order names them by their hashes, and people agree to exactly these."""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from activities.action import Call, Refused, Value
from activities.evidence.store import EvidenceStore, Kept

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
LONGEST_SUBJECT, LONGEST_TEXT = 200, 100_000  # characters


class Letter(Value):
    """What every recipient reads."""

    subject: str
    text: str

    def wrong(self) -> str:
        """Why it is no letter, in a sentence; empty when it is one."""
        if not self.subject.strip() or len(self.subject) > LONGEST_SUBJECT or not self.subject.isprintable():
            return f"the subject of a letter is one line of at most {LONGEST_SUBJECT} characters"
        if not self.text.strip() or len(self.text) > LONGEST_TEXT or "\x00" in self.text:
            return f"a letter has a text, of at most {LONGEST_TEXT} characters"
        return ""

    def content(self) -> bytes:
        return self.model_dump_json().encode()

    def to(self, address: str, *, sender: str, id: str, at: datetime) -> EmailMessage:
        """The message to one recipient. Nobody sees who else is written to."""
        message = EmailMessage(policy=SMTP)
        headers = {"From": sender, "To": address, "Subject": self.subject, "Date": format_datetime(at), "Message-ID": f"<{id}>"}
        for name, value in {**headers, "Auto-Submitted": "auto-generated"}.items():
            message[name] = value
        message.set_content(self.text, charset="utf-8")
        return message


def wrong_address(address: str) -> str:
    """Why nothing can be sent there, in a sentence that does not repeat it; empty when it can. Nothing in an address becomes a header."""
    if ADDRESS.fullmatch(address) and ".." not in address and not address.startswith("."):
        return ""
    return f"an address on the list is none (sha256 {fingerprint(address)[:16]}…)"


def fingerprint(address: str) -> str:
    """What stands for a recipient in orders, histories and records."""
    return hashlib.sha256(address.strip().casefold().encode()).hexdigest()


async def keep_list(store: EvidenceStore, call: Call, name: str, addresses: Sequence[str], held_until: datetime) -> Kept:
    """Keep a list of recipients. For the systems that know whom something concerns: only its hash and its length leave their activity."""
    found = {fingerprint(address): address.strip() for address in addresses}
    if wrong := next(filter(None, map(wrong_address, found.values())), ""):
        raise Refused(wrong)
    content = json.dumps([found[one] for one in sorted(found)], separators=(",", ":")).encode()
    return await store.keep(call, name, content, held_until=held_until)


async def read_letter(store: EvidenceStore, call: Call, sha256: str) -> Letter:
    try:
        letter = Letter.model_validate_json(await store.read(call, sha256))
    except ValueError:
        raise Refused(f"the evidence {sha256[:16]}… is no letter") from None
    if wrong := letter.wrong():
        raise Refused(wrong)
    return letter


async def read_list(store: EvidenceStore, call: Call, sha256: str) -> tuple[str, ...]:
    try:
        listed = json.loads(await store.read(call, sha256))
    except ValueError:
        listed = None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise Refused(f"the evidence {sha256[:16]}… is no list of recipients")
    if wrong := next(filter(None, map(wrong_address, listed)), ""):
        raise Refused(f"nobody was written to: {wrong}")
    if len({fingerprint(one) for one in listed}) != len(listed):
        raise Refused("nobody was written to: somebody is on the list twice")
    return tuple(listed)
