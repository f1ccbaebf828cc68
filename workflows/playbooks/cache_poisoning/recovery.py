"""Back to normal on people's word: a sample that they have judged, who keeps what is in quarantine, and letters to those who were misled."""

import asyncio

from activities.action import Role
from activities.mail.letter import Letter
from activities.mail.mail import Mail
from activities.mail.orders import DraftLetter, SendLetter
from activities.retriever.evidence import KnowledgeEvidence, TraceRecipients
from activities.retriever.quarantine import QUARANTINED, QuarantineOf, Quarantines, release
from workflows.engine.verbs import Verbs
from workflows.errors import Relapse
from workflows.incident import QuestionDraft
from workflows.playbooks.cache_poisoning.grounding import Grounding
from workflows.playbooks.cache_poisoning.mending import Mending

CORRECTION = (
    "Some of the answers that our assistant gave you were not correct. We have corrected what they were made from. Please ask again before you "
    "act on an answer of the last days, and tell us where you have acted on one: we will make it good."
)


class Recovery:
    def __init__(self, verbs: Verbs, grounding: Grounding, mending: Mending) -> None:
        self._verbs, self._grounding, self._mending, self._numbers = verbs, grounding, mending, verbs.policy.cache_poisoning
        self._letters: asyncio.Task[None] | None = None

    async def shut_out(self) -> None:
        """What somebody writes again is fetched and indexed only when they are shut out. A person says that they are."""
        verbs, mending = self._verbs, self._mending
        if not mending.rewritten:
            return
        names = ", ".join(sorted(mending.rewritten))
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"Is whoever writes {names} shut out, so that it may be fetched and cited again?",
                roles=(Role.SECURITY_LEAD, Role.AI_ML_LEAD), effect="its good version is fetched, indexed and let out of quarantine",
                inverse="decline: every version of it stays out of the answers",
            )
        )  # fmt: skip
        if not decision.granted:
            return
        now = await verbs.read(Quarantines.read, Quarantines.look(QuarantineOf(domain=mending.domain)))
        if await verbs.impose(QUARANTINED, release(mending.domain, now, self._numbers, sorted(mending.rewritten))):
            await mending.as_before()

    async def people_agree(self) -> None:
        """R1: a judge model alone never says that it is over. Raises `Relapse` when people say that it is not."""
        verbs, n, domain = self._verbs, self._numbers.people_judge, self._mending.domain
        task = verbs.task(f"Judge {n} answers about {domain} against their sources, by hand: hits of the cache and others", Role.AI_ML_LEAD)
        if verbs.rehearsing:
            return
        right = None
        while right is None:
            asks = f"How many of {n} answers about {domain} are right, as people judge them?"
            said = await verbs.ask(asks, roles=(Role.AI_ML_LEAD,), example=str(n - 1), about=task)
            if said is None:
                verbs.hand_over(f"nobody has judged answers about {domain}, and a model alone does not decide that they are right")
            right = _counted(said.value, n)
            if right is None:
                verbs.note(f"{said.value} is no number of {n} answers: asked again")
        verbs.note(f"people found {right} of {n} answers right", "finding")
        if right < self._numbers.people_agree * n:
            raise Relapse(f"people found only {right} of {n} answers about {domain} right, whatever a judge model says")

    async def keep_quarantine(self) -> None:
        """What is in quarantine stays there, in somebody's name; it is never let out with the rest."""
        verbs = self._verbs
        for imposed in verbs.in_force(QUARANTINED):
            decision = await verbs.confirm(
                QuestionDraft(
                    asks=f"Who keeps this quarantine? Approve to keep it in your name: {imposed.order.effect()}",
                    roles=(Role.SECURITY_LEAD, Role.AI_ML_LEAD), effect="it stays in force after the incident, in your name",
                    inverse=imposed.order.inverse(),
                )
            )  # fmt: skip
            verbs.keep(imposed, decision.by)

    # ---- corrections (C1) ----

    def begin_letters(self) -> None:
        """Beside the rest: nobody's answer about a letter holds up the return of the cache. Who saw another tenant's answer is §2.5's to tell."""
        if self._letters is None and not self._grounding.crossed:
            self._letters = self._verbs.branch("corrections", self._write())

    async def letters_ended(self) -> None:
        if self._letters is not None:
            await self._verbs.until_free({"corrections": self._letters})

    async def _write(self) -> None:
        """To everybody who was answered wrongly, as far as that is known; Legal and the commander agree to the very text and list."""
        verbs, domain, incident = self._verbs, self._mending.domain, self._verbs.incident_id
        traced = await verbs.look(KnowledgeEvidence.trace, TraceRecipients(domain=domain, incident_id=incident))
        if traced is None:
            verbs.task(f"Publish a general notice: whom {domain} has answered wrongly is not known", Role.COMMS_LEAD)
            return
        count = int(str(traced.after.get("count", 0)))
        if not count and not traced.assumed:
            return
        letter = Letter(subject="A correction of answers that you were given", text=CORRECTION)
        draft = await verbs.do(Mail.draft, DraftLetter(incident_id=incident, name=f"correction-{domain}", letter=letter))
        text, listed = (str(kept.after.get("sha256", "")) for kept in (draft, traced))
        order = SendLetter(incident_id=incident, name=f"correction-{domain}", text=text, recipients=listed, count=count)
        if not await verbs.propose(Mail.send, order, facts=(f"{count} customers were answered wrongly about {domain}",)):
            verbs.task(f"Correct what {count} customers were told about {domain}: the letter was not sent", Role.COMMS_LEAD)


def _counted(value: object, most: int) -> int | None:
    """A whole number up to so many, also where it was typed as text."""
    text = str(value).strip()
    return int(text) if text.isdecimal() and int(text) <= most else None
