"""Is it real, does it go on, who was it; then who read what, of whom (A.4 T1, T3, M3)."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from activities.action import Risk, Role
from activities.breach.claims import Claims, CorroborateClaim
from activities.breach.data_map import DataMaps, DataSets, DataSetsOf
from activities.breach.records import AccessLog, ReadersOf
from activities.breach.scope import ScopeLedger, ScopeOf, Scopes
from activities.metrics.curves import CurveOf, Curves
from activities.values import Curve
from workflows.engine.verbs import Verbs
from workflows.incident import Incident, QuestionDraft, QuestionKind, Silence
from workflows.playbooks.data_breach.findings import Findings, Signal

BOTH = (Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER)
SIGNED = (Role.SECURITY_LEAD, Role.LEGAL)  # who may say that less was read than it looked like
UNKNOWN = {
    Signal.ISOLATION: "whose data it is stands in the leak ledger of §2.5",
    Signal.LOSS: "whose data it is stands in the loss ledger of §2.9",
}
LOST = (
    "what was on the log before is not on it now: it may have rolled away, or somebody has altered it; that is no proof that less was read"
)
MOST_LINES = 12  # of the ledger that are noted in one go


class Breach:
    """One suspected breach, as it is looked at."""

    def __init__(self, verbs: Verbs, found: Findings) -> None:
        self._verbs, self.found, self._numbers = verbs, found, verbs.policy.data_breach
        self._said: set[str] = set()
        self._vendor_asked = False

    @classmethod
    async def known(cls, verbs: Verbs, incident: Incident) -> "Breach":
        """What the alert, or whoever called it in, says of it (Annex B 2.4)."""
        labels = incident.labels
        verbs.evidence_about(f"curve/{Curve.EXPORTS}/{verbs.service}")
        long_ago = verbs.declared_at - verbs.policy.paced(verbs.policy.data_breach.back)
        found = Findings(
            since=_instant(labels.get("first_access", "")) or long_ago, numbers=verbs.policy.curves, signal=_signal(labels),
            claim=labels.get("claim", ""), vendor=labels.get("vendor", ""), integration=labels.get("integration", ""),
            named=_names(labels.get("identities", labels.get("identity", ""))), stolen=_names(labels.get("stolen", "")),
            chat_suspected=labels.get("chat", "") == "suspected",
        )  # fmt: skip
        return cls(verbs, found)

    async def hear(self) -> None:
        """What other playbooks of the incident have found meanwhile: who else reads, which credentials are stolen too."""
        verbs, found, heard = self._verbs, self.found, False
        while (labels := await verbs.told(lambda: True)) is not None:
            heard = True
            found.named = tuple(dict.fromkeys((*found.named, *_names(labels.get("identities", "")))))
            found.stolen = tuple(dict.fromkeys((*found.stolen, *_names(labels.get("stolen", "")))))
            found.signal = found.signal if found.signal.by_somebody else _signal(labels)
        if heard:
            await self.look()
            self.judge()

    # ---- T1 ----

    async def look(self) -> None:
        """Who has read beyond what is usual, whether it goes on, and three records of a claim; all at once."""
        verbs, found = self._verbs, self.found
        found.readers, found.curve, found.data, found.corroboration = await verbs.together(
            verbs.look(AccessLog.readers, ReadersOf(since=found.since)), verbs.look(Curves.read, self._curve()),
            verbs.look(DataMaps.read, DataSetsOf()), self._corroborate(),
        )  # fmt: skip
        if found.readers is None:
            self._by_people(
                "Find out by hand who has read which data: the access records do not answer", ReadersOf(since=found.since).by_hand()
            )
        if found.data is None:
            self._by_people("Say of each data set what it holds, whose it is and in which role we have it: the data map does not answer")
        if not found.identities and found.signal in (Signal.DLP, Signal.EXPORT, Signal.CREDENTIAL) and "who" not in self._said:
            await self._who()

    def _curve(self) -> CurveOf:
        policy = self._verbs.policy
        return CurveOf(curve=Curve.EXPORTS, service=self._verbs.service, numbers=policy.curves, fresh=policy.stability.fresh)

    async def _corroborate(self) -> object:
        """By the hashes of three records; nothing of a record comes to us, and nobody answers whoever claims it."""
        verbs, found = self._verbs, self.found
        if not found.claim:
            return None
        order = CorroborateClaim(claim=found.claim, sampled=self._numbers.sampled, incident_id=verbs.incident_id)
        seen = await verbs.look(Claims.corroborate, order)
        if seen is None or seen.true is None:
            self._by_people(
                f"Compare {self._numbers.sampled} of the records that {found.claim} shows with ours, by their hash, without copying any of them"
            )
        return seen

    async def _who(self) -> None:
        """Nothing measured names one: people may know. Nobody is accused on a guess."""
        self._said.add("who")
        said = await self._verbs.ask(
            "Which identity has read the data? Give its id, or decline if nobody knows", roles=BOTH, example='"svc-export"',
            facts=(self.found.in_words(),),
        )  # fmt: skip
        if said is not None and not said.moot and str(said.value).strip():
            self.found.named = (str(said.value).strip(),)
        elif not self._verbs.rehearsing:
            self._by_people("Find out which identity has read the data: nothing that is measured says it, so nothing is revoked by us")

    def judge(self) -> None:
        """How grave it is; the clocks run from the first suspicion (M3)."""
        verbs, found = self._verbs, self.found
        verbs.note(found.in_words(), "finding")
        verbs.classify(found.severity_facts())
        if "clocks" not in self._said:
            self._said.add("clocks")
            verbs.exposed(f"a breach is suspected ({found.signal})", malicious=found.signal.by_somebody)
        for owner in found.owners:
            verbs.bar(owner, "an identity of theirs has read the data")

    async def unfounded(self) -> None:
        """A claim of which nothing is ours, and nothing else: Security and Legal close it, with reasons, and the evidence is kept."""
        verbs, found, numbers = self._verbs, self.found, self._numbers
        if not found.claim_is_false or "unfounded" in self._said:
            return
        self._said.add("unfounded")
        days = numbers.unfounded_hold.days
        decision = await verbs.confirm(
            QuestionDraft(
                kind=QuestionKind.APPROVAL, roles=SIGNED, risk=Risk.C3, strict=True, facts=(found.in_words(),),
                asks=f"Close the claim {found.claim} as unfounded?", inverse="decline: it is treated as true",
                effect=f"nothing is cut off or revoked; what was kept is held for {days} days; the legal clocks go on until Legal ends them",
            )
        )  # fmt: skip
        if not decision.granted or verbs.rehearsing:
            return
        found.unfounded = True
        verbs.note(f"unfounded, say {decision.by}: {found.in_words()}", "unfounded")
        verbs.follow_up(f"Decide after {days} days whether what was kept of the claim {found.claim} is still needed", Role.LEGAL)

    # ---- T3 ----

    async def scope(self) -> None:
        """Data set by data set. It widens by itself; that it gets narrower two people sign."""
        verbs, found = self._verbs, self.found
        if found.unfounded:
            return
        if not found.identities and not found.silent_vendor:
            self._once(
                "scope unknown", UNKNOWN.get(found.signal, "nobody is known who has read the data: the worst is assumed of its scope")
            )
            return
        order = ScopeOf(
            identities=found.identities, since=found.since, known=self._concerned(), vendor=found.vendor if found.silent_vendor else ""
        )
        new = await verbs.look(Scopes.scope, order)
        if new is None:
            self._by_people(
                "Write the scope ledger by hand: who has read which data set, of whom, when, and how sure that is", order.by_hand()
            )
            return
        before, found.ledger = found.ledger, self._kept(new)
        if found.ledger != before:
            self._tell(found.ledger)

    def _concerned(self) -> DataSets | None:
        """Of the map only what these identities, or the vendor, can have seen."""
        data, found = self.found.data, self.found
        if data is None:
            return None
        read = {line.data_set for line in found.ledger.lines} if found.ledger else set()
        mine = {one.name for one in data.readable_by(found.identities)} | {one.name for one in data.shared_with(found.vendor)} | read
        return DataSets(sets=tuple(one for one in data.sets if one.name in mine))

    def _kept(self, new: ScopeLedger) -> ScopeLedger:
        """As wide as it ever was, unless it was signed that it is narrower."""
        verbs, known = self._verbs, self.found.ledger
        less = new.narrower(known) if known is not None else ()
        if known is not None and less and "; ".join(less) not in self._said and not verbs.rehearsing:
            self._said.add("; ".join(less))
            verbs.branch("a narrower scope", self._narrow(new, less))
        return new if known is None else known.widened(new)

    async def _narrow(self, new: ScopeLedger, less: tuple[str, ...]) -> None:
        """Beside the rest: until two have signed, it is as wide as it was."""
        verbs = self._verbs
        decision = await verbs.confirm(
            QuestionDraft(
                kind=QuestionKind.APPROVAL, roles=SIGNED, risk=Risk.C3, strict=True, facts=(LOST, *less[:MOST_LINES]), silence=Silence.SAFE,
                asks=f"The access records show less than the scope ledger has ({len(less)} lines). Narrow it?",
                effect="the ledger, and what tenants and authorities are told, says less", inverse="decline: it stays as wide as it was",
            )
        )  # fmt: skip
        if decision.granted:
            verbs.note(f"the scope ledger was narrowed by {decision.by}: {len(less)} lines", "scope")
            self.found.ledger = new
            self._tell(new)

    def _tell(self, ledger: ScopeLedger) -> None:
        """Onto the timeline, and to the clocks: what makes one run."""
        verbs = self._verbs
        verbs.note(ledger.summary, "scope")
        for line in ledger.lines[:MOST_LINES]:
            verbs.note(line.in_words, "scope")
        facts: dict[str, JsonValue] = self.found.clock_facts()  # type: ignore[assignment]  # words, counts and names of sets
        verbs.exposed(f"scope: {ledger.summary}", tenants=ledger.tenants, personal_data=ledger.personal, facts=facts)
        shortest = self.found.data.shortest(ledger.tenants) if self.found.data is not None else None
        if ledger.tenants:
            told = (
                f"within {shortest} h by the shortest contract"
                if shortest is not None
                else "no contract of theirs says when: 24 h are assumed"
            )
            self._once("contracts", f"{len(ledger.tenants)} tenants have to be told, {told}")

    # ---- a vendor ----

    async def vendor(self) -> None:
        """Its notice makes us aware. What it does not say in time counts: everything that it has."""
        verbs, found, numbers = self._verbs, self.found, self._numbers
        if found.signal is not Signal.VENDOR or self._vendor_asked:
            return
        self._vendor_asked = True
        name = found.vendor or "the vendor"
        self._by_people(f"Ask {name} for its logs, for what was taken, and since when; keep its answer as evidence")
        asked = verbs.ask(
            f"Which of our data sets does {name} say were taken? Names, or decline if it says nothing",
            roles=BOTH,
            example='"conversations"',
        )
        said = await verbs.within(asked, verbs.policy.for_people(numbers.vendor_patience), f"{name} to answer")
        told = tuple(filter(None, (one.strip() for one in str(said.value).split(",")))) if said is not None and not said.moot else ()
        if verbs.rehearsing or not told:
            found.silent_vendor = True
            verbs.note(f"{name} has not said what was taken: everything that is shared with it counts", "scope")
            return
        unknown = [one for one in told if found.data is None or found.data.of(one) is None]
        verbs.note(f"{name} says: {', '.join(told)}" + (f"; not on the data map: {', '.join(unknown)}" if unknown else ""), "vendor")
        found.silent_vendor = True  # what it names is at least what it has; less is signed, and never believed by itself

    def _by_people(self, what: str, by_hand: tuple[str, ...] = (), role: Role = Role.SECURITY_LEAD) -> None:
        if what not in self._said:
            self._said.add(what)
            self._verbs.task(what, role, by_hand)

    def _once(self, key: str, what: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self._verbs.note(what, "scope")


def _signal(labels: Mapping[str, str]) -> Signal:
    said = labels.get("signal", "")
    if said in set(Signal):
        return Signal(said)
    return Signal.CLAIM if labels.get("claim") else Signal.VENDOR if labels.get("vendor") else Signal.EXPORT


def _names(said: str) -> tuple[str, ...]:
    return tuple(filter(None, (one.strip() for one in said.split(","))))


def _instant(said: str) -> datetime | None:
    """An instant that somebody has typed; one without a zone is none."""
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return None
    return at if at.tzinfo is not None and at.utcoffset() is not None else None
