"""What is done where nothing is failed over: stale replicas, an overloaded primary, a full disk; and two writers (§9.9; A.9 L1)."""

from activities.action import Role
from activities.databases.jobs import CancelQuery, QueryCancellations
from activities.databases.settings import READS_MOVED, Endpoint, EndpointOf, Endpoints
from activities.edge.gateway import LIMITED, limit
from activities.flags.flags import SWITCHED_OFF, switch_off
from workflows.engine.verbs import Verbs
from workflows.incident import Silence
from workflows.playbooks.database_failover.cluster import LEADS, Cluster
from workflows.playbooks.database_failover.failover import BATCH, HEAVY, Failover
from workflows.playbooks.database_failover.findings import Found, Verdict, fresh


class WithoutFailover:
    def __init__(self, verbs: Verbs, cluster: Cluster) -> None:
        self._verbs, self._cluster, self._numbers = verbs, cluster, cluster.numbers
        self.name = cluster.name

    async def relieve(self, found: Found) -> None:
        """L1: reads go where they are fresh, heavy readers and batch writers stop, what blocks a replica is cancelled. Nothing is promoted."""
        verbs, why = self._verbs, f"{self.name}: {found.verdict}"
        if found.stale:
            await self._move_reads(found)
        await verbs.together(*(verbs.impose(SWITCHED_OFF, switch_off(flag, why, verbs.policy)) for flag in (*BATCH, *HEAVY)))
        for blocker in found.seen.blockers:
            order = CancelQuery(cluster=self.name, store=self._cluster.store, node=blocker.node, query=blocker.id)
            facts = (f"a {blocker.what or 'statement'} that has run for {blocker.for_s / 60:.0f} min",)
            await verbs.propose(QueryCancellations.run, order, facts=facts, silence=Silence.SKIP)
        for node in found.stale:
            if node.paused:
                verbs.task(f"Let {node.id} replay again: somebody has paused it", Role.DB_LEAD)
            elif not node.streaming:
                verbs.task(f"Attach {node.id} again: it follows nobody. Its slot is not dropped, and its data is not wiped", Role.DB_LEAD)

    async def _move_reads(self, found: Found) -> None:
        """To replicas that are fresh; to the primary where there is none and it has room."""
        verbs, seen = self._verbs, found.seen
        late = {one.id for one in found.stale}
        good = [one.id for one in seen.nodes if one.id not in late and one.id != found.primary and fresh(one, self._numbers)]
        primary = seen.node(found.primary)
        room = primary is not None and primary.connections is not None and primary.connections < self._numbers.busy * 0.8
        if not good and not room:
            verbs.note("no replica is fresh, and the primary has no room: reads stay where they are, and are throttled", "no help")
            return
        wanted = Endpoint(writes_to=seen.writes_to, reads_from=tuple(good) or (found.primary,))
        order = Endpoints.order(EndpointOf(cluster=self.name, store=self._cluster.store), wanted, why="reads must not be stale")
        await verbs.impose(READS_MOVED, order.given(await verbs.read(Endpoints.read, order.look())), facts=found.evidence)

    async def shed(self, found: Found) -> None:
        """An overloaded primary is relieved, and never failed over: the next one would be overloaded as well."""
        verbs = self._verbs
        await self.relieve(found)
        verbs.task(f"See what has overloaded {found.primary}: it is relieved, and not failed over", Role.DB_LEAD)
        await verbs.impose(LIMITED, limit(verbs.service, None, verbs.policy.mitigation), facts=found.evidence)

    async def make_room(self, found: Found) -> None:
        """A full disk: writers that can wait stop; nothing of it is removed by automation."""
        await self.relieve(found)
        self._verbs.task(f"Make room on the disk of {found.primary}: no slot, log or snapshot is removed by us", Role.DB_LEAD)

    async def part(self, found: Found, failover: Failover) -> None:
        """Two writers: both are stopped for writes, both are kept, and people say by a rule of the business which one goes on."""
        verbs, writers = self._verbs, found.seen.writers
        await failover.stop_writes(found, authorised=True)
        await failover.keep_snapshots(found)
        said = await verbs.ask(
            f"Which of {' and '.join(writers)} goes on? Both have taken writes", roles=LEADS, example=f'"{writers[0]}"',
            facts=(*found.evidence, "the other one is fenced, and what it has taken is reconciled by people"),
        )  # fmt: skip
        if said is None or said.value not in writers:
            verbs.hand_over(f"nobody says which of {' and '.join(writers)} goes on: both stay read-only")
        kept = str(said.value)
        failover.diverged, failover.writer = True, kept
        for node in writers:
            if node != kept and not await failover.fence(node, (f"{kept} goes on, says {said.by}",)):
                verbs.hand_over(f"{node} cannot be fenced: both stay read-only")
        await failover.point_to(found, kept)

    def nothing_wrong(self, found: Found) -> None:
        """Nothing is changed where nothing is seen to be wrong."""
        if found.verdict is Verdict.WELL:
            self._verbs.note(f"nothing is wrong with {self.name} now: nothing is changed", "no help")
