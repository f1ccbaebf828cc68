"""The messages that people may send to a workflow: every message as a signal (Temporal UI) and as an update (CLI), under the same name.

Handlers take whatever was sent, `*given`, because Temporal drops a signal that does not fit its type, and wedges on one that has an argument
too few or too many (ADR 3). What was sent is read here, purely; what is not understood is refused with one sentence, and noted.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from activities.kit.words.redact import Redacted, codes_in, hide_codes
from workflows.errors import NotAccepted
from workflows.incident import WAIT, Alert, Incident

LONGEST = 4000  # characters of anything a person types that we keep

MESSAGES = {
    "approve": 'Yes to a question. Input: the personal code you were sent, as a JSON string: "3-4XQ2-M9KD". '
    'Or {"question": 3, "by": "dana", "reason": "…"} (self-declared)',
    "decline": 'No to a question. Input as for approve: "3-4XQ2-M9KD" or {"question": 3, "by": "dana", "reason": "…"}',
    "answer": 'Answer a question that wants a value: {"question": 3, "by": "dana", "value": …}',
    "retry": 'Try a failed step again: "3-4XQ2-M9KD" or {"question": 3, "by": "lee", "reason": "…"}',
    "skip": 'Leave a failed step out: "3-4XQ2-M9KD" or {"question": 3, "by": "lee", "reason": "…"}',
    "done_by_hand": 'A failed step was done by hand; it is verified: "3-4XQ2-M9KD" or {"question": 3, "by": "lee", "reason": "…"}',
    "hand_over": 'Stop the playbook and carry on by hand: "3-4XQ2-M9KD" or {"question": 3, "by": "dana", "reason": "…"}',
    "wait": 'Keep a question open, and page nobody about it for a while: {"question": 3, "by": "dana", "reason": "…"}',
    "code": 'Have a code for commands sent to your phone: "dana", or {"by": "dana"}. It goes with any command below, once',
    "acknowledge": 'Take the page, or accept the role you were offered; the first with the role takes command: {"by": "dana"}. '
    'Or the code for commands that you were sent: "0-4XQ2-M9KD"',
    "done": 'Tick a task for people: {"task": 2, "by": "lee", "text": "how it ended"}',
    "note": 'Put a line on the timeline: "text" or {"by": "dana", "text": "…", "about": "hypothesis|impact|scope"}',
    "assign": 'Give somebody a role, or offer one that somebody holds: {"role": "ops_lead", "to": "lee", "code": "0-…"}',
    "reclassify": 'Change the severity: {"severity": "SEV-1", "by": "dana", "reason": "…"}. Lowering it takes a code',
    "pause": 'Hold automation before its next change: {"by": "dana", "reason": "…"}',
    "resume": 'Let automation go on: the code for commands that you were sent, "0-4XQ2-M9KD"; or {"code": "0-…", "reason": "…"}',
    "do": 'Run one universal procedure: {"procedure": "roll-back", "service": "api", "by": "lee", "reason": "…"}',
    "widen": 'Let public updates come less often, once the cause is known and stable: {"by": "dana", "reason": "…"}',
    "stand_down": 'End the incident: what it imposed is lifted. {"by": "dana", "reason": "…", "false_alarm": false}. With measures in force: "code"',
}
M = TypeVar("M", bound=BaseModel)
VERDICTS = frozenset({"approve", "decline", "answer", "retry", "skip", "done_by_hand", "hand_over", WAIT})
# What a plain string means, by message: nearly always the code, so that it is a ten-second act in the Temporal UI.
BARE = {**dict.fromkeys((*VERDICTS, "acknowledge", "pause", "resume"), "code"), "note": "text", "code": "by"}


class Message(BaseModel):
    """What people may say beside an answer. One shape for all, so that a form needs no manual. A code stays nowhere but in `code`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str = ""
    reason: Redacted = ""
    text: Redacted = ""
    about: str = ""
    role: str = ""
    to: str = ""
    severity: str | int = ""
    false_alarm: bool = False
    question: int | None = None
    task: int | None = None
    code: str = ""
    value: Any = None
    procedure: str = ""
    service: str = ""
    flag: str = ""
    region: str = ""
    rps: float | None = None
    fields: dict[str, str] = {}

    @field_validator("*")
    @classmethod
    def _hide_codes(cls, value: Any, info: ValidationInfo) -> Any:
        return value if info.field_name == "code" else hide_codes(value)


def message_of(name: str, given: Sequence[object]) -> Message:
    """What was sent to an incident as the message `name`. Raises `NotAccepted`."""
    return read(name, given, Message, MESSAGES, BARE)


def read(name: str, given: Sequence[object], shape: type[M], examples: Mapping[str, str], bare: Mapping[str, str]) -> M:
    """What was sent. `bare`: the field that a plain string fills, by message. Raises `NotAccepted` with an example when it has another shape."""
    sent = only(name, given, examples)
    if isinstance(sent, str) and name in bare:
        return shape.model_validate({bare[name]: sent[:LONGEST]})
    if not isinstance(sent, dict):
        raise NotAccepted(f"{name} takes one JSON object. {examples[name]}")
    try:
        return shape.model_validate(sent)
    except ValidationError as wrong:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'input'}: {e['msg']}" for e in wrong.errors()[:3])
        raise NotAccepted(f"{name}: {problems}. {examples[name]}") from None


def incident_of(given: Sequence[object]) -> Incident:
    """How an incident was started. What cannot be understood is kept word for word: an incident is never refused for its form."""
    try:
        sent = only("start", given, MESSAGES) if given else {}
        return Incident.model_validate(sent if isinstance(sent, dict) else {"service": sent})
    except (ValidationError, NotAccepted) as wrong:
        problems = wrong.errors()[0]["msg"] if isinstance(wrong, ValidationError) else str(wrong)
        return Incident(refused_input=f"{_shown(given)} ({problems})")


def alert_of(given: Sequence[object]) -> Alert:
    """One delivery of an alert. Raises `NotAccepted`."""
    try:
        return Alert.model_validate(only("alert", given, MESSAGES))
    except ValidationError as wrong:
        raise NotAccepted(f"not an alert: {wrong.errors()[0]['msg']}") from None


def only(name: str, given: Sequence[object], examples: Mapping[str, str]) -> object:
    """The one thing that was sent. Raises `NotAccepted`, with the example of this message."""
    if not given:
        raise NotAccepted(f"{name}: empty input. {examples.get(name, '')}".strip())
    if len(given) > 1:
        raise NotAccepted(f"{name} takes one argument, not {len(given)}: {_shown(given)}")
    if isinstance(given[0], RawValue):
        raise NotAccepted(f"{name}: not valid JSON: {_shown(given)}")
    return given[0]


def codes_of(given: Sequence[object]) -> tuple[str, ...]:
    """Every code in what was sent, wherever in it."""
    return codes_in(_written(given))


def _shown(given: Sequence[object]) -> str:
    return hide_codes(_written(given)[:LONGEST])


def _written(given: Sequence[object]) -> str:
    plain = [g.payload.data.decode(errors="replace") if isinstance(g, RawValue) else g for g in given]
    return json.dumps(plain, default=str)


class Entries(Protocol):
    @property
    def entries(self) -> Sequence[BaseModel]: ...


class Account(Protocol):
    """What a workflow notes (`engine/state.py`)."""

    @property
    def timeline(self) -> Entries: ...

    def note(self, kind: str, text: str) -> None: ...


class Spends(Protocol):
    """Who spends codes (`access.py`)."""

    async def spend(self, name: str, given: Sequence[object]) -> None: ...


class Hears(NamedTuple):
    account: Account
    access: Spends


class MessageReceiver:
    """A workflow that people can send messages to. What is sent reaches `receive`; what cannot be accepted reaches `refuse`, and harms nothing."""

    messages: ClassVar[Mapping[str, str]] = {}  # the messages it takes, each with an example

    async def receive(self, name: str, given: Sequence[object]) -> Any:
        """Act on one message; what is returned is what its sender reads. Raises `NotAccepted`."""
        raise NotImplementedError

    @property
    def hears(self) -> "Hears":
        """Where it notes what it hears, and who spends codes."""
        raise NotImplementedError

    def refuse(self, name: str, given: Sequence[object], why: str) -> None:
        """Note what was not accepted: an attempt belongs in the history. What was sent is not repeated: it may be somebody's code."""
        self.hears.account.note("refused", f"{name}: {why}")

    async def spend_codes(self, name: str, given: Sequence[object]) -> None:
        """Spend the codes that are anywhere in a message, and were not used to see who sent it: all of it stands in the history."""
        await self.hears.access.spend(name, given)

    @workflow.query(description="The timeline: numbered, chained, in UTC")
    def timeline(self, *given: Any) -> list[dict[str, Any]]:
        return [entry.model_dump(mode="json") for entry in self.hears.account.timeline.entries]

    @workflow.signal(dynamic=True, description="Not a message: pick one of the names below")
    async def unknown(self, name: str, given: Sequence[RawValue]) -> None:
        """A signal whose name we do not know is noted, not buffered in silence."""
        self.refuse(name, given, f"there is no message {hide_codes(name)!r}; there are {', '.join(self.messages)}")
        await self.spend_codes("unknown", (name, *given))


def add_message_handlers(
    receiver: type[MessageReceiver], messages: Mapping[str, str], parse: Callable[[str, Sequence[object]], object]
) -> None:
    """Give a workflow a signal and an update for every message. `parse` raises `NotAccepted` when the shape is wrong."""
    receiver.messages = messages
    for name, description in messages.items():
        setattr(receiver, f"{name}_signal", _signal(name, description))
        setattr(receiver, f"{name}_update", _update(name, description, parse))


def _signal(name: str, description: str) -> Callable[..., Awaitable[None]]:
    async def signal(self: MessageReceiver, *given: Any) -> None:
        try:
            await self.receive(name, given)
        except NotAccepted as no:
            self.refuse(name, given, hide_codes(str(no)))
        await self.spend_codes(name, given)

    return workflow.signal(name=name, description=description)(signal)


def _update(name: str, description: str, parse: Callable[[str, Sequence[object]], object]) -> Any:
    async def update(self: MessageReceiver, *given: Any) -> Any:
        try:
            answer = await self.receive(name, given)
        except NotAccepted as no:
            self.refuse(name, given, why := hide_codes(str(no)))
            await self.spend_codes(name, given)
            raise ApplicationError(why, type=type(no).__name__, non_retryable=True) from None
        await self.spend_codes(name, given)
        return answer

    declared: Any = workflow.update(name=name, description=description)(update)

    @declared.validator  # type: ignore[untyped-decorator]
    def validate(self: MessageReceiver, *given: Any) -> None:
        """Shape only. Whether the sender may is decided in the handler, so that an attempt leaves a trace."""
        try:
            parse(name, given)
        except NotAccepted as no:
            raise ApplicationError(hide_codes(str(no)), type="NotAccepted", non_retryable=True) from None

    return declared


class MessageHandlers(MessageReceiver):
    """An incident's messages; the playbook decides what they do."""

    alert_update = _update("alert", "One more delivery of an alert, from the receiver", lambda _, given: alert_of(given))


add_message_handlers(MessageHandlers, MESSAGES, message_of)
