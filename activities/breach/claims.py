"""A public claim, corroborated: three of the records that somebody shows are compared by their hash. No record comes to us (A.4 T1)."""

import hashlib

from activities.action import Call, System, Value, action
from activities.breach.planes import ClaimDesk, ClaimLook, DataMap


class CorroborateClaim(
    ClaimLook, effect="compare {sampled} records of the claim {claim} with ours, by their hash", path="claims/{claim}/samples"
):  # fmt: skip
    """Which ones are taken is decided by the incident's id: nobody chooses those that fit."""

    sampled: int
    incident_id: str


class Corroboration(Value):
    """`shown`: records that the claim shows; `compared` of them with ours; `unread`: data sets in which nobody could look."""

    claim: str
    shown: int
    compared: int
    matched: int
    data_sets: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    wanted: int = 3

    @property
    def true(self) -> bool | None:
        """One that matches is enough. It is false when as many as were wanted were compared everywhere, and none is ours; else unknown."""
        if self.matched:
            return True
        return False if self.compared >= self.wanted and not self.unread else None

    @property
    def summary(self) -> str:
        said = f"{self.matched} of {self.compared} records that the claim {self.claim} shows are ours"
        if self.true is None:
            return f"{said}: nobody can say whether it is true" + (f"; not looked at: {', '.join(self.unread)}" if self.unread else "")
        return f"{said}: {', '.join(self.data_sets)}" if self.true else f"{said}: it is false"


class Claims(System):
    def __init__(self, desk: ClaimDesk, records: DataMap) -> None:
        self._desk, self._records = desk, records

    @action("claims.corroborate")
    async def corroborate(self, order: CorroborateClaim, call: Call) -> Corroboration:
        """Hashes only; none of them comes out."""
        hashes = await self._all(order, call)
        chosen = sorted(set(hashes), key=lambda one: hashlib.sha256(f"{order.incident_id}/{one}".encode()).hexdigest())[: order.sampled]
        said = await self._records.match(call, tuple(chosen)) if chosen else {"matched": {}, "unread": []}
        matched: dict[str, list[str]] = said["matched"]
        return Corroboration(
            claim=order.claim, shown=len(hashes), compared=len(chosen), wanted=order.sampled,
            matched=len({one for those in matched.values() for one in those} & set(chosen)),
            data_sets=tuple(sorted(name for name, those in matched.items() if those)), unread=tuple(said["unread"]),
        )  # fmt: skip

    async def _all(self, order: CorroborateClaim, call: Call) -> list[str]:
        return [one for page in await self._desk.answers(call, order.path, "hashes") for one in page["hashes"]]
