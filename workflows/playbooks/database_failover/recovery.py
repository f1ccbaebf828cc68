"""Back to normal: replicas near again, a backup that restores, differences that people have signed off, and who keeps the fence (A.9 R1 to R3)."""

from typing import cast

from activities.action import Role
from activities.backups.backups import Backups, BackupsOf, RestoreTests, TestRestore
from activities.databases.databases import Databases
from activities.databases.jobs import Snapshot, Snapshots
from activities.databases.seen import ClusterOf, Says
from activities.databases.settings import FENCED, Fence, NodeOf
from activities.kit.setting import Change
from workflows.engine.measures import Imposed
from workflows.engine.verbs import Verbs
from workflows.incident import QuestionDraft
from workflows.playbooks.database_failover.cluster import LEADS, Cluster
from workflows.playbooks.database_failover.failover import Failover

TUNE = "Tune timeouts and pool sizes to what was measured"


def fenced_node(imposed: Imposed) -> str:
    """Which node a fence is about."""
    return cast("Change[NodeOf, Fence]", imposed.order).of.node


class Recovery:
    def __init__(self, verbs: Verbs, cluster: Cluster, failover: Failover) -> None:
        self._verbs, self._cluster, self._failover, self._numbers = verbs, cluster, failover, cluster.numbers
        self.name = cluster.name

    async def attached(self) -> None:
        """R1: every standby follows, and none is far behind. What does not follow is a person's: nothing is wiped by us."""
        verbs = self._verbs
        seen = await verbs.do(Databases.survey, ClusterOf(cluster=self.name))
        fenced = {fenced_node(one) for one in verbs.in_force(FENCED)}
        away = [one.id for one in seen.nodes if one.id not in fenced and one.says is not Says.PRIMARY and not one.streaming]
        if away:
            verbs.task(
                f"Attach {', '.join(away)} to {seen.writes_to} again, by host name, system id and role, and with a second person",
                Role.DB_LEAD,
            )

    async def backed_up(self) -> None:
        """R1: a backup of what is the primary now, restored in a test: before that it is unverified."""
        verbs, failover = self._verbs, self._failover
        if not failover.writer:
            return
        await verbs.propose(Snapshots.create, Snapshot(cluster=self.name, store=self._cluster.store, node=failover.writer))
        found = await verbs.look(Backups.list, BackupsOf(cluster=self.name))
        newest = found.backups[0] if found is not None and found.backups else None
        tested = newest is not None and bool(await verbs.propose(RestoreTests.run, TestRestore(cluster=self.name, backup=newest.id)))
        if not tested:
            verbs.task(f"Take a backup of {failover.writer} and restore it in a test: none is verified", Role.DB_LEAD)

    async def reconciled(self) -> None:
        """R2: what differs is listed and signed off by people; the failover itself never decides which row is right."""
        verbs, failover = self._verbs, self._failover
        if not failover.diverged:
            return
        what = f"Compare what the old primary of {self.name} has taken with what goes on, and keep a ledger of every row that differs"
        task = verbs.task(what, Role.DB_LEAD)
        verbs.exposed(f"rows of {self.name} were lost or differ: is that personal data?")
        if verbs.rehearsing:
            return
        said = await verbs.ask(
            f"Is the ledger of differences of {self.name} signed off?", roles=LEADS, example='"signed off"', about=task,
            facts=(str(failover.loss),) if failover.loss is not None else (),
        )  # fmt: skip
        if said is None:
            verbs.hand_over(f"the ledger of differences of {self.name} is not signed off")

    async def keep_the_fence(self) -> None:
        """A fence is never let go with the rest: the old primary is rebuilt after the hold, and failing back is a planned change."""
        verbs, days = self._verbs, self._numbers.hold_old_primary.days
        for imposed in verbs.in_force(FENCED):
            node = fenced_node(imposed)
            decision = await verbs.confirm(
                QuestionDraft(
                    asks=f"Who keeps this fence? Approve to keep it in your name: {imposed.order.effect()}", roles=LEADS,
                    effect="it stays in force after the incident, in your name", inverse="decline: somebody else keeps it",
                )
            )  # fmt: skip
            verbs.keep(imposed, decision.by)
            verbs.task(f"Rebuild {node} as a standby from a snapshot, not before {days} days have passed", Role.DB_LEAD)
            verbs.task(f"Plan failing back to {node}, if at all, as a change of its own: never within an incident", Role.DB_LEAD)
