"""2.4 Suspected data breach / PII leak

Triggers: DLP alerts; anomalous exports; public claims; leaked credentials. Immediate actions (Security-led): isolate affected systems; revoke
keys/tokens; rotate secrets; restrict access to incident responders; enable enhanced logging; preserve evidence (disk snapshots/logs).
Notifications: IC coordinates with Legal/Privacy for regulatory timelines; customer communications via Comms Lead; transparent and factual.
Post-incident: root cause + containment + eradication + recovery; update DPIA and Security Guidelines. Spec: §9.4, Annex A.4.

Order: hold, isolate, revoke, rotate, eradicate, restore; Legal determines, then people notify. Never by us: any notice; the statement that nobody
had access; deletion to clean up; paying; contact with whoever claims it; a lower severity; anything of the attacker's.
"""

from temporalio import workflow

from activities.action import Role
from activities.values import Concern, Curve
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.data_breach.containment import Containment
from workflows.playbooks.data_breach.eviction import Eviction
from workflows.playbooks.data_breach.evidence import Keeping
from workflows.playbooks.data_breach.letters import Letters
from workflows.playbooks.data_breach.recovery import Recovery
from workflows.playbooks.data_breach.room import Room
from workflows.playbooks.data_breach.scoping import Breach


@workflow.defn
class DataBreach(Playbook):
    """§2.4: hold, isolate, revoke, evict, restore; and who must be told."""

    card = Card(
        section="2.4",
        title="Suspected data breach / PII leak",
        short="breach",
        floor=Severity.SEV2,
        lead=(Role.SECURITY_LEAD, Role.LEGAL),
        triggers=("DLP alerts", "anomalous exports", "public claims", "leaked credentials"),
        curve=Curve.EXPORTS,
        proof=(),
        public=False,
        restricted=True,
        concern=Concern.EXFILTRATION,
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        async with self.triage():
            breach = await Breach.known(self, incident)
            keeping, containment, eviction = Keeping(self, breach), Containment(self, breach), Eviction(self, breach)
            room, letters = Room(self, breach, eviction), Letters(self, breach)
            recovery = Recovery(self, breach, keeping, containment, eviction)
            keeping.begin()
            await breach.look()
            keeping.begin_copies()
            breach.judge()
            room.begin()
            await breach.unfounded()

        while self.unresolved:
            async with self.mitigation():
                await breach.hear()
                await keeping.begun()
                await containment.cut_off()
                await self.together(containment.revoke(), containment.narrow_access(), breach.scope(), breach.vendor())
                await breach.scope()
                letters.begin()
                await eviction.evict()

            async with self.recovery():
                await recovery.rebuild()
                await recovery.quiet()
                await breach.scope()
                await recovery.accounted()
                await recovery.keep()
                await letters.ended()
                await self.stable()
                await self.resolve()

        async with self.post_incident():
            recovery.watch_for_reuse()
            self.follow_up("Enter it into the register of breaches (Art. 33(5)), even if nobody is notified", Role.LEGAL)
            self.follow_up("Update the data protection impact assessment and the Security Guidelines", Role.LEGAL)
            self.follow_up("Write the privileged report: root cause, containment, eradication, recovery", Role.LEGAL)
            self.follow_up("Review the processors that had the data, and what they are given", Role.SECURITY_LEAD)
            self.follow_up("Decide for how long the evidence is kept", Role.LEGAL)
