"""2.7 Model drift / quality regression

Triggers: eval suite fails; complaint spike; accuracy metrics dip; higher deflection to human support. Mitigation: roll back the model or prompt
version in the registry, re-enable previous guard chains, purge tainted caches, pause the canary until evaluation passes. Post-incident: update
the Model Card, new eval cases, schedule a retrain or fine-tune plan. Spec: §9.7, Annex A.7.

Never by us: weaken an eval or a threshold, retrain on incident data, delete samples, switch the model of tenants that do not permit it.
"""

from temporalio import workflow

from activities.action import Role
from activities.values import Concern, Curve
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.model_drift.causes import Candidate, Cause
from workflows.playbooks.model_drift.recovery import WayBack
from workflows.playbooks.model_drift.regression import Regression
from workflows.playbooks.model_drift.remedies import Remedies


@workflow.defn
class ModelDrift(Playbook):
    """§2.7: hold releases back, find the slices, roll back the triple as a unit, prove it by evals, by users and by people."""

    card = Card(
        section="2.7",
        title="Model drift / quality regression",
        short="quality",
        floor=Severity.SEV3,
        lead=(Role.AI_ML_LEAD,),
        triggers=("Eval suite fails", "Complaint spike", "Accuracy metrics dip", "Higher deflection to human support"),
        curve=Curve.QUALITY,
        concern=Concern.QUALITY,
        alerts_on_impact=False,  # an eval or a spike of an hour fires on for hours after the answers are good again
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers, route = self.policy.model_drift, incident.service
        drift = Regression(self, route)
        remedies, back = Remedies(self, drift), WayBack(self, drift)

        async with self.triage():
            await drift.see()
            await drift.hold_back()
            await drift.keep_evidence()
            await drift.survey()
            self.classify(drift.facts())
            await drift.rule_out_others()
            drift.tell_tenants()

        async def remedy(candidate: Candidate) -> bool:
            match candidate.cause:
                case Cause.TRIPLE:
                    return await remedies.roll_back()
                case Cause.GUARD:
                    return await remedies.restore_guards()
                case Cause.PROVIDER:
                    return await remedies.pin_or_fail_over()
                case Cause.JUDGE:
                    return remedies.distrust_the_judge()
                case Cause.UNKNOWN:
                    return await remedies.degrade()

        while self.unresolved:
            async with self.mitigation():
                await drift.begin_round()
                remedies.begin_round()
                await remedies.cure(remedy)

            async with self.recovery():
                await back.evaluated()
                await self.stable(max(numbers.normal_for, self.policy.stability.window) if drift.broad else None)
                await self.lift_measures(
                    asking=Role.AI_ML_LEAD, resting=numbers.resting, asks="Let publishes through, and put back what was degraded?"
                )
                await back.settled()
                await back.roll_out_again()
                await back.judged_by_people()
                await self.stable()
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Update the Model Card: what was wrong, for which slices, since when", Role.AI_ML_LEAD)
            self.follow_up("Add eval cases for the slices that hid it, and an ablation of each prompt edit per model", Role.AI_ML_LEAD)
            self.follow_up("Schedule a retrain or fine-tune plan; nothing is trained on what this incident collected", Role.AI_ML_LEAD)
            self.follow_up("Review the blessing of triples: what let this one through", Role.AI_ML_LEAD)
