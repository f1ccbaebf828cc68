"""What is wanted of the clocks: read the table, count deadlines, tell the clocks of an incident what was seen; and the messages to them."""

from datetime import datetime
from typing import ClassVar

from pydantic import Field, JsonValue

from activities.action import Order, Value
from activities.clocks.clock import PREFIX
from activities.clocks.predicates import MOST, Facts
from activities.clocks.regimes import Rule
from activities.kit.words.redact import Redacted, Typed
from activities.kit.words.shell import command

NAMES = r"^([A-Za-z0-9][A-Za-z0-9._:/ -]{0,79})?$"


class ReadClockTable(Order, target="clocks.toml", effect="read which legal clocks there are"):
    """All of it."""

    def by_hand(self) -> tuple[str, ...]:
        return (command("incident", "clocks", "regimes"),)


class ClocksOf(Order, target="clocks/{incident}", effect="see the legal clocks of {incident}"):
    incident: str

    def by_hand(self) -> tuple[str, ...]:
        return (command("incident", "clocks", "show", self.incident),)


class EarlierOf(ClocksOf, effect="see whether {incident} had legal clocks whose workflow was ended"):
    run: str  # the run that asks


class Earlier(Value):
    """What an ended workflow of the same clocks has known, as JSON; empty: there was none. `unseen`: why that cannot be told."""

    record: str = ""
    unseen: str = ""


class Wanted(Value):
    """One deadline to be counted. `key`: by which the answer is found again."""

    key: str
    start: datetime
    rule: Rule


class CountDeadlines(Order, target="deadlines", effect="count when the legal clocks are due"):
    wanted: tuple[Wanted, ...]


class Counted(Value):
    key: str
    strict: datetime
    outer: datetime | None = None


class CountedDeadlines(Value):
    """`library`: whose holidays were used, with its version. `trouble`: by key, why one could not be counted."""

    found: tuple[Counted, ...]
    library: str
    trouble: dict[str, str] = {}


class ReportExposure(ClocksOf, effect="start the legal clocks of {incident}, provisionally: {why}"):
    """Tell the clocks of an incident what was seen: they start, or learn of it. Nothing is sent to anybody outside.

    `aware_at`: the first credible suspicion. Facts only ever make a clock run: that one does not apply, Legal alone says.
    """

    undone = "nothing: a clock that runs is ended by Legal, with a reason"
    volatile: ClassVar[frozenset[str]] = frozenset({"why", "title"})

    why: str
    aware_at: datetime
    title: str = ""
    restricted: bool = False
    tenants: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    personal_data: bool = False
    malicious: bool = False
    facts: dict[str, JsonValue] = {}  # what else is known, as the form calls it

    def by_hand(self) -> tuple[str, ...]:
        told = [pair for name in self.tenants for pair in ("--tenant", name)]
        return (command("incident", "clocks", "open", self.incident, "--aware", self.aware_at.isoformat(), *told, "--reason", self.why),)

    def request(self) -> "ClockRequest":
        facts = Facts.model_validate({
            **self.facts, **({"personal_data": True} if self.personal_data else {}), **({"malicious": True} if self.malicious else {}),
            **({"countries": self.countries[:MOST]} if self.countries else {}),
        })  # fmt: skip
        return ClockRequest(
            at=self.aware_at,
            reason=self.why[:2000],
            title=self.title[:200],
            restricted=self.restricted,
            tenants=self.tenants[:2000],
            facts=facts,
        )


class DraftOf(ClocksOf, target="draft/{incident}/{clock}/{stage}", effect="fill the draft of {stage} for {clock} from the record"):
    """`record`: the state of the clocks, as JSON."""

    volatile: ClassVar[frozenset[str]] = frozenset({"record"})

    clock: str
    stage: str
    record: str

    def by_hand(self) -> tuple[str, ...]:
        return (command("incident", "clocks", "draft", self.incident, self.clock, "--stage", self.stage),)


class Draft(Value):
    """A text for a person to send. `digest`: over the text and the recipients; a signature is for exactly these."""

    text: str
    recipients: tuple[str, ...]
    digest: str


class ClockRequest(Value):
    """A message to the clocks of an incident. The first half is typed by people; the second only a worker of ours can add, under its seal."""

    by: Typed = ""
    code: str = ""
    reason: Redacted = Field("", max_length=4000)
    clock: str = Field("", pattern=NAMES)
    stage: str = Field("", max_length=60)
    applies: str = ""
    event: str = ""
    at: datetime | None = None
    until: datetime | None = None
    reference: Redacted = Field("", max_length=400)
    receipt: Redacted = Field("", max_length=400)
    digest: str = Field("", pattern=r"^[0-9a-f]{0,64}$")
    facts: Facts = Facts()
    tenants: tuple[str, ...] = Field((), max_length=2000)
    title: Redacted = Field("", max_length=400)
    restricted: bool = False

    key: str = ""
    seal: str = ""

    def sealed(self, message: str, incident: str) -> dict[str, JsonValue]:
        """What the seal is put under: the message, for whom it is, and everything it says."""
        said: dict[str, JsonValue] = self.model_dump(mode="json", exclude={"seal"}, exclude_unset=True)
        return {**said, "message": message, "incident": incident}


def workflow_id(incident: str) -> str:
    return PREFIX + incident
