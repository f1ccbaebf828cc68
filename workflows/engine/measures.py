"""Temporary measures: what this incident imposed and has not lifted (design §4, spec §2.7)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from activities.action import Grant, Imposition, Limits, Measure, Order, Risk, Role, action_of
from workflows.incident import QuestionDraft, Silence
from workflows.status import InForce


@dataclass
class Imposed:
    """One measure with the order that imposed it, which carries the state before."""

    number: int
    measure: Measure[Any]
    order: Imposition
    since: datetime
    certain: bool = False
    grant: Grant | None = None  # under which it was imposed: it covers its own undo
    assumed: bool = False  # only noted: a plan, or shadow mode
    held_by: str = ""  # a named person, who keeps it in force: the incident may end with it
    lifted_at: datetime | None = None  # it is not in force any more, or never was
    _shown: tuple[Imposition, InForce] | None = field(default=None, repr=False)

    def shown(self) -> InForce:
        """As it is shown. Its commands are built only once for an order: it is asked for at every turn."""
        if self._shown is None or self._shown[0] is not self.order:
            order = self.order
            self._shown = order, InForce(
                number=self.number, name=self.name, target=order.target(), since=self.since, sticky=self.measure.sticky, certain=self.certain,
                lifts_by=order.inverse(), by_hand=self.undo.by_hand(), held_by=self.held_by,
            )  # fmt: skip
        shown = self._shown[1]
        shown.certain, shown.held_by = self.certain, self.held_by
        return shown

    @property
    def undo(self) -> Order:
        """The order that lifts it at once."""
        return self.order.undo()

    @property
    def name(self) -> str:
        return self.measure.name

    @property
    def says(self) -> str:
        return f"{self.measure.name}: {self.order.target()}"

    def risk(self, limits: Limits) -> Risk:
        """The class of imposing it, or of lifting it at once, whichever is graver."""
        return max(
            action_of(self.measure.impose).risk(self.order.imposed_by(), limits), action_of(self.measure.lift).risk(self.undo, limits)
        )

    def covers(self, orders: Sequence[Order]) -> tuple[str, ...]:
        """The digests under which a grant covers these steps of its lift."""
        return tuple(order.digest(action_of(self.measure.lift).name) for order in orders)


def lift_question(
    asks: str, measures: Sequence[Imposed], roles: tuple[Role, ...], *, shares: Sequence[float] = (), effect: str = "",
    facts: tuple[str, ...] = (), inverse: str = "impose again", silence: Silence = Silence.HOLD,
) -> QuestionDraft:  # fmt: skip
    """May these be lifted? `shares`: step by step, where a lift can be divided."""
    lifts = [(imposed, imposed.order.undo_steps(shares) if shares else (imposed.undo,)) for imposed in measures]
    return QuestionDraft(
        asks=asks, roles=roles, facts=facts, inverse=inverse, silence=silence,
        effect=effect or "; ".join(imposed.undo.effect() for imposed in measures),
        covers=tuple(digest for imposed, orders in lifts for digest in imposed.covers(orders)),
        by_hand=tuple(line for imposed in measures for line in imposed.undo.by_hand()),
    )  # fmt: skip


class Measures:
    """Registered before the impose call, so that a try whose reply was lost can still be lifted."""

    def __init__(self, within: "Measures | None" = None) -> None:
        """`within`: those of the incident, when a playbook that was called in begins its own."""
        self._imposed: list[Imposed] = []
        self._within, self._children = within, list[Measures]()
        self.lent = within is not None  # they are the called-in playbook's to lift, as long as it runs
        if within is not None:
            within._children.append(self)

    def register(self, measure: Measure[Any], order: Imposition, at: datetime) -> Imposed:
        """It may be in force from now on."""
        everything = self._within or self
        imposed = Imposed(len(everything._imposed) + 1, measure, order, at)
        self._imposed.append(imposed)
        if everything is not self:
            everything._imposed.append(imposed)
        return imposed

    @property
    def standing(self) -> list[Imposed]:
        """In force, latest first: the order in which they are lifted."""
        return [i for i in reversed(self._imposed) if i.lifted_at is None]

    def liftable(self, *, on_abort: bool = False) -> list[Imposed]:
        """What may be lifted, latest first. Sticky ones are never lifted on abort; the freeze only after the stability gate."""
        lent = {i.number for child in self._children if child.lent for i in child._imposed}
        return [i for i in self.standing if not i.held_by and not i.measure.until_stable and not i.measure.own_end
                and not (on_abort and i.measure.sticky) and i.number not in lent]  # fmt: skip

    def until_stable(self) -> list[Imposed]:
        """What is lifted last, when the stability gate has passed."""
        return [i for i in self.standing if not i.held_by and i.measure.until_stable]

    def of(self, measure: Measure[Any]) -> list[Imposed]:
        """The standing impositions of one measure in the whole incident, latest first."""
        return [i for i in (self._within or self).standing if i.measure is measure or i.measure.name == measure.name]

    def unheld(self) -> list[Imposed]:
        """What keeps the incident from resolving. What was only noted does not: it is not there."""
        return [i for i in self.standing if not i.held_by and not i.assumed]

    def felt(self) -> list[Imposed]:
        """By which customers get less than usual, whoever keeps it in force: latest first. Nothing is resolved over it."""
        return [i for i in self.standing if not i.assumed and i.order.felt()]

    def in_force(self) -> list[InForce]:
        """As it is shown, oldest first."""
        return [imposed.shown() for imposed in reversed(self.standing) if not imposed.assumed]
