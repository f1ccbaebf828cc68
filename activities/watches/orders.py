"""A watch in values and orders: what was shipped against which advisory, until when it is watched, and what it found (spec §9.12, A.12 R1)."""

import hashlib
from datetime import datetime, timedelta
from typing import ClassVar

from activities.action import Order, Value
from activities.kit.words.shell import command, comment
from activities.values import listed

PREFIX = "watch-"  # of the workflow's id


class Shipped(Value):
    """A fix: this version of a package is what a service has now, against this advisory. `version` empty: the package was removed."""

    advisory: str
    service: str
    ecosystem: str
    package: str
    version: str

    @property
    def id(self) -> str:
        """Of the workflow that watches it: the same for the same fix. It is hashed: ids are read by whoever may list workflows."""
        told = "/".join((self.advisory, self.service, self.ecosystem, self.package, self.version))
        return PREFIX + hashlib.sha256(told.encode()).hexdigest()[:20]

    def __str__(self) -> str:
        return f"{self.package} {self.version or '(removed)'} of {self.service} against {self.advisory}"


class BeginWatch(Order):
    """`blocked`: versions (`name==version`) that a linked incident takes over. `incident_id`: whose fix it is."""

    undone = "end the watch: `temporal workflow cancel`"
    volatile: ClassVar[frozenset[str]] = frozenset({"until"})

    shipped: Shipped
    incident_id: str
    blocked: tuple[str, ...]
    until: datetime
    every: timedelta  # policy time

    def target(self) -> str:
        return f"watch/{self.shipped.advisory}/{self.shipped.service}"

    def effect(self) -> str:
        return f"watch {self.shipped} until {self.until:%Y-%m-%d}; a fix that is superseded opens a linked incident"

    def by_hand(self) -> tuple[str, ...]:
        look = command("curl", "-sS", f"https://api.osv.dev/v1/vulns/{self.shipped.advisory}")
        return (
            look,
            comment(f"once a day until {self.until:%Y-%m-%d}: is it withdrawn, changed, or {self.shipped.package} affected again?"),
        )


class LookAgain(Order):
    shipped: Shipped

    def target(self) -> str:
        return f"watch/{self.shipped.advisory}/{self.shipped.service}"

    def effect(self) -> str:
        return f"look whether {self.shipped} is still a fix"

    def by_hand(self) -> tuple[str, ...]:
        return (command("curl", "-sS", f"https://api.osv.dev/v1/vulns/{self.shipped.advisory}"),)


class StillFixed(Value):
    """`superseded`: advisories that concern the version that was shipped; `withdrawn`: ours is."""

    superseded: tuple[str, ...] = ()
    withdrawn: bool = False
    says: str = ""


class OpenLinked(Order):
    """Open an incident because a fix is none any more. It takes over what the first one has blocked."""

    undone = "stand it down"

    shipped: Shipped
    origin: str  # the incident whose fix it was
    advisory: str  # that concerns the fix
    blocked: tuple[str, ...]
    id: str
    key: str  # what makes two reports one incident

    def target(self) -> str:
        return f"incident/{self.id}"

    def effect(self) -> str:
        return f"open an incident: {self.advisory} concerns {self.shipped}; {listed(self.blocked[:5]) or 'nothing'} stays blocked"

    def by_hand(self) -> tuple[str, ...]:
        labels = {"advisory": self.advisory, "blocked": ",".join(self.blocked), "origin": self.origin}
        told = [part for name, value in labels.items() for part in ("--label", f"{name}={value}")]
        return (command("incident", "declare", "supply_chain_cve", "--service", self.shipped.service, *told),)
