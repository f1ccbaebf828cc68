"""Back only on proof: a hotfix that holds as the application role, canaries for an hour, endpoint by endpoint, writes last (A.5 M7, R1, R2)."""

import re

from activities.action import Risk, Role
from activities.edge.endpoints import DENIED, Endpoints
from activities.edge.surfaces import OFFLINE, Surfaces
from activities.freeze.freezes import Freezes
from activities.freeze.orders import ARTEFACT, ExemptDeploy, ExemptionPurpose
from activities.row_security.row_security import AuditOf, ProofOf, RowSecurity
from activities.tenancy.matrix import IsolationProbes
from activities.tenancy.plane import ContractTestsOf
from activities.write_gate.regional import REGION_READ_ONLY, RegionGates
from workflows.engine.measures import Imposed
from workflows.engine.verbs import Verbs
from workflows.errors import Relapse
from workflows.incident import QuestionDraft, QuestionKind
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.tenant_isolation.containment import Containment
from workflows.playbooks.tenant_isolation.leak import Leak

BOTH = (Role.INCIDENT_COMMANDER, Role.SECURITY_LEAD)
FIX = (
    "Ship the hotfix: enforce the tenant at the service and in the database (row security forced, no owner, no BYPASSRLS, a tenant that is set "
    "for one transaction), under an exemption token; then block the revision before it: it leaks, and nobody goes back to it"
)


class Recovery:
    def __init__(self, verbs: Verbs, leak: Leak, containment: Containment) -> None:
        self._verbs, self._leak, self._containment = verbs, leak, containment
        self._numbers, self._store = verbs.policy.tenant_isolation, verbs.policy.systems.get("row_security", "")
        self._vouched: set[str] = set()  # what cannot be read, and people have said is sound
        self._said: set[str] = set()

    # ---- the hotfix ----

    async def hotfix(self) -> None:
        """People write it; it may pass the freeze on two people's word; it is proven as the application role, and not by its deploy."""
        verbs, numbers = self._verbs, self._numbers
        if self._once(FIX):
            verbs.task(FIX, Role.OPS_LEAD)
            if not verbs.rehearsing:
                await self._exempt()
        deadline = verbs.clock() + verbs.policy.paced(numbers.fix_patience)
        while open_ := await self._not_proven():
            if self._once(f"not repaired: {'; '.join(open_)}"):
                verbs.note(f"not repaired: {'; '.join(open_)}", "hotfix")
            if verbs.clock() >= deadline:
                await self._all_the_same(open_)
                return
            await verbs.rest(numbers.fix_again, "the hotfix, which people ship")
        if not verbs.rehearsing:
            verbs.note("the hotfix holds, as the role that the application comes by, and in the contract tests", "hotfix")

    async def _exempt(self) -> None:
        """One deploy of one artefact may pass the freeze: Security and the commander, both."""
        verbs = self._verbs
        said = await verbs.ask(
            "Which artefact carries the hotfix (its digest)? Decline, if it need not pass a freeze", roles=(Role.OPS_LEAD,),
            example='"sha256:" and 64 digits',
        )  # fmt: skip
        if said is None or said.moot or not re.fullmatch(ARTEFACT, str(said.value)):
            verbs.note("no artefact was named that would have to pass the freeze", "hotfix")
            return
        service = await verbs.deployed()
        order = ExemptDeploy(
            service=service, holder=verbs.incident_id, artefact=str(said.value), purpose=ExemptionPurpose.HOTFIX, reason="hotfix"
        )
        terms = ApprovalTerms(asks=f"Let the hotfix {str(said.value)[:19]} pass the freeze, once?", roles=BOTH, least=Risk.C3, strict=True)
        decision = await verbs.approve_all(Freezes.exempt, [order], terms)
        if decision.grant is not None:
            await verbs.propose(Freezes.exempt, order, under=decision.grant)

    async def _not_proven(self) -> tuple[str, ...]:
        """What does not hold yet. What nobody can say is as open as what is wrong."""
        verbs, found = self._verbs, self._leak.found
        canaries = tuple(one.name for one in found.map.canaries)
        tests, audit, proof = await verbs.together(
            verbs.look(IsolationProbes.tests, ContractTestsOf(service=verbs.service)),
            verbs.look(RowSecurity.audit, AuditOf(service=verbs.service, store=self._store)),
            verbs.look(RowSecurity.prove, ProofOf(service=verbs.service, tenants=canaries, store=self._store)),
        )
        if verbs.rehearsing:
            return ()
        if tests is not None and tests.broken and self._once("broken"):
            verbs.note(
                "the hotfix keeps tenants from their own data: endpoints stay denied, and nobody goes back to the leaking revision",
                "hotfix",
            )
            verbs.task("Mend the hotfix: tenants do not get their own data by it. Not by going back to the leaking revision", Role.OPS_LEAD)
        for unread in audit.unknown if audit else ():
            await self._vouch(unread)
        said = ["the contract tests say nothing" if tests is None else "" if tests.passed else tests.in_words]
        sound = audit is not None and audit.sound and not set(audit.unknown) - self._vouched
        said += ["nobody can audit the database" if audit is None else "" if sound else audit.summary]
        said += ["nobody can try as the application role" if proof is None else "" if proof.holds else proof.summary]
        return tuple(filter(None, said))

    async def _vouch(self, unread: str) -> None:
        """A policy that cannot be read is unknown, said, and asked; never guessed."""
        verbs = self._verbs
        if not self._once(f"unread: {unread}"):
            return
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"{unread} cannot be read. Have you looked at it yourself, and does it let no other tenant in?",
                roles=(Role.SECURITY_LEAD, Role.DB_LEAD), effect="it counts as sound, on your word", inverse="decline: it counts as a hole",
            )
        )  # fmt: skip
        if decision.granted:
            self._vouched.add(unread)

    async def _all_the_same(self, open_: tuple[str, ...]) -> None:
        verbs = self._verbs
        decision = await verbs.confirm(
            QuestionDraft(
                kind=QuestionKind.APPROVAL, roles=BOTH, facts=open_, risk=Risk.C3, strict=True,
                asks="Nothing has shown that the hotfix holds. Wait for it longer, with everything denied as it is?",
                effect="it is looked at again; everything stays denied", inverse="decline: people carry on by hand",
            )
        )  # fmt: skip
        if not decision.granted:
            verbs.hand_over(f"the hotfix is not proven: {'; '.join(open_)}")
        await self.hotfix()

    # ---- canaries ----

    async def nothing_crosses(self) -> None:
        """0 of N, every few minutes for an hour, also past the gateway where everything is denied. A gap begins the hour again (R1)."""
        verbs, numbers = self._verbs, self._numbers
        if not self._leak.found.mapped:
            minutes = numbers.matrix_clean.total_seconds() / 60
            asks = f"Has nothing of {verbs.service} crossed for {minutes:.0f} minutes, tried by two test tenants of yours?"
            await self._leak.stopped_by_hand(asks, BOTH, risk=Risk.C3)
            return
        window = verbs.policy.paced(numbers.matrix_clean)
        every = tuple(one.name for one in self._leak.found.map.endpoints)
        until = verbs.clock() + window
        while True:
            seen = await self._leak.reproduce(every, behind=True)
            if seen is not None and (seen.leaks or seen.mixed) and not verbs.rehearsing:
                raise Relapse(f"canaries read one another's objects again: {seen.summary}")
            if seen is None or not seen.clean or seen.broken:
                until = verbs.clock() + window
            if verbs.rehearsing or verbs.clock() >= until:
                verbs.note(f"canaries read nothing of one another for {numbers.matrix_clean.total_seconds() / 60:.0f} minutes", "matrix")
                return
            await verbs.rest(numbers.matrix_every, "canaries to read nothing of one another for an hour")

    # ---- reopening ----

    async def reopen(self) -> None:
        """Surfaces behind their denied endpoints, then endpoint by endpoint, what writes last, and the regions' writes after everything."""
        verbs = self._verbs
        for imposed in verbs.in_force(OFFLINE):
            surface = imposed.order.of.surface  # type: ignore[attr-defined]  # a change of a surface
            await self._containment.deny(tuple(one.name for one in self._leak.found.of_surface(surface)))
            await self._back(imposed, Surfaces.restore, f"Put the surface {surface} back, with its endpoints denied?")
        writing = {one.name for one in self._leak.found.map.endpoints if one.writes}
        for imposed in sorted(verbs.in_force(DENIED), key=lambda one: (_endpoint(one) in writing, one.number)):
            await self._back(imposed, Endpoints.restore, f"Let {_endpoint(imposed)} in again, a share at a time, watched?")
        for imposed in verbs.in_force(REGION_READ_ONLY):
            await self._back(imposed, RegionGates.restore, f"Take writes again ({imposed.order.target()}), a share at a time?")

    async def _back(self, imposed: Imposed, verb: object, asks: str) -> None:
        """Security and the commander, both. A *no* means: not yet; it is asked again after a while."""
        verbs, numbers = self._verbs, self._numbers
        steps = imposed.order.undo_steps(verbs.policy.return_steps)
        lasting = len(steps) * 2 * numbers.reopen_step + verbs.policy.approval_valid[Risk.C3]
        terms = ApprovalTerms(asks=asks, roles=BOTH, least=Risk.C3, strict=True, lasting=lasting)
        deadline = verbs.clock() + verbs.policy.paced(numbers.fix_patience)
        while True:
            decision = await verbs.approve_all(verb, steps, terms)  # type: ignore[arg-type]  # the lift of its measure
            if decision.grant is not None:
                await verbs.lift(imposed, decision.grant)
                return
            if verbs.clock() >= deadline:
                verbs.hand_over(f"nobody lets it in again: {imposed.says}")
            await verbs.rest(numbers.fix_again, f"people to agree: {asks}")

    def _once(self, what: str) -> bool:
        """Whether it is the first time."""
        first = what not in self._said
        self._said.add(what)
        return first


def _endpoint(imposed: Imposed) -> str:
    return str(imposed.order.of.endpoint)  # type: ignore[attr-defined]  # a change of an endpoint
