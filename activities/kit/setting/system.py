"""A setting: a value of a system outside that is changed for a while and put back.

A system declares its resource and its value, how it is read and written, and how a change is proven. All the rest is derived, once for all.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Generic, cast

from typing_extensions import TypeVar

from activities.action import Call, Effect, Measure, Patience, Refused, Risk, RiskOf, Role, System
from activities.kit.clock import Clock, RealClock
from activities.kit.fence import attempts, by_now
from activities.kit.pulse import beating
from activities.kit.setting.orders import Change, Look, Reading, Resource, Restore, SettingValue
from activities.kit.setting.sharing import Shared, Sharing
from activities.kit.setting.write import Settled, Writing, bring_about, effect
from activities.kit.verbs import arguments, derive
from activities.organisation.numbers import MitigationSettings

LANDS_WITHIN = timedelta(seconds=10)  # real time in which a request that nobody answered may still take effect: a whole attempt of a change

T = TypeVar("T", bound=Resource)
V = TypeVar("V", bound=SettingValue)
R = TypeVar("R", bound=Reading[Any], default=Reading[Any])


class Setting(System, Generic[T, V, R]):
    """One kind of setting. `R`: the reading, where it shows more than the value.

    Declared with the class: the wire names of its three verbs, the risk of changing it (a function of the order where it depends on it) and
    of putting it back (the same, if it is not given), who is asked (`restore_asks`: where others are before it is put back), and `watched`:
    its steps back are minutes long. `contains`: as in `Action`.
    """

    changes: ClassVar[str]  # the wire name of the verb that changes it
    value: ClassVar[type[Any]]
    reading: ClassVar[type[Any]]
    values_compare: bool = False  # the version changes also when nobody changed the setting, so that values are compared
    clock: Clock = RealClock()

    def __init_subclass__(
        cls, *, read: str = "", change: str = "", restore: str = "", risk: RiskOf = Risk.C2, restore_risk: RiskOf | None = None,
        asks: tuple[Role, ...] = (Role.OPS_LEAD,), restore_asks: tuple[Role, ...] = (), watched: bool = False, contains: bool = False,
    ) -> None:  # fmt: skip
        super().__init_subclass__()
        if not change:
            return
        of, value, *shown = arguments(cls, Setting)
        cls.value, cls.changes = value, change
        plain: Any = Reading.__class_getitem__(value)
        cls.reading = shown[0] if shown and isinstance(shown[0], type) and shown[0] is not Reading[Any] else plain
        to, back = Change.__class_getitem__((of, value)), Restore.__class_getitem__((of, value))
        declared = {"asks": restore_asks or asks, "patience": Patience.WATCH if watched else Patience.CHANGE}
        derive(cls, "read", Setting.read, read, Look.__class_getitem__(of), cls.reading)
        derive(cls, "change", Setting.change, change, to, Effect, risk=risk, asks=asks, contains=contains)
        derive(cls, "restore", Setting.restore, restore, back, Effect, risk=risk if restore_risk is None else restore_risk, **declared)

    # ---- what a system declares ----

    async def look_at(self, call: Call, of: T) -> R:
        """The setting now. What cannot be told raises: absence is no proof."""
        raise NotImplementedError

    async def survey(self, call: Call, of: T) -> R:
        """The setting now, with the facts that playbooks judge by, where its reading has more of them than a write needs."""
        return await self.look_at(call, of)

    async def write(self, call: Call, of: T, wanted: V, over: R, epoch: int) -> None:
        """Write it over what was read, at this epoch where there are epochs. Raises `Conflict` when it is not what was read any more."""
        raise NotImplementedError

    async def check(self, call: Call, order: Change[T, V] | Restore[T, V], to: V) -> None:
        """Just before a write: raises `Refused` when it must not be made, `NotYet` when it may be later."""

    async def shown(self, call: Call, of: T, value: V) -> str:
        """See a value outside, and say where; where a change and a step back are proven alike. Raises `NotYet` until it shows."""
        return ""

    async def prove(self, call: Call, order: Change[T, V], now: R) -> str:
        """See the change outside, and say where. Raises `NotYet` until it shows."""
        return await self.shown(call, order.of, order.wanted)

    async def prove_step(self, call: Call, order: Restore[T, V], step: V) -> str:
        """See a step back outside, and say where. Raises `NotYet` until it shows."""
        return await self.shown(call, order.of, step)

    async def trouble(self, call: Call, order: Restore[T, V], step: V) -> str:
        """What is wrong after a step back was watched; empty when nothing is."""
        return ""

    # ---- what is derived for those who use it ----

    @classmethod
    def order(cls, of: T, wanted: V, *, why: str = "", numbers: MitigationSettings | None = None) -> Change[T, V]:
        made: Any = Change.__class_getitem__((type(of), type(wanted)))
        return cast("Change[T, V]", made(of=of, wanted=wanted, why=why, numbers=numbers or MitigationSettings()))

    @classmethod
    def look(cls, of: T) -> Look[T]:
        made: Any = Look.__class_getitem__(type(of))
        return cast("Look[T]", made(of=of))

    @classmethod
    def measure(cls, name: str, *, sticky: bool = False, until_stable: bool = False, own_end: bool = False) -> Measure[Change[T, V]]:
        kinds = {"sticky": sticky, "until_stable": until_stable, "own_end": own_end}
        return Measure(name, look=cls.read, impose=cls.change, lift=cls.restore, **kinds)

    # ---- how it is done: the three verbs, which every system has with its own names and risks ----

    async def read(self, order: Look[T], call: Call) -> R:
        """The setting now, and who holds it."""
        now = await self.survey(call, order.of)
        before, held = await self._sharing.before(call, order.of, now.value)
        return now.model_copy(update={"before": before, "held": held}) if held else now

    async def change(self, order: Change[T, V], call: Call) -> Effect:
        """Changed, read back, and seen outside. Raises `Refused` when somebody else changed it since, `NotYet` until it shows, `Contended`."""
        prior = order.prior.value if order.prior else (await self.look_at(call, order.of)).value
        shared = await self._sharing.taken(call, order, prior)
        try:
            made = await bring_about(self, call, shared.order, shared.order.wanted)
        except Refused:
            await self._sharing.dropped(call, order)
            raise
        seen = await self.prove(by_now(call), shared.order, made.after)
        done = effect(call, order, order.prior.value if order.prior else made.before.value, made, _listed(seen, shared.said))
        unsure = attempts(call) > 1 and not made.after.fenced
        return done.model_copy(update={"late_until": by_now(call).at + LANDS_WITHIN}) if unsure else done

    async def restore(self, order: Restore[T, V], call: Call) -> Effect:
        """Back step by step, each watched; what other incidents need stays.

        Raises `Refused` when it is not as we left it, or when a step brought trouble and was taken back.
        """
        shared = await self._sharing.lifting(call, order)
        done = await (self._left_to_others(shared, order, call) if shared.done else self._restored(shared, call))
        await self._sharing.left(call, order)
        return done

    async def _left_to_others(self, shared: Shared, order: Restore[T, V], call: Call) -> Effect:
        now = (await self.look_at(call, order.of)).value
        told = now.model_dump(mode="json")
        return order.left_to(shared.said).model_copy(update={"proven_by": f"it shows {now}", "before": told, "after": told})

    async def _restored(self, shared: Shared, call: Call) -> Effect:
        order: Restore[T, V] = shared.order
        await self.look_at(call, order.of)
        before = await self.look_at(call, order.of)  # twice: nothing else would show that the first reading was stale
        at = next((n for n in reversed(range(len(order.steps))) if order.steps[n].same(before.value)), -1)  # the step in force; -1: none
        if order.goal.same(order.left):
            if at < 0:
                raise Refused(f"conflict: {before.author} has changed {order.of}, and we had left it as it was: {before.value}")
            return effect(call, order, before.value, Settled(before, before, wrote=False), "there was nothing to put back")
        writing = partial(self._sharing.moving, call, order, shared.said)
        made, seen, ended = await self._put_back(order, call, before, at, writing)
        again = await self._look_again(order, call, made.after, writing)
        needed = f"still needed by {shared.said}" if shared.said else ""
        return effect(call, order, before.value, made, _listed(seen, again, needed), ended)

    @property
    def _sharing(self) -> Sharing:
        return Sharing(self.holders, self.changes, self.value)

    async def _put_back(
        self, order: Restore[T, V], call: Call, before: R, at: int, writing: Writing
    ) -> tuple[Settled[R], str, datetime | None]:
        """What came of it, what was seen, and when watching ended. What people put back is adopted, and not watched."""
        theirs = at == len(order.steps) - 1 and before.changed_by not in ("", call.incident_id)
        if theirs or (at < 0 and order.goal.same(before.value)):
            seen = await self.prove_step(by_now(call), order, order.steps[-1] if theirs else order.goal)
            return Settled(before, before, wrote=False), _listed(seen, "not watched" if order.pause else ""), None
        ended, took, seen = await self._step_back(order, call, at, _first(order, at, before.value), writing)
        made = Settled(before, await self.look_at(call, order.of), wrote=took)
        if not order.pause:
            return made, seen, None
        return made, _listed(seen, f"watched {len(order.steps)} times, without trouble"), ended

    async def _step_back(self, order: Restore[T, V], call: Call, at: int, first: int, writing: Writing) -> tuple[datetime, bool, str]:
        """Take one step, watch it, take the next. The one that is in force is watched first: nobody knows how long it was.

        What is in force tells where we are, so that a worker that dies in between is resumed. Returns when the last step had been watched,
        whether we took any, and what was seen. Raises `Refused` when a step brought trouble and was taken back (INV-19).
        """
        ways, pause = (order.left, *order.steps), order.pause / call.pace
        now, took, seen = by_now(call), False, ""
        async with beating():
            if at >= 0:
                seen = await self.prove_step(now, order, order.steps[at])
            for n in range(first, len(order.steps)):
                key = f"{call.key}/step-{n + 1}"
                if n != at:
                    step = now.model_copy(update={"key": key})
                    await bring_about(self, step, order, ways[n + 1], ways[n], writing=writing)
                    seen, took = await self.prove_step(step, order, ways[n + 1]), True
                if not pause:
                    continue
                await self.clock.sleep(pause)
                now = now.model_copy(update={"at": now.at + pause})
                if found := await self.trouble(now, order, ways[n + 1]):
                    back = now.model_copy(update={"key": f"{key}-back"})
                    await bring_about(self, back, order, ways[n], ways[n + 1], taking_back=True, writing=writing)
                    raise Refused(f"step {n + 1} of {len(order.steps)} was taken back: {found}")
        return now.at, took, seen

    async def _look_again(self, order: Restore[T, V], call: Call, after: R, writing: Writing) -> str:
        """Where nothing fences a late write of ours, see that none has undone what was put back; put it back once more if one has."""
        wait = order.late_until - by_now(call).at if order.late_until and not after.fenced else timedelta(0)
        if wait <= timedelta(0) or order.left.same(order.steps[-1]):
            return ""
        async with beating():
            await self.clock.sleep(wait)
            if not order.left.same((await self.look_at(call, order.of)).value):
                return "looked at again: no late write of ours had arrived"
            once_more = call.model_copy(update={"key": f"{call.key}/again"})
            await bring_about(self, once_more, order, order.steps[-1], order.left, writing=writing)
        return "a late write of ours had changed it again, and was put back as well"


def _first(order: Restore[Any, Any], at: int, now: SettingValue) -> int:
    """The step to begin with: the one in force, or the one that broke off half way."""
    ways = (order.left, *order.steps)
    half = (n for n, step in enumerate(order.steps) if step.between(ways[n], now))
    return at if at >= 0 else next(half, 0)


def _listed(*seen: str) -> str:
    return "; ".join(filter(None, seen))
