"""Which credential it is, how sure it is that somebody else has it, and everything that can be read with it (A.10 T1, M1)."""

from collections.abc import Collection, Mapping

from activities.action import Role
from activities.credentials.evidence import CredentialEvidence, CredentialExport
from activities.credentials.inventory import Inventory
from activities.credentials.issuers import Surveys
from activities.credentials.orders import Credential, CredentialOf, Exposure, ReachOf, SurveyOf
from activities.metrics.curves import CurveOf, CurveReading, Curves
from activities.values import Curve, listed
from workflows.engine.verbs import Verbs
from workflows.incident import Incident
from workflows.playbooks.secret_compromise.findings import Findings, Item
from workflows.severity.facts import Facts, Scope, Suspicion

SURE = {Exposure.CONFIRMED: Suspicion.CONFIRMED, Exposure.PUBLIC: Suspicion.CONFIRMED, Exposure.SUSPECTED: Suspicion.SUSPECTED}


BROWN_OUT = (
    "Nobody is known to use {0}: before it is revoked, look through 30 days of its issuer's logs, and turn it off there for 60 s, to see who fails "
    "(a brown-out)"
)


def _named(labels: Mapping[str, str]) -> tuple[str, ...]:
    """By their names in the inventory or in the store, as an alert or another playbook gives them."""
    given = (labels.get("inventory_id", ""), *labels.get("credentials", "").split(","))
    return tuple(dict.fromkeys(name for one in given if (name := one.strip())))


class Exposures:
    def __init__(self, verbs: Verbs, incident: Incident) -> None:
        self._verbs, self._incident, self._numbers = verbs, incident, verbs.policy.secret_compromise
        self.found = Findings()
        self.stuffing = False  # passwords are tried by the thousand

    def tried_passwords(self) -> None:
        """An alert says so, or the edge has seen it, also beside a stolen key."""
        if not self.stuffing:
            self.stuffing = True
            self._verbs.note("passwords are tried by the thousand", "finding")

    # ---- T1 ----

    async def first(self) -> None:
        """The credential that is named, or that strangers use. Where nothing names one, people say which; nothing is revoked on a guess."""
        verbs = self._verbs
        verbs.evidence_about(f"curve/{Curve.UNEXPECTED_USE}/{verbs.service}")
        seen = await self._curve()
        used = tuple(dict.fromkeys(one.labels.get("credential", "") for one in (seen.ill if seen else ())))
        named = tuple(dict.fromkeys((*_named(self._incident.labels), *used)))
        known = [one for name in named if (one := await self._known(name)) is not None]
        stuffing = self._incident.labels.get("pattern") == "stuffing"
        if stuffing:
            self.tried_passwords()
        if not known and not stuffing:
            asks = "Which credential is it? Give its name in the inventory, never its value"
            facts = (seen.in_words,) if seen else ()
            said = await verbs.ask(asks, roles=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), example='"database"', facts=facts)
            if said is None or said.moot:
                verbs.hand_over("nobody says which credential it is, and nothing is revoked on a guess")
            known = [one] if (one := await self._known(str(said.value))) is not None else []
            if not known and not verbs.rehearsing:
                verbs.hand_over(f"{said.value} is in no inventory either: people find out what it is, and revoke it where it was issued")
        for one in known:
            self._add(one, await self._sure(one, used, self._incident.labels))
        if self._incident.labels.get("origin") == "package":
            await verbs.call_in("supply_chain_cve", f"{listed(named)} got out by a package")

    async def _curve(self) -> CurveReading | None:
        verbs, policy = self._verbs, self._verbs.policy
        order = CurveOf(curve=Curve.UNEXPECTED_USE, service=verbs.service, numbers=policy.curves, fresh=policy.stability.fresh)
        return await verbs.look(Curves.read, order)

    async def _known(self, name: str) -> Credential | None:
        return self._listed(name, (await self._verbs.do(Inventory.find, CredentialOf(credential=name))).credential)

    def _listed(self, name: str, credential: Credential | None) -> Credential | None:
        """By the inventory. What is in none is said, and people find out what it opens: that it is unknown makes it no less stolen."""
        verbs = self._verbs
        if credential is None and not verbs.rehearsing:
            verbs.note(f"{name} is in no inventory: nobody knows what it opens", "finding")
            verbs.task(f"Find out who issued {name}, revoke it there, and enter it into the inventory", Role.SECURITY_LEAD)
        return credential

    async def more(self, labels: Mapping[str, str]) -> tuple[Item, ...]:
        """Those that another playbook of the incident names later, with everything that can be read with them."""
        before = dict(self.found.items)
        for name in _named(labels):
            seen = await self._verbs.look(Inventory.find, CredentialOf(credential=name))
            if seen is None:  # it holds up nothing of what is under way
                self._verbs.task(
                    f"Revoke {name} where it was issued: the inventory does not answer, and it is stolen too", Role.SECURITY_LEAD
                )
            elif (one := self._listed(name, seen.credential)) is not None:
                self._add(one, await self._sure(one, (), labels))
        await self.reach(self._since(before))
        await self.survey(self._since(before))
        await self.evidence(self._since(before))
        return self._since(before)

    def _since(self, before: Collection[str]) -> tuple[Item, ...]:
        return tuple(item for name, item in self.found.items.items() if name not in before)

    async def _sure(self, one: Credential, used: tuple[str, ...], labels: Mapping[str, str]) -> Exposure:
        """By the alert, by what was measured, or by Security. Unanswered it is suspected: a guess revokes nothing that customers need."""
        said = labels.get("exposure", "")
        if one.id in used:
            return Exposure.CONFIRMED
        if said in set(Exposure):
            return Exposure(said)
        asks = f"How sure is it that somebody else has {one.id}: confirmed, public, suspected, or hygiene?"
        given = await self._verbs.ask(asks, roles=(Role.SECURITY_LEAD,), example='"confirmed"')
        answer = str(given.value).strip().lower() if given is not None else ""
        return Exposure(answer) if answer in set(Exposure) else Exposure.SUSPECTED

    async def reach(self, items: tuple[Item, ...]) -> None:
        """Everything that could be read with them, with what nobody uses; what could not be looked into is not clean."""
        verbs, found = self._verbs, self.found
        for item in items:
            reach = await verbs.look(Inventory.reach, ReachOf(credential=item.id))
            if reach is None:
                verbs.task(f"Find out by hand what can be read with {item.id}: nobody can say", Role.SECURITY_LEAD)
                continue
            found.reach = reach
            verbs.note(f"{item.id}: {reach.summary}", "blast set")
            for source in reach.unread:
                verbs.task(f"Look through {source} for what {item.id} opens: it is not checked, and not clean", Role.SECURITY_LEAD)
            for name in reach.unknown:
                verbs.task(f"Find out who issued {name}, and revoke it there: it is in no inventory", Role.SECURITY_LEAD)
            least = Exposure.HYGIENE if item.exposure is Exposure.HYGIENE else Exposure.SUSPECTED
            for one in reach.credentials:
                self._add(one, least)

    def _add(self, one: Credential, exposure: Exposure) -> None:
        """What is surer than it was is revoked first from now on."""
        item = self.found.items.get(one.id)
        if item is None:
            self.found.items[one.id] = Item(one, exposure)
            self._verbs.evidence_about(f"credential/{one.id}")
        elif exposure.revoke_first and not item.exposure.revoke_first:
            item.exposure = exposure
            self._verbs.note(f"{one.id} is {exposure} now", "finding")

    async def survey(self, items: tuple[Item, ...]) -> None:
        """Who uses each, which version holds it; a use that nobody can explain makes a suspicion sure. Whose key it is approves nothing here."""
        verbs = self._verbs
        services = (await verbs.catalogue()).services
        for item in items:
            one = item.credential
            verbs.bar(one.owner, f"{one.id} is theirs")
            item.survey = await verbs.look(Surveys.survey, SurveyOf(credential=one)) if not one.customer else None
            uses = tuple(item.survey.uses) if item.survey else ()
            item.services = tuple(dict.fromkeys(name for name in (*one.users, *uses) if name in services))
            if unlisted := tuple(name for name in item.services if name not in one.consumers):
                verbs.note(f"{listed(unlisted)} uses {one.id}, and stands in no inventory", "finding")
            if item.unexplained and item.exposure is Exposure.SUSPECTED:
                item.exposure = Exposure.CONFIRMED
                verbs.note(f"{one.id} was used by {listed(item.unexplained)}: that makes it sure", "finding")
        for item in self.found.items.values():
            self._brown_out(item)
        self.judge()

    def _brown_out(self, item: Item) -> None:
        """Where nobody is known to use it, and it is not surely stolen: a minute without it shows who does (spec §9.10, unknown consumers)."""
        one, text = item.credential, BROWN_OUT.format(item.credential.id)
        if one.customer or item.services or item.exposure.revoke_first or not item.was_alive or text in item.tasks:
            return
        item.tasks[text] = self._verbs.task(text, Role.SECURITY_LEAD)

    def judge(self) -> None:
        """How grave it is. Personal data within reach is another playbook's matter as well."""
        found, items = self.found, self.found.items.values()
        sure = max((SURE.get(item.exposure, Suspicion.NONE) for item in items), default=Suspicion.UNKNOWN, key=list(Suspicion).index)
        surely = sure is Suspicion.CONFIRMED
        exposed = Suspicion.SUSPECTED if surely and found.personal_data else Suspicion.NONE
        self._verbs.classify(Facts(privileged_secret=sure, data_exposure=exposed, active_adversary=surely, scope=Scope.UNKNOWN))
        for item in items:
            self._verbs.note(item.in_words(), "ledger")

    # ---- M1 ----

    async def evidence(self, items: tuple[Item, ...]) -> None:
        """Before anything is revoked; what takes longer than it may does not keep a stolen key alive (INV-1)."""
        verbs = self._verbs
        ours = tuple(item.credential for item in items if not item.credential.customer)
        order = CredentialExport(incident_id=verbs.incident_id, credentials=ours, named=tuple(one.id for one in ours))
        within = verbs.policy.paced(self._numbers.evidence_within)
        kept = await verbs.within(verbs.look(CredentialEvidence.keep, order), within, "evidence, before anything is revoked")
        if kept is None and not verbs.rehearsing:
            verbs.note("evidence was not kept within two minutes: what is surely stolen is revoked all the same (INV-1)", "no evidence")
            verbs.task("Keep the logs of sign-in and of the issuers by hand", Role.SECURITY_LEAD, order.by_hand())
        unread = kept.after.get("unread") if kept else ()
        for name in unread if isinstance(unread, list) else ():
            verbs.task(f"Ask the issuer of {name} for its logs: they show nothing to us", Role.SECURITY_LEAD)

    async def others(self) -> None:
        """Where personal data could be read, that is looked into beside this."""
        verbs, found = self._verbs, self.found
        if found.personal_data and any(item.exposure.revoke_first for item in found.items.values()):
            why = f"with a stolen credential {listed(found.personal_data)} could be read: personal data"
            await verbs.call_in("data_breach", why, {"signal": "credential", "stolen": ",".join(found.personal_data)})
