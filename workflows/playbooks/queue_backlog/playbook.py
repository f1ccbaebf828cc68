"""2.8 Queue backlog / worker starvation (latency SLO burn)

Triggers: queue depth > threshold; job age growing; timeouts in API. Mitigation: scale workers; add rate limits and backpressure to API;
drop/skip non-critical jobs; prioritise critical queues; investigate deadlocks and external dependencies. Recovery: drain queues; re-enable
background jobs progressively. Never automatically: a purge, a dead-letter queue deleted, jobs replayed that may not be done twice, the
database's most connections raised, a job ended in the middle of a payment outside. Spec: §9.8, Annex A.8.
"""

from temporalio import workflow

from activities.action import Role
from activities.values import Curve
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.queue_backlog.backlog import Backlog
from workflows.playbooks.queue_backlog.recovery import Recovery


@workflow.defn
class QueueBacklog(Playbook):
    """§2.8: shed, isolate, scale, drain; nothing is lost."""

    card = Card(
        section="2.8",
        title="Queue backlog / worker starvation",
        short="queue",
        floor=Severity.SEV3,
        lead=(Role.OPS_LEAD,),
        triggers=("Queue depth > threshold", "job age growing", "timeouts in API"),
        proof=(),
        curve=Curve.BACKLOG,
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers = self.policy.queue_backlog

        async with self.triage():
            backlog = Backlog(self, [incident.labels.get("tenant", "")])
            recovery = Recovery(self, backlog)
            seen = await backlog.survey()
            self.classify(seen.facts())
            await recovery.count()
            self.task("Say by how many minutes which feature is delayed, and tell those who wait", Role.COMMS_LEAD)

        while self.unresolved:
            async with self.mitigation():
                seen = await backlog.latest(seen)
                await backlog.relieve(seen)

            async with self.recovery():
                await recovery.keep_parked(await backlog.survey())
                await backlog.full_rate()
                await self.stable(numbers.age_ok_for)
                await self.lift_measures(
                    asking=Role.OPS_LEAD,
                    resting=numbers.resting,
                    asks="Are the causes repaired? Give background work, limits and workers back?",
                )
                await self.stable(numbers.after_restoring)
                await recovery.count()
                await self.stable()
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Model the capacity of the workers: what arrives, how long a job takes, what they stand on", Role.OPS_LEAD)
            self.follow_up("Alert on the age of the oldest job of each queue, not on its depth alone", Role.OPS_LEAD)
            self.follow_up("Name an owner of each dead-letter and parking queue, who looks at it", Role.OPS_LEAD)
            self.follow_up("Agree on a TTL for each class of jobs with its owner", Role.OPS_LEAD)
            self.follow_up("Drill load shedding: tenants held back, background work paused and given back", Role.OPS_LEAD)
