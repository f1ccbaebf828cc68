"""The change freeze in values and orders: who holds it, what may pass all the same, and what is wanted of it (spec §7.2)."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from activities.action import Grant, Imposition, Order, Value
from activities.freeze.lock_orders import SetLock
from activities.kit.words.code_names import OTHERS_READ, to_others, under_code_name
from activities.kit.words.redact import Redacted, Typed
from activities.kit.words.shell import command, comment
from activities.organisation.catalogue import Deployed

BUDGET = "budget"  # a holder that is no incident: the error budget is used up
ARTEFACT = r"sha256:[0-9a-f]{12,64}"


class ExemptionPurpose(StrEnum):
    ROLLBACK = "rollback"
    HOTFIX = "hotfix"
    SECRET_REDEPLOY = "secret-redeploy"  # noqa: S105 - a purpose, no secret
    SECURITY_PATCH = "security-patch"

    @property
    def pushes(self) -> bool:
        """Whether it comes through a branch. A rollback only sends traffic to a revision that is there already."""
        return self is not ExemptionPurpose.ROLLBACK


class Holder(Value):
    """Somebody for whom a service is frozen: an incident, or the error budget."""

    id: str
    reason: str
    by: str
    since: datetime

    def in_words(self) -> str:
        if under_code_name(self.id):
            return f"held since {self.since:%Y-%m-%d %H:%M} UTC by {OTHERS_READ}"
        return f"held by {self.id} since {self.since:%Y-%m-%d %H:%M} UTC ({self.by}): {self.reason}"


class Exemption(Value):
    """One deploy that may pass: of one artefact, for one incident and purpose, once, for a while."""

    token: str
    holder: str
    artefact: str
    purpose: ExemptionPurpose
    by: tuple[str, ...]
    verified: bool
    expires_at: datetime
    ended: str = ""  # used | expired | withdrawn; empty while it may be used
    ended_at: datetime | None = None
    head: str = ""  # the newest commit of its branch when it was given

    def __str__(self) -> str:
        return f"{self.purpose} of {self.artefact[:19]} for {self.holder}"


class FreezeState(BaseModel):
    """A freeze as it is now. Without holders nothing is frozen."""

    model_config = ConfigDict(extra="forbid")

    service: str
    holders: tuple[Holder, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    since: datetime | None = None
    proven_at: datetime | None = None  # when the lock was last read back and a probe deploy refused
    trouble: str = ""  # what is wrong with it, in one sentence
    drift: tuple[str, ...] = ()  # what was deployed without an exemption, as seen at the last look
    questions: tuple[str, ...] = ()  # what waits for an answer

    @property
    def in_force(self) -> bool:
        """True when somebody holds it and that was proven."""
        return bool(self.holders) and self.proven_at is not None and not self.trouble

    @property
    def names(self) -> str:
        return ", ".join(to_others(holder.id) for holder in self.holders) or "nobody"

    def holder(self, id: str) -> Holder | None:
        return next((holder for holder in self.holders if holder.id == id), None)

    def lines(self) -> tuple[str, ...]:
        return (
            *([f"NOT IN FORCE: {self.trouble}"] if self.trouble else []),
            *(h.in_words() for h in self.holders),
            *([f"a probe deploy was refused at {self.proven_at:%Y-%m-%d %H:%M} UTC"] if self.proven_at else []),
            *(f"may pass: one {e}, until {e.expires_at:%H:%M} UTC, by {' and '.join(e.by)}" for e in self.exemptions if not e.ended),
            *(f"exempted: one {e}, {e.ended}" for e in self.exemptions if e.ended),
            *(f"deployed without an exemption: {passed}" for passed in self.drift),
            *(f"waits for an answer: {question}" for question in self.questions),
        )


class FreezeRequest(Value):
    """A message to a freeze. The first half is typed by people; the second only a worker of ours can add, under its seal."""

    holder: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,119})?$")
    reason: Redacted = ""
    by: Typed = ""
    code: str = ""
    question: int | None = None
    artefact: str = Field("", pattern=f"^({ARTEFACT})?$")
    purpose: str = ""

    key: str = ""
    grant: Grant | None = None
    seal: str = ""

    def sealed(self, message: str, service: str) -> dict[str, JsonValue]:
        """What the seal is put under: the message, for whom it is, and everything it says."""
        return {**self.model_dump(mode="json", exclude={"seal"}), "message": message, "service": service}


class FreezeOf(Order, target="freeze/{service.name}", effect="see who holds a freeze of {service.name}"):
    service: Deployed

    def by_hand(self) -> tuple[str, ...]:
        return (command("incident", "freeze", "show", self.service.name),)


class FreezeOrder(FreezeOf):
    """Something wanted of a freeze in the name of one holder: an incident, or `BUDGET`."""

    volatile: ClassVar[frozenset[str]] = frozenset({"reason"})

    holder: str = Field(min_length=1)
    reason: str = ""

    def request(self) -> FreezeRequest:
        return FreezeRequest(**self.model_dump(include=set(FreezeRequest.model_fields)))


class Hold(FreezeOrder, Imposition, effect="freeze deploys of {service.name} for {holder}: {reason}"):
    """Freeze deploys of a service for one holder. Others may hold it too; it ends when nobody does."""

    undone = "release it; deploys go on when nobody holds it"
    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "by", "reason"})

    by: str = ""  # the commander, if there is one already: who is asked about it when it grows old
    prior: FreezeState | None = None

    def by_hand(self) -> tuple[str, ...]:
        """The ruleset: a freeze that starts later finds it, and keeps its holders."""
        return SetLock(service=self.service, holders=(self.holder,)).by_hand()

    def look(self) -> FreezeOf:
        return FreezeOf(service=self.service)

    def met(self, now: FreezeState) -> bool | None:
        """Somebody holds it. A freeze that people keep in another way is not seen here."""
        return True if now.in_force else None

    def given(self, prior: FreezeState) -> Self:
        return self.model_copy(update={"prior": prior})

    def undo(self) -> "Release":
        return Release(service=self.service, holder=self.holder, reason=f"{self.reason}: over")


class Release(FreezeOrder, effect="release the freeze of {service.name} that {holder} holds; deploys go on when nobody holds it"):
    """Hold a freeze no longer. The branches are unlocked when nobody else holds it."""

    undone = "freeze {service.name} again"

    def by_hand(self) -> tuple[str, ...]:
        """By our own command; without a Temporal server by removing the ruleset, which releases it for everybody."""
        ours = command("incident", "freeze", "release", self.service.name, "--incident", self.holder, "--reason", self.reason)
        last = comment("without a Temporal server, and only when the ruleset's name says that nobody else holds it:")
        return (ours, last, *map(comment, SetLock(service=self.service).by_hand()))


class ExemptDeploy(FreezeOrder):
    """Let one deploy pass: one artefact (its digest, `sha256:…`), one purpose, once, for half an hour."""

    undone = "it ends when it is used, and after half an hour in any case"

    artefact: str = Field(min_length=1)
    purpose: ExemptionPurpose

    def effect(self) -> str:
        return f"let one {self.purpose} of {self.artefact[:19]} pass the freeze of {self.service.name}, once"

    def by_hand(self) -> tuple[str, ...]:
        what = ("--service", self.service.name, "--digest", self.artefact, "--purpose", self.purpose)
        return (command("incident", "freeze", "exempt", self.holder, *what),)
