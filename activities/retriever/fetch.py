"""Documents fetched once more from their source of truth, pinned, and by two paths that must agree (A.11 M5)."""

from activities.action import Call, NotYet, Order, Risk, Role
from activities.kit.clock import Clock
from activities.kit.create_once import SOON
from activities.kit.operation import At, Operation, Progress
from activities.kit.words.shell import comment
from activities.kit.words.urls import path
from activities.retriever.index import STATES, begin_by_hand, begun, seen
from activities.retriever.plane import Retriever


class Refetch(
    Order, target="domain/{domain}/documents", effect="fetch {documents} of {domain} from their origin once more, by two paths, pinned"
):  # fmt: skip
    """Replace what was fetched. `pins`: the version that each must have (document → hash). A document's name is only ever a value."""

    undone = "nothing to undo: what was fetched before is in the evidence; answers change only with the index"

    domain: str
    documents: tuple[str, ...]
    pins: dict[str, str]

    def by_hand(self) -> tuple[str, ...]:
        body = {"key": "by-hand", "documents": list(self.documents), "pins": self.pins}
        return (begin_by_hand(self.domain, "fetches", body), comment("both paths must show the same version"))


class Refetches(Operation[Refetch], name="retriever.refetch", risk=Risk.C1, asks=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER)):
    """Fetches. Two paths that differ, or another version than the one that was pinned, have failed: a person looks at the origin."""

    def __init__(self, retriever: Retriever, clock: Clock) -> None:
        self._retriever, self.clock = retriever, clock

    async def find(self, call: Call, order: Refetch) -> str | None:
        return await begun(self._retriever, call)

    async def start(self, call: Call, order: Refetch) -> str:
        body = {"key": call.key, "documents": list(order.documents), "pins": order.pins}
        return str((await self._retriever.post(call, path("v1", "domains", order.domain, "fetches"), body))["id"])

    async def status(self, call: Call, order: Refetch, id: str) -> Progress:
        now = await seen(self._retriever, call, id)
        wrong = next((row["id"] for row in now["fetched"] if row["hash"] != row["other_path"]), "")
        if wrong:
            return Progress(at=At.FAILED, says=f"{wrong}: the two paths show different versions")
        after = {row["id"]: row["hash"] for row in now["fetched"]}
        return Progress(at=STATES.get(now["state"], At.UNKNOWN), says=now["says"], after={"fetched": dict(after)})

    async def verify(self, call: Call, order: Refetch, id: str) -> str:
        """What the library has now is what both paths showed."""
        fetched = {row["id"]: row["hash"] for row in (await seen(self._retriever, call, id))["fetched"]}
        there = {row["id"]: row["hash"] for row in (await self._retriever.get(call, path("v1", "domains", order.domain)))["documents"]}
        missing = [name for name in order.documents if there.get(name) != (order.pins.get(name) or fetched.get(name))]
        if missing:
            raise NotYet(f"fetched, but the library has another version of {', '.join(missing)}", after=SOON)
        return "both paths show the same version, and the library has it"
