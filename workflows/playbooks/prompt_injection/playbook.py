"""2.3 Prompt injection / unsafe output detected

Triggers: guardrail trip; tool call with anomalous args; jailbreak content in logs. Mitigation: quarantine session (block further tool calls),
flag tenant/user; switch to strict prompt profile, enforce schema-validated outputs; patch vulnerable tools to validate inputs, add allow-lists/
deny-lists. Forensics: preserve chat, tool I/O, evidence, do not alter raw logs; if data exfil suspected, hand over to Security Lead.
Post-incident: red-team tests, prompt templates, Critic rules. Spec: §9.3, Annex A.3.

Never by us: delete a session, a memory, a document or logs; ban a tenant; reply to the attacker; run the payload outside of the sandbox; let a
model decide whether data went out; show the payload to a model, a shell, or anybody outside of Security.
"""

from temporalio import workflow

from activities.action import Role
from activities.values import Concern, Curve
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.prompt_injection.recovery import Recovery
from workflows.playbooks.prompt_injection.sessions import Sessions
from workflows.playbooks.prompt_injection.sources import Sources


@workflow.defn
class PromptInjection(Playbook):
    """§2.3: export, quarantine, revoke, hunt, patch."""

    card = Card(
        section="2.3",
        title="Prompt injection / unsafe output detected",
        short="injection",
        floor=Severity.SEV3,
        lead=(Role.SECURITY_LEAD, Role.AI_ML_LEAD),
        sure=True,  # it begins as an attempt; whatever it has done makes it graver at once
        triggers=("Guardrail trip", "tool call with anomalous args", "jailbreak content in logs"),
        curve=Curve.INJECTION,
        proof=(),
        public=False,  # the tenant is told before anybody else
        code_named=True,
        alerts_on_impact=False,  # the guardrails go on to trip while an attack is tried and refused
        concern=Concern.EXFILTRATION,
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers = self.policy.prompt_injection
        sessions = Sessions(self, incident)
        sources, recovery = Sources(self, sessions), Recovery(self, sessions)

        async with self.triage():
            suspects = await sessions.first()
            await self.together(sessions.contain(suspects), sessions.curve(), sources.guarded())
            sources.judge()

        while self.unresolved:
            async with self.mitigation():
                for _ in range(numbers.rounds):
                    await sources.hunt()
                    await sources.call_others_in()
                    await sources.contain()
                    if sessions.found.replicated:
                        await sources.stop_everywhere("it writes itself into what agents remember")
                    if await sources.helped():
                        break
                    sources.judge()
                else:
                    await sources.stop_everywhere("it goes on after everything that was found was kept out")
                await sessions.held()

            async with self.recovery():
                await recovery.nothing_wrong()
                await recovery.undo()
                await recovery.fixed()
                await recovery.let_go_on()
                await recovery.keep_the_rest()
                await self.lift_measures(
                    asking=Role.AI_ML_LEAD,
                    resting=numbers.resting,
                    asks="Give tools and usual profiles back, one after the other, watched?",
                )
                await self.stable(numbers.monitored)
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Add red-team tests of this attack and its variants to the Eval Plan", Role.AI_ML_LEAD)
            self.follow_up("Update prompt templates, and the rules of the Critic", Role.AI_ML_LEAD)
            self.follow_up("Give each tool the least that it needs, and write down who may approve its calls", Role.OPS_LEAD)
            self.follow_up("Put the ATLAS ids on record (AML.T0051, T0086, T0080, T0070, T0110) with what applied", Role.SECURITY_LEAD)
