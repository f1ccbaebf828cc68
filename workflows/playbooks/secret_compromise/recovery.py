"""Over only when every line of the ledger is, and nobody has used an old key for a day; then once more, from the beginning (A.10 R1, C1)."""

from activities.action import Risk, Role
from activities.credentials.issuers import Surveys
from activities.credentials.orders import LabelledKeys, SurveyOf
from activities.credentials.replacements import Replacements
from activities.values import listed
from workflows.engine.verbs import Verbs
from workflows.errors import Relapse
from workflows.incident import QuestionDraft, QuestionKind
from workflows.playbooks.secret_compromise.exposure import Exposures
from workflows.playbooks.secret_compromise.findings import Item
from workflows.playbooks.secret_compromise.replacing import Replacing
from workflows.playbooks.secret_compromise.revoking import BOTH
from workflows.playbooks.secret_compromise.sign_in import STEP_UP

HUNT = (
    "Hunt what was made with the stolen key: identities, OAuth grants, CI, mail rules, schedulers, configurations of agents. Write of each "
    "whether it was checked; what was not checked is not clean"
)


class Recovery:
    def __init__(self, verbs: Verbs, exposures: Exposures, replacing: Replacing) -> None:
        self._verbs, self._replacing, self._numbers = verbs, replacing, verbs.policy.secret_compromise
        self.found, self._exposures = exposures.found, exposures

    def by_people(self) -> None:
        """What no system of ours does: said, with an owner, from the beginning."""
        verbs = self._verbs
        verbs.task(HUNT, Role.SECURITY_LEAD)
        if not self._exposures.stuffing:  # there it is asked about
            verbs.task(STEP_UP, Role.SECURITY_LEAD)
        for tenant in self.found.customers:
            verbs.task(
                f"Tell {tenant} which secret of theirs to rotate, in words that Legal and the commander have agreed to", Role.COMMS_LEAD
            )

    async def every_line(self) -> None:
        """What is not done after all rounds is done by people, who say so; "unused" and "not found" are no answer."""
        verbs = self._verbs
        for item in self.found.open:
            if not verbs.rehearsing and not verbs.shadow:  # there it was only noted
                await self._attested(item)
        verbs.note(self.found.ledger, "ledger")

    async def _attested(self, item: Item) -> None:
        one, verbs = item.credential, self._verbs
        open_ = tuple(task for task in item.tasks.values() if task.open)
        what = f"Is {item.id} revoked, refused and replaced? {'; '.join(item.missing) or 'it is a customer’s own'}"
        while not item.done:
            decision = await verbs.confirm(
                QuestionDraft(
                    asks=what, roles=(Role.SECURITY_LEAD, Role.COMMS_LEAD) if one.customer else (Role.SECURITY_LEAD,),
                    facts=tuple(task.text for task in open_), effect="its line in the ledger is done, on your word",
                    inverse="decline: not yet, it is asked again",
                )
            )  # fmt: skip
            if decision.granted:
                item.vouched = decision.by
                for task in open_:
                    verbs.attested(task, f"{item.id} is done")
                verbs.note(item.in_words(), "ledger", item=item.id, done=True)
                return
            await verbs.rest(self._numbers.attest_again, f"people to finish {item.id}")

    async def once_more(self) -> None:
        """At the end each key is looked at again: dead, unused since it was revoked, and one replacement under our label."""
        verbs = self._verbs
        for item in () if verbs.shadow else self.found.items.values():
            if item.vouched or item.revoked_at is None:
                continue
            seen = await verbs.look(Surveys.survey, SurveyOf(credential=item.credential))
            if seen is None or verbs.rehearsing:
                continue
            if seen.alive:
                raise Relapse(f"{item.id} is alive again at its issuer")
            if used := seen.used_since(item.revoked_at + self._verbs.policy.paced(self._numbers.forget_patience)):
                raise Relapse(f"the old key of {item.id} was let in after it was revoked: {listed(used)}")
            await self._only_one(item)

    async def _only_one(self, item: Item) -> None:
        """A request that came late may have made a second one."""
        if item.version is None:
            return
        order = LabelledKeys(credential=item.id, old=item.credential.ref, label=self._replacing.label(item))
        seen = await self._verbs.look(Replacements.labelled, order)
        if seen is not None and len(seen.keys) > 1:
            raise Relapse(f"{len(seen.keys)} keys bear our label for {item.id}: one too many")

    async def closed(self) -> None:
        """Security and the commander, both."""
        verbs, facts = self._verbs, tuple(item.in_words() for item in self.found.items.values())
        decision = await verbs.confirm(
            QuestionDraft(
                kind=QuestionKind.APPROVAL, roles=BOTH, risk=Risk.C3, strict=True, facts=facts, inverse="decline: people carry on by hand",
                asks=f"Every line of the ledger is done, and nobody has used an old key: {self.found.ledger}. Close it?",
                effect="the incident may be resolved; revoked keys stay revoked",
            )
        )  # fmt: skip
        if not decision.granted:
            verbs.hand_over("Security or the commander does not want it closed yet")
