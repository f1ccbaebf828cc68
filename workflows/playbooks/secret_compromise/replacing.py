"""Another key, and everybody started with it, pinned by number (A.10 M3, M4)."""

from activities.action import Role, action_of
from activities.credentials.orders import MintReplacement
from activities.credentials.replacements import Replacements
from activities.deploys.deploys import Deploys
from activities.deploys.orders import RevisionsOf
from activities.deploys.pins import PinSecret
from activities.deploys.redeploy import Redeploys
from activities.freeze.freezes import Freezes
from activities.freeze.orders import ExemptDeploy, ExemptionPurpose
from activities.organisation.catalogue import Deployed
from activities.values import listed
from workflows.engine.verbs import Verbs
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.secret_compromise.findings import Item


class Replacing:
    def __init__(self, verbs: Verbs, freezes: ServiceFreezes) -> None:
        self._verbs, self._freezes, self._numbers = verbs, freezes, verbs.policy.secret_compromise

    async def replace(self, item: Item) -> None:
        """Nothing where nobody needs it. By people, where only they can make another one."""
        if item.replaced or not await self._minted(item):
            return
        await self._verbs.together(*(self._serve(item, name) for name in item.services if name not in item.served))

    def label(self, item: Item) -> str:
        """By which ours is found again, whoever looks."""
        return f"{self._verbs.incident_id}/{item.id}"

    async def _minted(self, item: Item) -> bool:
        verbs, one = self._verbs, item.credential
        if item.version is not None:
            return True
        if item.survey is None or not item.survey.mints:
            self.by_people(item, f"Make another key for {one.id} ({one.issuer}), and give it to {listed(item.services)}")
            return False
        order = MintReplacement(
            credential=one.id, old=one.ref, secret=one.secret, label=self.label(item), scopes=one.needed, lasting=self._numbers.lasting,
            at=verbs.clock(),
        )  # fmt: skip
        made = await verbs.propose(Replacements.create, order)
        if made.effect is not None:
            item.version = int(str(made.effect.after.get("version", 0)))
        return item.version is not None

    async def _serve(self, item: Item, name: str) -> None:
        """One service in every region, under an exemption from the freeze that this incident holds."""
        verbs, service = self._verbs, (await self._verbs.catalogue()).services.get(name)
        if service is None:
            self.by_people(item, f"Start {name} with version {item.version} of {item.credential.secret}: it is not known where it runs")
            return
        order = PinSecret(service=service, secret=item.credential.secret, version=item.version or 0)
        while not await self._started(item, service, order):
            verbs.note(f"another image of {name} serves now: it is asked again whether it may be started")

    async def _started(self, item: Item, service: Deployed, order: PinSecret) -> bool:
        """False: what was agreed to holds no more, because another image serves since."""
        verbs, name, exemption = self._verbs, service.name, await self._exemption(service)
        terms = ApprovalTerms(
            asks=f"Start {name} with the new {item.credential.secret} (version {item.version})?",
            facts=(
                f"{item.id} is {'revoked: it stands still until then' if item.revoked_at else 'alive until everybody has another one'}",
            ),
            also=(exemption.digest(action_of(Freezes.exempt).name),) if exemption else (),
        )
        decision = await verbs.approve_all(Redeploys.run, [order], terms)
        if decision.grant is None:
            self.by_people(item, f"Start {name} with version {item.version} of {item.credential.secret}: it was declined", *order.by_hand())
            return True
        async with verbs.turn(f"service/{name}", f"the start of {name} with another {item.credential.secret}"):
            if exemption is not None and await self._exemption(service) != exemption:
                return False
            if exemption is not None:
                await verbs.propose(Freezes.exempt, exemption, under=decision.grant)
            if await verbs.propose(Redeploys.run, order, under=decision.grant):
                self._serves(item, name)
            return True

    def _serves(self, item: Item, name: str) -> None:
        item.served[name] = self._verbs.clock()
        if gap := item.gap(name):
            seconds = gap.total_seconds()
            self._verbs.note(f"{name} had no key that works for {seconds:.0f} s", "gap", service=name, seconds=seconds)

    async def _exemption(self, service: Deployed) -> ExemptDeploy | None:
        """For the very image that serves: a redeploy with another secret brings no other code (INV-18)."""
        verbs = self._verbs
        if not self._freezes.holds(service):
            return None
        rollout = await verbs.look(Deploys.survey, RevisionsOf(service=service))
        serving = [rollout.revision(one.latest) for one in rollout.regions.values()] if rollout else []
        digest = next((one.digest for one in serving if one and one.digest), "")
        purpose = ExemptionPurpose.SECRET_REDEPLOY
        return ExemptDeploy(service=service, holder=verbs.incident_id, artefact=digest, purpose=purpose) if digest else None

    def by_people(self, item: Item, what: str, *by_hand: str) -> None:
        """What no system of ours does; once."""
        if what not in item.tasks:
            item.tasks[what] = self._verbs.task(what, Role.SECURITY_LEAD, by_hand)
