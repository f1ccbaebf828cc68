"""2.11 Cache poisoning / stale grounding (RAG/CAG drift)

Triggers: incorrect answers referencing outdated or malicious sources; low cache hit quality. Mitigation: invalidate affected keys, disable CAG
fallback for impacted domains; re-fetch sources, enable source-of-truth pinning, increase freshness checks. Spec: §9.11, Annex A.11.
"""

from temporalio import workflow

from activities.action import Role
from activities.values import Concern, Curve
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.cache_poisoning.grounding import Grounding, which_domain
from workflows.playbooks.cache_poisoning.mending import Mending
from workflows.playbooks.cache_poisoning.recovery import Recovery


@workflow.defn
class CachePoisoning(Playbook):
    """§2.11: sample, disable, quarantine, invalidate, refetch, verify, enable."""

    card = Card(
        section="2.11",
        title="Cache poisoning / stale grounding",
        short="cache",
        floor=Severity.SEV3,
        lead=(Role.AI_ML_LEAD, Role.OPS_LEAD),
        triggers=("Incorrect answers referencing outdated or malicious sources", "low cache hit quality"),
        curve=Curve.GROUNDING,
        proof=(),
        concern=Concern.INTEGRITY,
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers = self.policy.cache_poisoning

        async with self.triage():
            grounding = Grounding(self, await which_domain(self, incident))
            found = await grounding.elsewhere(await grounding.look())
            self.classify(found.facts())
            await grounding.call_others_in(found)
            mending = Mending(self, grounding)
            recovery = Recovery(self, grounding, mending)

        while self.unresolved:
            async with self.mitigation():
                found = await grounding.latest(found)
                await mending.keep_evidence()
                await mending.contain(found)
                while await mending.to_do(found):
                    await mending.keep_out(found)
                    await mending.invalidate(found)
                    await mending.rebuild(await mending.refetch(found))
                    await mending.freshen()
                    found = await grounding.helped()

            async with self.recovery():
                recovery.begin_letters()
                await recovery.shut_out()
                await self.stable(numbers.correct_for)
                await recovery.people_agree()
                await recovery.keep_quarantine()
                await mending.nothing_old()
                await self.lift_measures(
                    asking=Role.AI_ML_LEAD,
                    resting=numbers.resting,
                    asks=f"Let the cache answer questions about {grounding.domain} again, a share at a time?",
                )
                await self.stable(numbers.canary_step)
                await recovery.letters_ended()
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Add drift detectors: compare answers with their sources, and cached answers with fresh ones", Role.AI_ML_LEAD)
            self.follow_up("Set expiration policies for cached answers, domain by domain", Role.OPS_LEAD)
            self.follow_up("Score provenance in the retriever, and refuse what nobody vouches for", Role.AI_ML_LEAD)
            self.follow_up("Watch answers against the source of truth (a probe that asks what has changed there)", Role.AI_ML_LEAD)
