"""Deny what attacks at the edge: first as a preview, then enforced where it hits nobody else; and off every allow-list (A.10 M6)."""

from activities.action import Role
from activities.values import listed
from activities.waf.allow_lists import OFF_LIST, AllowListOf, AllowLists, take_off
from activities.waf.rules import BLOCKED, Blocking, RuleOf, enforce, preview
from activities.waf.traffic import EdgeTraffic, Hits, HitsOf, Traffic, TrafficOf
from activities.waf.words import MOST_ADDRESSES, product
from workflows.engine.verbs import Verbs
from workflows.playbooks.secret_compromise.exposure import Exposures
from workflows.playbooks.secret_compromise.sign_in import SignIn

EDGE = (
    "Deny what attacks by it at the edge: first as a preview, then enforced, when it hits nobody else; take the thief's addresses off every "
    "allow-list"
)
WHY = "an attack on sign-in, or with a stolen key"


class Edge:
    def __init__(self, verbs: Verbs, exposures: Exposures) -> None:
        self._verbs, self._exposures, self._numbers = verbs, exposures, verbs.policy.edge
        self._product = product(verbs.policy.systems)
        self._denied: set[str] = set()  # addresses and keys that have a rule, or about which people have decided
        self._taken: set[int] = set()  # priorities that we have begun to use
        self._asked = False
        self._sign_in = SignIn(verbs)

    async def deny(self) -> None:
        """What the edge has seen decides. Where nobody can say what that is, people do it."""
        verbs = self._verbs
        verbs.evidence_about("edge/sign-in")
        seen = await self._seen()
        if seen is None or not seen.kept:
            self._by_people("nobody can say what the edge has seen")
            if self._exposures.stuffing:
                await self._sign_in.guard(())
            return
        verbs.note(seen.summary, "edge")
        if seen.attackers:
            self._exposures.tried_passwords()
        whom = self._whom(seen)
        await self._off_lists(seen, whom)
        guarding = [self._sign_in.guard(tuple(one.address for one in seen.attackers))] if self._exposures.stuffing else []
        await verbs.together(*(self._block(seen, one) for one in whom), *guarding)

    async def _seen(self) -> Traffic | None:
        order = TrafficOf(window=self._numbers.window, keys=self._keys(), store=self._product, numbers=self._numbers)
        return await self._verbs.look(EdgeTraffic.traffic, order)

    def _keys(self) -> tuple[str, ...]:
        """Of what is surely stolen, by the issuer's name of it: dead for everybody soon."""
        sure = [item for item in self._exposures.found.items.values() if item.exposure.revoke_first]
        return tuple(item.credential.key for item in sure)

    def _whom(self, seen: Traffic) -> list[Blocking]:
        """Ten addresses to a rule; a rule for the bearers of each key. What has one already is left out."""
        fresh = [one.address for one in seen.attackers if one.address not in self._denied and one.failed + one.good]
        keys = [one for one in self._keys() if one not in self._denied and (one in seen.keys or not seen.names_keys)]
        self._denied.update(fresh, keys)
        batches = [tuple(fresh[n : n + MOST_ADDRESSES]) for n in range(0, len(fresh), MOST_ADDRESSES)]
        counted = {"keys": self._keys(), "counting": self._numbers, "window": self._numbers.preview_under_attack}
        return [*(Blocking(addresses=one, **counted) for one in batches), *(Blocking(key=one, **counted) for one in keys)]

    async def _block(self, seen: Traffic, wanted: Blocking) -> None:
        verbs, of = self._verbs, self._free(seen)
        if of is None:
            self._by_people("no priority is free for another rule")
            return
        noted = await verbs.impose(BLOCKED, preview(of, wanted, WHY))
        if not noted:
            self._by_people(f"the preview for {wanted.whom} was not made")
            return
        time = self._numbers.preview_under_attack if seen.attacked else self._numbers.preview
        await verbs.rest(time, f"the preview of {of} to show whom it would deny")
        hits = await self._hits(of)
        if hits is not None and hits.known and not hits.attack and not verbs.shadow and not verbs.rehearsing:
            verbs.note(f"{of}: {hits.in_words}; it is not needed", "edge")
            if noted.imposed is not None:
                await verbs.lift(noted.imposed, None)
            return
        facts = (hits.in_words if hits else "nobody can say whom it would deny",)
        if await verbs.impose(BLOCKED, enforce(of, wanted, hits, WHY), facts=facts):
            await self._falls(of, wanted)
        else:
            self._by_people(f"{of} stays in preview: it was not to be enforced")

    def _free(self, seen: Traffic) -> RuleOf | None:
        for number in range(self._numbers.first_rule, self._numbers.first_rule + self._numbers.rules):
            if number not in seen.taken and number not in self._taken:
                self._taken.add(number)
                return RuleOf(priority=number, store=self._product)
        return None

    async def _hits(self, of: RuleOf) -> Hits | None:
        order = HitsOf(
            priority=of.priority, window=self._numbers.preview_under_attack, keys=self._keys(), store=self._product, numbers=self._numbers
        )
        return await self._verbs.look(EdgeTraffic.hits, order)

    async def _falls(self, of: RuleOf, wanted: Blocking) -> None:
        """That a rule is enforced is no proof: what it denies must not get in any more."""
        verbs = self._verbs
        await verbs.rest(2 * self._numbers.preview_under_attack, f"the attack to be denied by {of}")
        if verbs.shadow or verbs.rehearsing:
            return
        hits = await self._hits(of)
        if hits is None or hits.others is None:
            verbs.note(f"{of}: nobody can say whether the attack falls", "edge")
        elif hits.through:
            verbs.note(f"{of}: {hits.through} requests of the attack still got in", "edge")
            self._by_people(f"{wanted.whom} still gets in")
        else:
            verbs.note(f"{of}: {hits.attack} requests of the attack were denied, none got in", "edge")

    async def _off_lists(self, seen: Traffic, whom: list[Blocking]) -> None:
        """What an allow-list lets in is denied by no rule after it. Only what holds an address of the attack goes."""
        verbs = self._verbs
        addresses = tuple(one for each in whom for one in each.addresses)
        for priority, entries in seen.letting_in.items():
            of = AllowListOf(priority=priority, addresses=addresses or entries, store=self._product)
            now = await verbs.look(AllowLists.read, AllowLists.look(of))
            if now is None or not await verbs.impose(OFF_LIST, take_off(of, now, WHY)):
                self._by_people(f"allow-list {priority} lets {listed(entries)} in")

    def _by_people(self, why: str) -> None:
        """Said each time; the task is given once."""
        self._verbs.note(f"at the edge: {why}", "edge")
        if not self._asked:
            self._asked = True
            self._verbs.task(EDGE, Role.SECURITY_LEAD)
