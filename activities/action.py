"""The words that both sides of the activity boundary need.

An *order* says what is wanted of a system, in values only. A *verb* carries an order out. `@action` declares a verb's risk, who may
grant it and how patient we are with it, where the verb is defined; nothing about that is decided where it is called.

The outcomes, and there is no other::

    returns            the order is carried out and proven by reading back
    raises Refused     the system (or a rule of ours) says no, and will say no again: do not retry
    raises NotYet      not now, or not proven yet: try again after a while
    raises Contended   another incident holds the same thing and needs it otherwise (`kit/holding.py`): a person decides
    (any other exception means that we do not know; the next attempt looks before it acts)
"""

import functools
import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from pydantic import JsonValue, SerializerFunctionWrapHandler, model_serializer
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.kit.holding import Alone, Holders
from activities.kit.pulse import beating, begins
from activities.kit.validity import VALIDITY, Validity, server_time
from activities.limits import Limits, StandsOn, spare_ourselves
from activities.outcomes import ON_THE_BOOK, Expired, Lapsed, NotYet, Refused
from activities.values import Concern, Patience, Risk, Role, Value, filled

__all__ = [
    "Expired",
    "Lapsed",
    "Limits",
    "NotYet",
    "Patience",
    "Refused",
    "Risk",
    "Role",
    "StandsOn",
    "Value",
]  # most rooms take these from here


class Order(Value):
    """What is wanted of a system. It carries references, never secrets; it can say itself to a person.

    Declared with the class, as templates over its fields (`"ticket {number}"`), where a template can say it: the `target` and the `effect`.
    """

    # Fields that say *from where* we act, not *what* we do: they may change without asking the approver again.
    volatile: ClassVar[frozenset[str]] = frozenset()
    acts_on: ClassVar[str] = ""
    does: ClassVar[str] = ""
    undone: ClassVar[str] = "nothing to undo: it only looks"  # how it is undone, in one sentence; also a template

    def __init_subclass__(cls, *, target: str = "", effect: str = "") -> None:
        super().__init_subclass__()
        cls.acts_on, cls.does = target or cls.acts_on, effect or cls.does

    def target(self) -> str:
        """What is acted on, as it stands in keys, the effect log and the screen."""
        return filled(self.acts_on, self)

    def workloads(self) -> tuple[str, ...]:
        """The workloads that it acts on, each as `name` and as `namespace/name`: none of them may be one of our own."""
        return ()

    def assets(self) -> tuple[str, ...]:
        """The credentials, secrets, databases and hosts that it takes from whoever uses them: none of them may be one of our own."""
        return ()

    def effect(self) -> str:
        """What will be different afterwards, in one sentence."""
        return filled(self.does, self)

    def inverse(self) -> str:
        """How it is undone, in one sentence."""
        return filled(self.undone, self)

    def by_hand(self) -> tuple[str, ...]:
        """The exact shell commands, with real values, that do the same without us."""
        return ()

    def done(
        self,
        proven_by: str,
        summary: str = "",
        *,
        adopted: bool = False,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> "Effect":
        """The effect of having carried it out. `summary`: where there is more to say than the order's own sentence."""
        return Effect(
            target=self.target(),
            summary=summary or self.effect(),
            proven_by=proven_by,
            adopted=adopted,
            before=before or {},
            after=after or {},
        )

    def puts_back(self) -> bool:
        """Whether it only puts back what was before: that needs no evidence that something is wrong."""
        return False

    def within_limits(self, limits: Limits) -> bool:
        """Whether a standing policy may cover it: it goes no further than what was signed for (spec §2.5.6)."""
        return True

    def left_to(self, others: str) -> "Effect":
        """Nothing was done, because others still need it as it is."""
        return self.done("our hold has ended, nothing was written", f"{self.target()} is left as it is, for {others}", adopted=True)

    def digest(self, verb: str) -> str:
        """What an approval is bound to: verb, target and parameters (spec §2.5)."""
        wanted = self.model_dump(mode="json", exclude=set(self.volatile))
        return digest({"verb": verb, "target": self.target(), "order": wanted})


STANDING = "standing policy"  # the basis of a grant that two people signed beforehand


class Grant(Value):
    """A person's yes (or a signed standing policy's), to exactly the orders whose digests it covers."""

    question: int
    covers: tuple[str, ...]
    by: tuple[str, ...]
    verified: bool
    at: datetime
    expires_at: datetime
    basis: str = "answer"  # answer | standing policy | stand-down | assumed (a plan or shadow mode: it authorises nothing)

    @property
    def ended(self) -> str:
        """What is said when it was not used in time."""
        what = f"the approval of {self.at:%H:%M:%S}" + (f" (question {self.question})" if self.question else "")
        return f"{what} ended at {self.expires_at:%H:%M:%S} UTC, before it could be carried out"


class Call(Value):
    """How a verb is called: by whom, for which incident, at what workflow instant, under which key."""

    incident_id: str
    key: str  # incident/verb/target/n, the same over retries and over a person's *retry*
    at: datetime  # the workflow's now: every reading is taken at this instant, so that a retried reading answers the same
    pace: float = 1.0  # policy seconds per real second
    again: bool = False  # a person said *retry*, so an earlier try may have reached the system
    grant: Grant | None = None
    limits: Limits = Limits()
    observe_only: bool = False
    concern: Concern = Concern.AVAILABILITY  # what its incident is about
    write_access: tuple[str, ...] | None = None  # the systems that may be written to; None: all (shadow mode names those it was granted)

    @model_serializer(mode="wrap")
    def _without_defaults(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """It stands in the history with every activity: what is as usual is left out."""
        usual = {name: field.default for name, field in type(self).model_fields.items()}
        return {name: value for name, value in whole(self).items() if getattr(self, name) != usual[name]}


# Our own record and our own store of exports: written whatever the mode is.
OURS = frozenset({"ledger", "evidence"})


class Effect(Value):
    """A change that was read back from the system concerned (design §2: a "200 OK" is not an effect)."""

    target: str
    summary: str
    proven_by: str
    adopted: bool = False  # it was so already: somebody did it by hand, or an earlier try had reached the system
    assumed: bool = False  # it was only said: a plan, or shadow mode. Nothing was done
    before: dict[str, JsonValue] = {}
    after: dict[str, JsonValue] = {}
    seen_at: datetime | None = None  # of a change that was watched for minutes: the instant at which that ended (ADR 9)
    late_until: datetime | None = None  # an earlier attempt of ours, whose outcome nobody knows, may still take effect until then


O = TypeVar("O", bound=Order)
A = TypeVar("A")
Verb = Callable[[Any, O, Call], Awaitable[A]]
RiskOf = Risk | Callable[[Any, Limits], Risk]  # a function of the order, where it depends on it


@dataclass(frozen=True)
class Action:
    """What `@action` declared about a verb."""

    name: str
    risk: Callable[[Any, Limits], Risk]
    asks: tuple[Role, ...]
    patience: Patience
    writes: bool
    on_suspicion: bool = False  # it changes nothing that customers use: our own deploys are held back, or people are told
    contains: bool = False  # it keeps harm from spreading: whether to do it is still to be decided when the symptom has ended

    @property
    def system(self) -> str:
        return self.name.partition(".")[0]


class Book(Protocol):
    """Where a system writes what it did, in its own activity, so that the record does not depend on the next workflow task."""

    async def began(self, name: str, risk: Risk, order: Order, call: Call, attempt: int) -> None:
        """A try is about to touch the target."""

    async def ended(self, call: Call, outcome: str, effect: Effect | None, why: str) -> None:
        """The try ended: `done`, `adopted`, `refused`, `not yet` or `unknown`."""


class System:
    """A system outside, with its verbs. A verb can be driven alone in a test: without a book, and as if nobody held anything."""

    book: Book | None = None
    holders: Holders = Alone()
    stands_on: StandsOn = StandsOn()


def action(
    name: str, *, risk: RiskOf = Risk.C0, asks: tuple[Role, ...] = (Role.OPS_LEAD,), patience: Patience | None = None,
    writes: bool = False, on_suspicion: bool = False, contains: bool = False,
) -> Callable[[Verb[O, A]], Verb[O, A]]:  # fmt: skip
    """Declare a verb: its wire name `system.verb`, its risk (a function of the order, or fixed), and whom it asks.

    The verb refuses to run at C2 and above without a grant that covers this very order, even if a caller forgot to ask.
    `writes` marks a C0 verb that has an effect all the same (a page, a message to our own people): it goes on the book too.
    """
    declared_risk: Callable[[Any, Limits], Risk] = (lambda _order, _limits: risk) if isinstance(risk, Risk) else risk

    def of_order(order: Any, limits: Limits) -> Risk:
        """Over what another incident needs, only on a person's word."""
        return max(Risk.C2, declared_risk(order, limits)) if getattr(order, "over", ()) else declared_risk(order, limits)

    changes = writes or risk is not Risk.C0

    def declare(verb: Verb[O, A]) -> Verb[O, A]:
        @functools.wraps(verb)
        async def guarded(system: System, order: O, call: Call) -> A:
            begins()
            level = of_order(order, call.limits)
            if level >= Risk.C1 and call.observe_only:
                raise Refused("automation is set to observe only; lift it, then retry")
            if changes:
                spare_ourselves(order.workloads(), order.assets(), call.limits, system.stands_on)
            if changes and call.write_access is not None and declared.system not in OURS | set(call.write_access):
                raise Refused(f"shadow mode: {declared.system} was not granted write access (organisation.toml, [policy] write_access)")
            VALIDITY.set(None)
            if level >= Risk.C2:
                _check_grant(name, order, call)
            async with beating() if declared.patience is not Patience.WATCH else nullcontext():  # a verb that watches beats by itself
                if not changes or system.book is None:
                    return await verb(system, order, call)
                return await _on_the_book(name, level, verb, system, system.book, order, call)

        usual = Patience.CHANGE if changes else Patience.READ
        declared = Action(name, of_order, asks, patience or usual, changes, on_suspicion, contains)
        guarded.__action__ = declared  # type: ignore[attr-defined]
        return activity.defn(name=name)(guarded)

    return declare


def action_of(verb: Verb[Any, Any]) -> Action:
    declared: Action = verb.__action__  # type: ignore[attr-defined]
    return declared


def answer_of(verb: Verb[Any, A]) -> type[A]:
    """The type of what a verb answers."""
    answer: type[A] = inspect.get_annotations(inspect.unwrap(verb), eval_str=True)["return"]
    return answer


def _check_grant(name: str, order: Order, call: Call) -> None:
    if call.grant is None:
        raise Refused(f"{name} on {order.target()} needs an approval and has none")
    if call.grant.basis == "assumed":
        raise Refused(f"{name} on {order.target()} was only assumed to be approved, in a plan or in shadow mode")
    if call.grant.basis == STANDING and not order.within_limits(call.limits):
        raise Refused(f"no standing policy covers {order.effect()}: it is beyond its limits (organisation.toml, [policy.limits])")
    if order.digest(name) not in call.grant.covers:
        raise Refused(f"the approval of question {call.grant.question} is for something else than {name} on {order.target()}")
    left = call.grant.expires_at - server_time(call.at)
    if left < timedelta(0):
        raise Expired(call.grant.ended, activity.info().attempt if activity.in_activity() else 1)
    VALIDITY.set(Validity(left))


async def _on_the_book(name: str, risk: Risk, verb: Verb[O, A], system: System, book: Book, order: O, call: Call) -> A:
    """Write what happens to the target, whatever happens: an effect that nobody recorded cannot be undone."""
    attempt = activity.info().attempt if activity.in_activity() else 1
    await book.began(name, risk, order, call, attempt)
    try:
        answer = await verb(system, order, call)
    except ApplicationError as said:
        await book.ended(call, ON_THE_BOOK.get(said.type or "", "unknown"), None, said.message)
        raise
    except Exception as broke:
        await book.ended(call, "unknown", None, f"{type(broke).__name__}: {broke}")
        raise
    effect = answer if isinstance(answer, Effect) else None
    await book.ended(call, "adopted" if effect and effect.adopted else "done", effect, "")
    return answer


class Imposition(Order):
    """An order for a temporary measure: it knows how to look first, and what lifts it again.

    `over`: other incidents that hold the same and need it otherwise; a person decided that they yield (spec §11).
    """

    over: tuple[str, ...] = ()

    def look(self) -> Order:
        """The order that reads the state before."""
        raise NotImplementedError

    def given(self, prior: Any) -> Self:
        """The same order, carrying the state before and its version."""
        raise NotImplementedError

    def late_until_known(self, until: datetime) -> Self:
        """The same order, knowing that an earlier attempt of it may still take effect until then."""
        return self

    def undo(self) -> Order:
        """The order that puts the state before back. Call it on an order that carries it."""
        raise NotImplementedError

    def undo_at_once(self) -> Order:
        """The same in one step, not watched: what it has brought about is clearly worse than what was before."""
        return self.undo()

    def imposed_by(self) -> Order:
        """The order that the verb of its measure carries out: this one, unless a procedure imposes it by a step of its own."""
        return self

    def felt(self) -> bool:
        """Whether customers get less than usual while it is in force: then nothing is called resolved."""
        return False

    def concerns_nobody(self) -> bool:
        """Whether there is nobody and nothing that it would act on, so that nothing needs to be done."""
        return False

    def met(self, now: Any) -> bool | None:
        """Whether what was looked at is as this order wants it, whoever brought it about. None: it cannot be told by looking."""
        return None

    def undo_steps(self, shares: Sequence[float]) -> tuple[Order, ...]:
        """The orders that put it back step by step, up to each share of the whole (INV-19). One, where it cannot be divided."""
        return (self.undo(),)


I = TypeVar("I", bound=Imposition)


@dataclass(frozen=True)
class Measure(Generic[I]):
    """A temporary measure: a pair of impose and lift. Sticky ones are never lifted on abort (spec §2.7).

    `until_stable`: lifted last, and only after the stability gate (the change freeze: INV-6). `own_end`: never lifted with the others; it
    ends by a procedure of its own (a pinned revision, by a canary of the next one).
    """

    name: str
    look: Verb[Any, Any]
    impose: Verb[I, Effect]
    lift: Verb[Any, Effect]
    sticky: bool = False
    until_stable: bool = False
    own_end: bool = False


def digest(wanted: Any) -> str:
    """SHA-256 over the canonical JSON of a value, in hex."""
    return hashlib.sha256(json.dumps(wanted, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()
