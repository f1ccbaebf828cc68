"""One advisory, as it is looked at: which it is, which services have it, where it was installed (A.12 T1)."""

from activities.action import Role
from activities.advisories.advisories import Advisories, AdvisoryOf, OpenAlerts
from activities.advisories.seen import Advisory
from activities.builds.installs import InstallLog, InstallsOf
from activities.builds.presence import ArtefactsOf, Builds, Presence
from workflows.engine.verbs import Verbs
from workflows.incident import Incident, QuestionDraft
from workflows.playbooks.supply_chain_cve.findings import Findings

WHO = (Role.SECURITY_LEAD, Role.OPS_LEAD)


class Reach:
    def __init__(self, verbs: Verbs, found: Findings) -> None:
        self._verbs, self.found, self._numbers = verbs, found, verbs.policy.supply_chain
        self._said: set[str] = set()

    @classmethod
    async def known(cls, verbs: Verbs, incident: Incident) -> "Reach":
        """The advisory, as its sources have it. Nothing is judged on hearsay: one that no database has is asked about."""
        labels = incident.labels
        id = labels.get("advisory", "") or await _which(verbs)
        verbs.evidence_about(f"advisory/{id}")
        advisory = await verbs.do(Advisories.read, AdvisoryOf(id=id))
        carried = tuple(filter(None, labels.get("blocked", "").split(",")))
        if origin := labels.get("origin", ""):
            verbs.note(
                f"linked to {origin}, whose fix is superseded: what it has blocked stays blocked ({len(carried)} versions)", "linked"
            )
        return cls(verbs, Findings(advisory, carried))

    async def look(self) -> None:
        """Every service that we run; of malicious code, every host that has installed it too."""
        await self._verbs.together(self.scan(), *([self._installs()] if self.found.malicious else []))

    async def scan(self) -> None:
        """By two scanners, service by service. One that could not be looked at counts as affected."""
        verbs, found = self._verbs, self.found
        names = list((await verbs.catalogue()).services)
        for name in names:
            verbs.evidence_about(f"supply/{name}")
        seen = await verbs.together(*(verbs.look(Builds.survey, self.artefacts(name)) for name in names))
        for name, one in zip(names, seen, strict=True):
            found.presence[name] = one
            self.tell_gaps(name, one)

    def artefacts(self, service: str) -> ArtefactsOf:
        return ArtefactsOf(service=service, packages=self.found.packages, blocked=self.found.carried)

    def tell_gaps(self, name: str, seen: Presence | None) -> None:
        """What a scanner or a bill of material does not say is asked of people, once; until then it counts as present."""
        gaps = seen.gaps if seen is not None else ("the inventory does not answer",)
        if gaps and name not in self._said:
            self._said.add(name)
            told = "; ".join(gaps[:4])
            self._verbs.note(f"{name}: {told}", "unknown")
            self._verbs.task(f"Say what is in the builds of {name}, by their layers and what they load: {told}", Role.OPS_LEAD)

    async def _installs(self) -> None:
        verbs, found = self._verbs, self.found
        since = (found.advisory.published or verbs.declared_at) - verbs.policy.paced(self._numbers.back)
        for package in found.packages:
            verbs.evidence_about(f"installs/{package.name}")
            order = InstallsOf(
                ecosystem=package.ecosystem, package=package.name, since=since, packages=found.packages, blocked=found.carried
            )
            found.installs[package.name] = seen = await verbs.look(InstallLog.read, order)
            if (seen is None or seen.gaps) and package.name not in self._said:
                self._said.add(package.name)
                what = ", ".join(seen.gaps) if seen is not None else "everywhere"
                verbs.task(f"Find out where {package.name} was installed: it is not recorded ({what}), and counts as run there", WHO[0])

    async def withdrawn(self) -> None:
        """An advisory that was withdrawn may have been wrong, or be replaced: a person says so, nobody guesses."""
        verbs, found = self._verbs, self.found
        if found.advisory.withdrawn is None or "withdrawn" in self._said:
            return
        self._said.add("withdrawn")
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"{found.advisory.id} was withdrawn. Is nothing to be done?", roles=(Role.SECURITY_LEAD,),
                facts=(found.advisory.in_words,), effect="nothing is changed; what is blocked already stays so", inverse="declare again",
            )
        )  # fmt: skip
        found.dropped = decision.granted and not verbs.rehearsing

    def judge(self) -> None:
        """How grave it is, and who may read of it; within what it is acted on."""
        verbs, found, numbers = self._verbs, self.found, self._numbers
        verbs.note(found.in_words(), "finding")
        verbs.classify(found.severity_facts())
        if found.malicious and not found.nothing:
            verbs.restrict("a malicious package came to us: until its reach is known only those who need to know read of it")
        if not found.nothing and "due" not in self._said:
            self._said.add("due")
            grave = found.malicious or (found.exploited is not False and found.reachable is not False)
            within = numbers.fix_within if grave else numbers.critical_within if _critical(found.advisory) else numbers.high_within
            due = verbs.declared_at + verbs.policy.paced(within)
            contained = f"contain by {verbs.declared_at + verbs.policy.paced(numbers.contain_within):%Y-%m-%d %H:%M}, " if grave else ""
            verbs.note(f"{contained}fix by {due:%Y-%m-%d %H:%M} UTC", "due")


def _critical(advisory: Advisory) -> bool:
    return advisory.cvss is None or advisory.cvss >= 9


async def _which(verbs: Verbs) -> str:
    """Nothing names one: what dependabot has open helps people to say which."""
    seen = await verbs.look(Advisories.open_alerts, OpenAlerts(service=await verbs.deployed()))
    if seen is not None and len(seen.alerts) == 1 and not seen.more:
        return seen.alerts[0].advisory
    facts = (seen.summary,) if seen is not None else ("dependabot does not answer",)
    said = await verbs.ask("Which advisory is it about?", roles=WHO, example='"GHSA-xxxx-xxxx-xxxx" or "MAL-2026-1"', facts=facts)
    if said is None or not str(said.value).strip():
        verbs.hand_over("nobody says which advisory it is about")
    return str(said.value).strip()
