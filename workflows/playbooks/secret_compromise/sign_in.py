"""A wave of tried passwords, at sign-in itself: limits, a second factor, and another password for the accounts that were opened (A.10 M6)."""

from activities.action import Role
from activities.sign_in.accounts import Accounts, ForceReset, Opened, OpenedOf, Resets
from activities.sign_in.factors import STEPPED_UP, SecondFactors, step_up
from activities.sign_in.limits import LIMITED_SIGN_IN, limit
from activities.sign_in.words import KEYCLOAK_STORE, store
from activities.tenancy.matrix import IsolationProbes
from activities.tenancy.plane import HomesOf
from activities.values import listed
from workflows.engine.verbs import Verbs
from workflows.people.questions import ApprovalTerms

LIMIT = "Limit each account and address at sign-in: somebody tries passwords by the thousand"
STEP_UP = "Ask sign-in for a second factor, for whoever may have been signed in by it"
RESET = (
    "Let the accounts that were really opened choose another password, by a list that Security has agreed to; never everybody's: that is a "
    "decision of people, and their work"
)
WHY = "passwords are tried by the thousand"


class SignIn:
    def __init__(self, verbs: Verbs) -> None:
        self._verbs, self._numbers, self._store = verbs, verbs.policy.sign_in, store(verbs.policy.systems)
        self._guarded: set[str] = set()  # tenants, and accounts that people have decided about
        self._tasks: set[str] = set()

    async def guard(self, addresses: tuple[str, ...]) -> None:
        """Beside what the edge does: what is let in there is met here."""
        opened = await self._opened(addresses)
        if opened is None:
            for task in (LIMIT, STEP_UP, RESET):
                self._by_people(task)
            return
        self._verbs.note(opened.summary, "finding")
        for tenant in opened.unread:
            self._by_people(f"Find out which accounts of {tenant} were opened: its sign-in keeps no events, and that is not none")
        tenants = tuple(one for one in opened.tried if one not in self._guarded)
        self._guarded.update(tenants)
        await self._verbs.together(self._limit(tenants), self._step_up(tenants), self._reset(opened))

    async def _opened(self, addresses: tuple[str, ...]) -> Opened | None:
        verbs = self._verbs
        homes = await verbs.look(IsolationProbes.homes, HomesOf(service=verbs.service)) if self._store == KEYCLOAK_STORE else None
        tenants = tuple(sorted(homes.at)) if homes else ()
        if self._store == KEYCLOAK_STORE and not tenants:
            return None
        order = OpenedOf(window=verbs.policy.edge.window, addresses=addresses, tenants=tenants, store=self._store)
        return await verbs.look(Accounts.opened, order)

    async def _limit(self, tenants: tuple[str, ...]) -> None:
        orders = [limit(one, self._store, self._numbers, WHY) for one in tenants]
        done = await self._verbs.together(*(self._verbs.impose(LIMITED_SIGN_IN, one) for one in orders))
        if not all(done):
            self._by_people(LIMIT)

    async def _step_up(self, tenants: tuple[str, ...]) -> None:
        """One question for all of them: whoever has no second factor has to set one up first."""
        verbs = self._verbs
        orders = [step_up(one, self._store, WHY) for one in tenants[: self._numbers.step_up_tenants]]
        if len(tenants) > len(orders):
            self._by_people(STEP_UP)
        if not orders:
            return
        terms = ApprovalTerms(asks=f"Ask everybody of {listed(tuple(one.of.tenant for one in orders))} for a second factor at sign-in?")
        decision = await verbs.approve_all(SecondFactors.change, orders, terms)
        if decision.grant is None:
            self._by_people(STEP_UP)
            return
        for one in orders:
            if not await verbs.impose(STEPPED_UP, one, under=decision.grant):
                self._by_people(STEP_UP)

    async def _reset(self, opened: Opened) -> None:
        """By a list, of those accounts and no others. One that is too long is nobody's list."""
        verbs, numbers = self._verbs, self._numbers
        fresh = {tenant: tuple(one for one in names if one not in self._guarded) for tenant, names in opened.accounts.items()}
        fresh = {tenant: names for tenant, names in fresh.items() if names}
        self._guarded.update(one for names in fresh.values() for one in names)
        n = sum(map(len, fresh.values())) + opened.more
        if n > numbers.most_reset:
            self._by_people(RESET)
        if not 0 < n <= numbers.most_reset:
            return
        orders = [
            ForceReset(tenant=tenant, accounts=names, at_most=numbers.most_reset, store=self._store) for tenant, names in fresh.items()
        ]
        asks = f"Let {n} accounts that were opened ({listed(tuple(fresh))}) choose another password, and sign them out?"
        terms = ApprovalTerms(asks=asks, facts=(opened.summary,), stays=True)
        decision = await verbs.approve_all(Resets.run, orders, terms)
        if decision.grant is None:
            self._by_people(RESET)
            return
        for order in orders:
            await verbs.propose(Resets.run, order, under=decision.grant)

    def _by_people(self, task: str) -> None:
        if task not in self._tasks:
            self._tasks.add(task)
            self._verbs.task(task, Role.SECURITY_LEAD)
