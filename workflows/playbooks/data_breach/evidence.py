"""Evidence is begun before anything is cut off, and that before anything is revoked (A.4 M2, INV-1). Logs first, then disks and databases."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from activities.action import Role
from activities.breach.evidence import BreachEvidence, BreachExport
from activities.disks.snapshots import DiskSnapshot, DiskSnapshots, DisksOf, SnapshotOf
from activities.holds.objects import HELD, hold
from activities.kit.words.shell import Var, command
from workflows.engine.verbs import Verbs
from workflows.errors import HandOver
from workflows.incident import QuestionDraft
from workflows.playbooks.data_breach.scoping import Breach
from workflows.procedures.database_copy import keep_database

WHY = "a breach is suspected"
LOGS, COPIES = "logs", "copies of disks and databases"
SECOND_STORE = (
    "Keep the access records in the second account, in another cloud, and lengthen the retention of the logs: our evidence store is away"
)
AGAIN = timedelta(minutes=1)  # between two tries to keep what could not be kept


class Keeping:
    def __init__(self, verbs: Verbs, breach: Breach) -> None:
        self._verbs, self._breach, self._numbers = verbs, breach, verbs.policy.data_breach
        self._doing: dict[str, asyncio.Task[bool]] = {}
        self._began = verbs.clock()
        self._settled: set[str] = set()  # begun, or Security has said that the harm goes first
        self._said: set[str] = set()
        self._copied: dict[str, asyncio.Task[bool]] = {}  # by asset

    def begin(self) -> None:
        """Logs at once: no asset has to be known for them."""
        if LOGS not in self._doing:
            self._doing[LOGS] = self._verbs.branch("the evidence", self._logs())

    def begin_copies(self) -> None:
        """As soon as it is known from where data was read; what is found later is copied too."""
        new = [asset for asset in self._breach.found.assets if asset not in self._copied]
        for asset in new:
            self._copied[asset] = self._verbs.branch(f"copies of {asset}", self._copy(asset))
        if COPIES not in self._doing or new:
            self._settled.discard(COPIES)
            self._doing[COPIES] = self._verbs.branch("copies", self._all_copies(first=COPIES not in self._doing))

    async def begun(self) -> None:
        """Begun, each in its time; or, while harm goes on and it is not, on Security's word that the harm goes first."""
        self.begin()
        self.begin_copies()
        for what, within in ((LOGS, self._numbers.logs_begun_within), (COPIES, self._numbers.disks_begun_within)):
            if what not in self._settled:
                await self._begun(what, within)
                self._settled.add(what)

    async def _begun(self, what: str, within: timedelta) -> None:
        verbs = self._verbs
        left = max(self._began + verbs.policy.paced(within) - verbs.clock(), timedelta(0))
        await verbs.waited(self._doing[what].done, left, f"{what} to be begun")
        while not self._kept(what):
            doing = self._doing[what]
            if not doing.done() and self._breach.found.ongoing is False:
                await verbs.waited(doing.done, None, f"{what} to be begun: nothing goes on, so that evidence goes first")
                continue
            if await self._harm_first(what, within):
                return
            if not self._kept(what) and self._doing[what].done():
                await verbs.rest(AGAIN, f"{what}, before they are tried once more")
                self._doing[what] = verbs.branch(what, self._logs() if what == LOGS else self._again())

    async def _harm_first(self, what: str, within: timedelta) -> bool:
        """Security's word, with its reason (INV-1). Not asked any more when the evidence is begun meanwhile."""
        verbs = self._verbs
        asked = verbs.confirm(
            QuestionDraft(
                asks=f"{what} are not begun after {within.total_seconds():.0f} s. Contain the harm before that?", roles=(Role.SECURITY_LEAD,),
                effect="assets are cut off and credentials revoked although evidence may be lost; your reason is kept",
                inverse="decline: the evidence goes first, and is tried once more", facts=(self._breach.found.in_words(),),
            )
        )  # fmt: skip
        decision = await verbs.unless(asked, lambda: self._kept(what), f"{what} to be begun, or Security's word")
        if decision is None or not decision.granted:
            return False
        reason = decision.question.answers[-1].reason or "no reason given"
        verbs.note(f"contained before {what} were begun, on the word of {decision.by}: {reason}", "contain first")
        return True

    def _kept(self, what: str) -> bool:
        doing = self._doing[what]
        return self._verbs.rehearsing or (doing.done() and not doing.cancelled() and doing.result())

    # ---- logs ----

    async def _logs(self) -> bool:
        """Into the evidence store; what lies in buckets is held where it lies; what vendors and SaaS products have, people ask for."""
        verbs, found = self._verbs, self._breach.found
        order = BreachExport(incident_id=verbs.incident_id, since=found.since)
        kept = await verbs.look(BreachEvidence.keep, order)
        await verbs.together(*(self._hold(*place.partition("/")[::2]) for place in self._numbers.held_objects))
        self._once(
            "Export the audit logs of mail, chat, identity provider and other SaaS products, before they roll away", Role.SECURITY_LEAD
        )
        if found.vendor:
            self._once(f"Ask {found.vendor} to keep its logs, and for a copy", Role.SECURITY_LEAD)
        if kept is None:
            other = command("gcloud", "storage", "cp", "readers.json", "footholds.json", ("gs://", Var("SECOND_EVIDENCE_BUCKET")))
            self._once(SECOND_STORE, Role.SECURITY_LEAD, (*order.by_hand(), other))
            return verbs.rehearsing
        unread = kept.after.get("unread")
        for name in unread if isinstance(unread, list) else ():
            self._once(f"Keep {name} by hand: they do not answer", Role.SECURITY_LEAD, order.by_hand())
        if not kept.assumed:
            verbs.note(kept.summary, "evidence hold")
        return True

    async def _hold(self, bucket: str, prefix: str) -> None:
        if not await self._verbs.impose(HELD, hold(bucket, prefix, WHY)) and not self._verbs.rehearsing:
            self._once(f"Hold what lies in {bucket}/{prefix} by hand", Role.SECURITY_LEAD)

    # ---- disks and databases ----

    async def _all_copies(self, *, first: bool) -> bool:
        verbs = self._verbs
        if first and self._breach.found.assets:
            verbs.branch("the snapshot of the database", self._database())
        await verbs.waited(lambda: all(one.done() for one in self._copied.values()), None, "copies to be begun")
        return all(one.result() for one in self._copied.values() if not one.cancelled())

    async def _database(self) -> None:
        try:
            await keep_database(self._verbs)
        except HandOver as why:
            self._once(f"Take a snapshot of the database into another domain: {why}", Role.DB_LEAD)

    async def _again(self) -> bool:
        """Those that were not begun, once more."""
        for asset, one in list(self._copied.items()):
            if one.done() and not one.cancelled() and not one.result():
                self._copied[asset] = self._verbs.branch(f"copies of {asset}", self._copy(asset))
        return await self._all_copies(first=False)

    async def _copy(self, asset: str) -> bool:
        """Each disk of an asset. Begun is enough to go on; it is never deleted by us."""
        verbs = self._verbs
        order = DisksOf(asset=asset)
        seen = await verbs.look(DiskSnapshots.of_asset, order)
        if seen is None or not seen.disks or seen.unreachable:
            why = "nobody can say which it has" if seen is None else seen.summary
            self._once(f"Begin a copy of each disk of {asset} by hand: {why}", Role.SECURITY_LEAD, order.by_hand())
        if seen is None or (not seen.disks and seen.unreachable):
            return verbs.rehearsing
        return all(await verbs.together(*(self._copy_disk(disk, asset) for disk in seen.disks)))

    async def _copy_disk(self, disk: str, asset: str) -> bool:
        verbs, order = self._verbs, DiskSnapshot(disk=disk, incident_id=self._verbs.incident_id, asset=asset)
        with suppress(HandOver):  # a person takes over this copy, and not the incident
            if await verbs.propose(DiskSnapshots.create, order):
                return True
        if not verbs.rehearsing:
            self._once(f"Begin a copy of {disk} by hand: it was not begun by us", Role.SECURITY_LEAD, order.by_hand())
        return verbs.rehearsing

    async def complete(self) -> None:
        """How far the copies are, before anything is rebuilt: what is not complete is said."""
        verbs = self._verbs
        for asset in () if verbs.rehearsing else self._copied:
            seen = await verbs.look(DiskSnapshots.of_asset, DisksOf(asset=asset))
            for disk in seen.disks if seen is not None else ():
                shown = await verbs.look(DiskSnapshots.shown, SnapshotOf(disk=disk, incident_id=verbs.incident_id))
                if shown is None or shown.at.value != "READY":
                    told = shown.summary if shown is not None else f"nobody can say how far the copy of {disk} is"
                    self._once(f"Do not wipe or rebuild {asset} before its copy is complete: {told}", Role.OPS_LEAD)

    def _once(self, what: str, role: Role, by_hand: tuple[str, ...] = ()) -> None:
        if what not in self._said:
            self._said.add(what)
            self._verbs.task(what, role, by_hand)
