"""What an exported session shows: read from the evidence, in one activity. Facts, references and hashes come out of it, and no text (INV-14).

Each suspicious text that it had read becomes a piece of evidence of its own, so that it can be looked for elsewhere by its hash.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from activities.action import Call, Order, Refused, System, Value, action
from activities.evidence.store import EvidenceStore
from activities.kit.words.shell import command
from activities.organisation.numbers import EvidenceHold, PromptInjection

MOST = 200  # of each kind that an answer lists
BY_HAND = (
    "import json,sys; x=json.load(open(sys.argv[1])); print(json.dumps({k: x[k] for k in ('tool_calls','memory_writes','guardrail')}))"
)


class Answer(StrEnum):
    """Unknown counts as yes (A.3 T1, T3)."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class ExamineSession(
    Order, target="session/{session}/export", effect="read from the export of session {session} what it did, and what it had read"
):
    """`evidence`: the sha256 of its export."""

    undone = "nothing to undo: what it keeps is evidence, and nothing else is changed"

    incident_id: str
    session: str
    evidence: str
    numbers: PromptInjection = PromptInjection()
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        fetched = command("incident", "evidence", self.incident_id, "--fetch", self.evidence, "--output", "session.json")
        return (fetched, command("python3", "-c", BY_HAND, "session.json"))


class Item(Value):
    """A suspicious text that a session has read. `evidence`: the sha256 under which it is kept; `owner`: whose it is, empty for our own."""

    store: str
    document: str
    owner: str
    provenance: float
    evidence: str


class ToolCallSeen(Value):
    """What a tool did. Arguments are a hash; `names`: another tenant that they name; `external`: it has changed what others own."""

    id: str
    tool: str
    args: str
    reversible: bool
    external: bool
    at: datetime
    host: str = ""
    names: str = ""
    state: str = "done"


class SessionFacts(Value):
    """What is known of a session. `traced`: whether any trace of it was kept; without one nothing can be excluded. `more`: what is not listed."""

    session: str
    tenant: str
    traced: bool
    score: float = 0.0
    rule: str = ""
    stages: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    calls: tuple[ToolCallSeen, ...] = ()
    memory: tuple[str, ...] = ()
    versions: dict[str, str] = {}
    more: int = 0

    @property
    def executed(self) -> Answer:
        """Whether an instruction of the attacker was carried out."""
        if not self.traced:
            return Answer.UNKNOWN
        return Answer.YES if self.calls or self.memory else Answer.NO

    @property
    def undoable(self) -> tuple[ToolCallSeen, ...]:
        return tuple(one for one in self.calls if one.reversible and one.state != "undone")

    @property
    def lasting(self) -> tuple[ToolCallSeen, ...]:
        return tuple(one for one in self.calls if not one.reversible)

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.host for one in self.calls if one.host))

    @property
    def vectors(self) -> tuple[str, ...]:
        """How it came in: by the stores that it lay in; with none, by whoever wrote in the session."""
        return tuple(dict.fromkeys(one.store for one in self.items)) or ("direct",)

    @property
    def summary(self) -> str:
        if not self.traced:
            return f"{self.session}: no trace of it was kept: what it did cannot be excluded"
        said = f"{len(self.calls)} tool calls, {len(self.lasting)} of them irreversible; {len(self.memory)} memories written"
        return f"{self.session}: executed {self.executed}; {said}; by {', '.join(self.vectors)}; score {self.score:g} ({self.rule or 'no rule'})"


class Examinations(System):
    """Reads exports of sessions."""

    def __init__(self, store: EvidenceStore) -> None:
        self._store = store

    @action("evidence.examine_session", writes=True)
    async def examine(self, order: ExamineSession, call: Call) -> SessionFacts:
        """Read the export, and keep each suspicious text by itself. Raises `Refused` when the export cannot be read."""
        try:
            told: Mapping[str, Any] = json.loads(await self._store.read(call, order.evidence))
            session = told["session"]
            read, calls, writes, trips = (told.get(name) for name in ("retrieved", "tool_calls", "memory_writes", "guardrail"))
        except (ValueError, KeyError, TypeError, AttributeError) as broken:
            raise Refused(f"the export of {order.session} is not what an export should be: {type(broken).__name__}") from None
        traced = None not in (read, calls, writes, trips)
        suspicious = [one for one in read or () if _suspicious(one, order.numbers)]
        worst = max(trips or (), key=lambda trip: trip["score"], default=None)
        return SessionFacts(
            session=order.session, tenant=session["tenant"], traced=traced, score=worst["score"] if worst else 0.0,
            rule=worst["rule"] if worst else "", stages=tuple(dict.fromkeys(trip["stage"] for trip in trips or ())),
            items=tuple([await self._kept(order, call, one) for one in suspicious[:MOST]]), calls=_calls(calls or ()),
            memory=tuple(f"{one['store']}/{one['document']}" for one in (writes or ())[:MOST]), versions=told.get("versions", {}),
            more=max(0, len(calls or ()) - MOST) + max(0, len(suspicious) - MOST),
        )  # fmt: skip

    async def _kept(self, order: ExamineSession, call: Call, one: Mapping[str, Any]) -> Item:
        name = f"session/{order.session}/read/{one['store']}/{one['document']}"
        kept = await self._store.keep(call, name, str(one["text"]).encode(), held_until=call.at + order.held_for)
        return Item(evidence=kept.sha256, **{name: one[name] for name in ("store", "document", "owner", "provenance")})


def _calls(calls: Sequence[Mapping[str, Any]]) -> tuple[ToolCallSeen, ...]:
    return tuple(ToolCallSeen(**{name: one[name] for name in ToolCallSeen.model_fields if name in one}) for one in calls[:MOST])


def _suspicious(one: Mapping[str, Any], numbers: PromptInjection) -> bool:
    """By what the guardrails said of it; where they said nothing, by who vouches for it."""
    if one["score"] is None:
        return bool(one["provenance"] < numbers.vouched_for)
    return bool(one["score"] >= numbers.suspect_score)
