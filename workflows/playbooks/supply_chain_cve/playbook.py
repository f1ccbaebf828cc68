"""2.12 Supply-chain vulnerability (high CVE in critical package), and malicious packages

Triggers: SCA scan alert for high/critical CVE in runtime path. Mitigation: patch or pin to safe version; rebuild and canary before full rollout;
blocklist compromised versions in CI. Post-incident: add SBOM attestation checks; scheduled dependency audits. Spec: §9.12, Annex A.12.

Order: block, evidence, isolate, rotate, rebuild, canary, full. Never by us: upgrade across a major version; merge automatically; run the
suspicious package; roll back to a blocked build; delete a cache before it was copied.
"""

from temporalio import workflow

from activities.action import Role
from activities.values import Concern, Curve
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.supply_chain_cve.containment import Containment
from workflows.playbooks.supply_chain_cve.fixing import Fix
from workflows.playbooks.supply_chain_cve.reach import Reach
from workflows.playbooks.supply_chain_cve.recovery import Recovery


@workflow.defn
class SupplyChainCve(Playbook):
    """§2.12: block, evidence, isolate, rotate, rebuild, canary, fleet at zero."""

    card = Card(
        section="2.12",
        title="Supply-chain vulnerability / malicious package",
        short="supply",
        floor=Severity.SEV3,
        lead=(Role.SECURITY_LEAD, Role.OPS_LEAD),
        sure=True,  # an advisory is one: how grave it is here is what triage finds out
        triggers=("SCA scan alert for high/critical CVE in runtime path",),
        curve=Curve.EXPOSURE,
        public=False,  # nobody outside reads of a hole before it is closed
        code_named=True,
        alerts_on_impact=False,  # scanners go on to warn until the last build is gone
        concern=Concern.EXFILTRATION,
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers = self.policy.supply_chain

        async with self.triage():
            reach = await Reach.known(self, incident)
            containment, fix = Containment(self, reach), Fix(self, reach, self.first_minutes.freezes)
            recovery = Recovery(self, reach, fix)
            await reach.withdrawn()
            if reach.found.malicious:
                await containment.block()
            await reach.look()
            reach.judge()

        while self.unresolved:
            async with self.mitigation():
                await containment.block()
                await containment.contain()
                await containment.patch_virtually()
                await fix.ship()

            async with self.recovery():
                await recovery.stays_at_zero()
                await recovery.keep()
                await self.lift_measures(
                    asking=Role.SECURITY_LEAD,
                    resting=numbers.resting,
                    asks="Take the virtual patch away, and let update bots work again?",
                )
                await self.stable(numbers.clean_for)
                await recovery.watch()
                recovery.tell()
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Check the signatures of bills of material at admission", Role.SECURITY_LEAD)
            self.follow_up("Schedule audits of dependencies, by two scanners", Role.SECURITY_LEAD)
            self.follow_up("Take new releases of others only after seven days, and install only by hash", Role.OPS_LEAD)
            self.follow_up("Give builders the fewest secrets that they can work with", Role.OPS_LEAD)
