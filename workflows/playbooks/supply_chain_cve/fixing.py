"""Choose a version, build it hash-locked on a clean builder, and give it the traffic step by step, until nothing affected runs (A.12 M5 to M7).

Never across a major version, never by a merge that nobody looked at, never back to a build that is blocked.
"""

from activities.action import Grant, Role, action_of
from activities.admission.admission import REFUSED_BUILDS, Admission, AdmissionOf, refuse_builds
from activities.advisories.ranges import listed_in
from activities.builds.fixes import FixChoice, Fixes, FixOf
from activities.builds.presence import Builds, Presence
from activities.builds.rebuild import Rebuild, Rebuilds, Release, Releases
from activities.deploys.deploys import Deploys
from activities.deploys.orders import RevisionsOf
from activities.freeze.freezes import Freezes
from activities.freeze.orders import ExemptDeploy, ExemptionPurpose
from activities.organisation.catalogue import Deployed
from activities.watches.orders import Shipped
from workflows.engine.verbs import Verbs
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.incident import QuestionDraft
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.supply_chain_cve.findings import Findings
from workflows.playbooks.supply_chain_cve.reach import WHO, Reach
from workflows.procedures.canary import Canary

REMOVE = "remove"
WHY = "it has an affected version"
PLANNED = "sha256:of-that-build"  # in a plan nothing is built


class Fix:
    def __init__(self, verbs: Verbs, reach: Reach, freezes: ServiceFreezes) -> None:
        self._verbs, self._reach, self._freezes, self._numbers = verbs, reach, freezes, verbs.policy.supply_chain
        self.shipped: list[Shipped] = []
        self._old: dict[str, tuple[str, ...]] = {}  # service → builds that must not run again
        self._built: dict[str, str] = {}  # service → the build that is to serve
        self._said: set[str] = set()

    @property
    def found(self) -> Findings:
        return self._reach.found

    @property
    def blocked(self) -> tuple[str, ...]:
        """Everything that is never taken: found, listed by the advisory, or blocked by an incident before."""
        named = [f"{one.name}=={version}" for one in self.found.packages for version in self.found.versions(one)]
        return tuple(dict.fromkeys((*named, *self.found.carried)))

    async def ship(self) -> None:
        """Service by service, until none of their instances runs anything affected, by digest and by what is loaded."""
        for name in self.found.affected:
            self._old[name] = tuple(dict.fromkeys((*self._old.get(name, ()), *self.found.digests(name))))
            await self._ship(name)

    async def _ship(self, name: str) -> None:
        verbs, service = self._verbs, await self._verbs.deployed(name)
        seen = self.found.presence[name]
        for package, _, current in (one.partition("==") for one in (seen.versions if seen is not None else ())):
            version = await self._choose(service, package, current)
            if version is not None and await self._build(service, package, current, version):
                ecosystem = next((one.ecosystem for one in self.found.packages if one.name == package), "PyPI")
                told = {"ecosystem": ecosystem, "package": package, "version": "" if version == REMOVE else version}
                self.shipped.append(Shipped(advisory=self.found.advisory.id, service=name, **told))
        if name in self._built and not await self._serve(service, self._built[name]) and not verbs.rehearsing:
            self._once(f"Bring {self._built[name][:19]} of {name} to serve, or fix forward: never back to what is affected", Role.OPS_LEAD)
        await self._until_zero(service)
        await self.refuse_old(service)

    # ---- M5 ----

    async def _choose(self, service: Deployed, package: str, current: str) -> str | None:
        """A version that every advisory clears. Where there is none, people say; None: nobody knows one, and an executive has the risk."""
        verbs = self._verbs
        deadline = verbs.clock() + verbs.policy.paced(self._numbers.risk_accepted)
        while True:
            fixes = await self._fixes(package, current)
            if fixes is not None and fixes.best:
                verbs.note(fixes.summary, "fix")
                return fixes.best
            why = fixes.summary if fixes is not None else f"{package}: nobody can say which version is fixed"
            if verbs.rehearsing:
                verbs.note(f"{why}: people say which version is taken, or the executive accepts the risk", "fix")
                return None
            self._beyond(service, fixes)
            said = await self._by_people(service, package, current, why, fixes)
            if said is not None:
                return said
            await self._accepted(service, package, why)
            if verbs.clock() >= deadline:
                verbs.hand_over(f"{package} {current} has no fix, and the time for which the risk was accepted is over")
            await verbs.rest(self._numbers.watched_every, f"a fix of {package}, whose risk an executive has accepted")

    async def _fixes(self, package: str, current: str) -> Fixes | None:
        ecosystem = next((one.ecosystem for one in self.found.packages if one.name == package), "PyPI")
        order = FixOf(ecosystem=ecosystem, package=package, current=current, affected=self.found.packages, blocked=self.blocked)
        return await self._verbs.look(FixChoice.choose, order)

    def _beyond(self, service: Deployed, fixes: Fixes | None) -> None:
        if fixes is not None and fixes.beyond:
            versions = ", ".join(fixes.beyond)
            self._once(f"Upgrade {fixes.package} of {service.name} by hand to {versions}: it is another major version", Role.OPS_LEAD)

    async def _by_people(self, service: Deployed, package: str, current: str, why: str, fixes: Fixes | None) -> str | None:
        """A version, or `remove`. One that is blocked, or of another major version, is no answer: it is said, and asked again later."""
        facts = (why, *(fixes.passed_over if fixes is not None else ()))
        said = await self._verbs.ask(
            f"Which version of {package} may {service.name} take instead of {current}? None is cleared", roles=WHO, facts=facts,
            example=f'"2.3.5", or "{REMOVE}" to build without it; decline, if there is none',
        )  # fmt: skip
        version = "" if said is None or said.moot else str(said.value).strip()
        if not version or version in ("none", "None"):
            return None
        if listed_in(self.blocked, package, version):
            self._verbs.note(f"{package} {version} is on the blocklist: it is not taken, whoever says so", "refused")
            return None
        return version

    async def _accepted(self, service: Deployed, package: str, why: str) -> None:
        """Without a fix something affected goes on only on an executive's word, and for a week at the most."""
        verbs, days = self._verbs, self._numbers.risk_accepted.days
        if f"risk {service.name} {package}" in self._said:
            return
        self._said.add(f"risk {service.name} {package}")
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"There is no fix of {package} for {service.name}. Accept the risk for at most {days} days, isolated as it is?",
                roles=(Role.DUTY_EXECUTIVE,), facts=(why,), strict=True, effect="it serves on behind what stands before it; we look for a fix daily",
                inverse="decline: the feature, or the service, is taken off by people",
            )
        )  # fmt: skip
        if not decision.granted:
            self._once(f"Take {service.name}, or what uses {package} in it, out of service: nobody accepts the risk", Role.OPS_LEAD)

    # ---- M6 ----

    async def _build(self, service: Deployed, package: str, current: str, version: str) -> bool:
        """On a builder where nothing malicious ran, with two scans and a signature. Security says yes to exactly this build."""
        verbs, found = self._verbs, self.found
        builders = {host.name for host in found.hosts if host.kind == "ci"}
        order = Rebuild(
            service=service, package=package, current=current, version="" if version == REMOVE else version,
            affected=found.packages, blocked=self.blocked, not_on=tuple(sorted(builders)),
        )  # fmt: skip
        done = await verbs.propose(Rebuilds.run, order, facts=(f"instead of {current}", found.advisory.in_words))
        digest = str(done.effect.after.get("digest", "")) if done.effect is not None else ""
        if digest or verbs.rehearsing:
            self._built[service.name] = digest or PLANNED
        else:
            self._once(
                f"Build {service.name} with {package} {version}, hash-locked, on a clean builder: it was not done by us", Role.OPS_LEAD
            )
        return bool(digest)

    # ---- M7 ----

    async def _serve(self, service: Deployed, digest: str) -> bool:
        """Under the freeze by an exemption of its own; then a canary. False: it does not serve everywhere.

        Where secrets are rotated, services get the new ones first: without them they stand still (spec §9.12, the order).
        """
        if (rotating := self.found.rotating) is not None:
            longest = self._verbs.policy.paced(self._verbs.policy.secret_compromise.overlap)
            await self._verbs.waited(lambda: rotating.contained, longest, f"{service.name} to have its new secrets")
        verbs, order = self._verbs, Release(service=service, image=digest)
        exemption = ExemptDeploy(
            service=service, holder=verbs.incident_id, artefact=digest, purpose=ExemptionPurpose.SECURITY_PATCH, reason=WHY
        )
        exempted = self._freezes.holds(service)
        terms = ApprovalTerms(
            asks=f"Release the security patch {digest[:19]} of {service.name}" + (", past the freeze, once?" if exempted else "?"),
            roles=(Role.INCIDENT_COMMANDER, Role.SECURITY_LEAD), also=(exemption.digest(action_of(Freezes.exempt).name),) if exempted else (),
        )  # fmt: skip
        decision = await verbs.approve_all(Releases.run, [order], terms)
        if decision.grant is None:
            return False
        async with verbs.turn(f"service/{service.name}", f"the release of the security patch of {service.name}"):
            if exempted:
                await verbs.propose(Freezes.exempt, exemption, under=decision.grant)
            return await self._released(service, digest, order, decision.grant)

    async def _released(self, service: Deployed, digest: str, order: Release, grant: Grant) -> bool:
        verbs = self._verbs
        if not await verbs.propose(Releases.run, order, under=grant) or service.platform != "cloud_run":
            return service.platform != "cloud_run"
        rollout = await verbs.do(Deploys.survey, RevisionsOf(service=service))
        fixed = next((one for one in rollout.revisions if one.digest == digest), None)
        if fixed is None or not fixed.ready:
            verbs.note(f"{digest[:19]} is released, and the platform shows no revision of it that is ready", "no help")
            return False
        facts = ("when it is put back, what stands before the code stays, and it is fixed forward",)
        return await Canary(verbs, service).to(
            fixed, rollout, asks=f"Give the fixed build {fixed.id} the traffic of {service.name}?", facts=facts
        )

    async def look(self, name: str) -> Presence | None:
        """What runs of a service now."""
        seen = await self._verbs.look(Builds.survey, self._reach.artefacts(name))
        self.found.presence[name] = seen
        return seen

    async def _until_zero(self, service: Deployed) -> None:
        """By digest and by what is loaded, whoever has brought it about. What goes on running is named, and people stop it."""
        verbs, name = self._verbs, service.name
        deadline = verbs.clock() + verbs.policy.paced(self._numbers.fix_within)
        while not verbs.rehearsing:
            seen = await self.look(name)
            if seen is not None and seen.zero:
                verbs.note(f"fleet at zero: {seen.summary}", "fleet")
                return
            said = seen.summary if seen is not None else f"{name}: the inventory does not answer"
            verbs.note(f"not at zero yet: {said}", "fleet")
            for build in seen.affected if seen is not None else ():
                where = ", ".join(build.regions) or "beside what serves"
                self._once(f"Stop what still runs of {name}: {build.instances} instances of {build.digest[:19]} ({where})", Role.OPS_LEAD)
            if verbs.clock() >= deadline:
                verbs.hand_over(f"something affected still runs: {said}")
            await verbs.rest(self._numbers.people_look, f"{name} to run nothing affected any more")

    async def refuse_old(self, service: Deployed) -> None:
        """No autoscaler and no rollback starts it again: by the cluster's admission; elsewhere by the list that rollbacks go by."""
        verbs, digests = self._verbs, self._old.get(service.name, ())
        if not digests:
            return
        if service.platform != "kubernetes":
            told = ", ".join(digests)
            self._once(f"Add {told} to [blocked] images in organisation.toml: nothing is rolled back to it then", Role.OPS_LEAD)
            return
        for region in service.regions:
            now = await verbs.look(Admission.read, Admission.look(AdmissionOf(region=region, service=service)))
            serving = any(build.digest in digests for build in self.found.builds)
            order = refuse_builds(region, service, now, digests, serving=serving, why=WHY) if now is not None else None
            if (order is None or not await verbs.impose(REFUSED_BUILDS, order)) and not verbs.rehearsing:
                self._once(f"Let the cluster of {region} refuse {', '.join(one[:19] for one in digests)} by hand", Role.OPS_LEAD)

    def _once(self, text: str, role: Role = WHO[0]) -> None:
        if text not in self._said:
            self._said.add(text)
            self._verbs.task(text, role)
