"""Undoing what tools did for an attacker, call by call, where it can be undone (A.3 M7)."""

from activities.action import Call, Effect, Limits, NotYet, Order, Refused, Risk, Role, System, action
from activities.agents.agent_runtime import BASE, TOKEN, AgentRuntime
from activities.kit.setting.write import SOON
from activities.kit.words.shell import address, curl
from activities.kit.words.urls import path


class UndoCall(Order, target="tool-call/{id}", effect="undo what {tool} did in call {id}"):
    """`external`: it has changed something that others own, who see it being undone. `reason` goes with it."""

    undone = "nothing undoes an undo: it is done again by hand"

    id: str
    tool: str
    session: str
    external: bool = False
    reason: str = ""

    def by_hand(self) -> tuple[str, ...]:
        bearer, url = ("Authorization: Bearer ", TOKEN), address(BASE, path("v1", "tool-calls", self.id, "undo"))
        look = curl("GET", address(BASE, path("v1", "tool-calls", self.id)), bearer)
        return (look, curl("POST", url, bearer, body={"key": f"by-hand-{self.id}", "reason": self.reason}), look)


def _risk(order: UndoCall, limits: Limits) -> Risk:
    return Risk.C3 if order.external else Risk.C2


class ToolCalls(System):
    """Calls of tools, as the runtime has recorded them."""

    def __init__(self, runtime: AgentRuntime) -> None:
        self._runtime = runtime

    @action("agents.undo_call", risk=_risk, asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER))
    async def undo(self, order: UndoCall, call: Call) -> Effect:
        """Undone, and read back. Undone already is as good."""
        url = path("v1", "tool-calls", order.id)
        before = await self._runtime.get(call, url)
        if not before["reversible"]:
            raise Refused(f"{order.tool} {order.id} cannot be undone: the customer is told instead")
        if before["external"] and not order.external:
            raise Refused(f"{order.tool} {order.id} has changed what others own: two people decide")
        if before["state"] != "undone":
            await self._runtime.undo(call, order.id, order.reason)
        if (await self._runtime.get(call, url))["state"] != "undone":
            raise NotYet(f"accepted, but {order.id} still shows as done", after=SOON)
        told = {"state": "undone"}
        return order.done("its record shows it undone", adopted=before["state"] == "undone", before={"state": before["state"]}, after=told)
