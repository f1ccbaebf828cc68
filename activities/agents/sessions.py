"""Sessions of agents that are held as they are, and whose tokens are taken away (spec §8 S-QUARANTINE, S-REVOKE)."""

from datetime import timedelta
from typing import Self

from activities.action import Call, Effect, NotYet, Order, Risk, Role, System, action
from activities.agents.agent_runtime import BASE, TOKEN, AgentRuntime, RuntimeResource
from activities.kit.http import Conflict
from activities.kit.rest import RestResource, RestSetting
from activities.kit.setting import Change, Reading, SettingValue
from activities.kit.setting.write import SOON
from activities.usage.usage_meter import UsageMeter

PROBE = "kb.search"  # a harmless tool, for seeing whether a session may call anything
UNAUTHORISED = 401
CALLED_JUST_NOW = timedelta(seconds=20)  # policy time before the meter's last count


class QuarantineOf(RuntimeResource, path="sessions/{session}/quarantine", called="session {session}"):
    session: str

    def target(self) -> str:
        return f"session/{self.session}"


class Quarantine(SettingValue):
    """A session that is held as it is: it is never deleted, and nothing in it calls a model or a tool (INV-15)."""

    quarantined: bool
    reason: str = ""

    def __str__(self) -> str:
        return "quarantined" if self.quarantined else "not quarantined"

    def same(self, other: Self) -> bool:
        return self.quarantined == other.quarantined

    def effect(self, of: QuarantineOf) -> str:
        return f"quarantine {of}: nothing in it may call a tool or a model, and nothing of it is deleted"

    def back(self, of: QuarantineOf) -> str:
        return f"let {of} go on" if not self.quarantined else f"leave {of} quarantined, as it was"


class Quarantines(
    RestSetting[QuarantineOf, Quarantine], read="agents.quarantine_of", change="agents.quarantine", restore="agents.release", risk=Risk.C1,
    restore_risk=Risk.C2, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), contains=True,
):  # fmt: skip
    """Quarantined sessions, proven by a call that is refused, and by a meter that sees none of its runs call on."""

    values_compare = True  # on or off: there is no third value by which a change between would show

    def __init__(self, runtime: AgentRuntime, meter: UsageMeter) -> None:
        self.rest, self._runtime, self._meter = runtime, runtime, meter

    async def shown(self, call: Call, of: QuarantineOf, value: Quarantine) -> str:
        let_through, status = await self._runtime.let_through(call, of.session, PROBE)
        if status == UNAUTHORISED and not value.quarantined:
            return "what refuses it now is that its tokens are revoked: its user opens a new session"
        if let_through is value.quarantined:
            raise NotYet(f"accepted, but a tool call of {of} is {'let through' if let_through else 'refused'}", after=SOON)
        return f"a tool call of it is {'let through' if let_through else f'refused with {status}'}"

    async def prove(self, call: Call, order: Change[QuarantineOf, Quarantine], now: Reading[Quarantine]) -> str:
        """A quarantine that reads back set is none while its run calls on."""
        refused = await self.shown(call, order.of, order.wanted)
        if not order.wanted.quarantined:
            return refused
        session = await self._runtime.get(call, f"{order.of.path.removesuffix('/quarantine')}")
        for trace in session["traces"]:
            seen = await self._meter.traces(call, under=trace)
            calling = [
                one.trace for one in seen.traces if one.last_call_at and (seen.observed_at - one.last_call_at) * call.pace < CALLED_JUST_NOW
            ]
            if calling and any(one.tokens_per_minute for one in seen.traces if one.trace in calling):
                raise NotYet(f"it reads back quarantined, and its run {calling[0]} calls on", after=timedelta(seconds=15) / call.pace)
        return f"{refused}; the meter sees none of its runs call"


QUARANTINED = Quarantines.measure("quarantined", sticky=True)


class TokensOf(RestResource, path="sessions/{session}/tokens", called="the tokens of session {session}"):
    base, token = BASE, TOKEN

    session: str


class RevokeTokens(Order, target="session/{session}/tokens", effect="revoke the tokens by which session {session} calls tools and models"):
    """They do not come back: a new session gets new ones."""

    undone = "nothing brings them back: open a new session"

    session: str

    @property
    def of(self) -> TokensOf:
        return TokensOf(session=self.session)

    def by_hand(self) -> tuple[str, ...]:
        return self.of.put_by_hand({"revoked": True})


class SessionTokens(System):
    """Tokens of sessions: one that is revoked is dead when a call with it is refused."""

    def __init__(self, runtime: AgentRuntime) -> None:
        self._runtime = runtime

    @action("agents.revoke_tokens", risk=Risk.C1, asks=(Role.SECURITY_LEAD, Role.OPS_LEAD), contains=True)
    async def revoke(self, order: RevokeTokens, call: Call) -> Effect:
        """Revoked, read back, and a call with them refused. Revoked already is as good."""
        before = await self._runtime.get(call, order.of.path)
        if not before["revoked"]:
            try:
                await self._runtime.put(call, order.of.path, before["etag"], {"epoch": before["epoch"] + 1, "revoked": True})
            except Conflict:
                raise NotYet(f"the tokens of session {order.session} changed while we wrote; we look again", after=SOON) from None
        if not (await self._runtime.get(call, order.of.path))["revoked"]:
            raise NotYet(f"accepted, but the tokens of session {order.session} still show valid", after=SOON)
        let_through, status = await self._runtime.let_through(call, order.session, PROBE)
        if let_through:
            raise NotYet(f"revoked, but a call with the tokens of session {order.session} is let through", after=SOON)
        told = {"revoked": True}
        return order.done(
            f"a call with them is refused with {status}", adopted=before["revoked"], before={"revoked": before["revoked"]}, after=told
        )
