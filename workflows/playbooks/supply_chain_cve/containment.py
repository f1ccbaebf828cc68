"""Block, evidence, isolate, rotate; and a virtual patch where it is a vulnerability (A.12 M1 to M4, X1). In this order, always."""

import asyncio

from activities.action import Role
from activities.builds.blocklist import BLOCKED, PLACES, BlocklistOf, Blocklists, Place, block
from activities.builds.bots import MERGES, STOPPED, UPDATES, Bot, BotOf, Switch, UpdateBots
from activities.builds.evidence import SupplyEvidence, SupplyExport
from activities.builds.exploit import ExploitProbes, ProbeExploit
from activities.builds.hosts import ISOLATED, HostSnapshots, SnapshotHost, isolate
from activities.builds.installs import HostSeen
from activities.credentials.orders import Exposure
from activities.egress.egress import DENIED, deny
from activities.flags.flags import SWITCHED_OFF, switch_off
from workflows.engine.verbs import Verbs
from workflows.incident import Silence
from workflows.playbooks.supply_chain_cve.findings import Findings
from workflows.playbooks.supply_chain_cve.reach import WHO, Reach

WHY = "a supply-chain advisory"
HUNT = "start-up hooks, services, cluster pods, CI workflows, schedules, and what we have published since"


class Containment:
    def __init__(self, verbs: Verbs, reach: Reach) -> None:
        self._verbs, self._reach, self._numbers = verbs, reach, verbs.policy.supply_chain
        self._said: set[str] = set()
        self._copies: dict[str, asyncio.Task[object]] = {}

    @property
    def found(self) -> Findings:
        return self._reach.found

    # ---- M1 ----

    async def block(self) -> None:
        """At the proxy and in the pipeline, proven by a test install that is refused; then nothing changes dependencies without a person."""
        found = self.found
        if found.dropped:
            return
        wanted = [(place, one) for one in found.packages if found.versions(one) for place in PLACES]
        await self._verbs.together(*(self._block(place, one.ecosystem, one.name, found.versions(one)) for place, one in wanted))
        await self._stop_bots()

    async def _block(self, place: Place, ecosystem: str, package: str, versions: tuple[str, ...]) -> None:
        verbs, of = self._verbs, BlocklistOf(place=place, ecosystem=ecosystem, package=package)
        now = await verbs.look(Blocklists.read, Blocklists.look(of))
        done = now is not None and await verbs.impose(BLOCKED, block(of, now, versions, WHY))
        if not done and not verbs.rehearsing:
            named = ", ".join(versions[:5])
            self._once(f"Block {package} {named} at the {place} by hand, and see that a test install is refused: it was not done by us")

    async def _stop_bots(self) -> None:
        """No pull request is merged without a person; where code is malicious, none is opened either."""
        verbs, found = self._verbs, self.found
        services = (await verbs.catalogue()).services
        wanted: list[Switch] = [MERGES, UPDATES] if found.malicious else [MERGES]
        names = found.affected or ((verbs.service,) if found.malicious and not found.presence else ())
        for repository in dict.fromkeys(services[name].repository for name in names if name in services and services[name].repository):
            for switch in wanted:
                order = UpdateBots.order(BotOf(repository=repository, switch=switch), Bot(on=False), why=WHY)
                if not await verbs.impose(STOPPED, order, silence=Silence.SKIP) and not verbs.rehearsing:
                    self._once(f"Stop {switch} in {repository} by hand: it was not done by us")

    # ---- M2, M3, X1 ----

    async def contain(self) -> None:
        """Of malicious code: evidence is begun before anything is isolated, and what it could read is rotated from clean hosts."""
        verbs, found = self._verbs, self.found
        if not found.malicious or found.dropped:
            return
        await self._keep_evidence()
        await verbs.together(
            *(self._isolate(host) for host in found.hosts), *(self._deny(host) for host in found.advisory.iocs), self.rotate()
        )
        self._hunt()

    async def _keep_evidence(self) -> None:
        """Logs first. Copies of disks are begun, and waited for ten minutes: then the network may be cut while they go on (INV-1)."""
        verbs, found = self._verbs, self.found
        if "evidence" not in self._said:
            self._said.add("evidence")
            names = tuple(host.name for host in found.hosts)
            order = SupplyExport(service=verbs.service, advisory=found.advisory.id, hosts=names, incident_id=verbs.incident_id)
            if await verbs.look(SupplyEvidence.keep, order) is None:
                self._once("Keep what runs, its bills of material and the installs by hand, before anything is changed")
        for host in found.hosts:
            if host.name not in self._copies and host.kind != "unknown":
                self._copies[host.name] = verbs.branch(f"the copy of {host.name}", self._copy(host.name))
        began = [*self._copies.values()]
        if not await verbs.waited(
            lambda: all(one.done() for one in began), verbs.policy.paced(self._numbers.copied_within), "copies of disks"
        ):
            verbs.note("isolated before every copy of a disk was complete: ten minutes are over, and the copies go on", "evidence")

    async def _copy(self, host: str) -> None:
        if await self._verbs.look(HostSnapshots.run, SnapshotHost(host=host)) is None:
            self._once(f"Copy the disk of {host} by hand before it is changed: it could not be done by us")

    async def _isolate(self, host: HostSeen) -> None:
        """A builder at once. What serves, or is somebody's machine, on Security's and the commander's word; it is never powered off."""
        verbs = self._verbs
        if host.ran is False:
            return
        if host.kind == "unknown":
            self._once(f"Isolate {host.name} by hand: no inventory knows it")
            return
        facts = (f"{', '.join(host.versions)} {'ran' if host.ran else 'may have run'} there; {len(host.secrets)} secrets can be read",)
        order = isolate(host.name, builds=host.kind == "ci", why=WHY)
        done = await verbs.impose(ISOLATED, order, facts=facts, silence=Silence.SAFE)
        if not done and not verbs.rehearsing:
            self._once(f"Isolate {host.name} by hand, or say why it may stay: until then only calls to known hosts are denied")
        what = f"Rebuild {host.name} from a clean image: never uninstall and go on"
        self._once(what, Role.OPS_LEAD)

    async def _deny(self, ioc: str) -> None:
        verbs, hosts = self._verbs, self.found.hosts
        done = await verbs.impose(DENIED, deny(ioc, hosts[0].name if hosts else verbs.service, WHY))
        if not done and not verbs.rehearsing:
            self._once(f"Deny calls to {ioc} by hand: it was not done by us")

    async def rotate(self) -> None:
        """Patching does not un-steal secrets: every one that could be read there, revoked first, from clean hosts (X1, spec §11)."""
        verbs, found = self._verbs, self.found
        if found.executed is False or "rotate" in self._said:
            return
        self._said.add("rotate")
        names = ", ".join(found.secrets[:20]) or "every secret of what serves: nobody can say which"
        hosts = ", ".join(host.name for host in found.hosts) or "what serves"
        sure = "ran" if found.executed else "may have run"
        exposure = Exposure.CONFIRMED if found.executed else Exposure.SUSPECTED
        first = ", revoke first" if exposure.revoke_first else ""
        why = f"malicious code {sure} on {hosts}: rotate {names}{first}, from clean hosts"
        found.rotating = await verbs.call_in("secret_compromise", why, {"credentials": ",".join(found.secrets), "exposure": exposure})
        reach = f"malicious code {sure} where {len(found.secrets)} secrets can be read"
        await verbs.call_in("data_breach", reach, {"signal": "package"})

    def _hunt(self) -> None:
        self._once(f"Hunt what it has left behind on {', '.join(host.name for host in self.found.hosts) or 'our hosts'}: {HUNT}")
        if self.found.releases:
            named = ", ".join(self.found.releases)
            self._once(f"Look whether our own releases were altered ({named}): they were built where it ran", Role.OPS_LEAD)

    # ---- M4 ----

    async def patch_virtually(self) -> None:
        """Of a vulnerability that can be reached: the code is not let at, until the fix serves."""
        verbs, found = self._verbs, self.found
        if found.malicious or found.dropped or found.reachable is False:
            return
        for name in found.affected:
            await self._stand_before(name)
        if verbs.rehearsing:
            return
        for name in found.affected:
            for package in found.packages:
                seen = await verbs.look(ExploitProbes.probe, ProbeExploit(service=name, package=package.name))
                verbs.note(
                    f"{name}: {seen.summary if seen else 'nobody can say whether a sample of the attack gets through'}", "virtual patch"
                )
                if seen is None or not seen.refused:
                    self._once(f"Keep the attack on {package.name} from {name} by an edge rule or its configuration: a sample gets through")

    async def _stand_before(self, name: str) -> None:
        verbs, seen = self._verbs, self.found.presence[name]
        if seen is None or not seen.flag:
            self._once(f"Keep the attack from {name} by an edge rule or its configuration: no flag stands before the code")
            return
        facts = (f"{name}: reachable by {seen.endpoint or 'an unknown way'}, behind {seen.flag}",)
        done = await verbs.impose(
            SWITCHED_OFF, switch_off(seen.flag, WHY, verbs.policy), facts=facts, silence=Silence.SAFE, authorised=True
        )
        if not done and not verbs.rehearsing:
            self._once(f"Keep the attack from {name} in another way: {seen.flag} stays on")

    def _once(self, text: str, role: Role = WHO[0]) -> None:
        if text not in self._said:
            self._said.add(text)
            self._verbs.task(text, role)
