"""Documents that are kept out of what agents retrieve, in whatever store they lie (A.3 M5). They stay where they are (INV-15)."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from activities.action import Call, Limits, NotYet, Refused, Risk, Role
from activities.kit.rest import RestResource, RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.urls import path
from activities.organisation.numbers import PromptInjection
from activities.search.index import BASE, TOKEN, SearchIndex
from activities.values import listed

PROBED = 20  # documents of one order that are asked for as an agent would


class StoreOf(RestResource, path="stores/{store}/quarantine", called="what is kept out of {store}"):
    base, token = BASE, TOKEN

    store: str


class KeptOut(SettingValue):
    """Documents that nobody retrieves, and those that only sessions with tools do not. `owners`: tenants whose they are; above `many` people are
    asked."""

    volatile: ClassVar[frozenset[str]] = frozenset({"owners", "many"})

    documents: tuple[str, ...] = ()
    from_tools: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    many: int = PromptInjection().many_items

    def __str__(self) -> str:
        named = [*self.documents, *(f"{one} (where there are tools)" for one in self.from_tools)]
        return listed(tuple(named[:3])) + (f" and {len(named) - 3} more" if len(named) > 3 else "") or "nothing"

    def effect(self, of: Any) -> str:
        return f"keep {self} out of what agents retrieve from {of.store}; nothing is deleted"

    def back(self, of: Any) -> str:
        return f"only {self} stays out of what agents retrieve from {of.store}"

    def same(self, other: Self) -> bool:
        return (set(self.documents), set(self.from_tools)) == (set(other.documents), set(other.from_tools))

    def met(self, now: Self) -> bool:
        return set(self.documents) <= set(now.documents) and set(self.from_tools) <= {*now.from_tools, *now.documents}

    def both(self, other: Self) -> Self:
        """All of them; what nobody retrieves, sessions with tools do not either."""
        joined = {name: tuple(sorted({*getattr(self, name), *getattr(other, name)})) for name in ("documents", "from_tools", "owners")}
        joined["from_tools"] = tuple(one for one in joined["from_tools"] if one not in joined["documents"])
        return self.model_copy(update=joined)


def _risk(order: Change[StoreOf, KeptOut] | Restore[StoreOf, KeptOut], limits: Limits) -> Risk:
    """Narrow while it is our own and not too much, or only away from tools; letting something in again never is (spec §2.7)."""
    if isinstance(order, Restore):
        return Risk.C2
    wanted = order.wanted
    return Risk.C2 if wanted.documents and (wanted.owners or len(wanted.documents) > wanted.many) else Risk.C1


class StoreQuarantines(
    RestSetting[StoreOf, KeptOut], read="search.kept_out", change="search.keep_out", restore="search.let_in", risk=_risk,
    asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), contains=True,
):  # fmt: skip
    """What is kept out, proven by asking for it as an agent would."""

    def __init__(self, index: SearchIndex) -> None:
        self.rest: SearchIndex = index

    async def check(self, call: Call, order: Change[StoreOf, KeptOut] | Restore[StoreOf, KeptOut], to: KeptOut) -> None:
        """Whose the documents are says the store: what is a tenant's own is never kept out on automation's word."""
        if isinstance(order, Restore) or order.wanted.owners or not order.wanted.documents:
            return
        known = (await self.look_at(call, order.of)).value
        fresh = sorted({*order.wanted.documents} - {*known.documents})
        owners = {(await self._asked(call, order.of, id))["tenant"] for id in fresh[: order.wanted.many]} - {""}
        if owners:
            raise Refused(f"{listed(tuple(sorted(owners)))} own some of that: a person decides")

    async def shown(self, call: Call, of: StoreOf, value: KeptOut) -> str:
        wanted = (*value.documents, *value.from_tools)
        if not wanted:
            return ""
        there = [id for id in wanted[:PROBED] if (await self._asked(call, of, id))["retrieved"]]
        if there:
            raise NotYet(f"accepted, but {there[0]} is still retrieved from {of.store}", after=SOON)
        return f"{min(len(wanted), PROBED)} of them were asked for as an agent does: none is given"

    async def _asked(self, call: Call, of: StoreOf, id: str) -> dict[str, Any]:
        return await self.rest.get(call, path("v1", "stores", of.store, "documents", id, "retrieval"))


KEPT_OUT = StoreQuarantines.measure("kept out of retrieval", sticky=True)


def keep_out(
    store: str, now: Reading[KeptOut], numbers: PromptInjection, documents: Sequence[str], *, owners: Sequence[str] = (),
    only_from_tools: bool = False, why: str = "",
) -> Change[StoreOf, KeptOut]:  # fmt: skip
    """These too, beside what is kept out already. `owners`: the tenants whose they are."""
    named = {"from_tools" if only_from_tools else "documents": tuple(documents)}
    wanted = KeptOut(**named, owners=tuple(owners), many=numbers.many_items)
    return StoreQuarantines.order(StoreOf(store=store), wanted.both(now.value.model_copy(update={"owners": ()})), why=why)
