"""What a freeze does: it locks and unlocks the branches of its service, lets single deploys pass, and asks people whether it is still needed."""

from typing import Any, NamedTuple

from temporalio import workflow

from activities.action import Effect, Risk, Role, action_of
from activities.freeze.branch_lock import BranchLock, BranchLocks, LockOf, ProbeDeploy, SetLock, hotfix
from activities.freeze.orders import ExemptDeploy, Exemption, Hold, Holder, Release
from activities.organisation.organisation import Deployed, Organisation, ReadAll
from activities.paging.pager import Pager, Remind
from workflows.engine.invoker import Invoker, RetriesExhausted
from workflows.freeze.state import Freeze
from workflows.people.approvals import NotAccepted
from workflows.people.questions import Questions

RECORD = "the freeze's own record"


class NotProven(NotAccepted):
    """It was understood and allowed, but could not be carried out and proven."""


class Authority(NamedTuple):
    """On whose word something is done."""

    by: tuple[str, ...]
    verified: bool
    key: str = ""  # of a worker's call

    @property
    def names(self) -> str:
        return " and ".join(self.by)


class Holding:
    """The verbs of one freeze. They raise `RetriesExhausted` when patience is over, and `NotAccepted` when it may not be."""

    def __init__(self, freeze: Freeze, invoker: Invoker, questions: Questions) -> None:
        self._freeze = freeze
        self._record = freeze.record
        self._invoker = invoker
        self._questions = questions

    async def hold(self, order: Hold, by: Authority) -> Effect:
        """The holder is in the set before anything is touched: what is half done must be released by somebody."""
        freeze, record = self._freeze, self._record
        before, who = record.holder(order.holder), order.by if by.key and order.by else by.names
        if before is None:
            freeze.hold(Holder(id=order.holder, reason=order.reason or "no reason given", by=who, since=workflow.now()))
            freeze.note("hold", f"{order.holder}: {order.reason}", by=who)
        try:
            proven_by = await self._prove()
        except RetriesExhausted as out:
            record.trouble = out.why
            freeze.note("not proven", out.why)
            raise NotProven(f"{record.service} is not proven to be frozen: {out.why}") from None
        freeze.note("frozen", f"{record.names}: {proven_by}")
        return self._effect(
            f"deploys of {record.service} are held back for {record.names}", proven_by, before is not None and before.proven
        )

    async def release(self, order: Release, by: Authority) -> Effect:
        freeze, record = self._freeze, self._record
        if not record.holders:  # a ruleset may be left of a freeze whose workflow was ended
            await self._adopt()
        mine = record.holder(order.holder)
        if mine is None and record.holders:
            return self._effect(f"{order.holder} does not hold the freeze of {record.service}; {record.names} does", adopted=True)
        for exemption in [e for e in freeze.live if e.holder == order.holder]:
            freeze.end_exemption(exemption, "withdrawn")
        others, proven_by = tuple(holder for holder in record.holders if holder is not mine), "nothing was ever locked"
        if others:
            proven_by = await self._lock(tuple(holder.id for holder in others))
            record.holders = others
            sentence = f"{order.holder} no longer holds the freeze of {record.service}; it goes on for {record.names}"
        else:
            if record.touched:
                record.drift = (await self._look()).drift
                proven_by = await self._set(SetLock(service=self._place), by, "release")
            freeze.emptied()
            sentence = f"deploys of {record.service} go on: nobody holds the freeze any more"
        passed = f"; deployed without an exemption: {'; '.join(record.drift)}" if record.drift else ""
        freeze.note("released", f"{order.holder}: {order.reason or 'no reason given'}{passed}", by=by.names)
        return self._effect(sentence + passed, proven_by, mine is None, **({"drift": [*record.drift]} if record.drift else {}))

    async def exempt(self, order: ExemptDeploy, by: Authority) -> Effect:
        freeze, record = self._freeze, self._record
        if not record.holders:
            raise NotAccepted(f"{record.service} is not frozen: nothing needs an exemption")
        known = freeze.exemption(order)
        if known is not None and not known.ended and workflow.now() < known.expires_at:
            return self._token(known, f"there is an exemption for one {known} already", adopted=True)
        branch, pushes = hotfix(order.artefact), order.purpose.pushes
        exemption = freeze.exempt(order, by.by, by.verified, (await self._look()).hotfixes.get(branch, "") if pushes else "")
        try:
            proven_by = await self._lock() if pushes else RECORD
        except RetriesExhausted:
            freeze.end_exemption(exemption, "withdrawn")
            record.retry_at = workflow.now() + freeze.policy.paced(freeze.policy.repage)
            raise
        record.looked_at = workflow.now()
        how = f"by a push to {branch}" if pushes else "in the hands of whoever rolls back"
        sentence = f"one {exemption} may pass, {how}, until {exemption.expires_at:%H:%M} UTC"
        freeze.note("exempted", sentence, by=by.names)
        return self._token(exemption, sentence, proven_by)

    async def use(self, order: ExemptDeploy, by: Authority) -> Effect:
        """Once. A push that we saw ourselves has used it, too; whoever pushed may still say so, once."""
        freeze, exemption = self._freeze, self._freeze.exemption(order)
        if exemption is None:
            raise NotAccepted(f"there is no exemption for one {order.purpose} of {order.artefact[:19]} for {order.holder}")
        if exemption.ended == "used" and not exemption.used_by:
            return self._token(
                freeze.end_exemption(exemption, "used", by.key or by.names), f"one {exemption} was seen to pass", adopted=True
            )
        if exemption.ended or workflow.now() >= exemption.expires_at:
            when = f" at {exemption.ended_at:%H:%M:%S} UTC" if exemption.ended_at else ""
            raise NotAccepted(f"the exemption for one {exemption} was {exemption.ended or 'expired'}{when}: ask for a new one")
        used = freeze.end_exemption(exemption, "used", by.key or by.names)
        freeze.note("used", f"one {used}", by=by.names)
        await self._close()
        return self._token(used, f"one {used} passes; the exemption is used up")

    def again(self, order: Any) -> Effect:
        """A message that was carried out before, sent once more: by a late attempt, or by somebody who has read it in the history."""
        known = self._freeze.exemption(order) if isinstance(order, ExemptDeploy) else None
        sentence = "this was done before, on this very message"
        return self._token(known, sentence, adopted=True) if known else self._effect(sentence, adopted=True)

    # -- what it does by itself -------------------------------------------------------------------------------------------------------

    async def tend(self) -> None:
        """Whatever is due. What fails is noted, and due again."""
        freeze, record, now = self._freeze, self._record, workflow.now()
        if freeze.exempted and record.looked_at and now >= record.looked_at + freeze.policy.paced(freeze.policy.freeze.exemption_look):
            await self._look_for_pushes()
        for exemption in [e for e in freeze.live if e.expires_at <= now]:
            freeze.end_exemption(exemption, "expired")
            freeze.note("expired", f"one {exemption}: nobody used it")
        if record.retry_at is None or record.retry_at <= now:
            await self._close()
        if record.ask_at and record.ask_at <= now:
            await self._ask_again()

    async def _look_for_pushes(self) -> None:
        """An exemption is for one push: what has come through is noted, and closed."""
        freeze, self._record.looked_at = self._freeze, workflow.now()
        try:
            hotfixes = (await self._look()).hotfixes
        except RetriesExhausted as out:
            freeze.note("blind", f"cannot see whether an exemption was used: {out}")
            return
        for exemption in [e for e in freeze.live if e.purpose.pushes]:
            if (pushed := hotfixes.get(hotfix(exemption.artefact), "")) != exemption.head:
                freeze.end_exemption(exemption, "used")
                freeze.note("used", f"one {exemption}: {hotfix(exemption.artefact)} came to {pushed[:12]}")

    async def _close(self) -> None:
        """Let nothing through but what may pass. While that fails everybody can see it."""
        freeze, record = self._freeze, self._record
        again, record.retry_at = record.retry_at is not None, None
        if not freeze.unclosed:
            return
        try:
            await self._prove() if again else await self._lock()
        except RetriesExhausted as out:
            branches = ", ".join(map(hotfix, freeze.unclosed))
            record.trouble = f"{branches} may still be let through, though the exemption has ended: {out}"
            record.retry_at = workflow.now() + freeze.policy.paced(freeze.policy.repage)
            freeze.note("not closed", record.trouble)

    async def _ask_again(self) -> None:
        """A freeze this old is asked about, daily. Nothing ends it but a release."""
        freeze, record, policy = self._freeze, self._record, self._freeze.policy
        try:
            lock = await self._look()
            record.drift = lock.drift
            for passed in lock.drift:
                freeze.note("drift", f"deployed without an exemption: {passed}")
            if not lock.locked:
                record.trouble = f"somebody has unlocked {self._place.repository} by hand"
                freeze.note("not in force", record.trouble)
            await self._questions.read_the_rota()
            named = [freeze.assignments.roster.person(holder.by) for holder in record.holders]
            people = {p.id: p for p in (*named, *freeze.assignments.holders((Role.INCIDENT_COMMANDER,))) if p is not None}
            text = f"Deploys of {record.service} are frozen. Still needed? {'; '.join(record.lines())}. If not: {self._ways()}"
            await self._invoker.quietly(Pager.remind, Remind(incident_id=freeze.id, people=tuple(people.values()), text=text, nth=1))
        except RetriesExhausted as out:
            record.ask_at = workflow.now() + policy.paced(policy.repage)
            freeze.note("not told", f"could not ask whether the freeze is still needed: {out}")
            return
        record.ask_at = workflow.now() + policy.paced(policy.freeze.ask_again)
        freeze.note("asked", f"still needed? {', '.join(people) or 'nobody on the roster'}")

    def _ways(self) -> str:
        return " or ".join(f"incident freeze release {self._record.service} --incident {holder.id}" for holder in self._record.holders)

    # -- the branches -----------------------------------------------------------------------------------------------------------------

    async def place(self) -> Deployed:
        """Where the service's source is: as the catalogue says now, or as it said last. Raises `NotAccepted`."""
        record, why = self._record, f"the organisation's catalogue has no service {self._record.service!r} with a repository"
        try:
            found = (await self._invoker.quietly(Organisation.catalogue, ReadAll())).services.get(record.service)
            record.place = found if found is not None and found.repository else record.place
        except RetriesExhausted as out:
            why = out.why
        if record.place is None:
            raise NotAccepted(f"cannot freeze {record.service}: {why}")
        return record.place

    @property
    def _place(self) -> Deployed:
        assert self._record.place is not None  # noqa: S101 - narrows the type; no message is carried out before it was found
        return self._record.place

    async def _look(self) -> BranchLock:
        exempted = tuple(e.artefact for e in self._record.exemptions if e.purpose.pushes)
        return await self._invoker.quietly(BranchLocks.read, LockOf(service=self._place, since=self._record.before, exempted=exempted))

    async def _adopt(self) -> None:
        """What the lock is like before we touch it. Holders that it names are kept: a freeze by hand, or one whose workflow was ended."""
        freeze, record, found = self._freeze, self._record, await self._look()
        record.before, record.touched = found, record.touched or found.locked or bool(found.holders)
        for id in found.holders:
            if record.holder(id) is None:
                freeze.hold(Holder(id=id, reason="found at GitHub", by="unknown", since=workflow.now()))
                freeze.note("adopted", f"{id} holds it already, says the ruleset")

    async def _prove(self) -> str:
        """Locked, and a probe deploy refused."""
        if self._record.before is None:
            await self._adopt()
        locked = await self._lock()
        probed = await self._invoker.act(BranchLocks.probe, ProbeDeploy(service=self._place))
        self._freeze.proven()
        return f"{locked}; {probed.proven_by}"

    async def _lock(self, holders: tuple[str, ...] = ()) -> str:
        """Locked for these holders (all of them), but for what may pass."""
        freeze, record = self._freeze, self._record
        holders = holders or tuple(holder.id for holder in record.holders)
        order = SetLock(service=self._place, holders=holders, exempted=freeze.exempted)
        giving = [e for e in freeze.live if e.purpose.pushes]
        record.touched, record.passing = True, tuple(sorted({*record.passing, *order.exempted}))
        by = Authority(tuple(dict.fromkeys(name for e in giving for name in e.by)), all(e.verified for e in giving))
        proven_by = await self._set(order, by, "exemption")
        record.passing = order.exempted
        return proven_by

    async def _set(self, order: SetLock, by: Authority, basis: str) -> str:
        covers, lasting = [order.digest(action_of(BranchLocks.apply).name)], self._freeze.policy.approval_valid[Risk.C2]
        grant = self._freeze.approvals.ordered(by.names, by.verified, covers, lasting, workflow.now(), basis=basis) if by.by else None
        return (await self._invoker.act(BranchLocks.apply, order, grant=grant)).proven_by

    # -- words ------------------------------------------------------------------------------------------------------------------------

    def _effect(self, summary: str, proven_by: str = RECORD, adopted: bool = False, **after: Any) -> Effect:
        after["holders"] = [holder.id for holder in self._record.holders]
        return Effect(target=f"freeze/{self._record.service}", summary=summary, proven_by=proven_by, adopted=adopted, after=after)

    def _token(self, exemption: Exemption, summary: str, proven_by: str = RECORD, adopted: bool = False) -> Effect:
        return self._effect(summary, proven_by, adopted, token=exemption.token, until=exemption.expires_at.isoformat())
