"""Where a package was installed, whether its code ran there, what can be read on those hosts, and which of our releases they have built (A.12 T1)."""

from datetime import datetime
from typing import Literal

from activities.action import Call, System, Value, action
from activities.advisories.ranges import affects, listed_in
from activities.advisories.seen import AffectedPackage
from activities.builds.plane import SupplyLook, SupplyPlane
from activities.kit.rest import Json
from activities.kit.words.urls import path
from activities.values import listed

MOST_HOSTS = 60


class InstallsOf(
    SupplyLook, target="installs/{package}", effect="read where {package} was installed since {since:%Y-%m-%d %H:%M} UTC",
    path="installs", asks=("ecosystem", "package"),
):  # fmt: skip
    ecosystem: str
    package: str
    since: datetime
    packages: tuple[AffectedPackage, ...]
    blocked: tuple[str, ...] = ()

    def asked(self) -> dict[str, str]:
        return {"ecosystem": self.ecosystem, "package": self.package, "since": self.since.isoformat()}


class HostSeen(Value):
    """A machine that installed it. `ran`: its code was run there; None: nobody knows. `secrets`: names, never values."""

    name: str
    kind: Literal["ci", "dev", "prod", "unknown"]
    ran: bool | None
    versions: tuple[str, ...]
    first: datetime
    secrets: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()


class Installs(Value):
    """`gaps`: what was not recorded; then nobody can say where else."""

    package: str
    hosts: tuple[HostSeen, ...]
    gaps: tuple[str, ...] = ()

    @property
    def executed(self) -> bool | None:
        """Whether its code ran anywhere. Unknown counts as yes."""
        answers = [one.ran for one in self.hosts]
        return True if True in answers else (None if None in answers or self.gaps else False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret that can be read on a host where it ran, or may have run."""
        return tuple(dict.fromkeys(secret for one in self.hosts if one.ran is not False for secret in one.secrets))

    @property
    def production(self) -> bool:
        """Whether it ran, or may have run, on a host of production that has secrets; so does a builder that can push what is deployed."""
        return any(one.secrets and one.kind in ("prod", "ci") for one in self.hosts if one.ran is not False)

    @property
    def releases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(release for one in self.hosts if one.ran is not False for release in one.releases))

    @property
    def builders(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.hosts if one.kind == "ci")

    @property
    def summary(self) -> str:
        ran = {True: "its code ran", False: "its code did not run", None: "nobody can say whether its code ran"}[self.executed]
        said = (
            f"{self.package}: installed on {len(self.hosts)} hosts ({listed(tuple(one.name for one in self.hosts[:5])) or 'none'}); {ran}"
        )
        said += f"; {len(self.secrets)} secrets can be read there" if self.secrets else ""
        return said + (f"; not recorded: {', '.join(self.gaps)}" if self.gaps else "")


class InstallLog(System):
    def __init__(self, plane: SupplyPlane) -> None:
        self._plane = plane

    @action("builds.installs")
    async def read(self, order: InstallsOf, call: Call) -> Installs:
        """Host by host. One that the inventory does not know is named, with nothing excluded."""
        said = await self._plane.look(call, order)
        by: dict[str, list[Json]] = {}
        for one in said["installs"]:
            if self._concerned(order, str(one["version"])):
                by.setdefault(str(one["host"]), []).append(one)
        gaps = [*said["gaps"]]
        if len(by) > MOST_HOSTS:
            gaps.append(f"{len(by) - MOST_HOSTS} further hosts")
        hosts = [await self._host(call, name, rows, gaps) for name, rows in sorted(by.items())[:MOST_HOSTS]]
        return Installs(package=order.package, hosts=tuple(hosts), gaps=tuple(gaps))

    async def _host(self, call: Call, name: str, rows: list[Json], gaps: list[str]) -> HostSeen:
        answers = [one["ran"] for one in rows]
        told = {
            "name": name, "ran": True if True in answers else (None if None in answers else False),
            "versions": tuple(dict.fromkeys(str(one["version"]) for one in rows)),
            "first": min(datetime.fromisoformat(one["at"]) for one in rows),
        }  # fmt: skip
        try:
            known = await self._plane.get(call, path("v1", "hosts", name))
        except Exception as broke:
            gaps.append(f"what can be read on {name} ({type(broke).__name__})")
            return HostSeen(kind="unknown", **told)
        return HostSeen(kind=known["kind"], secrets=tuple(known["secrets"]), releases=tuple(known["releases"]), **told)

    def _concerned(self, order: InstallsOf, version: str) -> bool:
        if listed_in(order.blocked, order.package, version):
            return True
        mine = [one for one in order.packages if one.name == order.package]
        return any(affects(one, version) is not False for one in mine)
