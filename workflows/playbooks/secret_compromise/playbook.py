"""2.10 Secret/API-key compromise

Triggers: unauthorised calls; Git leak; credential stuffing. Mitigation: revoke & rotate secrets; invalidate sessions; update allow-lists; add
WAF rules; increase auth friction (MFA). Post-incident: add pre-commit secret scanning; enforce short token TTLs; tighten scopes. Spec: §9.10,
Annex A.10.

What is surely stolen is revoked first, then replaced; what is only suspected is replaced first, and revoked within the hour (INV-2). Never by us:
print or store a secret; bring a revoked key back; reset everybody's password; take the deletion of a commit for a fix; close with lines open.
"""

from temporalio import workflow

from activities.action import Role
from activities.values import Concern, Curve
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.secret_compromise.exposure import Exposures
from workflows.playbooks.secret_compromise.recovery import Recovery
from workflows.playbooks.secret_compromise.replacing import Replacing
from workflows.playbooks.secret_compromise.revoking import Revoking


@workflow.defn
class SecretCompromise(Playbook):
    """§2.10: evidence, revoke, replace, try, watch."""

    card = Card(
        section="2.10",
        title="Secret/API-key compromise",
        short="secret",
        floor=Severity.SEV2,
        lead=(Role.SECURITY_LEAD, Role.OPS_LEAD),
        triggers=("Unauthorised calls", "Git leak", "credential stuffing"),
        curve=Curve.UNEXPECTED_USE,
        proof=(),
        restricted=True,
        concern=Concern.EXFILTRATION,
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers = self.policy.secret_compromise

        async with self.triage():
            exposures = Exposures(self, incident)
            replacing = Replacing(self, self.first_minutes.freezes)
            revoking, recovery = Revoking(self, exposures, replacing), Recovery(self, exposures, replacing)
            await exposures.first()
            await exposures.reach(exposures.found.all)
            await exposures.survey(exposures.found.all)
            await exposures.evidence(exposures.found.all)
            recovery.by_people()

        while self.unresolved:
            async with self.mitigation():
                await self.together(revoking.work_off(), exposures.others())
                await revoking.end_sessions()

            async with self.recovery():
                await recovery.every_line()
                await self.stable(numbers.zero_use)
                await recovery.once_more()
                await recovery.closed()
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Add pre-commit secret scanning, in every repository", Role.SECURITY_LEAD)
            self.follow_up("Enforce short token TTLs, and workload identity instead of keys where it is possible", Role.SECURITY_LEAD)
            self.follow_up("Tighten scopes: each key what its users need, and no more", Role.OPS_LEAD)
            self.follow_up("Close the gaps of the inventory: who uses what, and who issued it", Role.SECURITY_LEAD)
            self.follow_up("Drill how long a rotation takes", Role.OPS_LEAD)
