"""What is kept out of answers: documents, one version of a document, whole sources. Nothing of it is deleted (S-QUARANTINE, A.11 M3)."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from activities.action import Call, Limits, Refused, Risk, Role
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.organisation.numbers import CachePoisoning
from activities.retriever.plane import DomainResource, DomainSetting, Known
from activities.values import listed

OURS = ("us", "external")


class QuarantineOf(DomainResource, path="domains/{domain}/quarantine", called="the quarantine of {domain}"):
    pass


class Quarantine(SettingValue):
    """Documents (`id`, or `id@hash` for one version) and sources. `owners`: tenants whose documents these are; `many` and more are asked."""

    volatile: ClassVar[frozenset[str]] = frozenset({"owners", "many", "releases"})

    documents: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    many: int = CachePoisoning().many_items
    releases: bool = False  # something is let out by it

    def __str__(self) -> str:
        named = [f"source {name}" for name in self.sources] + list(self.documents)
        return listed(tuple(named[:3])) + (f" and {len(named) - 3} more" if len(named) > 3 else "") or "nothing"

    def effect(self, of: Any) -> str:
        return f"keep {self} out of every answer of {of.domain}; nothing is deleted"

    def back(self, of: Any) -> str:
        return f"only {self} stays out of the answers of {of.domain}"

    def same(self, other: Self) -> bool:
        return (set(self.documents), set(self.sources)) == (set(other.documents), set(other.sources))

    def met(self, now: Self) -> bool:
        return set(self.documents) <= set(now.documents) and set(self.sources) <= set(now.sources)

    def both(self, other: Self) -> Self | None:
        return self.model_copy(
            update={name: tuple(sorted({*getattr(self, name), *getattr(other, name)})) for name in ("documents", "sources", "owners")}
        )


def _risk(order: Change[QuarantineOf, Quarantine] | Restore[QuarantineOf, Quarantine], limits: Limits) -> Risk:
    """Narrow while it is our own, and not too much of it; letting something in again never is (spec §2.7)."""
    if isinstance(order, Restore):
        return Risk.C2
    wanted = order.wanted
    broad = wanted.releases or wanted.owners or len(wanted.documents) + len(wanted.sources) > wanted.many
    return Risk.C2 if broad else Risk.C1


class Quarantines(
    DomainSetting, RestSetting[QuarantineOf, Quarantine], read="retriever.quarantined", change="retriever.quarantine",
    restore="retriever.release", risk=_risk, asks=(Role.AI_ML_LEAD, Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), contains=True,
):  # fmt: skip
    """Quarantines, proven by what the product may cite."""

    async def check(self, call: Call, order: Change[QuarantineOf, Quarantine] | Restore[QuarantineOf, Quarantine], to: Quarantine) -> None:
        """Whose the documents are says the retriever: what is a tenant's own is never kept out on automation's word."""
        if isinstance(order, Restore) or order.wanted.owners:
            return
        said = await self.rest.get(call, QuarantineOf(domain=order.of.domain).library)
        owners = {row["owner"] for row in said["documents"] if _named(row, to)} - {*OURS}
        if owners:
            raise Refused(f"{listed(tuple(sorted(owners)))} own some of that: a person decides")

    def otherwise(self, value: Quarantine, known: Known) -> str:
        cited = {row["id"] for row in known["cites"]} | {f"{row['id']}@{row['hash']}" for row in known["cites"]}
        sources = {row["source"] for row in known["cites"]}
        left = [*sorted(cited & {*value.documents}), *sorted(sources & {*value.sources})]
        return f"cites {listed(tuple(left))}" if left else ""


def _named(row: dict[str, Any], wanted: Quarantine) -> bool:
    return row["source"] in wanted.sources or not {row["id"], f"{row['id']}@{row['hash']}"}.isdisjoint(wanted.documents)


QUARANTINED = Quarantines.measure("quarantined", sticky=True)


def quarantine(
    domain: str, now: Reading[Quarantine], numbers: CachePoisoning, *, documents: Sequence[str] = (), sources: Sequence[str] = (),
    owners: Sequence[str] = (), why: str = "",
) -> Change[QuarantineOf, Quarantine]:  # fmt: skip
    """These too, beside what is in quarantine already. `owners`: the tenants whose they are."""
    wanted = Quarantine(documents=tuple(documents), sources=tuple(sources), owners=tuple(owners), many=numbers.many_items)
    both = wanted.both(now.value)
    return Quarantines.order(QuarantineOf(domain=domain), both or wanted, why=why)


def release(domain: str, now: Reading[Quarantine], numbers: CachePoisoning, documents: Sequence[str]) -> Change[QuarantineOf, Quarantine]:
    """Let these documents out; versions of them that are named stay in. Broad, and asked."""
    left = tuple(name for name in now.value.documents if name not in documents)
    wanted = Quarantine(documents=left, sources=now.value.sources, many=numbers.many_items, releases=True)
    return Quarantines.order(QuarantineOf(domain=domain), wanted, why="whoever wrote it is shut out")
