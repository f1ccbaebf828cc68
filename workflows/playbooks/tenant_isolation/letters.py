"""Those whose data it was, and those who were given it, are told: each in their own words, on Legal's and the commander's (A.5 C1)."""

import asyncio
from typing import Literal

from activities.action import Role
from activities.mail.letter import Letter
from activities.mail.mail import Mail
from activities.mail.orders import DraftLetter, SendLetter
from activities.tenancy.ledger import LeakEvidence, TraceTenants
from workflows.engine.verbs import Verbs
from workflows.playbooks.tenant_isolation.leak import Leak

Side = Literal["owners", "viewers"]
LETTERS: dict[Side, Letter] = {
    "owners": Letter(
        subject="Some of your data could be read by another customer",
        text="Some of the data of your workspace could be read by another customer of ours, because our product did not keep you apart as it must. "
        "We have stopped that, repaired it, and tried it out. We will tell you which objects it was, which kind of fields, when, and how often, "
        "as far as our logs show it. The other customers are asked to delete what they have got, and to confirm that. You do not need to do "
        "anything now. Please answer this letter for any question, and for the details that your own notifications need.",
    ),
    "viewers": Letter(
        subject="You may have been shown data of another customer",
        text="Our product has shown you data that belongs to another customer of ours. That was our mistake, and it is repaired. Please do not use "
        "or pass on what was not yours, delete every copy of it (also in exports, mails and backups, as soon as these allow it), and confirm that "
        "by answering this letter. Our logs show us which objects it was; we will gladly help you to find them.",
    ),
}


class Letters:
    def __init__(self, verbs: Verbs, leak: Leak) -> None:
        self._verbs, self._leak = verbs, leak
        self._writing: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Beside the rest: nobody's answer about a letter holds up what is repaired."""
        if self._writing is None and self._leak.found.confirmed:
            self._writing = self._verbs.branch("letters", self._write())

    async def ended(self) -> None:
        if self._writing is not None:
            await self._verbs.until_free({"letters": self._writing})

    async def _write(self) -> None:
        verbs, ledger = self._verbs, self._leak.found.ledger
        if ledger is None and not verbs.rehearsing:
            verbs.task("Write to the tenants concerned by hand: nobody can say who they are, so it is all of them", Role.COMMS_LEAD)
            return
        await self._to("owners", ledger.owners if ledger else ("everybody whose data it is",))
        await self._to("viewers", ledger.viewers if ledger else ("everybody who was given it",))
        verbs.task(
            "Collect from each tenant that was shown another's data its word that every copy is deleted; nobody deletes there for them",
            Role.COMMS_LEAD,
        )

    async def _to(self, side: Side, tenants: tuple[str, ...]) -> None:
        """The exact text and list, agreed to by both; everybody once."""
        verbs, incident = self._verbs, self._verbs.incident_id
        if not tenants:
            return
        traced = await verbs.look(
            LeakEvidence.recipients, TraceTenants(service=verbs.service, side=side, names=tenants, incident_id=incident)
        )
        if traced is None:
            verbs.task(f"Write to {len(tenants)} tenants ({side}) by hand: their addresses are not known", Role.COMMS_LEAD)
            return
        draft = await verbs.do(Mail.draft, DraftLetter(incident_id=incident, name=f"isolation-{side}", letter=LETTERS[side]))
        text, listed = (str(kept.after.get("sha256", "")) for kept in (draft, traced))
        count = int(str(traced.after.get("count", 0)))
        order = SendLetter(incident_id=incident, name=f"isolation-{side}", text=text, recipients=listed, count=count)
        if not await verbs.propose(Mail.send, order, facts=(f"{count} {side}, by the leak ledger",)):
            verbs.task(f"Tell {count} tenants ({side}) what has happened: the letter was not sent", Role.COMMS_LEAD)
