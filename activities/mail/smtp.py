"""SMTP (RFC 5321) by aiosmtplib. One message at a time; nothing is tried twice here.

Up to the end of the message nothing is taken: what goes wrong before is *not sent*. The reply to the end of the message says what became of
it. Where that reply never comes the outcome is unknown.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from typing import Literal

import aiosmtplib

from activities.action import Refused
from activities.kit.words.escape import line

PERMANENT = 500
Tls = Literal["starttls", "tls", "none"]


class NotSent(Exception):
    """The server did not take the message. `for_good`: nor will it."""

    def __init__(self, said: str, *, for_good: bool) -> None:
        super().__init__(said)
        self.said, self.for_good = said, for_good


class Smtp:
    """One mail server, and the address that letters come from. `missing`: why there is none."""

    def __init__(
        self,
        address: str,
        sender: str,
        *,
        user: str = "",
        password: str = "",
        tls: Tls = "starttls",
        timeout: float = 4.0,
        missing: str = "",
    ) -> None:
        self.address, self.sender, self.missing = address, sender, missing
        self._user, self._password, self._tls, self._timeout = user, password, tls, timeout

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A conversation. Raises `Refused` where no server is configured, or it does not let us in; else `NotSent`."""
        if self.missing:
            raise Refused(self.missing)
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdigit():
            raise Refused(f"INCIDENT_SMTP_ADDRESS is host:port, not {self.address!r}")
        client = aiosmtplib.SMTP(
            hostname=host.strip("[]"), port=int(port), timeout=self._timeout, use_tls=self._tls == "tls", start_tls=self._tls == "starttls"
        )
        try:
            await client.connect()
            if self._user:
                await client.login(self._user, self._password)
        except aiosmtplib.SMTPAuthenticationError as no:
            client.close()
            raise Refused(f"{self.address} does not let us in: {no.code} {line(no.message, 200)}") from None
        except (aiosmtplib.SMTPException, OSError) as away:
            client.close()
            raise NotSent(f"{self.address}: {line(away, 200) or type(away).__name__}", for_good=False) from None
        try:
            yield client
        finally:
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()
            client.close()

    async def send(self, message: EmailMessage, to: str) -> str:
        """Returns the server's reply when it took the message. Raises `NotSent`; anything else means that the outcome is unknown."""
        async with self.connected() as client:
            await self._addressed(client, to)
            try:
                reply = await client.data(message.as_bytes(policy=WIRE))
            except aiosmtplib.SMTPDataError as no:
                raise _not_sent(no) from None
            return f"{reply.code} {line(reply.message, 200)}"

    async def _addressed(self, client: aiosmtplib.SMTP, to: str) -> None:
        try:
            await client.mail(self.sender)
            await client.rcpt(to)
        except aiosmtplib.SMTPResponseException as no:
            raise _not_sent(no) from None
        except (aiosmtplib.SMTPException, OSError) as away:
            raise NotSent(f"{self.address}: {line(away, 200) or type(away).__name__}", for_good=False) from None

    async def greets(self) -> str:
        """What the server calls itself. Nothing is sent."""
        try:
            async with self.connected() as client:
                return line((await client.noop()).message, 80)
        except NotSent as away:
            raise Refused(away.said) from None


def _not_sent(no: aiosmtplib.SMTPResponseException) -> NotSent:
    return NotSent(f"{no.code} {line(no.message, 200)}", for_good=no.code >= PERMANENT)
