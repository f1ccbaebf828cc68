"""An hour at zero, then a watch of thirty days that outlives the incident; what is blocked stays so, in somebody's name (A.12 R1, C1)."""

from activities.action import Role
from activities.admission.admission import REFUSED_BUILDS
from activities.builds.blocklist import BLOCKED
from activities.builds.hosts import ISOLATED
from activities.egress.egress import DENIED
from activities.watches.orders import BeginWatch
from activities.watches.watches import Watches
from workflows.engine.verbs import Verbs
from workflows.errors import Relapse
from workflows.incident import QuestionDraft
from workflows.playbooks.supply_chain_cve.fixing import Fix
from workflows.playbooks.supply_chain_cve.reach import Reach


class Recovery:
    def __init__(self, verbs: Verbs, reach: Reach, fix: Fix) -> None:
        self._verbs, self._reach, self._fix, self._numbers = verbs, reach, fix, verbs.policy.supply_chain
        self._told = False

    async def stays_at_zero(self) -> None:
        """For an hour nothing affected runs of any service. What cannot be seen begins the hour again; what is started again is a relapse."""
        verbs, numbers, found = self._verbs, self._numbers, self._reach.found
        if found.dropped or verbs.rehearsing:
            return
        window = verbs.policy.paced(numbers.clean_for)
        until = verbs.clock() + window
        while verbs.clock() < until:
            await verbs.rest(numbers.zero_every, "the fleet to stay at zero")
            for name in list(found.presence):
                seen = await self._fix.look(name)
                if seen is not None and any(build.present or build.loaded for build in seen.affected):
                    raise Relapse(f"something affected was started again: {seen.summary}")
                if seen is None or not seen.zero:
                    until = verbs.clock() + window
                    self._reach.tell_gaps(name, seen)
        verbs.note(f"nothing affected has run for {numbers.clean_for.total_seconds() / 60:.0f} minutes", "fleet")

    async def keep(self) -> None:
        """Versions and builds stay blocked, hosts cut off until they are rebuilt, calls denied: in the name of whoever says so."""
        verbs = self._verbs
        held = [one for of in (BLOCKED, REFUSED_BUILDS, ISOLATED, DENIED) for one in verbs.in_force(of) if not verbs.kept_by(one)]
        if not held:
            return
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"Who keeps {len(held)} things blocked after this incident? Approve to keep them in your name",
                roles=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), effect="; ".join(one.says for one in held),
                inverse="; ".join(dict.fromkeys(one.order.inverse() for one in held)),
            )
        )  # fmt: skip
        for one in held:
            verbs.keep(one, decision.by or "whoever is asked")

    async def watch(self) -> None:
        """Each fix that was shipped, daily: a closed incident is not opened again, a superseded fix opens a linked one."""
        verbs, numbers = self._verbs, self._numbers
        for shipped in self._fix.shipped:
            until = verbs.clock() + verbs.policy.paced(numbers.watched)
            order = BeginWatch(
                shipped=shipped, incident_id=verbs.incident_id, blocked=self._fix.blocked, until=until, every=numbers.watched_every
            )
            if await verbs.look(Watches.begin, order) is None:
                verbs.task(f"Look at {shipped.advisory} daily until {until:%Y-%m-%d}: no watch could be begun", Role.SECURITY_LEAD)

    def tell(self) -> None:
        """Customers get versions, window and action; of our own product Legal looks at clocks. Nothing is sent by us (C1)."""
        verbs, found = self._verbs, self._reach.found
        if self._told or found.dropped or found.nothing:
            return
        self._told = True
        fixed = ", ".join(f"{one.package} {one.version or 'removed'}" for one in self._fix.shipped) or "no version"
        what = f"{found.advisory.id}: which of our versions had {found.advisory.named}, from when to when, what to do (fixed: {fixed})"
        verbs.task(f"Write the customer advisory with Legal and the commander: {what}", Role.COMMS_LEAD)
        if found.releases:
            due = verbs.declared_at + verbs.policy.for_people(self._numbers.fix_within)
            task = verbs.task(
                f"Decide whether the Cyber Resilience Act's clock runs: {', '.join(found.releases)} were built where malicious code ran",
                Role.LEGAL,
            )
            task.due = f"{due:%Y-%m-%d %H:%M} UTC"
