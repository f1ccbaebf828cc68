"""What a freeze does to the outside: it locks and unlocks the gate of its service, looks at it, and asks people whether it is still needed."""

from temporalio import workflow

from activities.action import Effect, Role
from activities.freeze.deploy_gate import DeployGate, DriftSince, Gate, GateOf, ProbeGate, UnlockGate
from activities.freeze.orders import Holder
from activities.organisation.catalogue import Deployed
from activities.organisation.organisation import Organisation, ReadAll
from activities.paging.orders import Page, ResolvePage
from activities.paging.pager import Pager
from workflows.engine.invoker import Invoker
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.freeze.freezing import Authority, Freezing


class FreezeGate:
    """The gate of one freeze. Every verb raises `RetriesExhausted` when patience is over, and `NotAccepted` when nobody knows where the gate is."""

    def __init__(self, freeze: Freezing, invoker: Invoker) -> None:
        self._freeze = freeze
        self._invoker = invoker

    async def place(self) -> Deployed:
        """Where the service's source is: as the catalogue says now, or as it said last. Raises `NotAccepted`."""
        freeze = self._freeze
        try:
            found = (await self._invoker.quietly(Organisation.catalogue, ReadAll())).services.get(freeze.service)
        except RetriesExhausted as out:
            found, why = None, out.why
        else:
            why = f"the organisation's catalogue has no service {freeze.service!r}"
            if found is not None and not found.repository:
                found, why = None, f"the organisation's catalogue names no repository for {freeze.service}"
        freeze.place = found or freeze.place
        if freeze.place is None:
            raise NotAccepted(f"cannot freeze {freeze.service}: {why}")
        return freeze.place

    async def look(self) -> Gate:
        return await self._invoker.quietly(DeployGate.read, GateOf(service=await self.place()))

    async def adopt(self) -> None:
        """What the gate is like before we touch it. Holders that it names are kept: a freeze by hand, or one whose workflow was ended."""
        freeze, gate, now = self._freeze, await self.look(), workflow.now()
        freeze.head, freeze.hotfixes = gate.head, gate.hotfixes
        freeze.touched = freeze.touched or gate.locked or bool(gate.holders)
        for found in gate.holders:
            if found not in freeze.holders:
                freeze.holders[found] = Holder(id=found, reason="found at GitHub", by="unknown", since=now)
                freeze.held(now)
                freeze.note(now, "adopted", f"{found} holds it already, says the ruleset")

    async def lock(self, holders: tuple[str, ...]) -> Effect:
        """Locked for these holders, but for the exemptions that may be used."""
        place = await self.place()
        self._freeze.touched = True
        order, grant = self._freeze.lock(place, holders, workflow.now())
        effect = await self._invoker.act(DeployGate.lock, order, grant=grant)
        self._freeze.closed()
        return effect

    async def probe(self) -> Effect:
        return await self._invoker.act(DeployGate.probe, ProbeGate(service=await self.place()))

    async def unlock(self, authority: Authority) -> Effect:
        order = UnlockGate(service=await self.place())
        return await self._invoker.act(DeployGate.unlock, order, grant=self._freeze.to_unlock(order, authority, workflow.now()))

    async def drift(self) -> None:
        """What was deployed without an exemption since the freeze began."""
        freeze = self._freeze
        exempted = tuple(e.digest for e in freeze.exemptions if e.purpose.pushes)
        order = DriftSince(service=await self.place(), head=freeze.head, hotfixes=freeze.hotfixes, exempted=exempted)
        freeze.drift = (await self._invoker.quietly(DeployGate.drift, order)).deploys
        if freeze.drift:
            freeze.note(workflow.now(), "drift", f"deployed without an exemption: {'; '.join(freeze.drift)}")

    async def ask_again(self) -> None:
        """The watchdog: a freeze this old is asked about, daily. Nothing ends it but a release."""
        freeze, policy = self._freeze, self._freeze.policy
        page = f"{freeze.id}-{len(freeze.pages) + 1}"
        try:
            freeze.assignments.roster = await self._invoker.quietly(Organisation.roster, ReadAll())
            await self.drift()
            if not (await self.look()).locked:
                freeze.trouble = f"somebody has unlocked {(await self.place()).repository} by hand"
                freeze.note(workflow.now(), "not in force", freeze.trouble)
            named = [freeze.assignments.roster.person(holder.by) for holder in freeze.holders.values()]
            people = {p.id: p for p in (*named, *freeze.assignments.holders((Role.INCIDENT_COMMANDER,))) if p is not None}
            order = Page(
                incident_id=page, people=tuple(people.values()), summary=_still_needed(freeze), severity=3,
                details={h.id: f"{h.reason} (since {h.since:%Y-%m-%d %H:%M} UTC, {h.by})" for h in freeze.holders.values()},
            )  # fmt: skip
            await self._invoker.quietly(Pager.page, order)
        except (RetriesExhausted, NotAccepted) as out:
            freeze.ask_at = workflow.now() + policy.paced(policy.repage)
            freeze.note(workflow.now(), "not told", f"could not ask whether the freeze is still needed: {out}")
            return
        freeze.pages.append(page)
        freeze.ask_at = workflow.now() + policy.paced(policy.freeze.ask_again)
        freeze.note(workflow.now(), "asked", f"still needed? {', '.join(people) or 'nobody on the roster'}")

    async def end_pages(self) -> None:
        """Nobody need be asked any more."""
        for page in self._freeze.pages:
            try:
                await self._invoker.quietly(Pager.resolve, ResolvePage(incident_id=page))
            except RetriesExhausted as out:
                self._freeze.note(workflow.now(), "not told", f"{page} still pages: {out.why}")


def _still_needed(freeze: Freezing) -> str:
    since = f"{freeze.since:%Y-%m-%d %H:%M} UTC" if freeze.since else "unknown"
    ways = " or ".join(f"incident freeze release {freeze.service} --incident {holder}" for holder in freeze.holders)
    trouble = f" NOT IN FORCE: {freeze.trouble}." if freeze.trouble else ""
    return f"Deploys of {freeze.service} are frozen since {since} for {', '.join(freeze.holders)}.{trouble} Still needed? If not: {ways}"
