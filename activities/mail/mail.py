"""Letters to people outside (spec §8 S-NOTIFY-CUST): drafted, agreed to by two roles, and sent once.

SMTP has no way to look whether a message arrived, so that this is none of the kit's kinds: what must exist once is looked up in our own
outbox (`outbox.py`). A retry, another worker or a second order with the same text never writes to a person again.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import sqlalchemy as sa

from activities.action import Call, Effect, NotYet, Patience, Refused, Risk, Role, System, action
from activities.evidence.store import EvidenceStore
from activities.kit.fence import refuse_when_late
from activities.ledger.database import LedgerDown
from activities.ledger.ledger import Ledger
from activities.mail.letter import Letter, fingerprint, read_letter, read_list
from activities.mail.orders import DraftLetter, OutboxOf, Outcomes, SendLetter
from activities.mail.outbox import Outbox, Post, Sent
from activities.mail.smtp import NotSent, Smtp

P = ParamSpec("P")
T = TypeVar("T")
UNSEEN = "the connection ended before the server said whether it took the message"


class Mail(System):
    """One mail server, the evidence store that letters lie in, and the outbox in the ledger."""

    def __init__(self, smtp: Smtp, store: EvidenceStore, ledger: Ledger) -> None:
        self._smtp, self._store, self._outbox = smtp, store, Outbox(ledger)

    @action("mail.draft", writes=True)
    async def draft(self, order: DraftLetter, call: Call) -> Effect:
        """Keep the text, so that people can agree to exactly it. Nobody is written to."""
        if wrong := order.letter.wrong():
            raise Refused(wrong)
        kept = await self._store.keep(call, f"letter/{order.name}", order.letter.content(), held_until=call.at + order.held_for)
        told = kept.model_dump(mode="json", exclude={"adopted"})
        return order.done("the evidence store shows it, with its hash", kept.summary, adopted=kept.adopted, after=told)

    @action("mail.outbox")
    async def outbox(self, order: OutboxOf, call: Call) -> Outcomes:
        """What is on record for everybody on the list."""
        known = {sent.recipient: sent for sent in await self._recorded(self._outbox.of, order.incident_id, order.text)}
        listed = await read_list(self._store, call, order.recipients)
        return _outcomes({one: known.get(one) for one in map(fingerprint, listed)})

    @action("mail.send", risk=Risk.C3, asks=(Role.LEGAL, Role.INCIDENT_COMMANDER), patience=Patience.ROLLOUT)
    async def send(self, order: SendLetter, call: Call) -> Effect:
        """Write to each recipient, once. What the server did not say is *unknown*, and not tried again.

        Raises `Refused` when the text or the list is not what was agreed to, `NotYet` while somebody may still be written to.
        """
        letter, listed = await self._agreed(order, call)
        seen: dict[str, Sent | None] = {}
        new = 0
        for address in listed:
            recipient = fingerprint(address)
            seen[recipient], ours = await self._one(order, call, letter, address)
            new += ours
        found = _outcomes(seen)
        if found.not_sent:
            why = next(sent.said for sent in seen.values() if sent is not None and sent.state is Post.NOT_SENT)
            raise NotYet(f"{len(found.not_sent)} of {len(listed)} are not written to yet: {why}")
        return order.done(
            "the mail server's own replies, on record under each Message-ID",
            f"the letter {order.name}: {found.summary} of {len(listed)}",
            adopted=not new,
            after=found.model_dump(mode="json"),
        )

    async def _agreed(self, order: SendLetter, call: Call) -> tuple[Letter, tuple[str, ...]]:
        """The text and the list that the order names, and nothing else."""
        if self._smtp.missing:
            raise Refused(self._smtp.missing)
        letter = await read_letter(self._store, call, order.text)
        listed = await read_list(self._store, call, order.recipients)
        if len(listed) != order.count:
            raise Refused(f"nobody was written to: the list has {len(listed)} recipients, and {order.count} were agreed to")
        if not listed or len(listed) > order.numbers.most_recipients:
            raise Refused(
                f"nobody was written to: a letter of ours has 1 to {order.numbers.most_recipients} recipients ([policy.mail]), "
                f"and the list has {len(listed)}"
            )
        return letter, listed

    async def _one(self, order: SendLetter, call: Call, letter: Letter, address: str) -> tuple[Sent, bool]:
        """What is known of one recipient afterwards, and whether it was us who wrote just now."""
        recipient = fingerprint(address)
        id = message_id(order, recipient, self._smtp.sender)
        refuse_when_late()
        if (known := await self._recorded(self._outbox.claim, id, call.incident_id, order.text, recipient)) is not None:
            return known, False
        state, said = await self._posted(letter, address, id, call)
        if state is not Post.SENDING:  # unknown stays as it was claimed
            await self._recorded(self._outbox.settle, id, state, said)
        return Sent(message_id=id, recipient=recipient, state=state, said=said, last_at=call.at), True

    async def _posted(self, letter: Letter, address: str, id: str, call: Call) -> tuple[Post, str]:
        message = letter.to(address, sender=self._smtp.sender, id=id, at=call.at)
        try:
            return Post.TAKEN, await self._smtp.send(message, address)
        except NotSent as no:
            return Post.REFUSED if no.for_good else Post.NOT_SENT, no.said
        except Refused as no:  # we are not let in: nothing went out
            return Post.NOT_SENT, no.message
        except Exception as broke:
            return Post.SENDING, f"{UNSEEN}: {type(broke).__name__}"

    async def _recorded(self, work: Callable[P, T], *what: P.args, **more: P.kwargs) -> T:
        """Without the outbox nobody is written to: it alone knows who was."""
        try:
            return await asyncio.to_thread(work, *what, **more)
        except (sa.exc.SQLAlchemyError, LedgerDown, OSError) as away:
            raise NotYet(f"the outbox does not answer, and nobody is written to without it: {type(away).__name__}") from away


def message_id(order: SendLetter, recipient: str, sender: str) -> str:
    """The same for the same text to the same person in the same incident, whoever sends it, and however often."""
    ours = hashlib.sha256("\n".join((order.incident_id, order.text, recipient)).encode()).hexdigest()[:40]
    return f"{ours}@{sender.rpartition('@')[2] or 'localhost'}"


def _outcomes(seen: dict[str, Sent | None]) -> Outcomes:
    by: dict[Post, list[str]] = defaultdict(list)
    for recipient, sent in seen.items():
        by[sent.state if sent is not None else Post.NOT_SENT].append(recipient)
    return Outcomes(
        taken=len(by[Post.TAKEN]), unknown=tuple(by[Post.SENDING]), refused=tuple(by[Post.REFUSED]), not_sent=tuple(by[Post.NOT_SENT])
    )
