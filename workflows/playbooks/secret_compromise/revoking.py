"""Revoked first, or replaced first (INV-2); and believed only when it is refused wherever it was let in (A.10 M2, M5)."""

from collections.abc import Sequence

from activities.action import Grant, Risk, Role
from activities.credentials.issuers import KeyRevocations
from activities.credentials.orders import ForgetKey, RevokeKey, TryKey
from activities.credentials.verifiers import Forgetting, NegativeTests
from activities.secrets.store import DisableVersion, Disabling
from activities.sessions.sessions import Revocations, RevokeSessions
from activities.tenancy.matrix import IsolationProbes
from activities.tenancy.plane import HomesOf
from activities.values import listed
from workflows.engine.verbs import Verbs
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.secret_compromise.exposure import Exposures
from workflows.playbooks.secret_compromise.findings import Item
from workflows.playbooks.secret_compromise.replacing import Replacing

BOTH = (Role.INCIDENT_COMMANDER, Role.SECURITY_LEAD)


class Revoking:
    def __init__(self, verbs: Verbs, exposures: Exposures, replacing: Replacing) -> None:
        self._verbs, self._replacing, self._numbers = verbs, replacing, verbs.policy.secret_compromise
        self.found = exposures.found
        self._exposures = exposures
        self._ended: set[str] = set()  # what nobody works on any more in this round
        self._over = False  # this round: of everything that was known

    async def work_off(self) -> None:
        """What is not done, and what other playbooks of the incident name meanwhile."""
        self._ended.clear()
        self._over = False
        await self._verbs.together(self._known_first(), self._named_meanwhile())
        self._verbs.note(self.found.ledger, "ledger")

    async def _known_first(self) -> None:
        try:
            await self._work_off(self.found.open)
        finally:
            self._over = True

    async def _named_meanwhile(self) -> None:
        while (labels := await self._verbs.told(lambda: self._over)) is not None:
            await self._work_off(await self._exposures.more(labels))

    async def _work_off(self, items: tuple[Item, ...]) -> None:
        """What is surely stolen at once, all of it; beside that the rest by danger. What was done in an earlier round is not done again."""
        sure = [item for item in items if item.exposure.revoke_first]
        rest = [tuple(item for item in tier if item in items and item not in sure) for tier in self.found.in_order]
        await self._verbs.together(*(self._one(item) for item in sure), self._by_danger([tier for tier in rest if tier]))

    async def _by_danger(self, tiers: Sequence[tuple[Item, ...]]) -> None:
        """The most dangerous first, so many side by side as their issuers stand. What waits for people holds the others up for an hour at most."""
        if not tiers:
            return
        verbs, size, (first, *later) = self._verbs, self._numbers.batch, tiers
        now, then = first[:size], first[size:]
        tiers = [then, *later] if then else later

        async def others() -> None:
            what = f"{listed(tuple(item.id for item in now))} to be replaced"
            await verbs.waited(lambda: all(item.id in self._ended for item in now), verbs.policy.paced(self._numbers.overlap), what)
            await self._by_danger(tiers)

        await verbs.together(*(self._one(item) for item in now), others())

    async def _one(self, item: Item) -> None:
        """One credential, as far as it comes in this round."""
        try:
            await self._worked_off(item)
        finally:
            self._ended.add(item.id)

    async def _worked_off(self, item: Item) -> None:
        one = item.credential
        if one.customer:
            return  # its owner rotates it: a letter tells them what to do
        if item.survey is None or item.survey.alive is None:
            self._replacing.by_people(item, f"Revoke {one.ref} ({one.id}) at its issuer by hand: nobody can say whether it is alive")
            return
        if item.exposure.revoke_first:
            await self._revoke_first(item)
        else:
            await self._replace_first(item)
            await self._shown_to_be_dead(item)
        await self._retire(item)
        self._verbs.note(item.in_words(), "ledger", item=item.id, done=item.done)

    async def _revoke_first(self, item: Item) -> None:
        """A key that is surely stolen is not kept alive so that nothing stands still, unless people choose it, for an hour at most."""
        if item.revoked_at is None and item.services and not item.replaced:
            order = self._order(item)
            overlap = await self._overlap(item, order)
            if overlap is not None:
                await self._in_overlap(item, order, overlap)
        await self._revoke(item)
        await self._verbs.together(self._shown_to_be_dead(item), self._replacing.replace(item))

    async def _overlap(self, item: Item, order: RevokeKey) -> Grant | None:
        """Five minutes to choose it, for the commander and Security, both. Silence chooses nothing."""
        verbs, numbers = self._verbs, self._numbers
        minutes = numbers.overlap.total_seconds() / 60
        terms = ApprovalTerms(
            asks=f"Keep the stolen {item.id} alive for up to {minutes:.0f} minutes, until {listed(item.services)} has another one?",
            effect=f"it stays alive until everybody has another one, {minutes:.0f} minutes at most; then it is revoked, whatever stands still",
            facts=(f"revoked now, {listed(item.services)} stands still until it has another one",),
            roles=BOTH, least=Risk.C3, strict=True, lasting=numbers.overlap + verbs.policy.approval_valid[Risk.C3],
        )  # fmt: skip
        asked = verbs.approve_all(KeyRevocations.create, [order], terms)
        decision = await verbs.within(asked, verbs.policy.for_people(numbers.overlap_choice), f"an overlap for {item.id} to be chosen")
        if decision is None or verbs.rehearsing:
            verbs.note(f"nobody has chosen an overlap for {item.id}", "no overlap")
            return None
        return decision.grant

    async def _in_overlap(self, item: Item, order: RevokeKey, grant: Grant) -> None:
        """Replaced while it lives; at the end of the hour it is revoked, whatever is not done by then, under the same yes."""
        self._verbs.note(f"{item.id} stays alive for an overlap, by {' and '.join(grant.by)}", "overlap")
        over = f"the overlap of {item.id} is over: it is revoked, and {listed(item.services)} may stand still"
        await self._replaced_and_revoked(item, over, order, grant)

    async def _replace_first(self, item: Item) -> None:
        """Everybody has another one, then it is revoked. What is suspected waits for an hour at most; after that people are asked (M2l)."""
        await self._replaced_and_revoked(item, f"{item.id} is suspected, and not replaced within the hour: revoking it is asked for now")

    async def _replaced_and_revoked(self, item: Item, late: str, order: RevokeKey | None = None, grant: Grant | None = None) -> None:
        verbs, ended, sure = self._verbs, list[bool](), item.exposure.revoke_first

        async def replace() -> None:
            await self._replacing.replace(item)
            ended.append(True)

        async def revoke() -> None:
            over = verbs.policy.paced(self._numbers.overlap)
            if not await verbs.waited(lambda: bool(ended) or item.exposure.revoke_first is not sure, over, f"{item.id} to be replaced"):
                verbs.note(late, "late")
                verbs.page(BOTH, late)
            await self._revoke(item, order, grant)

        await verbs.together(replace(), revoke())

    async def _revoke(self, item: Item, order: RevokeKey | None = None, under: Grant | None = None) -> None:
        """`order`, `under`: what was agreed to beforehand. Where it is an outage, silence revokes only by what two people have signed."""
        verbs = self._verbs
        if item.revoked_at is not None:
            return
        order = order or self._order(item)
        if under is None and order.stops and not order.replaced:
            under = await verbs.standing_grant(KeyRevocations.create, order)
        if await verbs.propose(KeyRevocations.create, order, facts=(item.in_words(),), under=under):
            item.revoked_at = verbs.clock()
        elif not verbs.rehearsing:
            self._replacing.by_people(item, f"Revoke {item.id}, or say why it may live: it was not revoked", *order.by_hand())

    def _order(self, item: Item) -> RevokeKey:
        """`replaced` only where everybody was seen to serve by another one."""
        one = item.credential
        return RevokeKey(
            credential=one.id, key=one.ref, exposure=item.exposure, stops=item.services, was_alive=item.was_alive,
            replaced=item.replaced, secret=one.secret,
        )  # fmt: skip

    # ---- it is dead when it is refused ----

    async def _shown_to_be_dead(self, item: Item) -> None:
        """At its issuer and wherever else it is checked; who remembers it is made to forget; who does not is for people."""
        verbs, numbers = self._verbs, self._numbers
        if item.revoked_at is None or verbs.shadow:
            return
        until = verbs.clock() + verbs.policy.paced(numbers.forget_patience)
        while not item.dead:
            item.tried = await verbs.look(NegativeTests.attempt, self._trial(item)) or item.tried
            if item.dead or verbs.rehearsing or item.tried is None:
                return
            verbs.note(f"{item.id}: {item.tried.summary}", "negative test")
            await self._forget(item)
            if verbs.clock() >= until:
                await self._given_up(item)
                return
            if item.tried.accepted or item.tried.unknown:
                await verbs.rest(numbers.forget_again, f"{item.id} to be refused everywhere")

    async def _forget(self, item: Item) -> None:
        one = item.credential
        for name in item.tried.accepted if item.tried else ():
            if name in one.verifiers and item.old_version is not None:
                order = ForgetKey(credential=one.id, verifier=name, key=one.ref, secret=one.secret, version=item.old_version)
                await self._verbs.propose(Forgetting.create, order)

    async def _given_up(self, item: Item) -> None:
        tried = item.tried
        for name in (*tried.accepted, *tried.unknown) if tried else ():
            where = "its support, and deny its use at the network" if name == item.credential.issuer else "uninstall the integration there"
            self._replacing.by_people(item, f"{name} lets the old key of {item.id} in although it is revoked: {where}")

    def _trial(self, item: Item) -> TryKey:
        one = item.credential
        return TryKey(
            credential=one.id, key=one.ref, verifiers=one.verifiers, secret=one.secret, version=item.old_version, was_alive=item.was_alive,
        )  # fmt: skip

    async def _retire(self, item: Item) -> None:
        """The old version is given to nobody any more, once nobody serves by it: so that no rollback brings it back."""
        version = item.old_version
        if item.retired or version is None or not item.dead or not item.replaced:
            return
        item.retired = bool(
            await self._verbs.propose(Disabling.create, DisableVersion(secret=item.credential.secret, version=version, dead=True))
        )

    # ---- M5 ----

    async def end_sessions(self) -> None:
        """Whoever could sign in as anybody may have done so: everybody signs in again, tenant by tenant, on the word of both."""
        verbs, found = self._verbs, self.found
        if not found.signs or found.mixed_up:
            return
        found.mixed_up = True
        homes = await verbs.look(IsolationProbes.homes, HomesOf(service=verbs.service))
        tenants, at = sorted(homes.at) if homes else [], verbs.clock()
        orders = [RevokeSessions(tenant=one, revoked_before=at, tenants=len(tenants)) for one in tenants]
        if not orders:
            verbs.task("End every session by hand: nobody can say which tenants there are", Role.SECURITY_LEAD)
            return
        asks = f"Sign out everybody of {len(orders)} tenants, because {listed(found.signs)} can sign in anybody? Service accounts go on"
        terms = ApprovalTerms(asks=asks, roles=BOTH, least=Risk.C3, strict=True, stays=True)
        decision = await verbs.approve_all(Revocations.run, orders, terms)
        if decision.grant is None:
            verbs.task("End the sessions that were made with the stolen key: signing everybody out was declined", Role.SECURITY_LEAD)
            return
        for start in range(0, len(orders), self._numbers.session_batch):
            batch = orders[start : start + self._numbers.session_batch]
            await verbs.together(*(verbs.propose(Revocations.run, one, under=decision.grant) for one in batch))
