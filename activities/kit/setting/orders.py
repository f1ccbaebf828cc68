"""The words of a setting: what it is, how it was read, and the three orders that every setting has."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from activities.action import Imposition, Order, Value, digest
from activities.kit.words.code_names import to_others
from activities.kit.words.shell import comment
from activities.organisation.numbers import MitigationSettings
from activities.values import filled, span


class Resource(Value):
    """Which setting, and how a person reads and writes it without us. `str` says it to people (`the gateway of api`)."""

    def target(self) -> str:
        """As it stands in keys and on the screen: `service/api/gateway`."""
        raise NotImplementedError

    def workloads(self) -> tuple[str, ...]:
        """The workloads that are acted on (`Order.workloads`)."""
        return ()

    def assets(self) -> tuple[str, ...]:
        """What is taken from whoever uses it (`Order.assets`)."""
        return ()

    def concerns_nobody(self) -> bool:
        """Whether nobody and nothing is concerned, so that nothing needs to be done."""
        return False

    def read_by_hand(self) -> tuple[str, ...]:
        """Shell commands that show it."""
        raise NotImplementedError

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        """Shell commands that set it; `prior`: the value that they may replace, where a tool can check that."""
        raise NotImplementedError

    def watch_by_hand(self, value: Any) -> tuple[str, ...]:
        """Shell commands that show whether a step back did harm, or whether the next may be taken."""
        return ()


class SettingValue(Value):
    """All that one write sets. `str` says it to people.

    Declared with the class, as templates over its fields, where a template can say it: what it is (`str`); as sentences what imposing it on a
    resource (`{of}`) does, and what putting it back does.
    """

    _says: ClassVar[str] = ""
    _effect: ClassVar[str] = "set {of} to {self}"
    _back: ClassVar[str] = "set {of} back to {self}"
    volatile: ClassVar[frozenset[str]] = frozenset()  # facts by which it was decided: they may change without asking the approver again

    def __init_subclass__(cls, *, says: str = "", effect: str = "", back: str = "") -> None:
        super().__init_subclass__()
        cls._says, cls._effect, cls._back = says or cls._says, effect or cls._effect, back or cls._back

    def __str__(self) -> str:
        return filled(self._says, self)

    @property
    def felt(self) -> bool:
        """Whether customers get less than usual while it is in force."""
        return False

    def same(self, other: Self) -> bool:
        """Whether it is the same setting."""
        return self == other

    def met(self, now: Self) -> bool:
        """Whether what is in force is as this wants it, whoever brought it about."""
        return self.same(now)

    def parts(self) -> dict[str, Self]:
        """What different incidents may hold independently, by name: the mode of each tenant. Usually it is one thing."""
        return {"": self}

    @classmethod
    def whole(cls, parts: Mapping[str, Self]) -> Self:
        """The value that has these parts."""
        return next(iter(parts.values()))

    def both(self, other: Self) -> Self | None:
        """The value that serves an incident that needs this and one that needs the other; None: there is none, and they contend."""
        return self if self.same(other) else None

    def between(self, before: Self, now: Self) -> bool:
        """Whether `now` is what a write of ours from `before` to this leaves when it breaks off. Only where one write is not one step."""
        return False

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """The steps back to the setting before; the last one is that setting. `shares`: of the whole, where others say how it is divided."""
        return (before,)

    def pause(self, numbers: MitigationSettings) -> timedelta:
        """How long each step back is watched (policy time)."""
        return timedelta(0)

    def effect(self, of: Any) -> str:
        """What imposing it on a resource does, in one sentence."""
        return filled(self._effect, self, of=of, self=self)

    def back(self, of: Any) -> str:
        """What putting it back does, in one sentence."""
        return filled(self._back, self, of=of, self=self)


V = TypeVar("V", bound=SettingValue)
T = TypeVar("T", bound=Resource)


class Reading(Value, Generic[V]):
    """A setting as it was read.

    `version`: changes with every change of it ("" where there is none); `epoch`: a number that only grows, and that a write must raise
    (None where there is none); `changed_by`: "" where nobody knows. A system that shows more derives a class of its own.
    `before`: what an undo of ours goes back to, where another incident holds it by now (None: the value); `held`: by whom, and what they need.
    """

    value: V
    version: str = ""
    epoch: int | None = None
    changed_by: str = ""
    before: V | None = None
    held: tuple[str, ...] = ()

    def meets(self, wanted: V) -> bool:
        """Whether what is in force is as wanted, whoever brought it about."""
        return wanted.met(self.value)

    @property
    def author(self) -> str:
        return to_others(self.changed_by) or "somebody"

    @property
    def fenced(self) -> bool:
        """Whether a late write can be told from a new one by the system itself."""
        return self.epoch is not None or bool(self.version)


class Look(Order, Generic[T]):
    of: T

    def target(self) -> str:
        return self.of.target()

    def effect(self) -> str:
        return f"read {self.of}"

    def by_hand(self) -> tuple[str, ...]:
        return self.of.read_by_hand()


class Restore(Order, Generic[T, V]):
    """Put a setting back, step by step; each is watched before the next.

    `left` is what we left in force, `goal` what it was before. `late_until`: until then an earlier write of ours may still arrive.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"late_until"})

    of: T
    steps: tuple[V, ...]
    left: V
    goal: V
    pause: timedelta = timedelta(0)
    numbers: MitigationSettings = MitigationSettings()
    late_until: datetime | None = None

    def puts_back(self) -> bool:
        return True

    def target(self) -> str:
        return self.of.target()

    def workloads(self) -> tuple[str, ...]:
        return self.of.workloads()

    def assets(self) -> tuple[str, ...]:
        return self.of.assets()

    def effect(self) -> str:
        steps = f", in {len(self.steps)} steps" if len(self.steps) > 1 else ""
        watched = f", {'each ' if steps else ''}watched for {span(self.pause)}" if self.pause else ""
        return self.steps[-1].back(self.of) + steps + watched

    def inverse(self) -> str:
        return f"{self.left.effect(self.of)} once more"

    def by_hand(self) -> tuple[str, ...]:
        lines: list[str] = []
        for n, step in enumerate(self.steps, start=1):
            if self.pause:
                lines.append(comment(f"step {n} of {len(self.steps)}: {step}; then watch for {span(self.pause)}"))
            lines += self.of.write_by_hand(step)
            if n < len(self.steps) or self.pause:
                lines += self.of.watch_by_hand(step)
        return tuple(lines)


class Change(Imposition, Generic[T, V]):
    """Change a setting for a while. `prior`: as it was before, and what the write is fenced by."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "late_until"})

    of: T
    wanted: V
    why: str = ""
    numbers: MitigationSettings = MitigationSettings()
    prior: Reading[V] | None = None
    late_until: datetime | None = None

    def target(self) -> str:
        return self.of.target()

    def workloads(self) -> tuple[str, ...]:
        return self.of.workloads()

    def assets(self) -> tuple[str, ...]:
        return self.of.assets()

    def effect(self) -> str:
        return self.wanted.effect(self.of) + (f": {self.why}" if self.why else "")

    def inverse(self) -> str:
        if self.prior is None:
            return f"put {self.of} back to what it was"
        back = self.undo().effect()
        return f"{back}; while others hold it, as they need it" if self.prior.held else back

    def by_hand(self) -> tuple[str, ...]:
        return self.of.write_by_hand(self.wanted, self.prior.value if self.prior else None)

    def digest(self, verb: str) -> str:
        left_out: dict[str, Any] = {**dict.fromkeys(self.volatile, True), "wanted": set(self.wanted.volatile)}
        wanted = self.model_dump(mode="json", exclude=left_out if self.wanted.volatile else set(self.volatile))
        return digest({"verb": verb, "target": self.target(), "order": wanted})

    def look(self) -> Look[T]:
        return cast("Look[T]", _of(Look, self.of)(of=self.of))

    def concerns_nobody(self) -> bool:
        return self.of.concerns_nobody()

    def met(self, now: Reading[V]) -> bool:
        return now.meets(self.wanted)

    def felt(self) -> bool:
        return self.wanted.felt and not (self.prior is not None and self.wanted.same(self._before()))

    def given(self, prior: Reading[V]) -> Self:
        told = Reading[Any].model_fields
        plain = _of(Reading, self.wanted)(**{name: getattr(prior, name) for name in told})
        return self.model_copy(update={"prior": plain})

    def late_until_known(self, until: datetime) -> Self:
        return self.model_copy(update={"late_until": until})

    def undo(self) -> Restore[T, V]:
        before = self._before()
        return self._back(self.wanted, *self.wanted.way_back(before, self.numbers, None))

    def undo_at_once(self) -> Restore[T, V]:
        return self._back(self.wanted, self._before()).model_copy(update={"pause": timedelta(0)})

    def undo_steps(self, shares: Sequence[float]) -> tuple[Order, ...]:
        steps = self.wanted.way_back(self._before(), self.numbers, shares)
        return tuple(self._back(since, to) for since, to in pairwise((self.wanted, *steps)))

    def _before(self) -> V:
        if self.prior is None:
            raise ValueError(f"this order does not carry what {self.of} was before; read it first")
        return self.prior.before or self.prior.value

    def _back(self, left: V, *steps: V) -> Restore[T, V]:
        made = _of(Restore, self.of, self.wanted)(
            of=self.of, steps=steps, left=left, goal=self._before(), pause=self.wanted.pause(self.numbers), numbers=self.numbers,
            late_until=self.late_until,
        )  # fmt: skip
        return cast("Restore[T, V]", made)


def _of(generic: Any, *values: Value) -> Any:
    """The generic class for the exact types of these values: what crosses the activity boundary is read back as what it was."""
    return generic[tuple(map(type, values)) if len(values) > 1 else type(values[0])]
