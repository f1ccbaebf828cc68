"""What was left behind: each class looked through, or said that it was not; all of it switched off at once, and tried (A.4 T2, M7)."""

from collections.abc import Sequence
from itertools import groupby

from activities.action import Grant, Risk, Role
from activities.breach.footholds import EVICTED, NAMES, Evictions, FootholdSeen, HuntOf, Hunts, evict
from activities.values import listed
from workflows.engine.verbs import Verbs
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.data_breach.scoping import BOTH, Breach

WHY = "left behind by whoever has read the data"


class Eviction:
    def __init__(self, verbs: Verbs, breach: Breach) -> None:
        self._verbs, self._breach, self._numbers = verbs, breach, verbs.policy.data_breach
        self._said: set[str] = set()

    # ---- T2 ----

    async def hunt(self) -> tuple[FootholdSeen, ...] | None:
        """Class by class: what is switched on. None: nobody could look now. What nobody could look through is not checked, and people look there;
        nothing is ever called clean."""
        verbs, found = self._verbs, self._breach.found
        if found.unfounded or not found.signal.by_somebody:
            return ()
        seen = await verbs.look(Hunts.hunt, HuntOf(since=found.since))
        if seen is not None:
            found.hunt = seen
            if seen.in_words not in self._said:
                self._said.add(seen.in_words)
                verbs.note(seen.in_words, "hunt")
        for kind in found.hunt.unchecked if found.hunt is not None else NAMES:
            self._once(f"Look through {NAMES[kind]} for what was left behind: not checked by us")
        if seen is not None and any(one.reads_chat for one in seen.alive):
            self.out_of_band("something that was left behind can read our chat")
        return seen.alive if seen is not None else None

    def out_of_band(self, why: str) -> None:
        """Whoever reads our chat reads what we do: nothing more is written there, and the identity provider counts as theirs."""
        verbs = self._verbs
        if "chat" in self._said:
            return
        self._said.add("chat")
        verbs.leave_chat(why)
        verbs.page(BOTH, f"{why}: meet on the bridge, and write nothing of it into chat or mail")
        self._once("Take the identity provider for compromised: sign in by break-glass accounts, and end every session of an administrator")

    # ---- M7 ----

    async def evict(self) -> None:
        """All of it at once, on the word of both; again, when another one has come back; then people carry on."""
        verbs = self._verbs
        for _ in range(self._numbers.evictions):
            alive = await self.hunt()
            if alive == ():
                return
            if alive is not None:
                await self._evict(alive)
            if verbs.rehearsing or verbs.shadow:
                return
            await verbs.rest(self._numbers.hunt_again, "whether something comes back after the eviction")
        if alive := await self.hunt():
            verbs.hand_over(f"footholds come back after {self._numbers.evictions} evictions: {listed(_named(alive))}")

    async def _evict(self, alive: tuple[FootholdSeen, ...]) -> None:
        """A *no* to all at once is asked as one class after the other; a *no* to that as well holds, and nothing is done."""
        grant, staged = await self._agreed(alive, staged=False), False
        if grant is None and not self._verbs.rehearsing:
            grant, staged = await self._agreed(alive, staged=True), True
        if grant is None:
            for one in alive if not self._verbs.rehearsing else ():
                self._once(f"Switch the {one.in_words} off, and keep it: its eviction was declined", one.by_hand())
            return
        by_kind = [tuple(those) for _, those in groupby(sorted(alive, key=lambda one: one.kind), key=lambda one: one.kind)]
        for n, batch in enumerate(by_kind if staged else (alive,)):
            if n:
                await self._verbs.rest(self._numbers.staged_step, "the next class of footholds")
            await self._verbs.together(*(self._one(one, grant) for one in batch))
        done = [one for one in alive if one.id in self._breach.found.evicted]
        self._verbs.note(f"{len(done)} of {len(alive)} evicted, each tried: {listed(_named(done)) or 'none'}", "ledger")

    async def _agreed(self, alive: tuple[FootholdSeen, ...], *, staged: bool) -> Grant | None:
        """One approval over the exact list, for the commander and Security."""
        found = self._breach.found
        how = "class by class: what is left meanwhile may bring others back" if staged else "at once, so that none brings another back"
        terms = ApprovalTerms(
            asks=f"Evict {len(alive)} footholds {'one after the other' if staged else 'all at once'}?", roles=BOTH, least=Risk.C3, strict=True,
            effect=f"{listed(_named(alive))} switched off {how}; each is kept, and tried",
            facts=(found.hunt.in_words,) if found.hunt is not None else (), stays=True,
        )  # fmt: skip
        return (await self._verbs.approve_all(Evictions.change, [evict(one, WHY) for one in alive], terms)).grant

    async def _one(self, one: FootholdSeen, grant: Grant) -> None:
        done = await self._verbs.impose(EVICTED, evict(one, WHY), under=grant)
        if done:
            self._breach.found.evicted[one.id] = one.in_words
        elif not self._verbs.rehearsing:
            self._once(f"Switch the {one.in_words} off, and keep it: it was not done by us", one.by_hand())

    def _once(self, what: str, by_hand: tuple[str, ...] = ()) -> None:
        if what not in self._said:
            self._said.add(what)
            self._verbs.task(what, Role.SECURITY_LEAD, by_hand)


def _named(those: Sequence[FootholdSeen]) -> tuple[str, ...]:
    return tuple(one.in_words for one in those)
