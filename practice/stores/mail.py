"""A mail server, really speaking SMTP (aiosmtpd), on loopback and in the loop of the world. What it takes is in the world.

It does what real ones do: it takes a message twice when it is sent twice, whatever its Message-ID.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from practice.world.state import JSON
from practice.world.world import World

HOST = "127.0.0.1"
RECIPIENT, MESSAGE = "rcpt", "data"
REFUSE, LATER, DROP, HANG, TAKEN_THEN_DROP, LOSE = "refuse", "later", "drop", "hang", "taken_then_drop", "lose"
MODES = (REFUSE, LATER, DROP, HANG, TAKEN_THEN_DROP, LOSE)
REPLIES = {REFUSE: "550 5.1.1 no such user here", LATER: "451 4.3.0 try again later"}


@dataclass
class MailFault:
    """How the server misbehaves: at a recipient or at a message, for so many times (None: always), for one recipient or all."""

    at: str
    mode: str
    times: int | None = None
    to: str = ""


@dataclass
class Mailbox:
    """What arrived, and how the server misbehaves."""

    letters: list[JSON] = field(default_factory=list)
    faults: list[MailFault] = field(default_factory=list)

    def take(self, at: str, to: str) -> str:
        """The mode of the fault that is due here; empty when there is none."""
        for fault in self.faults:
            if fault.at == at and fault.to in ("", to) and fault.times != 0:
                fault.times = None if fault.times is None else fault.times - 1
                return fault.mode
        return ""


class _Handler:
    def __init__(self, world: World) -> None:
        self._world = world
        vars(self).update({"handle_RCPT": self.recipient, "handle_DATA": self.message})  # aiosmtpd's names

    async def recipient(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        mode = self._mailbox.take(RECIPIENT, address)
        if mode:
            return await _misbehaves(server, mode)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def message(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        mode = self._mailbox.take(MESSAGE, envelope.rcpt_tos[0])
        if mode in ("", TAKEN_THEN_DROP):
            for to in envelope.rcpt_tos:
                self._deliver(to, envelope)
        if mode not in ("", LOSE):
            return await _misbehaves(server, mode)
        return f"250 2.0.0 queued as {len(self._mailbox.letters):08X}"

    def _deliver(self, to: str, envelope: Envelope) -> None:
        world, raw = self._world, cast("bytes", envelope.content)
        world.advance()
        message = message_from_bytes(raw, policy=default)
        body = message.get_body(("plain",))
        letter = {
            "at": world.clock.stamp(world.clock.now()), "from": envelope.mail_from, "to": to, "subject": str(message["Subject"]),
            "message_id": str(message["Message-ID"]), "headers": sorted(message.keys()), "text": body.get_content() if body else "",
        }  # fmt: skip
        self._mailbox.letters.append(letter)
        told = {"message_id": letter["message_id"], "sha256": hashlib.sha256(str(letter["text"]).encode()).hexdigest()}
        world.note_effect("smtp.data", f"mail/{to}", {"idempotency-key": letter["message_id"]}, None, told)
        for person in world.state.people.values():
            if person.email == to:
                world.state.deliver(person.name, str(letter["at"]), "mail", str(letter["subject"]), None)

    @property
    def _mailbox(self) -> Mailbox:
        return self._world.state.part(Mailbox)


async def _misbehaves(server: SMTP, mode: str) -> str:
    if mode == HANG:
        await asyncio.Event().wait()
    if mode in (DROP, TAKEN_THEN_DROP):
        cast(Any, server.transport).abort()
    return REPLIES.get(mode, "421 4.3.2 closing")


@contextlib.asynccontextmanager
async def mail_server(world: World, port: int = 0) -> AsyncIterator[str]:
    """Take mail for `world` until the block ends; yields `host:port`."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(_Handler(world), hostname="mail.practice", ident="practice", loop=loop), HOST, port)
    try:
        yield f"{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
