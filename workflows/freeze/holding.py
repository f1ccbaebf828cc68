"""What a freeze does: it locks and unlocks the branches of its service, lets single deploys pass, and asks people whether it is still needed."""

from typing import Any, NamedTuple

from temporalio import workflow

from activities.action import Effect, Risk, Role, action_of
from activities.freeze.branch_lock import BranchLocks
from activities.freeze.lock_orders import BranchLock, LockOf, ProbeDeploy, SetLock, hotfix
from activities.freeze.orders import ExemptDeploy, Exemption, Hold, Holder, Release
from activities.kit.words.code_names import OTHERS_READ, under_code_name
from activities.kit.words.shell import command
from activities.organisation.catalogue import Deployed
from activities.organisation.organisation import Organisation, ReadAll
from workflows.engine.invoker import Invoker
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.freeze.state import Freeze
from workflows.people.questions import Questions


class NotProven(NotAccepted):
    """It was understood and allowed, but could not be carried out and proven."""


class Authority(NamedTuple):
    """On whose word something is done. `key`: of a worker's call."""

    by: tuple[str, ...]
    verified: bool
    key: str = ""

    @property
    def names(self) -> str:
        return " and ".join(self.by)


class Holding:
    """The verbs of one freeze. They raise `RetriesExhausted` when patience is over, and `NotAccepted` when it may not be."""

    def __init__(self, freeze: Freeze, invoker: Invoker, questions: Questions) -> None:
        self._freeze, self._record = freeze, freeze.record
        self._invoker, self._questions = invoker, questions

    async def hold(self, order: Hold, by: Authority) -> Effect:
        """The holder is in the set before anything is touched: what is half done must be released by somebody."""
        freeze, record = self._freeze, self._record
        before, adopted = record.holder(order.holder), record.in_force
        if before is None:
            self._add(order.holder, order.reason or "no reason given", order.by if by.key and order.by else by.names, "hold")
        try:
            proven_by = await self._prove()
        except RetriesExhausted as out:
            record.trouble = out.why
            freeze.note("not proven", out.why)
            raise NotProven(f"{record.service} is not proven to be frozen: {out.why}") from None
        freeze.note("frozen", f"{record.names}: {proven_by}")
        return self.effect(f"deploys of {record.service} are held back for {record.names}", proven_by, adopted and before is not None)

    async def release(self, order: Release, by: Authority) -> Effect:
        freeze, record = self._freeze, self._record
        if not record.holders:  # a ruleset may be left of a freeze whose workflow was ended
            await self._adopt()
        mine = record.holder(order.holder)
        if mine is None and record.holders:
            return self.effect(f"{order.holder} does not hold the freeze of {record.service}; {record.names} does", adopted=True)
        for exemption in [e for e in freeze.live if e.holder == order.holder]:
            freeze.end_exemption(exemption, "withdrawn")
        if others := tuple(holder for holder in record.holders if holder is not mine):
            proven_by, record.holders = await self._lock(*(holder.id for holder in others)), others
            sentence = f"{order.holder} no longer holds the freeze of {record.service}; it goes on for {record.names}"
        else:
            record.drift = self._drift(await self._read()) if record.before else ()
            proven_by = await self._apply(SetLock(service=record.place), by, "release") if record.before else "nothing was ever locked"
            record.holders, record.passing, record.passed, record.due, record.trouble, record.locked = (), (), (), {}, "", True
            record.since = record.before = record.proven_at = None
            for exemption in freeze.live:
                freeze.end_exemption(exemption, "withdrawn")
            sentence = f"deploys of {record.service} go on: nobody holds the freeze any more"
        passed = f"; deployed without an exemption: {'; '.join(record.drift)}" if record.drift else ""
        freeze.note("released", f"{order.holder}: {order.reason or 'no reason given'}{passed}", by=by.names)
        return self.effect(sentence + passed, proven_by, mine is None)

    async def exempt(self, order: ExemptDeploy, by: Authority) -> Effect:
        """A rollback touches no branch, so that nothing waits for it: its exemption is used up with the word."""
        freeze, record = self._freeze, self._record
        if not record.holders:
            raise NotAccepted(f"{record.service} is not frozen: nothing needs an exemption")
        known, branch, proven_by = freeze.exemption(order), hotfix(order.artefact), ""
        adopted = known is not None and not known.ended and workflow.now() < known.expires_at
        if known is None or not adopted:
            known = Exemption(
                token=str(workflow.uuid4()),
                **order.model_dump(include={"holder", "artefact", "purpose"}),
                by=by.by,
                verified=by.verified,
                head=(await self._read()).hotfixes.get(branch, "") if order.purpose.pushes else "",
                expires_at=workflow.now() + freeze.policy.for_people(freeze.policy.freeze.exemption),
            )
            record.exemptions = (*record.exemptions, known)
        if order.purpose.pushes:
            self._look_later()
            proven_by, sentence = await self._lock(), f"one {known} may pass, by a push to {branch}, until {known.expires_at:%H:%M} UTC"
        else:
            known, sentence = freeze.end_exemption(known, "used"), f"one {known} may pass now"
        freeze.note("exempted", sentence, by=by.names)
        return self.effect(sentence, proven_by, adopted, known)

    async def tend(self) -> None:
        """Whatever is due. What fails is noted, and due again."""
        due, chores = self._record.due, {"look": self._look, "close": self._close, "ask": self._ask}
        for what in [name for name, at in due.items() if at <= workflow.now()]:
            due.pop(what, None)
            await chores[what]()

    async def _look(self) -> None:
        """An exemption is for one push, and for a while: what has come through, or was not used, is noted and closed."""
        freeze = self._freeze
        try:
            hotfixes = (await self._read()).hotfixes if freeze.live else {}
        except RetriesExhausted as out:
            freeze.note("blind", f"cannot see whether an exemption was used: {out}")
            hotfixes = None
        for exemption in freeze.live:
            branch = hotfix(exemption.artefact)
            if hotfixes is not None and (pushed := hotfixes.get(branch, "")) != exemption.head:
                freeze.end_exemption(exemption, "used")
                freeze.note("used", f"one {exemption}: {branch} came to {pushed[:12]}")
            elif exemption.expires_at <= workflow.now():
                freeze.end_exemption(exemption, "expired")
                freeze.note("expired", f"one {exemption}: nobody used it")
        self._look_later()
        await self._close()

    def _look_later(self) -> None:
        freeze = self._freeze
        soon = workflow.now() + freeze.policy.paced(freeze.policy.freeze.exemption_look)
        if freeze.live:
            freeze.record.due["look"] = min(soon, *(e.expires_at for e in freeze.live))

    async def _close(self) -> None:
        """Let nothing through but what may pass. While that fails everybody can see it."""
        freeze, record, live = self._freeze, self._record, {e.artefact for e in self._freeze.live}
        passing = [hotfix(artefact) for artefact in record.passing if artefact not in live]
        if not passing or "close" in record.due:
            return
        try:
            await self._prove()
        except RetriesExhausted as out:
            record.trouble = f"{', '.join(passing)} may still be let through, though the exemption has ended: {out}"
            freeze.note("not closed", record.trouble)
            freeze.later("close", freeze.policy.repage)

    async def _ask(self) -> None:
        """A freeze this old is asked about, daily. Nothing ends it but a release."""
        freeze, record, policy = self._freeze, self._record, self._freeze.policy
        freeze.later("ask", policy.repage)
        try:
            lock = await self._read()
            record.drift = self._drift(lock)
            if not lock.locked:
                record.trouble = "somebody has unlocked the branches by hand"
            await self._questions.notices.read_the_rota()
            named = [freeze.assignments.roster.person(holder.by) for holder in record.holders]
            people = {p.id: p for p in (*named, *freeze.assignments.holders((Role.INCIDENT_COMMANDER,))) if p is not None}
            ways = " or ".join(
                command("incident", "freeze", "release", record.service, "--incident", holder.id)
                for holder in record.holders
                if not under_code_name(holder.id)
            )
            text = f"Deploys of {record.service} are frozen. Still needed? {'; '.join(record.lines())}. If not: {ways or OTHERS_READ}"
            self._questions.notices.remind(tuple(people.values()), text)
        except RetriesExhausted as out:
            freeze.note("not told", f"could not ask whether the freeze is still needed: {out}")
        else:
            freeze.later("ask", policy.freeze.ask_again)
            freeze.note("asked", f"still needed? {'; '.join(record.lines())} ({', '.join(people) or 'nobody on the roster'})")

    async def place(self) -> Deployed:
        """Where the service's source is: as the catalogue says now, or as it said last. Raises `NotAccepted`."""
        record, why = self._record, f"the organisation's catalogue has no service {self._record.service!r} with a repository"
        try:
            found = (await self._invoker.quietly(Organisation.catalogue, ReadAll())).services.get(record.service)
            record.place = found if found is not None and found.repository else record.place
        except RetriesExhausted as out:
            why = out.why
        if not record.place.repository:
            raise NotAccepted(f"cannot freeze {record.service}: {why}")
        return record.place

    async def _read(self) -> BranchLock:
        exempted = tuple(e.artefact for e in self._record.exemptions if e.purpose.pushes)
        return await self._invoker.quietly(
            BranchLocks.read, LockOf(service=self._record.place, since=self._record.before, exempted=exempted)
        )

    def _drift(self, lock: BranchLock) -> tuple[str, ...]:
        """What was deployed without an exemption: by the branches now, and by what the watch has seen at the platform."""
        return tuple(dict.fromkeys((*lock.drift, *(one.what for one in self._record.passed if not one.covered))))

    async def _adopt(self) -> None:
        """What the lock is like before we touch it. Holders that it names are kept: a freeze by hand, or one whose workflow was ended."""
        self._record.drift, self._record.before = (), await self._read()
        for id in self._record.before.holders:
            if self._record.holder(id) is None:
                self._add(id, "found at GitHub", "unknown", "adopted")

    def _add(self, id: str, reason: str, by: str, kind: str) -> None:
        freeze, record, now = self._freeze, self._record, workflow.now()
        record.holders, record.since = (*record.holders, Holder(id=id, reason=reason, by=by, since=now)), record.since or now
        if "ask" not in record.due:
            freeze.later("ask", freeze.policy.freeze.ask_again)
        freeze.note(kind, f"{id}: {reason}", by=by)

    async def _prove(self) -> str:
        """Locked, and a probe deploy refused."""
        if self._record.before is None:
            await self._adopt()
        locked = await self._lock()
        probed = await self._invoker.act(BranchLocks.probe, ProbeDeploy(service=self._record.place))
        self._record.proven_at, self._record.trouble = workflow.now(), ""
        return f"{locked}; {probed.proven_by}"

    async def _lock(self, *holders: str) -> str:
        """Locked for these holders (all of them), but for what may pass: on the word of whoever exempted that."""
        record, exemptions = self._record, self._freeze.live
        order = SetLock(
            service=self._record.place, holders=holders or tuple(holder.id for holder in record.holders),
            exempted=tuple(sorted({e.artefact for e in exemptions})),
        )  # fmt: skip
        record.passing = tuple(sorted({*record.passing, *order.exempted}))
        by = Authority(tuple(dict.fromkeys(name for e in exemptions for name in e.by)), all(e.verified for e in exemptions))
        proven_by = await self._apply(order, by, "exemption")
        record.passing = order.exempted
        return proven_by

    async def _apply(self, order: SetLock, by: Authority, basis: str) -> str:
        covers, lasting = [order.digest(action_of(BranchLocks.apply).name)], self._freeze.policy.approval_valid[Risk.C2]
        grant = self._freeze.approvals.ordered(by.names, by.verified, covers, lasting, workflow.now(), basis=basis) if by.by else None
        return (await self._invoker.act(BranchLocks.apply, order, grant=grant)).proven_by

    def effect(self, summary: str, proven_by: str = "", adopted: bool = False, exemption: Exemption | None = None) -> Effect:
        after: dict[str, Any] = {"holders": [holder.id for holder in self._record.holders], "drift": [*self._record.drift]}
        if exemption is not None:
            after |= {"token": exemption.token, "until": exemption.expires_at.isoformat()}
        proven_by = proven_by or "the freeze's own record"
        return Effect(target=f"freeze/{self._record.service}", summary=summary, proven_by=proven_by, adopted=adopted, after=after)
