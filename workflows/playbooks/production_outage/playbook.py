"""2.1 SEV‑1: Production outage (HTTP 5xx spike / downtime)

Triggers: availability drops below SLO; API 5xx > 5% for 5 minutes; p99 latency > 2× baseline. Triage: status/health endpoints, infra or app, last
change. Mitigation: roll back to last green revision, read-only mode if writes unsafe, scale up, circuit breakers and rate limits. Recovery: verify
SLO trends, re-enable features gradually, unfreeze after 60 min stable. Spec: §9.1, Annex A.1.
"""

from temporalio import workflow

from activities.action import Role
from activities.capacity.autoscaler import SCALED
from activities.edge.gateway import LIMITED
from activities.edge.regions import DRAINED
from activities.feeds.feeds import PAUSED
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.production_outage.attempts import Attempt
from workflows.playbooks.production_outage.diagnosis import Cause
from workflows.playbooks.production_outage.outage import Outage


@workflow.defn
class ProductionOutage(Playbook):
    """§2.1: find the cause, roll back, shed, scale; prove it; give everything back."""

    card = Card(
        section="2.1",
        title="Production outage (HTTP 5xx spike / downtime)",
        short="outage",
        floor=Severity.SEV2,
        lead=(Role.OPS_LEAD,),
        triggers=("Availability drops below SLO", "API 5xx > 5% for 5 minutes", "p99 latency > 2× baseline"),
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers = self.policy.production_outage

        async with self.triage():
            service = await self.deployed()
            rollback = self.procedures.rollback_of(service)
            outage = Outage(self, service, rollback)
            await outage.survey()
            self.classify(outage.facts(), outage.findings.radius)

        async def remedy(attempt: Attempt) -> None:
            found = attempt.found
            match found.cause:
                case Cause.CHANGE:
                    await outage.undo_change(attempt)
                case Cause.ARTEFACT:
                    attempt.tried(await self.impose(PAUSED, outage.pause(found), facts=found.facts()))
                    self.task(f"Find out why {found.which} makes bad versions, and repair its generator", Role.OPS_LEAD)
                case Cause.REGION:
                    if drain := await outage.drain(attempt):
                        attempt.tried(await self.impose(DRAINED, drain, facts=found.facts()))
                case Cause.LOAD:
                    scaled = await self.impose(SCALED, await outage.scale())
                    attempt.tried(scaled, await self.impose(LIMITED, await outage.limit()))
                case Cause.DEPENDENCY:
                    attempt.also(await self.impose(LIMITED, outage.guard()))
                    outage.leave_to_people(attempt, f"Bring {found.which} back; we only protect it from overload", Role.OPS_LEAD)
                case Cause.DATA:
                    await outage.writes.decided()
                    outage.leave_to_people(attempt, f"Repair the data of {found.which}; no schema is rolled back by us", Role.DB_LEAD)
                case Cause.UNKNOWN:
                    await self.together(outage.shed(attempt), outage.roll_back_anyway(attempt))

        while self.unresolved:
            async with self.mitigation(), outage.writes.guarded():
                await outage.begin_round()
                await outage.try_each(remedy)

            async with self.recovery():
                await self.stable(numbers.steady)
                await self.lift_measures(
                    asking=Role.OPS_LEAD, resting=numbers.resting, asks="Put back what was limited, drained, paused or switched off?"
                )
                await rollback.return_to_latest()
                await self.stable()
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Capture timelines, contributing causes, preventing actions", Role.INCIDENT_COMMANDER)
            self.follow_up("Add a regression test for the cause", Role.OPS_LEAD)
            self.follow_up("Add a monitor that sees it before customers do", Role.OPS_LEAD)
