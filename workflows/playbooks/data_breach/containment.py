"""Cut off, revoke, let only responders in, log everything (A.4 M4 to M6). In this order, and never before evidence was begun (INV-1)."""

from datetime import timedelta

from activities.access.responders import RESTRICTED, restrict
from activities.action import Role
from activities.audit.level import ENHANCED, enhance
from activities.egress.egress import DENIED, CallsOf, Egress, deny
from activities.network.isolation import ISOLATED, isolate
from activities.organisation.organisation import ReadAll
from activities.organisation.rota import Rota
from activities.values import listed
from workflows.engine.verbs import CalledIn, Verbs
from workflows.incident import Silence
from workflows.playbooks.data_breach.scoping import Breach

WHY = "data is read by somebody who must not"
LOOKED = timedelta(hours=1)  # of outbound calls, in which it is looked where rows have gone
RESPONDERS = (Role.INCIDENT_COMMANDER, Role.DEPUTY, Role.SECURITY_LEAD, Role.OPS_LEAD, Role.LEGAL, Role.SCRIBE)


class Containment:
    def __init__(self, verbs: Verbs, breach: Breach) -> None:
        self._verbs, self._breach, self._numbers = verbs, breach, verbs.policy.data_breach
        self._said: set[str] = set()
        self._revoking: CalledIn | None = None
        self._told = set[str]()  # credentials that §2.10 was told of
        self._narrowed = False

    # ---- M4 ----

    async def cut_off(self) -> None:
        """The worst asset at once; further ones on Security's and the commander's word. Without an answer the worst alone is cut off."""
        verbs, found = self._verbs, self._breach.found
        if found.unfounded or not found.assets:
            return
        first, *others = found.assets
        await self._isolate(first, 0)
        await verbs.together(
            *(self._isolate(asset, n) for n, asset in enumerate(others, start=1)), *(self._deny(one) for one in found.assets)
        )

    async def _isolate(self, asset: str, others: int) -> None:
        verbs = self._verbs
        service = (await verbs.catalogue()).services.get(asset)
        order = isolate(asset, WHY, others=others, service=service, systems=verbs.policy.systems)
        done = await verbs.impose(ISOLATED, order, facts=(self._breach.found.in_words(),), silence=Silence.SAFE if others else Silence.HOLD)
        if done.unanswered:
            verbs.note(f"{asset} stays in the network: nobody answered, and the worst asset is cut off", "safe")
        if not done and not verbs.rehearsing:
            self._once(f"Cut {asset} off from the network, but for forensics; do not power it off: it was not done by us", order.by_hand())

    async def _deny(self, asset: str) -> None:
        """Hosts that nobody has allowed and that this asset calls."""
        verbs = self._verbs
        seen = await verbs.look(Egress.calls, CallsOf(window=LOOKED, workload=asset))
        if seen is None or seen.unreadable:
            self._once(f"Look by hand where data of {asset} has gone: not everything that leaves can be read")
        for host in seen.hosts() if seen is not None else ():
            if not await verbs.impose(DENIED, deny(host, asset, WHY)) and not verbs.rehearsing:
                self._once(f"Refuse calls to {host} by hand: it was not done by us", deny(host, asset).by_hand())

    # ---- M5 ----

    async def revoke(self) -> None:
        """By §2.10, revoke first: each credential by which somebody reads who must not."""
        verbs, found = self._verbs, self._breach.found
        new = tuple(one for one in found.credentials if one not in self._told and one not in found.stolen)
        if found.unfounded or not new:
            return
        self._told.update(new)
        why = f"{listed(new)} is used by somebody who must not: revoke it first"
        called = await verbs.call_in("secret_compromise", why, {"credentials": ",".join(new), "exposure": "confirmed"})
        self._revoking = called

    async def accounted(self) -> None:
        """Every credential of it is done: §2.10 says so at its end (R1)."""
        called = self._revoking
        if called is None or called.first or self._verbs.rehearsing:
            return
        await self._verbs.waited(lambda: called.over, None, "every credential to be accounted for by §2.10")
        self._verbs.note(f"§2.10 has ended: {listed(tuple(sorted(self._told)))}", "ledger")

    # ---- M6 ----

    async def narrow_access(self) -> None:
        """Responders alone, for eight hours; every access to data is logged from now on, which a test event proves."""
        verbs, found = self._verbs, self._breach.found
        if found.unfounded or self._narrowed or not found.signal.by_somebody:
            return
        self._narrowed = True
        service = (await verbs.catalogue()).services.get(verbs.service)
        scope = service.project if service is not None and service.project else ""
        if not scope:
            self._once(f"Let only responders have access to what {verbs.service} touches, and log every access: no project of it is known")
            return
        await verbs.together(self._restrict(scope), self._enhance(scope))

    async def _restrict(self, scope: str) -> None:
        verbs = self._verbs
        duty = await verbs.look(Rota.now, ReadAll())
        suspected = self._breach.found.owners
        people = [one for one in duty.roster.holders(RESPONDERS) if one.id not in suspected and one.email] if duty is not None else []
        until = verbs.clock() + self._numbers.access_for  # an instant of the vendor's: real time
        order = restrict(scope, [one.email for one in people], until, WHY, systems=verbs.policy.systems)
        done = await verbs.impose(RESTRICTED, order) if people else None
        if not done and not verbs.rehearsing:
            self._once(f"Let only responders have access to {scope}, until {until:%H:%M} UTC: it was not done by us", order.by_hand())
        elif not verbs.rehearsing:
            longer = f"Say whether responders need access to {scope} for longer: it ends by itself, and is never extended by us"
            task = verbs.task(longer, Role.SECURITY_LEAD)
            task.due = f"{until:%Y-%m-%d %H:%M} UTC"

    async def _enhance(self, scope: str) -> None:
        verbs, order = self._verbs, enhance(scope, self._numbers.log_retention_days, WHY, systems=self._verbs.policy.systems)
        if not await verbs.impose(ENHANCED, order) and not verbs.rehearsing:
            what = f"Log every access to data of {scope}, keep it for longer, and see that a test event arrives: it was not done by us"
            self._once(what, order.by_hand())

    def _once(self, what: str, by_hand: tuple[str, ...] = ()) -> None:
        if what not in self._said:
            self._said.add(what)
            self._verbs.task(what, Role.SECURITY_LEAD, by_hand)
