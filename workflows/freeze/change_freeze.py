"""The change freeze of one service (spec §7.2): a set of holders, and a gate that is locked while there is one. Id `freeze-<service>`.

It never expires by itself, and no incident can end another's. It answers `hold` when the gate was read back and a probe deploy turned
away; it answers `release` when the holder is gone, and with the last one the lock. What could not be done is tried again or said; what
was wanted stays wanted. It ends after the last release, and begins anew with the next hold (ADR 11).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow

from activities.action import Risk, Role
from activities.freeze.deploy_gate import hotfix
from activities.freeze.orders import Exemption, FreezeReply, FreezeRequest, FreezeState, Holder, Purpose
from activities.organisation.organisation import Organisation, ReadAll
from workflows.engine.invoker import Invoker
from workflows.errors import NeedsApproval, NotAccepted, RetriesExhausted
from workflows.freeze.authority import FreezeAuthority
from workflows.freeze.freezing import COMMAND, MESSAGES, RESPONDERS, Authority, Freezing, NotProven, checked, said_of
from workflows.freeze.gate import FreezeGate
from workflows.people.messages import MessageReceiver, add_message_handlers


class FreezeMessages(MessageReceiver): ...


add_message_handlers(FreezeMessages, MESSAGES, said_of)


@workflow.defn
class ChangeFreeze(FreezeMessages):
    """Keeps one service frozen for as long as somebody holds it."""

    @workflow.init
    def __init__(self, *given: Any) -> None:
        self.freeze = Freezing(workflow.info().workflow_id, given, workflow.now())
        self.invoker = Invoker(self.freeze, self.freeze.counts)
        self.authority = FreezeAuthority(self.freeze, self.invoker)
        self.gate = FreezeGate(self.freeze, self.invoker)
        self._turn = asyncio.Lock()  # one message or chore at a time: two must not write the ruleset past each other
        self._ready = False
        self._messages = 0
        self._ended = False
        self._chore_at: datetime | None = None  # when what could not be done is tried again
        self._looked_at = workflow.now()

    @workflow.run
    async def run(self, *given: Any) -> FreezeState:
        """Until the last holder is gone."""
        await self._begin()
        while True:
            try:
                await self._wait()
                if self._may_end():
                    break
                if self._may_renew():
                    self._renew()
                async with self._turn:
                    await self._tend()
            except asyncio.CancelledError:
                if not self.freeze.holders:
                    raise
                self._note("refused", f"cancelled by an operator, and held all the same: {self._names()}; release it instead")
        await self.gate.end_pages()
        return self.freeze.state()

    # -- messages ---------------------------------------------------------------------------------------------------------------------

    async def receive(self, name: str, given: Sequence[object]) -> FreezeReply | str:
        """Act on one message; an answer to a question is answered with a sentence, as everywhere. Raises `NotAccepted`, or `NotProven`."""
        await workflow.wait_condition(lambda: self._ready)
        self._messages += 1
        said = checked(name, said_of(name, given))
        async with self._turn:
            try:
                if name in ("approve", "decline"):
                    name, said, authority = await self.authority.answer(name, said)
                    return (await self._verb(name)(said, authority)).said if name else f"declined by {authority.names}"
                if name != "hold" and said.key and said.key in self.freeze.done:
                    return self._again(name, said)
                told = await self._verb(name)(said, await self._authority(name, said))
            except (RetriesExhausted, NeedsApproval) as out:
                raise NotProven(str(out)) from None
            finally:
                self._ended = not self.freeze.holders
                workflow.set_current_details(self._details())
            if said.key:
                self.freeze.done.append(said.key)
            return told

    def _again(self, name: str, said: FreezeRequest) -> FreezeReply:
        """A message that was carried out before, sent once more: by a late try, or by somebody who has read it in the history."""
        known = self.freeze.exemption(said) if name != "release" else None
        sentence = f"{name} was done before, on this very message"
        return self._token(known, sentence, adopted=True) if known else self._told(sentence, adopted=True)

    def refuse(self, name: str, given: Sequence[object], why: str) -> None:
        """Note what was not accepted. What was sent is not repeated: it may be somebody's code."""
        self._note("refused", f"{name}: {why}")

    @workflow.query(description="Who holds it, and what may pass")
    def state(self, *given: Any) -> FreezeState:
        return self.freeze.state()

    @workflow.query(description="What happened, a line each")
    def timeline(self, *given: Any) -> list[dict[str, Any]]:
        return [line.model_dump(mode="json") for line in self.freeze.lines]

    def _verb(self, name: str) -> Callable[[FreezeRequest, Authority], Awaitable[FreezeReply]]:
        verbs = {"hold": self._hold, "release": self._release, "exempt": self._exempt, "use_exemption": self._use}
        return verbs[name]

    async def _authority(self, name: str, said: FreezeRequest) -> Authority:
        """On whose word. Holding is anybody's who responds; what opens the gate is the commander's, a patch also Security's (spec §4)."""
        service, what = self.freeze.service, f"{said.purpose} of {said.digest[:19]}"
        match name:
            case "hold":
                return await self.authority.of(name, said, Risk.C1, RESPONDERS, f"Freeze deploys of {service} for {said.holder}?")
            case "release":
                return await self.authority.of(name, said, Risk.C2, COMMAND, f"Release the freeze of {service} that {said.holder} holds?")
            case "exempt":
                roles = (Role.SECURITY_LEAD, *COMMAND) if said.purpose == Purpose.SECURITY_PATCH else COMMAND
                return await self.authority.of(
                    name, said, Risk.C2, roles, f"Let one {what} for {said.holder} pass the freeze of {service}?"
                )
            case _:
                return await self.authority.of(name, said, Risk.C1, RESPONDERS, f"Use up the exemption for one {what}?")

    # -- what they do -----------------------------------------------------------------------------------------------------------------

    async def _hold(self, said: FreezeRequest, authority: Authority) -> FreezeReply:
        """The holder is in the set before anything is touched: what is half done must be released by somebody."""
        freeze, now = self.freeze, workflow.now()
        await self.gate.place()
        before = freeze.holders.get(said.holder)
        if before is None:
            by = (said.by if said.seal else "") or authority.names
            freeze.holders[said.holder] = Holder(id=said.holder, reason=said.reason or "no reason given", by=by, since=now)
            self._note("hold", f"{said.holder}: {said.reason}", by=by)
        freeze.held(now)
        try:
            if not freeze.head:
                await self.gate.adopt()
            locked = await self.gate.lock(tuple(freeze.holders))
            probed = await self.gate.probe()
        except RetriesExhausted as out:
            freeze.trouble = out.why
            self._note("not proven", out.why)
            raise NotProven(f"{freeze.service} is not proven to be frozen: {out.why}") from None
        freeze.proven(workflow.now())
        self._note("frozen", f"{self._names()}: {probed.proven_by}")
        already = before is not None and before.proven
        return self._told(
            f"deploys of {freeze.service} are held back for {self._names()}", already, f"{locked.proven_by}; {probed.proven_by}"
        )

    async def _release(self, said: FreezeRequest, authority: Authority) -> FreezeReply:
        freeze = self.freeze
        if said.holder not in freeze.holders and freeze.holders:
            return self._told(f"{said.holder} does not hold the freeze of {freeze.service}; {self._names()} does", adopted=True)
        if not freeze.holders:  # a ruleset may be left of a freeze whose workflow was ended
            await self.gate.adopt()
        for each in [e for e in freeze.live if e.holder == said.holder]:
            freeze.change(each, ended="withdrawn", ended_at=workflow.now())
        others = tuple(holder for holder in freeze.holders if holder != said.holder)
        adopted, proven_by = said.holder not in freeze.holders, "nothing was ever locked"
        if others:
            proven_by = (await self.gate.lock(others)).proven_by
            freeze.holders.pop(said.holder, None)
            sentence = f"{said.holder} holds the freeze of {freeze.service} no more; it goes on for {self._names()}"
        else:
            if freeze.touched:
                await self.gate.drift()
                proven_by = (await self.gate.unlock(authority)).proven_by
            freeze.emptied()
            sentence = f"deploys of {freeze.service} go on: nobody holds the freeze any more"
        passed = f"; deployed without an exemption: {'; '.join(freeze.drift)}" if freeze.drift else ""
        self._note("released", f"{said.holder}: {said.reason or 'no reason given'}{passed}", by=authority.names)
        return self._told(sentence + passed, adopted, proven_by, drift=freeze.drift)

    async def _exempt(self, said: FreezeRequest, authority: Authority) -> FreezeReply:
        freeze = self.freeze
        if not freeze.holders:
            raise NotAccepted(f"{freeze.service} is not frozen: nothing needs an exemption")
        known = freeze.exemption(said)
        if known is not None and not known.ended and workflow.now() < known.expires_at:
            return self._token(known, f"there is an exemption for one {known.covers} already", adopted=True)
        head = (await self.gate.look()).hotfixes.get(hotfix(said.digest), "") if Purpose(said.purpose).pushes else ""
        exemption = freeze.give(said, authority, head, workflow.now())
        how = f"by a push to {hotfix(said.digest)}" if exemption.open else "in the hands of whoever rolls back"
        try:
            proven_by = (await self.gate.lock(tuple(freeze.holders))).proven_by if exemption.open else "the freeze's own record"
        except RetriesExhausted:
            freeze.change(exemption, ended="withdrawn", ended_at=workflow.now())
            self._chore_at = workflow.now() + freeze.policy.paced(freeze.policy.repage)
            raise
        self._looked_at = workflow.now()
        self._note("exempted", f"one {exemption.covers}, {how}, until {exemption.expires_at:%H:%M:%S} UTC", by=authority.names)
        return self._token(
            exemption, f"one {exemption.covers} may pass, {how}, until {exemption.expires_at:%H:%M} UTC", proven_by=proven_by
        )

    async def _use(self, said: FreezeRequest, authority: Authority) -> FreezeReply:
        """Once. A push that we saw ourselves has used it, too; whoever pushed may still say so, once."""
        freeze = self.freeze
        exemption = freeze.exemption(said)
        if exemption is None:
            raise NotAccepted(f"there is no exemption for one {said.purpose} of {said.digest[:19]} for {said.holder}")
        if exemption.ended == "used" and not exemption.key and exemption.purpose.pushes:
            exemption = freeze.change(exemption, key=said.key or authority.names)
            return self._token(exemption, f"one {exemption.covers} was seen to pass", adopted=True)
        if exemption.ended:
            raise NotAccepted(
                f"the exemption for one {exemption.covers} was {exemption.ended}{_when(exemption.ended_at)}: ask for a new one"
            )
        if workflow.now() >= exemption.expires_at:
            raise NotAccepted(f"the exemption for one {exemption.covers} expired{_when(exemption.expires_at)}: ask for a new one")
        used = freeze.change(exemption, ended="used", ended_at=workflow.now(), key=said.key or authority.names)
        self._note("used", f"one {used.covers}", by=authority.names)
        await self._close_exemptions()
        return self._token(used, f"one {used.covers} passes; the exemption is used up", proven_by="the freeze's own record")

    # -- what it does by itself -------------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Policy first: everything after is decided by what was in force at this moment, and the history says so."""
        try:
            self.freeze.policy = await self.invoker.quietly(Organisation.policy, ReadAll())
        except RetriesExhausted as out:
            self._note("configuration", f"{out.why}; the spec's defaults hold")
        self._ready = True

    async def _wait(self) -> None:
        """Until something is due, or there is nothing left to do. A message may move what is due, and is heard beside this."""
        while not (self._may_end() or self._may_renew()):
            due = self._due()
            if due is not None and due <= workflow.now():
                return
            try:
                await workflow.wait_condition(
                    lambda seen=due: self._may_end() or self._may_renew() or self._due() != seen,  # type: ignore[misc]
                    timeout=due - workflow.now() if due else None,
                    timeout_summary="the next look" if due else None,
                )
            except TimeoutError:
                return

    def _due(self) -> datetime | None:
        freeze, policy = self.freeze, self.freeze.policy
        due = [e.expires_at for e in freeze.live]
        if any(e.open for e in freeze.live):
            due.append(self._looked_at + policy.paced(policy.freeze.exemption_look))
        due += [question.expires_at for question in freeze.approvals.questions if question.open and question.expires_at]
        due += [at for at in (freeze.ask_at, self._chore_at) if at is not None]
        return min(due, default=None)

    def _may_end(self) -> bool:
        return self._ended and not self.freeze.holders and workflow.all_handlers_finished()

    def _may_renew(self) -> bool:
        long = self._messages >= self.freeze.policy.freeze.messages_per_run or workflow.info().is_continue_as_new_suggested()
        return long and workflow.all_handlers_finished()

    def _renew(self) -> None:
        kept = self.freeze.kept(self.invoker.counts).model_dump(mode="json")
        workflow.continue_as_new({"service": self.freeze.service, "kept": kept})

    async def _tend(self) -> None:
        """Whatever is due. What fails is noted, and due again."""
        freeze, now = self.freeze, workflow.now()
        for question in freeze.approvals.questions:
            if question.open and question.expires_at and question.expires_at <= now:
                freeze.approvals.expire(question, now)
                freeze.pending.pop(question.number, None)
                self._note("silence", f"[{question.number}] nobody answered: {question.asks}")
        await self._look_at_exemptions()
        if self._chore_at and self._chore_at <= now:
            self._chore_at = None
            await self._close_exemptions()
        if freeze.ask_at and freeze.ask_at <= now and freeze.holders:
            await self.gate.ask_again()
        workflow.set_current_details(self._details())

    async def _look_at_exemptions(self) -> None:
        """An exemption is for one push: what has come through is noted and the hole closed; so is what nobody used in time."""
        freeze, now = self.freeze, workflow.now()
        through = [e for e in freeze.live if e.open]
        if through and now >= self._looked_at + freeze.policy.paced(freeze.policy.freeze.exemption_look):
            self._looked_at = now
            try:
                gate = await self.gate.look()
            except (RetriesExhausted, NotAccepted) as out:
                self._note("blind", f"cannot see whether an exemption was used: {out}")
            else:
                for each in through:
                    if (pushed := gate.hotfixes.get(hotfix(each.digest), "")) != each.head:
                        freeze.change(each, ended="used", ended_at=now)
                        self._note("used", f"one {each.covers}: {hotfix(each.digest)} came to {pushed[:12]}")
        for each in freeze.live:
            if each.expires_at <= now:
                freeze.change(each, ended="expired", ended_at=now)
                self._note("expired", f"one {each.covers}: nobody used it")
        if freeze.unclosed and self._chore_at is None:
            await self._close_exemptions()

    async def _close_exemptions(self) -> None:
        """Let nothing through but what is live. While that fails there is a hole in the gate, and everybody can see it."""
        freeze = self.freeze
        if not freeze.unclosed or not freeze.holders:
            return
        try:
            await self.gate.lock(tuple(freeze.holders))
        except (RetriesExhausted, NotAccepted) as out:
            branches = ", ".join(hotfix(e.digest) for e in freeze.unclosed)
            freeze.trouble = f"{branches} may still be let through, though the exemption has ended: {out}"
            self._note("not closed", freeze.trouble)
            self._chore_at = workflow.now() + freeze.policy.paced(freeze.policy.repage)

    # -- words ------------------------------------------------------------------------------------------------------------------------

    def _note(self, kind: str, text: str, by: str = "automation") -> None:
        self.freeze.note(workflow.now(), kind, text, by)

    def _names(self) -> str:
        return ", ".join(self.freeze.holders) or "nobody"

    def _told(self, said: str, adopted: bool = False, proven_by: str = "the freeze's own record", **more: Any) -> FreezeReply:
        return FreezeReply(said=said, adopted=adopted, proven_by=proven_by, holders=tuple(self.freeze.holders), **more)

    def _token(self, exemption: Exemption, said: str, *, adopted: bool = False, proven_by: str = "the freeze's own record") -> FreezeReply:
        return self._told(said, adopted, proven_by, token=exemption.token, until=exemption.expires_at)

    def _details(self) -> str:
        freeze = self.freeze
        held = [f"* **{h.id}**: {h.reason} ({h.by}, since {h.since:%Y-%m-%d %H:%M} UTC)" for h in freeze.holders.values()]
        passing = [f"* may pass: one {e.covers} until {e.expires_at:%H:%M} UTC" for e in freeze.live]
        trouble = [f"**{freeze.trouble}**"] if freeze.trouble else []
        return "\n".join([f"Change freeze of {freeze.service}", *trouble, *held, *passing])


def _when(at: datetime | None) -> str:
    return f" at {at:%H:%M:%S} UTC" if at else ""
