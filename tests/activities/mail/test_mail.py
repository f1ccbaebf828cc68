"""Letters by a real SMTP server: everybody on the list is written to once, and what nobody knows is called unknown."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.action import Effect, NotYet, Refused
from activities.evidence.folder import Folder
from activities.evidence.store import EvidenceStore
from activities.ledger.ledger import Ledger
from activities.mail.letter import Letter, keep_list
from activities.mail.mail import Mail
from activities.mail.orders import DraftLetter, OutboxOf, Outcomes, SendLetter
from activities.mail.smtp import Smtp
from activities.organisation.numbers import MailNumbers
from practice.stores.mail import MODES, Mailbox, MailFault, mail_server
from practice.world.state import JSON
from tests.activities.kit.stage import INCIDENT, Stage, attempt, refused, stage, tried

LETTER = Letter(
    subject="Correction of an answer", text="On Tuesday our assistant told you 30 days.\nIt is 14 days.\n.\nWe are sorry. Ünal\n"
)
ANA, BEN, CLEO = "ana@cedar.example", "ben@nimbus.example", "cleo@iris.example"


@dataclass
class Post:
    """A world with a mail server, and our side of it."""

    played: Stage
    mail: Mail
    store: EvidenceStore
    numbers: MailNumbers = field(default_factory=MailNumbers)

    async def order(self, addresses: Sequence[str], letter: Letter = LETTER, count: int | None = None) -> SendLetter:
        """What people agreed to: kept in the evidence store, and named by hashes."""
        call = self.played.call()
        drafted: Effect = await attempt(Mail.draft, self.mail, DraftLetter(incident_id=INCIDENT, name="correction", letter=letter), call)
        listed = await keep_list(self.store, call, "recipients", addresses, call.at + timedelta(days=366))
        return SendLetter(
            incident_id=INCIDENT, name="correction", text=str(drafted.after["sha256"]), recipients=listed.sha256,
            count=len(addresses) if count is None else count, numbers=self.numbers,
        )  # fmt: skip

    async def sent(self, order: SendLetter) -> Effect:
        effect: Effect
        effect, _ = await tried(Mail.send, self.mail, order, self.played.call(key=f"{INCIDENT}/mail.send/letter/1"))
        return effect

    async def outbox(self, order: SendLetter) -> Outcomes:
        asked = OutboxOf(incident_id=INCIDENT, name="correction", text=order.text, recipients=order.recipients)
        found: Outcomes = await attempt(Mail.outbox, self.mail, asked, self.played.call())
        return found

    @property
    def arrived(self) -> list[JSON]:
        return self.box.letters

    @property
    def box(self) -> Mailbox:
        return self.played.world.state.part(Mailbox)

    def misbehave(self, at: str, mode: str, times: int | None = 1, to: str = "") -> None:
        self.box.faults.append(MailFault(at, mode, times, to))


@asynccontextmanager
async def posting(tmp: Path, **more: Any) -> AsyncIterator[Post]:
    played, book = stage(), Ledger(f"sqlite:///{tmp}/ledger.db")
    book.migrate()
    store = EvidenceStore(Folder(tmp / "evidence"), book)
    async with mail_server(played.world) as address:
        smtp = Smtp(address, "incidents@acme.example", tls="none", timeout=0.3)
        yield Post(played, Mail(smtp, store, book), store, **more)


async def test_everybody_on_the_list_gets_exactly_what_was_agreed_to_and_sees_nobody_else(tmp_path: Path) -> None:
    async with posting(tmp_path) as post:
        order = await post.order((ANA, BEN, CLEO))
        assert all(word not in order.model_dump_json() + order.effect() for word in ("ana", "nimbus", "Correction of", "30 days"))
        effect = await post.sent(order)
        assert [one["to"] for one in sorted(post.arrived, key=lambda one: str(one["to"]))] == [ANA, BEN, CLEO]
        assert {(one["subject"], str(one["text"]).replace("\r\n", "\n")) for one in post.arrived} == {(LETTER.subject, LETTER.text)}
        assert all(one["headers"].count("To") == 1 and "Cc" not in one["headers"] for one in post.arrived)
        assert (effect.after["taken"], effect.adopted) == (3, False) and "replies" in effect.proven_by
        assert len({one["message_id"] for one in post.arrived}) == 3


async def test_a_second_try_another_key_and_a_second_order_write_to_nobody_again(tmp_path: Path) -> None:
    async with posting(tmp_path) as post:
        order = await post.order((ANA, BEN))
        await post.sent(order)
        again, _ = await tried(Mail.send, post.mail, order, post.played.call(key=f"{INCIDENT}/mail.send/letter/2"))
        assert again.adopted and len(post.arrived) == 2
        more = await post.sent(await post.order((ANA, BEN, CLEO)))
        assert (more.after["taken"], more.adopted) == (3, False)
        assert [one["to"] for one in post.arrived].count(CLEO) == 1 and len(post.arrived) == 3


@pytest.mark.parametrize(
    ("at", "mode", "taken", "unknown", "refused_", "arrives"),
    [
        ("rcpt", "later", 2, 0, 0, 2), ("rcpt", "drop", 2, 0, 0, 2), ("rcpt", "hang", 2, 0, 0, 2), ("rcpt", "refuse", 1, 0, 1, 1),
        ("data", "later", 2, 0, 0, 2), ("data", "refuse", 1, 0, 1, 1),
        ("data", "drop", 1, 1, 0, 1), ("data", "hang", 1, 1, 0, 1), ("data", "taken_then_drop", 1, 1, 0, 2),
    ],
)  # fmt: skip
async def test_nobody_is_written_to_twice_and_what_is_not_known_is_said(
    at: str, mode: str, taken: int, unknown: int, refused_: int, arrives: int, tmp_path: Path
) -> None:
    async with posting(tmp_path) as post:
        order = await post.order((ANA, BEN))
        post.misbehave(at, mode)
        effect = await post.sent(order)
        assert (effect.after["taken"], len(effect.after["unknown"]), len(effect.after["refused"])) == (taken, unknown, refused_)  # type: ignore[arg-type]
        assert len(post.arrived) == arrives and len({one["to"] for one in post.arrived}) == arrives
        assert (await post.sent(order)).adopted and len(post.arrived) == arrives
        assert (await post.outbox(order)).taken == taken
        assert not unknown or "1 unknown" in effect.summary


def test_every_way_in_which_the_server_misbehaves_is_played() -> None:
    assert set(MODES) == {"later", "refuse", "drop", "hang", "taken_then_drop", "lose"}, "what a server takes and loses it calls taken"


async def test_the_list_and_the_text_are_what_was_agreed_to_or_nobody_is_written_to(tmp_path: Path) -> None:
    async with posting(tmp_path, numbers=MailNumbers(most_recipients=2)) as post:
        many = await post.order((ANA, BEN, CLEO))
        assert "1 to 2 recipients" in await refused(lambda: post.sent(many))
        other = (await post.order((ANA, BEN))).model_copy(update={"count": 1})
        assert "1 were agreed to" in await refused(lambda: post.sent(other))
        swapped = (await post.order((ANA,))).model_copy(update={"text": many.recipients})
        assert "is no letter" in await refused(lambda: post.sent(swapped))
        nothing = (await post.order((ANA,))).model_copy(update={"recipients": "0" * 64})
        assert "has nothing" in await refused(lambda: post.sent(nothing))
        assert post.arrived == []


@pytest.mark.parametrize(
    "address",
    ["ana@cedar.example\r\nBcc: all@cedar.example", "ana@cedar.example, ben@x.example", "<ana@cedar.example>", "ana", "@x.example", "a..b@x.example",
     "ana@cedar.example SIZE=1", "ana@-x.example", "", "ana@cedar.example\x00"],
)  # fmt: skip
async def test_nothing_in_an_address_becomes_a_header_or_a_second_recipient(address: str, tmp_path: Path) -> None:
    async with posting(tmp_path) as post:
        with pytest.raises(Refused, match="none"):
            await post.order((address,))
        raw = await post.store.keep(
            post.played.call(), "list", f"[{address!r}]".replace("'", '"').encode(), held_until=post.played.call().at
        )
        order = (await post.order((ANA,))).model_copy(update={"recipients": raw.sha256})
        assert await refused(lambda: post.sent(order))
        assert post.arrived == []


@pytest.mark.parametrize("subject", ["A\r\nBcc: all@cedar.example", "A\nB", "", "x" * 201, "A\x00"])
async def test_nothing_in_a_subject_becomes_a_header(subject: str, tmp_path: Path) -> None:
    async with posting(tmp_path) as post:
        with pytest.raises(Refused, match="one line"):
            await post.order((ANA,), LETTER.model_copy(update={"subject": subject}))


async def test_without_the_outbox_or_the_server_nobody_is_written_to(tmp_path: Path) -> None:
    async with posting(tmp_path) as post:
        order = await post.order((ANA,))
        (tmp_path / "none").mkdir()
        lost = Mail(post.mail._smtp, post.store, Ledger(f"sqlite:///{tmp_path}/none"))
        with pytest.raises(NotYet, match="outbox does not answer"):
            await attempt(Mail.send, lost, order, post.played.call())
        away = Mail(Smtp("127.0.0.1:9", "incidents@acme.example", tls="none"), post.store, Ledger(f"sqlite:///{tmp_path}/ledger.db"))
        with pytest.raises(NotYet, match="1 of 1 are not written to yet"):
            await attempt(Mail.send, away, order, post.played.call())
        bare = Mail(Smtp("", "", missing="not configured: INCIDENT_SMTP_ADDRESS is not set"), post.store, post.mail._outbox._database)  # type: ignore[arg-type]
        assert "not configured" in await refused(lambda: attempt(Mail.send, bare, order, post.played.call()))
        assert post.arrived == []
        assert (await post.sent(order)).after["taken"] == 1, "what surely did not go out is tried again"
