"""One change freeze as its workflow knows it: who holds it, what may pass, what was said. Values and rules; nothing is done to the outside.

An exemption goes through three states: it may be used; it has ended, but GitHub may still let its branch through; it is closed. A freeze
that loses sight of the second state would leave a hole in the gate.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from activities.action import Action, Grant, Risk, Role, Value, action_of, digest
from activities.freeze.deploy_gate import DeployGate, LockGate, UnlockGate
from activities.freeze.orders import DIGEST, HOLDER, Exemption, FreezeRequest, FreezeState, Holder, Purpose
from activities.organisation.catalogue import Deployed
from activities.organisation.policy import Policy
from workflows.errors import NotAccepted
from workflows.incident import Question, QuestionDraft, QuestionKind, Severity, Silence
from workflows.people.approvals import Approvals
from workflows.people.messages import LONGEST, only
from workflows.people.roster import RoleAssignments

MESSAGES = {
    "hold": 'Freeze deploys for an incident, or for the error budget: {"holder": "inc-20261123-out-api", "by": "dana", "reason": "…"}',
    "release": 'Hold it no more: {"holder": "inc-20261123-out-api", "by": "dana", "reason": "…"}',
    "exempt": 'Let one deploy pass, once: {"holder": "inc-…", "digest": "sha256:…", '
    '"purpose": "rollback|hotfix|secret-redeploy|security-patch", "by": "dana"}',
    "use_exemption": 'Use an exemption up: {"holder": "inc-…", "digest": "sha256:…", "purpose": "…", "by": "lee"}',
    "approve": 'Yes to a question. Input: the personal code you were sent, as a JSON string: "1-4XQ2-M9KD"',
    "decline": 'No to a question. Input as for approve: "1-4XQ2-M9KD"',
}
KEEPS = 200  # lines, ended exemptions and closed questions that go over into the next run
COMMAND = (Role.INCIDENT_COMMANDER, Role.DEPUTY)
RESPONDERS = (*COMMAND, Role.OPS_LEAD, Role.SECURITY_LEAD)


class NotProven(NotAccepted):
    """It was understood and allowed, but could not be carried out and proven."""


class Authority(Value):
    """On whose word something is done."""

    by: tuple[str, ...]
    verified: bool

    @property
    def names(self) -> str:
        return " and ".join(self.by)


class Line(Value):
    """What happened, in one sentence."""

    at: datetime
    kind: str
    text: str
    by: str = "automation"


class Kept(Value):
    """Everything that goes over into the next run of a freeze."""

    began: datetime
    place: Deployed | None = None
    holders: tuple[Holder, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    given: int = 0
    since: datetime | None = None
    head: str = ""
    hotfixes: dict[str, str] = {}
    touched: bool = False
    proven_at: datetime | None = None
    trouble: str = ""
    drift: tuple[str, ...] = ()
    ask_at: datetime | None = None
    pages: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    pending: dict[int, tuple[str, FreezeRequest]] = {}
    lines: tuple[Line, ...] = ()
    counts: dict[str, int] = {}


class Freezing:
    """One freeze. As a `Cause` it has an id of its own for every time that the service is frozen: keys are never used twice."""

    def __init__(self, workflow_id: str, given: Sequence[object], at: datetime) -> None:
        self.workflow_id = workflow_id
        self.service = workflow_id.removeprefix("freeze-")
        kept, why = _kept(given, at)
        self.id = f"{workflow_id}-{kept.began:%Y%m%d-%H%M%S}"
        self.policy = Policy()
        self.severity = Severity.SEV1  # nothing of a rollback starts before the freeze is proven (INV-4): it never waits behind others
        self.paused_by = ""
        self.rehearsing = False
        self.narrow_actions: list[datetime] = []  # the holders' own caps were counted where they decided to hold
        self.confidence = 1.0
        self.began = kept.began
        self.place = kept.place
        self.holders = {holder.id: holder for holder in kept.holders}
        self.exemptions = list(kept.exemptions)
        self.given = kept.given
        self.since = kept.since
        self.head = kept.head
        self.hotfixes = dict(kept.hotfixes)
        self.touched = kept.touched  # from the first attempt to lock on: from then on there may be something to unlock
        self.proven_at = kept.proven_at
        self.trouble = kept.trouble
        self.drift = kept.drift
        self.ask_at = kept.ask_at
        self.pages = list(kept.pages)
        self.done = list(kept.done)  # keys of what workers' messages have brought about: the same message again changes nothing
        self.assignments = RoleAssignments()
        self.approvals = Approvals(workflow_id)
        self.approvals.questions = list(kept.questions)
        self.pending = dict(kept.pending)
        self.lines = list(kept.lines)
        self.counts = kept.counts
        if why:
            self.note(at, "refused", f"the start input could not be understood: {why}")

    def assumes(self, action: Action) -> bool:
        """Nothing is only said here. In shadow mode the incidents say that they would hold it; the gate's own verbs refuse what is not granted."""
        return False

    def note_suppressed(self, message: str) -> None: ...

    def note(self, at: datetime, kind: str, text: str, by: str = "automation") -> None:
        self.lines.append(Line(at=at, kind=kind, text=text[:LONGEST], by=by))

    def kept(self, counts: Mapping[str, int]) -> Kept:
        """What the next run must know. Open questions keep their numbers, because codes were sent for them."""
        return Kept(
            began=self.began, place=self.place, holders=tuple(self.holders.values()),
            exemptions=tuple(e for n, e in enumerate(self.exemptions) if e.open or not e.ended or n >= len(self.exemptions) - KEEPS),
            given=self.given, since=self.since, head=self.head, hotfixes=self.hotfixes, touched=self.touched, proven_at=self.proven_at,
            trouble=self.trouble, drift=self.drift, ask_at=self.ask_at, pages=tuple(self.pages), done=tuple(self.done[-KEEPS:]),
            questions=tuple(self.approvals.questions), pending=self.pending, lines=tuple(self.lines[-KEEPS:]), counts=dict(counts),
        )  # fmt: skip

    def state(self) -> FreezeState:
        waiting = tuple(f"[{q.number}] {q.asks}" for q in self.approvals.questions if q.open)
        return FreezeState(
            service=self.service, holders=tuple(self.holders.values()), exemptions=tuple(self.exemptions), since=self.since,
            proven_at=self.proven_at, trouble=self.trouble, drift=self.drift, questions=waiting,
        )  # fmt: skip

    def held(self, at: datetime) -> None:
        """Somebody holds it: from the first on it is old, and is asked about when it is too old."""
        self.since = self.since or at
        self.ask_at = self.ask_at or at + self.policy.paced(self.policy.freeze.ask_again)

    def proven(self, at: datetime) -> None:
        """The gate was read back, and a probe deploy turned away."""
        self.proven_at, self.trouble = at, ""
        self.holders = {id: holder.model_copy(update={"proven": True}) for id, holder in self.holders.items()}

    def emptied(self) -> None:
        """Nobody holds it any more, and the gate is unlocked."""
        self.holders, self.since, self.ask_at, self.head, self.hotfixes = {}, None, None, "", {}
        self.touched, self.trouble = False, ""
        self.exemptions = [e.model_copy(update={"ended": e.ended or "withdrawn", "open": False}) for e in self.exemptions]

    # -- exemptions -------------------------------------------------------------------------------------------------------------------

    @property
    def live(self) -> list[Exemption]:
        return [e for e in self.exemptions if not e.ended]

    @property
    def unclosed(self) -> list[Exemption]:
        """What has ended while GitHub may still let it through."""
        return [e for e in self.exemptions if e.ended and e.open]

    def exemption(self, said: FreezeRequest) -> Exemption | None:
        """The newest exemption for exactly this."""
        bound = (said.holder, said.digest, said.purpose)
        return next((e for e in reversed(self.exemptions) if (e.holder, e.digest, e.purpose) == bound), None)

    def give(self, said: FreezeRequest, authority: Authority, head: str, at: datetime) -> Exemption:
        self.given += 1
        purpose = Purpose(said.purpose)
        exemption = Exemption(
            token=f"{self.id}/{self.given}", holder=said.holder, digest=said.digest, purpose=purpose, by=authority.by,
            verified=authority.verified, at=at, expires_at=at + self.policy.for_people(self.policy.freeze.exemption),
            open=purpose.pushes, head=head,
        )  # fmt: skip
        self.exemptions.append(exemption)
        return exemption

    def change(self, exemption: Exemption, **to: object) -> Exemption:
        changed = exemption.model_copy(update=to)
        self.exemptions = [changed if e.token == exemption.token else e for e in self.exemptions]
        return changed

    def closed(self) -> None:
        """GitHub was seen to let nothing through but what is live."""
        self.exemptions = [e.model_copy(update={"open": e.open and not e.ended}) for e in self.exemptions]

    def lock(self, place: Deployed, holders: Sequence[str], at: datetime) -> tuple[LockGate, Grant | None]:
        """The order that locks the gate, for these holders, but for what is live; and by whose word that may pass."""
        passing = [e for e in self.live if e.purpose.pushes]
        order = LockGate(service=place, holders=tuple(holders), exempted=tuple(sorted({e.digest for e in passing})))
        if not passing:
            return order, None
        names = " and ".join(dict.fromkeys(name for e in passing for name in e.by))
        covers = [order.digest(action_of(DeployGate.lock).name)]
        verified, lasting = all(e.verified for e in passing), max(e.expires_at for e in passing) - at
        return order, self.approvals.ordered(names, verified, covers, max(lasting, timedelta(minutes=1)), at, basis="exemption")

    def to_unlock(self, order: UnlockGate, authority: Authority, at: datetime) -> Grant:
        """What a release on this word covers."""
        covers = [order.digest(action_of(DeployGate.unlock).name)]
        lasting = self.policy.approval_valid[Risk.C2]
        return self.approvals.ordered(authority.names, authority.verified, covers, lasting, at, basis="release")

    # -- questions --------------------------------------------------------------------------------------------------------------------

    def question(self, message: str, said: FreezeRequest, asks: str, roles: tuple[Role, ...], risk: Risk, at: datetime) -> Question:
        """The open question whether exactly this may be done; a new one when there is none."""
        wanted = digest({"message": message, "service": self.service, **said.model_dump(include={"holder", "digest", "purpose"})})
        for question in self.approvals.questions:
            if question.open and wanted in question.covers:
                return question
        valid = self.policy.for_people(self.policy.approval_valid[risk])
        question = self.approvals.open(
            QuestionDraft(
                kind=QuestionKind.APPROVAL, asks=asks, roles=roles, risk=risk, effect=asks, inverse="ask again", covers=(wanted,),
                silence=Silence.SKIP,
            ),
            at,
            at + valid,
        )  # fmt: skip
        self.pending[question.number] = (message, said.model_copy(update={"code": ""}))
        return question


def said_of(message: str, given: Sequence[object]) -> FreezeRequest:
    """What was sent by the door called `message`. Raises `NotAccepted` with an example when it cannot be understood."""
    sent = only(message, given, MESSAGES)
    if isinstance(sent, str) and message in ("approve", "decline"):
        return FreezeRequest(code=sent[:LONGEST])
    if not isinstance(sent, dict):
        raise NotAccepted(f"{message} takes one JSON object. {MESSAGES[message]}")
    try:
        said = FreezeRequest.model_validate(sent)
    except ValidationError as wrong:
        why = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'input'}: {e['msg']}" for e in wrong.errors()[:3])
        raise NotAccepted(f"{message}: {why}. {MESSAGES[message]}") from None
    return said if said.seal else said.model_copy(update={"reason": said.reason[:LONGEST]})


def checked(message: str, said: FreezeRequest) -> FreezeRequest:
    """The same, when its words are of the right kind. Raises `NotAccepted`."""
    if message not in ("approve", "decline") and not HOLDER.fullmatch(said.holder):
        raise NotAccepted(f"{message}: say for whom: holder. {MESSAGES[message]}")
    if message in ("exempt", "use_exemption"):
        if not DIGEST.fullmatch(said.digest):
            raise NotAccepted(f"{message}: digest is the artefact's, sha256:… with at least 12 digits")
        if said.purpose not in set(Purpose):
            raise NotAccepted(f"{message}: purpose is one of {', '.join(Purpose)}, not {said.purpose[:40]!r}")
    return said


def _kept(given: Sequence[object], at: datetime) -> tuple[Kept, str]:
    """What an earlier run left; a start that cannot be understood begins anew. Everything it needs, a freeze knows by its name."""
    first = given[0] if given else {}
    brought = first.get("kept") if isinstance(first, dict) else None
    try:
        return Kept.model_validate(brought or {"began": at}), "" if isinstance(first, dict) and len(given) < 2 else str(given)[:LONGEST]
    except ValidationError as wrong:
        return Kept(began=at), f"{str(first)[:LONGEST]} ({wrong.errors()[0]['msg']})"
