"""What is known of a breach: who has read what, whether it goes on, whether a claim is true, what was left behind (A.4 T1 to T3). Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from activities.breach.claims import Corroboration
from activities.breach.data_map import DataClass, DataRole, DataSets
from activities.breach.footholds import Hunt
from activities.breach.records import Reader, Readers
from activities.breach.scope import ScopeLedger
from activities.metrics.curves import CurveReading
from activities.organisation.numbers import CurveNumbers
from workflows.severity.facts import Facts, Scope, Suspicion

WORD = {True: "yes", False: "no", None: "unknown"}
LARGE = 500  # persons in one place: laws ask from here on (spec §10.2)


class Signal(StrEnum):
    """What has shown it (Annex B 2.4)."""

    DLP = "dlp"
    EXPORT = "export"
    CLAIM = "claim"
    CREDENTIAL = "credential"
    VENDOR = "vendor"
    # What another playbook calls it in for.
    INJECTION = "injection"
    PACKAGE = "package"
    ISOLATION = "isolation"
    LOSS = "loss"

    @property
    def by_somebody(self) -> bool:
        """Whether somebody is behind it who may be inside: where data crossed by a fault of ours, or was lost, nobody is hunted."""
        return self not in (Signal.ISOLATION, Signal.LOSS)


@dataclass
class Findings:
    """None: nobody knows. `named`: identities that an alert or a person has named; `silent_vendor`: it has said nothing in time."""

    since: datetime
    numbers: CurveNumbers
    signal: Signal = Signal.EXPORT
    claim: str = ""
    vendor: str = ""
    integration: str = ""  # the credential by which the vendor comes in
    named: tuple[str, ...] = ()
    stolen: tuple[str, ...] = ()  # credentials that §2.10 has called it in for
    readers: Readers | None = None
    curve: CurveReading | None = None
    corroboration: Corroboration | None = None
    data: DataSets | None = None
    ledger: ScopeLedger | None = None
    hunt: Hunt | None = None
    silent_vendor: bool = False
    unfounded: bool = False
    chat_suspected: bool = False  # somebody says that others read our chat
    evicted: dict[str, str] = field(default_factory=dict)  # id → as people call it

    @property
    def suspects(self) -> tuple[Reader, ...]:
        """Who has read beyond what is usual, the most first; and who was named, whatever they have read."""
        if self.readers is None:
            return ()
        named = [one for one in self.readers.readers if one.id in self.named or one.credential in self.stolen]
        return tuple({one.id: one for one in (*self.readers.suspects(self.numbers), *named)}.values())

    @property
    def identities(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*(one.id for one in self.suspects), *self.named)))

    @property
    def assets(self) -> tuple[str, ...]:
        """From where data was read beyond what is usual, or by whom is named: the worst first. A credential that was stolen and not used for more
        than it always is cuts nothing off: revoking it is enough."""
        misused = [one for one in self.suspects if one.beyond_usual(self.numbers) or one.id in self.named]
        return tuple(dict.fromkeys(one.asset for one in misused if one.asset))

    @property
    def credentials(self) -> tuple[str, ...]:
        found = [one.credential for one in self.suspects if one.credential]
        return tuple(dict.fromkeys([*found, *([self.integration] if self.integration else [])]))

    @property
    def owners(self) -> tuple[str, ...]:
        """Whose identities these are: they are told nothing of it before it is known that they are not in it."""
        return tuple(dict.fromkeys(one.owner for one in self.suspects if one.owner))

    @property
    def ongoing(self) -> bool | None:
        if self.curve is not None and self.curve.ill:
            return True
        return False if self.curve is not None and self.curve.well else None

    @property
    def corroborated(self) -> bool:
        return self.corroboration is not None and self.corroboration.true is True

    @property
    def claim_is_false(self) -> bool:
        """Nothing that was shown is ours, and nothing else shows anything: everything was looked at, and the log reaches back."""
        looked = self.readers is not None and self.readers.coverage.covers(self.since)
        false = self.corroboration is not None and self.corroboration.true is False
        return self.signal is Signal.CLAIM and false and looked and not self.identities and self.ongoing is False

    def severity_facts(self) -> Facts:
        if self.unfounded:
            return Facts(scope=Scope.COSMETIC)
        tenants = len(self.ledger.tenants) if self.ledger is not None else 0
        return Facts(
            data_exposure=Suspicion.SUSPECTED, corroborated=self.corroborated, active_adversary=self.ongoing, scope=Scope.UNKNOWN,
            tenant_count=tenants or None,
        )  # fmt: skip

    def clock_facts(self) -> dict[str, object]:
        """What the legal clocks are told, as their form calls it: only what makes one run (INV-10)."""
        ledger = self.ledger
        if ledger is None:
            return {}
        places = [place for place in ledger.subjects if _is_place(place)]
        said: dict[str, object] = {
            "special_category": DataClass.SPECIAL in ledger.classes, "phi": DataClass.PHI in ledger.classes, "pan": DataClass.PAN in ledger.classes,
        }  # fmt: skip
        said = {name: True for name, yes in said.items() if yes}
        known = {name: role.value for name, role in ledger.roles.items() if role is not DataRole.UNKNOWN}
        counts = {place: n for place, n in ledger.subjects.items() if n > LARGE and _is_place(place)}
        lists = {"countries": places[:60], "data_sets": dict([*known.items()][:50]), "counts": counts}
        return {**said, **{name: value for name, value in lists.items() if value}}

    def in_words(self) -> str:
        said = [f"signal: {self.signal}; goes on: {WORD[self.ongoing]}"]
        said += [f"{one.id} read {one.most:,.0f} rows in an hour, usual are {one.usual:,.0f}" for one in self.suspects[:3]]
        said += [self.corroboration.summary] if self.corroboration is not None else []
        said += ["nobody can say who has read what"] if self.readers is None else []
        missing = self.readers.coverage.says(self.since) if self.readers is not None else ""
        said += [f"{missing}: the worst is assumed"] if missing else []
        said += [f"vendor {self.vendor}"] if self.vendor else []
        return "; ".join(said)


def _is_place(name: str) -> bool:
    """`DE`, `US-CA`: as the clocks take countries and states."""
    country, _, state = name.partition("-")
    return len(country) == 2 and country.isalpha() and country.isupper() and (not state or (len(state) <= 3 and state.isalnum()))
