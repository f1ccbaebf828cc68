"""Tenants for whom we process are told first, in words that Legal and the commander have agreed to; all else is Legal's (A.4 C1, C2)."""

import asyncio

from activities.action import Risk, Role
from activities.breach.data_map import DataClass
from activities.kit.words.shell import command
from activities.mail.letter import Letter
from activities.mail.mail import Mail
from activities.mail.orders import DraftLetter, SendLetter
from activities.tenancy.ledger import LeakEvidence, TraceTenants
from activities.values import Value, filled
from workflows.engine.verbs import Verbs
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.data_breach.scoping import Breach

KINDS: dict[DataClass, str] = {
    DataClass.PII: "data of persons", DataClass.SPECIAL: "special categories of data", DataClass.PHI: "health data", DataClass.PAN: "card numbers",
    DataClass.SECRET: "secrets", DataClass.CONTENT: "contents of your workspace", DataClass.METADATA: "data about its use",
}  # fmt: skip
SUBJECT = "Some of your data was read by somebody who must not"
TEXT = (
    "Between {first} and {last} somebody read data in our systems that they must not read, by access that was stolen. As far as our records show, "
    "data of your workspace was among it: {kinds}. We are cutting that access off, revoking it, and looking for anything that was left behind; after "
    "that we watch that it stays so. Our investigation goes on: we will write again when we know more, within {hours} hours at the latest. Please "
    "look whether you have to tell others, and answer this letter for any question and for the details that your own notifications need."
)
NEXT_LETTER = 48  # hours


class LetterFacts(Value):
    """What a letter says of its breach. Counts and names of persons do not belong in it."""

    first: str
    last: str
    kinds: str
    hours: int = NEXT_LETTER


class Letters:
    def __init__(self, verbs: Verbs, breach: Breach) -> None:
        self._verbs, self._breach = verbs, breach
        self._writing: asyncio.Task[None] | None = None
        self._legal_told = False

    def begin(self) -> None:
        """Beside the rest, as soon as it is known whose data it is."""
        ledger = self._breach.found.ledger
        if self._breach.found.unfounded:
            return
        self._to_legal()
        if self._writing is None and ledger is not None and ledger.tenants:
            self._writing = self._verbs.branch("letters to tenants", self._write())

    async def ended(self) -> None:
        if self._writing is not None:
            await self._verbs.until_free({"letters": self._writing})

    def _to_legal(self) -> None:
        """Authorities, persons and markets: a draft of the clocks, a person, a reference number. Nothing of it is sent by us (C4)."""
        if self._legal_told:
            return
        self._legal_told = True
        id = self._verbs.incident_id
        commands = (command("incident", "clocks", "show", id), command("incident", "clocks", "assess", id))
        what = "Decide which notices to authorities, persons and markets are due, sign and send them, and enter each receipt"
        self._verbs.task(what, Role.LEGAL, commands)

    async def _write(self) -> None:
        """The exact text and list; everybody once. What is not agreed to is not sent."""
        verbs, ledger, id = self._verbs, self._breach.found.ledger, self._verbs.incident_id
        tenants = ledger.tenants if ledger is not None else ()
        order = TraceTenants(service=verbs.service, side="owners", names=tenants, incident_id=id)
        traced = await verbs.look(LeakEvidence.recipients, order)
        if traced is None:
            verbs.task(f"Tell {len(tenants)} tenants by hand: their addresses are not known", Role.COMMS_LEAD, order.by_hand())
            return
        letter = Letter(subject=SUBJECT, text=filled(TEXT, self._facts()))
        draft = await verbs.do(Mail.draft, DraftLetter(incident_id=id, name="breach-tenants", letter=letter))
        text, listed = (str(kept.after.get("sha256", "")) for kept in (draft, traced))
        count = int(str(traced.after.get("count", 0)))
        send = SendLetter(incident_id=id, name="breach-tenants", text=text, recipients=listed, count=count)
        facts = (f"{count} tenants for whom we process, by the scope ledger",)
        decision = await verbs.approve_all(Mail.send, [send], ApprovalTerms(facts=facts, least=Risk.C3, stays=True))
        sent = decision.grant is not None and await verbs.propose(Mail.send, send, under=decision.grant)
        if not sent and not verbs.rehearsing:
            verbs.task(f"Tell {count} tenants for whom we process what has happened: the letter was not sent", Role.COMMS_LEAD)

    def _facts(self) -> LetterFacts:
        ledger = self._breach.found.ledger
        first, last = (f"{at:%Y-%m-%d %H:%M} UTC" if at else "an instant that we do not know yet" for at in (
            ledger.first if ledger else None, ledger.last if ledger else None))  # fmt: skip
        classes = [KINDS[one] for one in (ledger.classes if ledger else ())]
        return LetterFacts(first=first, last=last, kinds=", ".join(classes) or "of which kind is under investigation")
