"""2.9 Database primary failure / replication lag

Triggers: primary unavailable; failover occurs; read replicas stale. Mitigation: promote replica; switch services to read-only if data integrity
is at risk; queue writes; throttle heavy read endpoints; warm caches; confirm RPO/RTO within objectives. Post-incident: run failover game-day
learnings; tune timeouts and pool sizes. Never automatically: failback, a data directory or a slot removed, a WAL reset, a snapshot deleted, a
promotion with an unknown loss. Spec: §9.9, Annex A.9.
"""

from temporalio import workflow

from activities.action import Role
from activities.values import Concern, Curve
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.database_failover.cluster import Cluster, which_cluster
from workflows.playbooks.database_failover.failover import Failover
from workflows.playbooks.database_failover.findings import Verdict
from workflows.playbooks.database_failover.recovery import TUNE, Recovery
from workflows.playbooks.database_failover.restoring import Restoring
from workflows.playbooks.database_failover.without_failover import WithoutFailover


@workflow.defn
class DatabaseFailover(Playbook):
    """§2.9: quorum, freeze, read-only, snapshot, fence, promote, one writer, reopen. Integrity before availability."""

    card = Card(
        section="2.9",
        title="Database primary failure / replication lag",
        short="db",
        floor=Severity.SEV2,
        lead=(Role.DB_LEAD, Role.OPS_LEAD),
        triggers=("Primary unavailable", "failover occurs", "read replicas stale"),
        proof=(),
        curve=Curve.REPLICATION,
        concern=Concern.INTEGRITY,
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers = self.policy.database_failover

        async with self.triage():
            cluster = Cluster(self, await which_cluster(self, incident))
            failover, others = Failover(self, cluster), WithoutFailover(self, cluster)
            recovery, restoring = Recovery(self, cluster, failover), Restoring(self, cluster)
            found = await cluster.look()
            self.classify(found.facts())

        while self.unresolved:
            async with self.mitigation():
                found = await cluster.decided_by_people(await cluster.latest(found))
                self.classify(found.facts())
                match found.verdict:
                    case Verdict.DEAD | Verdict.PARTITIONED:
                        await failover.hold_still(found)
                        await failover.stop_writes(found)
                        await failover.keep_snapshots(found)
                        if not await failover.promote(found):
                            await restoring.restore(found)
                    case Verdict.FAILED_OVER:
                        await failover.hold_still(found)
                        await failover.adopt(found, found.primary)
                    case Verdict.SPLIT:
                        await failover.hold_still(found)
                        await others.part(found, failover)
                    case Verdict.OVERLOADED:
                        await others.shed(found)
                    case Verdict.FULL:
                        await others.make_room(found)
                    case Verdict.LAGGING:
                        await others.relieve(found)
                    case _:
                        others.nothing_wrong(found)
                if failover.writer:
                    await failover.tell_what_is_lost()
                    await failover.one_writer()
                    await failover.reopen()
                    await failover.write_what_waited()
                    failover.measured()

            async with self.recovery():
                await recovery.attached()
                await recovery.backed_up()
                await self.stable(numbers.attached_for)
                await recovery.reconciled()
                await recovery.keep_the_fence()
                await self.lift_measures(
                    asking=Role.DB_LEAD,
                    resting=numbers.resting,
                    asks="Send reads where they were, and let heavy readers and batch writers go on?",
                )
                await self.stable()
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Run the failover game day again with what was learned here", Role.DB_LEAD)
            self.follow_up(TUNE, Role.DB_LEAD)
            self.follow_up("Keep the evidence of the latest restore test with the incident", Role.DB_LEAD)
