"""The change freeze in values and orders: who holds it, what may pass all the same, and what is wanted of it (spec §7.2)."""

import re
import shlex
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import JsonValue

from activities.action import Imposition, Order, Value
from activities.freeze.deploy_gate import LockGate, UnlockGate
from activities.organisation.catalogue import Deployed

BUDGET = "budget"  # a holder that is no incident: the error budget is used up
HOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
DIGEST = re.compile(r"sha256:[0-9a-f]{12,64}")


class Purpose(StrEnum):
    ROLLBACK = "rollback"
    HOTFIX = "hotfix"
    SECRET_REDEPLOY = "secret-redeploy"  # noqa: S105 - a purpose, no secret
    SECURITY_PATCH = "security-patch"

    @property
    def pushes(self) -> bool:
        """Whether it comes through a branch. A rollback only sends traffic to a revision that is there already."""
        return self is not Purpose.ROLLBACK


class Holder(Value):
    """Somebody for whom a service is frozen: an incident, or the error budget."""

    id: str
    reason: str
    by: str
    since: datetime
    proven: bool = False  # the gate was read back and a probe deploy turned away since it holds


class Exemption(Value):
    """One deploy that may pass: of one artefact, for one incident and purpose, once, for a while."""

    token: str
    holder: str
    digest: str
    purpose: Purpose
    by: tuple[str, ...]
    verified: bool
    at: datetime
    expires_at: datetime
    ended: str = ""  # used | expired | withdrawn; empty while it may be used
    ended_at: datetime | None = None
    key: str = ""  # of the call that used it: the same call again gets the same answer
    open: bool = False  # GitHub lets its branch through, or may do so
    head: str = ""  # the newest commit of its branch when it was given

    @property
    def covers(self) -> str:
        """What it is bound to, in words."""
        return f"{self.purpose} of {self.digest[:19]} for {self.holder}"


class FreezeState(Value):
    """A freeze as it is now. Without holders nothing is frozen."""

    service: str
    holders: tuple[Holder, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    since: datetime | None = None
    proven_at: datetime | None = None  # when a probe deploy was last turned away
    trouble: str = ""  # what is wrong with it, in one sentence
    drift: tuple[str, ...] = ()  # what was deployed without an exemption, as seen at the last look
    questions: tuple[str, ...] = ()  # what waits for an answer

    @property
    def frozen(self) -> bool:
        """True while somebody holds it."""
        return bool(self.holders)

    @property
    def in_force(self) -> bool:
        """True when somebody holds it and that was proven."""
        return any(holder.proven for holder in self.holders) and not self.trouble

    def holds(self, holder: str) -> bool:
        """Whether it is held for this one."""
        return any(held.id == holder for held in self.holders)


class FreezeRequest(Value):
    """A message to a freeze. The first half is typed by people; the second only a worker of ours can add, under its seal."""

    holder: str = ""
    reason: str = ""
    by: str = ""
    code: str = ""
    question: int | None = None
    digest: str = ""
    purpose: str = ""

    key: str = ""
    granted_by: tuple[str, ...] = ()
    verified: bool = False
    until: datetime | None = None
    seal: str = ""

    def sealed(self, message: str, service: str) -> dict[str, JsonValue]:
        """What the seal is put under: the message, for whom it is, and everything it says."""
        return {**self.model_dump(mode="json", exclude={"seal"}), "message": message, "service": service}


class FreezeReply(Value):
    said: str
    adopted: bool = False
    proven_by: str = ""
    token: str = ""
    until: datetime | None = None
    drift: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()  # who holds it now


class OfFreeze(Order):
    """Anything about the freeze of one service."""

    service: Deployed

    def target(self) -> str:
        return f"freeze/{self.service.name}"


class FreezeOf(OfFreeze):
    def effect(self) -> str:
        return f"see who holds a freeze of {self.service.name}"

    def by_hand(self) -> tuple[str, ...]:
        return (f"incident freeze show {self.service.name}",)


class Hold(OfFreeze, Imposition):
    """Freeze deploys of a service for one holder. Others may hold it too; it ends when nobody does."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "by"})

    incident_id: str  # or BUDGET
    reason: str = ""
    by: str = ""  # the commander, if there is one already: who is asked about it when it grows old
    prior: FreezeState | None = None

    def effect(self) -> str:
        return f"deploys of {self.service.name} are held back for {self.incident_id}: {self.reason}"

    def inverse(self) -> str:
        return f"{self.incident_id} holds it no more; deploys go on when nobody does"

    def by_hand(self) -> tuple[str, ...]:
        """The ruleset: a freeze that starts later finds it, and keeps its holders."""
        return LockGate(service=self.service, holders=(self.incident_id,)).by_hand()

    def look(self) -> FreezeOf:
        return FreezeOf(service=self.service)

    def met(self, now: FreezeState) -> bool | None:
        """Somebody holds it. A freeze that people keep in another way is not seen here."""
        return True if now.in_force else None

    def given(self, prior: FreezeState) -> Self:
        """The same, with the state before."""
        return self.model_copy(update={"prior": prior})

    def undo(self) -> "Release":
        return Release(service=self.service, incident_id=self.incident_id, reason=f"{self.reason}: over")


class Release(OfFreeze):
    """Hold a freeze no more. The gate is unlocked when nobody else holds it."""

    incident_id: str
    reason: str = ""

    def effect(self) -> str:
        return f"{self.incident_id} holds the freeze of {self.service.name} no more; deploys go on when nobody does"

    def inverse(self) -> str:
        return f"freeze {self.service.name} again"

    def by_hand(self) -> tuple[str, ...]:
        """By our own command; without a Temporal server by taking the ruleset away, which lets go for everybody."""
        ours = f"incident freeze release {self.service.name} --incident {self.incident_id} --reason {shlex.quote(self.reason)}"
        last = "# without a Temporal server, and only when the ruleset's name says that nobody else holds it:"
        return (ours, last, *(f"# {line}" for line in UnlockGate(service=self.service).by_hand()))


class ExemptDeploy(OfFreeze):
    """Let one deploy pass: one artefact (its digest, `sha256:…`), one purpose, once, for half an hour."""

    incident_id: str  # that needs it
    artefact: str
    purpose: Purpose

    def effect(self) -> str:
        return f"one {self.purpose} of {self.artefact[:19]} may pass the freeze of {self.service.name}, once"

    def inverse(self) -> str:
        return "it ends when it is used, and after half an hour in any case"

    def by_hand(self) -> tuple[str, ...]:
        what = f"--service {self.service.name} --digest {self.artefact} --purpose {self.purpose}"
        return (f"incident freeze exempt {self.incident_id} {what}",)


class UseExemption(ExemptDeploy):
    """Use an exemption up: whoever deploys says so first (rollback) or right after the push."""

    def effect(self) -> str:
        return f"the {self.purpose} of {self.artefact[:19]} passes the freeze of {self.service.name}; the exemption is used up"

    def inverse(self) -> str:
        return "ask for a new exemption"
