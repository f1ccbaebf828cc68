"""The item ledger: each credential that may be in wrong hands, and how far it is. Pure. Nothing is done because a call said so (A.10, Annex B)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities.credentials.issuers import NOBODY_SAYS
from activities.credentials.orders import Credential, Danger, Exposure, Reach, Survey, Tried
from activities.values import listed
from workflows.status import Task

MIXED = (Danger.SIGNING, Danger.IDENTITY)  # whoever holds one of these can sign in as anybody


@dataclass
class Item:
    """One credential. `exposure`: how sure it is; `services`: those who stand still without it."""

    credential: Credential
    exposure: Exposure
    survey: Survey | None = None
    services: tuple[str, ...] = ()
    revoked_at: datetime | None = None
    tried: Tried | None = None
    version: int | None = None  # of the replacement
    served: dict[str, datetime] = field(default_factory=dict)  # service → since when it serves by the replacement
    retired: bool = False  # the old version is given to nobody
    tasks: dict[str, Task] = field(default_factory=dict)  # what people do of it
    vouched: str = ""  # who says that it is done

    @property
    def id(self) -> str:
        return self.credential.id

    @property
    def old_version(self) -> int | None:
        return self.survey.version if self.survey else None

    @property
    def was_alive(self) -> bool:
        return bool(self.survey and self.survey.alive)

    @property
    def unexplained(self) -> tuple[str, ...]:
        """Who was let in by it, and is nobody of ours."""
        ours = {*self.credential.users, *self.services, self.credential.owner, NOBODY_SAYS}
        return tuple(name for name in (self.survey.uses if self.survey else ()) if name not in ours)

    @property
    def replaced(self) -> bool:
        """Everybody who needs it has another one."""
        return all(name in self.served for name in self.services)

    @property
    def dead(self) -> bool:
        """Revoked, and refused wherever it was shown."""
        return self.revoked_at is not None and self.tried is not None and self.tried.dead

    @property
    def done(self) -> bool:
        kept = self.old_version is None or self.retired
        return bool(self.vouched) or (self.dead and self.replaced and kept)

    def gap(self, service: str) -> timedelta | None:
        """So long a service had no key that works: revoked first, and served by another one later."""
        until = self.served.get(service)
        return max(timedelta(0), until - self.revoked_at) if until and self.revoked_at else None

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not done of it."""
        said = [] if self.revoked_at else ["not revoked"]
        said += [] if not self.revoked_at or self.dead else [f"not shown to be dead ({self.tried.summary if self.tried else 'not tried'})"]
        said += [] if self.replaced else [f"not replaced in {listed(tuple(s for s in self.services if s not in self.served))}"]
        said += [] if self.old_version is None or self.retired else ["its version in the store is enabled"]
        return () if self.done else tuple(said)

    def in_words(self) -> str:
        state = f"done, says {self.vouched}" if self.vouched else "done" if self.done else "; ".join(self.missing)
        gaps = [f"{name} stood still for {gap.total_seconds():.0f} s" for name in self.services if (gap := self.gap(name))]
        return f"{self.id} ({self.credential.danger}, {self.exposure}): {'; '.join([state, *gaps])}"


@dataclass
class Findings:
    """Everything that may be in wrong hands."""

    reach: Reach | None = None
    items: dict[str, Item] = field(default_factory=dict)
    mixed_up: bool = False  # sessions were ended for it

    @property
    def all(self) -> tuple[Item, ...]:
        return tuple(self.items.values())

    @property
    def open(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items.values() if not item.done)

    @property
    def in_order(self) -> tuple[tuple[Item, ...], ...]:
        """What is not done, the most dangerous first: those of one danger together."""
        tiers: dict[Danger, list[Item]] = {danger: [] for danger in Danger}
        for item in self.open:
            tiers[item.credential.danger].append(item)
        return tuple(tuple(tier) for tier in tiers.values() if tier)

    @property
    def customers(self) -> tuple[str, ...]:
        """Tenants whose own secrets are among them."""
        return tuple(dict.fromkeys(item.credential.customer for item in self.items.values() if item.credential.customer))

    @property
    def personal_data(self) -> tuple[str, ...]:
        return tuple(item.id for item in self.items.values() if item.credential.personal_data)

    @property
    def signs(self) -> tuple[str, ...]:
        """By which anybody could be signed in."""
        return tuple(item.id for item in self.items.values() if item.credential.danger in MIXED)

    @property
    def ledger(self) -> str:
        done = sum(item.done for item in self.items.values())
        return f"{done} of {len(self.items)} done" + (f"; open: {', '.join(item.id for item in self.open)}" if self.open else "")
