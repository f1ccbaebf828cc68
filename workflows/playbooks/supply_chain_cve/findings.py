"""What is known of an advisory's reach: present, loaded, reachable, exploited, executed told apart; unknown counts as yes (A.12 T1). Pure."""

from dataclasses import dataclass, field

from activities.advisories.seen import Advisory, AffectedPackage
from activities.builds.installs import HostSeen, Installs
from activities.builds.presence import Build, Presence
from workflows.engine.verbs import CalledIn
from workflows.severity.facts import Cve, Facts, Scope, Slo

MOST_BLOCKED = 150  # versions of one package; those that were found come first
WORD = {True: "yes", False: "no", None: "unknown"}


@dataclass
class Findings:
    """Everything that was found. `carried`: versions (`name==version`) that an earlier incident has blocked; `presence` of a service None: nobody
    could look; `dropped`: Security has said that nothing is to be done."""

    advisory: Advisory
    carried: tuple[str, ...] = ()
    presence: dict[str, Presence | None] = field(default_factory=dict)
    installs: dict[str, Installs | None] = field(default_factory=dict)
    dropped: bool = False
    rotating: CalledIn | None = None  # of the secrets that could be read

    @property
    def malicious(self) -> bool:
        return self.advisory.malicious

    @property
    def packages(self) -> tuple[AffectedPackage, ...]:
        return self.advisory.packages

    @property
    def affected(self) -> tuple[str, ...]:
        """Services of which something affected runs, or of which nobody could look."""
        if self.dropped:
            return ()
        return tuple(name for name, one in self.presence.items() if one is None or one.affected)

    @property
    def builds(self) -> tuple[Build, ...]:
        return tuple(build for one in self.presence.values() if one is not None for build in one.affected)

    def digests(self, service: str) -> tuple[str, ...]:
        """Builds of a service that surely have it."""
        one = self.presence.get(service)
        return tuple(build.digest for build in one.affected if build.present) if one is not None else ()

    @property
    def hosts(self) -> tuple[HostSeen, ...]:
        return tuple({host.name: host for one in self.installs.values() if one is not None for host in one.hosts}.values())

    @property
    def reachable(self) -> bool | None:
        return self._worst([one.reachable if one is not None else None for one in self._concerned])

    @property
    def exploited(self) -> bool | None:
        """CISA's catalogue says that it is exploited somewhere; our own telemetry, whether it is here."""
        seen = self._worst([one.exploited if one is not None else None for one in self._concerned])
        return True if self.advisory.kev else seen

    @property
    def _concerned(self) -> list[Presence | None]:
        return [self.presence[name] for name in self.affected]

    @property
    def executed(self) -> bool | None:
        """Whether malicious code ran: where it was installed, or in what serves. Of a vulnerability there is none."""
        if not self.malicious or self.dropped:
            return False
        told = [one.executed if one is not None else None for one in self.installs.values()]
        told += [build.loaded for build in self.builds]
        return self._worst(told)

    @property
    def production_secrets(self) -> bool | None:
        """Whether it ran where secrets of production can be read: on a host, or in what serves customers."""
        if self.executed is False:
            return False
        if any(one is not None and one.production for one in self.installs.values()) or self.builds:
            return True
        return None if None in self.installs.values() else False

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets that it could read."""
        return tuple(dict.fromkeys(name for one in self.installs.values() if one is not None for name in one.secrets))

    @property
    def releases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in self.installs.values() if one is not None for name in one.releases))

    @property
    def nothing(self) -> bool:
        """Nothing of ours has it, and it came to no host: everything was looked at."""
        return not self.affected and not self.hosts and None not in self.installs.values()

    def versions(self, package: AffectedPackage) -> tuple[str, ...]:
        """What is blocked of a package: what was found of it first, then what the advisory lists, and what was blocked before."""
        found = [one.partition("==") for build in self.builds for one in build.versions]
        named = [version for name, _, version in found if name == package.name]
        named += [version for host in self.hosts for version in host.versions] if self.malicious else []
        named += [version for name, _, version in (one.partition("==") for one in self.carried) if name == package.name]
        return tuple(dict.fromkeys([*named, *package.versions]))[:MOST_BLOCKED]

    def severity_facts(self) -> Facts:
        if self.nothing or self.dropped:
            return Facts(scope=Scope.COSMETIC, slo=Slo.NO)
        cve = Cve(
            high=self.advisory.high and bool(self.affected), exploited=bool(self.affected) and self.exploited,
            reachable=bool(self.affected) and self.reachable, malicious_pkg_executed=self.executed,
            production_secrets=self.production_secrets,
        )  # fmt: skip
        return Facts(cve=cve, scope=Scope.COMPONENT, slo=Slo.NO)

    def in_words(self) -> str:
        said = [self.advisory.in_words]
        said += [one.summary if one is not None else f"{name}: nobody could look" for name, one in self.presence.items()]
        said += [one.summary if one is not None else f"{name}: installs are not known" for name, one in self.installs.items()]
        if self.malicious:
            said.append(f"executed: {WORD[self.executed]}, where secrets of production can be read: {WORD[self.production_secrets]}")
        return "; ".join(said)

    def _worst(self, answers: list[bool | None]) -> bool | None:
        """Yes before unknown before no."""
        return True if True in answers else (None if None in answers else False)
