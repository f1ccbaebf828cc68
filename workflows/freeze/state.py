"""One change freeze as its workflow knows it: an incident's state, and who holds it and what may pass. It does nothing to the outside."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from temporalio import workflow

from activities.action import Action, Role
from activities.freeze.freezes import PREFIX
from activities.freeze.lock_orders import BranchLock
from activities.freeze.orders import ExemptDeploy, Exemption, FreezeState
from activities.freeze.watch import Passed
from activities.ledger.entry import Entry
from activities.organisation.catalogue import Deployed
from workflows.engine.state import IncidentState
from workflows.incident import Card, Incident, Question, Severity
from workflows.people.messages import LONGEST

KEEPS = 200  # entries, exemptions and keys that go over into the next run
# SEV-1: nothing of a rollback starts before the freeze is proven (INV-4), so that it never waits behind others.
CARD = Card(section="7.2", title="Change freeze", short="freeze", floor=Severity.SEV1, lead=(Role.OPS_LEAD,), triggers=(), sure=True)


class Record(FreezeState):
    """Everything that goes over into the next run of a freeze."""

    id: str  # another one every time that the service is frozen: no key is used twice
    place: Deployed  # where its source is; without a repository until the catalogue has said it
    before: BranchLock | None = None  # the branches when the freeze began; None: they were never touched
    passing: tuple[str, ...] = ()  # artefacts that GitHub may let through
    passed: tuple[Passed, ...] = ()  # every deploy that came while it was frozen
    locked: bool = True  # as the watch has seen it last
    pages: int = 0  # how often people were woken
    due: dict[str, datetime] = {}  # when what is done next: look | close | ask
    done: list[str] = []  # keys of what workers' messages have brought about: the same message again changes nothing
    asked: list[Question] = []
    entries: list[Entry] = []
    counts: dict[str, int] = {}


class Freeze(IncidentState):
    """Approvals, roster, timeline and severity are an incident's. There is no commander of its own: a yes is never held for one."""

    def __init__(self, workflow_id: str, given: Sequence[object], at: datetime) -> None:
        super().__init__(workflow_id, "ChangeFreeze", CARD, at)
        self.record, strange = _brought(workflow_id, given, at)
        self.incident = Incident(service=self.record.service)
        self.acknowledged_at = at
        self.approvals.questions, self.timeline.entries = self.record.asked, self.record.entries
        if strange:
            self.note("refused", f"the start input could not be understood: {strange}")

    def assumes(self, action: Action) -> bool:
        """Nothing is only said here. In shadow mode the incidents say that they would hold it; the lock's own verbs refuse what is not granted."""
        return False

    def public(self) -> FreezeState:
        self.record.questions = tuple(f"[{q.number}] {q.asks}" for q in self.record.asked if q.open)
        return FreezeState(**{name: getattr(self.record, name) for name in FreezeState.model_fields})

    def renewed(self, counts: dict[str, int]) -> dict[str, Any]:
        kept = {name: getattr(self.record, name)[-KEEPS:] for name in ("exemptions", "entries", "done")}
        return {"kept": self.record.model_copy(update={**kept, "counts": counts}).model_dump(mode="json")}

    def later(self, what: str, after: timedelta) -> None:
        self.record.due[what] = workflow.now() + self.policy.paced(after)

    @property
    def live(self) -> list[Exemption]:
        return [e for e in self.record.exemptions if not e.ended]

    def exemption(self, order: ExemptDeploy) -> Exemption | None:
        """The newest exemption for exactly this."""
        bound = (order.holder, order.artefact, order.purpose)
        return next((e for e in reversed(self.record.exemptions) if (e.holder, e.artefact, e.purpose) == bound), None)

    def end_exemption(self, exemption: Exemption, how: str) -> Exemption:
        ended = exemption.model_copy(update={"ended": how, "ended_at": workflow.now()})
        self.record.exemptions = tuple(ended if e.token == exemption.token else e for e in self.record.exemptions)
        return ended


def _brought(workflow_id: str, given: Sequence[object], at: datetime) -> tuple[Record, str]:
    """What an earlier run left, and what could not be understood. Everything it needs, a freeze knows by its name."""
    service = workflow_id.removeprefix(PREFIX)
    place = Deployed(name=service, platform="cloud_run", regions=())
    anew = Record(id=f"{workflow_id}-{at:%Y%m%d-%H%M%S}", service=service, place=place)
    first = given[0] if given else {}
    if not isinstance(first, dict) or len(given) > 1:
        return anew, str(given)[:LONGEST]
    try:
        return (Record.model_validate(first["kept"]) if "kept" in first else anew), ""
    except ValidationError as wrong:
        return anew, f"{str(first)[:LONGEST]} ({wrong.errors()[0]['msg']})"
