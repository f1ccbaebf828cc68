"""Back only clean, and closed only quiet: rebuilt, let back in, 72 hours without the intruder, every line of the ledger done (A.4 M8, R1)."""

from datetime import datetime, timedelta

from activities.access.responders import RESTRICTED, ResponderAccess
from activities.action import Risk, Role
from activities.audit.level import ENHANCED
from activities.breach.footholds import EVICTED
from activities.breach.records import AccessLog, QuietOf
from activities.egress.egress import DENIED
from activities.holds.objects import HELD
from activities.metrics.orders import StabilityVerdict
from activities.network.isolation import ISOLATED, NetworkIsolation
from activities.values import listed, span
from workflows.engine.measures import Imposed
from workflows.engine.proof.proof import Wait
from workflows.engine.verbs import Verbs
from workflows.errors import Relapse
from workflows.incident import QuestionDraft, QuestionKind
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.data_breach.containment import Containment
from workflows.playbooks.data_breach.eviction import Eviction
from workflows.playbooks.data_breach.evidence import Keeping
from workflows.playbooks.data_breach.scoping import BOTH, Breach

AGAIN, TRIES = timedelta(minutes=5), 5  # where the access records do not answer
REBUILT = "from a clean image with fresh credentials, scan it, and attest that it is clean; nothing is wiped before its copy is complete"


class Recovery:
    def __init__(self, verbs: Verbs, breach: Breach, keeping: Keeping, containment: Containment, eviction: Eviction) -> None:
        self._verbs, self._breach, self._numbers = verbs, breach, verbs.policy.data_breach
        self._keeping, self._containment, self._eviction = keeping, containment, eviction
        self._rebuilt: set[str] = set()

    # ---- M8 ----

    async def rebuild(self) -> None:
        """What was touched is built from clean images by people, and attested; then it comes back into the network, one after the other."""
        verbs = self._verbs
        if self._breach.found.unfounded:
            return
        await self._keeping.complete()
        for imposed in verbs.in_force(ISOLATED):
            await self._attested(_asset(imposed))
            await self._rejoin(imposed)

    async def _attested(self, asset: str) -> None:
        verbs = self._verbs
        if asset in self._rebuilt or verbs.shadow:
            return
        self._rebuilt.add(asset)
        task = verbs.task(f"Rebuild {asset} {REBUILT}", Role.OPS_LEAD)
        while not verbs.rehearsing:
            decision = await verbs.confirm(
                QuestionDraft(
                    kind=QuestionKind.APPROVAL, roles=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER), risk=Risk.C3, facts=(task.text,),
                    asks=f"Is {asset} rebuilt from a clean image, scanned, and clean?", effect="it may come back into the network",
                    inverse="decline: it stays cut off, and you are asked again",
                )
            )  # fmt: skip
            if decision.granted:
                verbs.attested(task, f"{asset} is clean", decision.by)
                return
            await verbs.rest(self._numbers.rebuilt_again, f"people to rebuild {asset}")

    async def _rejoin(self, imposed: Imposed) -> None:
        """Security alone says so. A *no* means: not yet."""
        verbs, asset = self._verbs, _asset(imposed)
        steps = imposed.order.undo_steps(verbs.policy.return_steps)
        terms = ApprovalTerms(asks=f"Let {asset} back into the network?", roles=(Role.SECURITY_LEAD,), least=Risk.C2, strict=True)
        while True:
            decision = await verbs.approve_all(NetworkIsolation.restore, steps, terms)  # type: ignore[arg-type]  # the lift of its measure
            if decision.grant is not None:
                await verbs.lift(imposed, decision.grant)
                self._rebuilt.discard(asset)  # what is cut off once more is rebuilt once more
                return
            if verbs.rehearsing:
                return
            await verbs.rest(self._numbers.rebuilt_again, f"Security to let {asset} back in")

    # ---- R1 ----

    async def quiet(self) -> None:
        """Nothing of the intruder for 72 hours, with enhanced logging. A gap, or anything seen, begins the time again; what has come back is a
        relapse."""
        verbs, found = self._verbs, self._breach.found
        if found.unfounded or not found.identities or verbs.shadow:
            return

        async def ask(start: datetime, end: datetime) -> StabilityVerdict:
            order = QuietOf(identities=found.identities, since=start, until=end)
            seen = await verbs.look(AccessLog.quiet, order)
            for _ in range(TRIES if seen is None else 0):  # the log may have all of it, although it does not answer now
                await verbs.rest(AGAIN, "the access records to answer")
                if (seen := await verbs.look(AccessLog.quiet, order)) is not None:
                    break
            if alive := await self._eviction.hunt():
                raise Relapse(f"{len(alive)} footholds are there again: {listed(tuple(one.in_words for one in alive))}")
            if seen is None:
                return StabilityVerdict(stable=False, blind_at=end, why="the access records do not answer", watched=timedelta(0))
            return seen

        await verbs.holds(ask, Wait(f"nothing of the intruder seen for {span(self._numbers.quiet)}", self._numbers.quiet))

    async def accounted(self) -> None:
        """Every foothold evicted or in somebody's hands, every credential done by §2.10."""
        verbs, found = self._verbs, self._breach.found
        if found.unfounded:
            return
        await self._containment.accounted()
        verbs.note(f"{len(found.evicted)} footholds evicted, {len(found.credentials)} credentials accounted for by §2.10", "ledger")

    async def keep(self) -> None:
        """Access as it was before; and what stays as it is after the incident, in whose name: evictions, denials, holds, logging."""
        verbs = self._verbs
        for imposed in verbs.in_force(RESTRICTED):
            terms = ApprovalTerms(
                asks=f"Give back the access that was taken away ({imposed.says})?", roles=(Role.SECURITY_LEAD,), strict=True
            )
            again = await verbs.approve_all(ResponderAccess.restore, imposed.order.undo_steps(verbs.policy.return_steps), terms)  # type: ignore[arg-type]
            if again.grant is not None:
                await verbs.lift(imposed, again.grant)
        held = [one for of in (EVICTED, DENIED, HELD, ENHANCED, RESTRICTED) for one in verbs.in_force(of) if not verbs.kept_by(one)]
        if not held:
            return
        decision = await verbs.confirm(
            QuestionDraft(
                kind=QuestionKind.APPROVAL, roles=BOTH, asks=f"Who keeps {len(held)} measures after this breach? Approve to keep them in your name",
                effect="; ".join(one.says for one in held), inverse="; ".join(dict.fromkeys(one.order.inverse() for one in held)),
            )
        )  # fmt: skip
        for one in held:
            verbs.keep(one, decision.by or "whoever is asked")

    def watch_for_reuse(self) -> None:
        """Stolen data shows up later: people look for it."""
        if not self._breach.found.unfounded:
            until = self._verbs.declared_at + self._numbers.reuse_watched
            what = f"Look until {until:%Y-%m-%d} whether stolen data is used: canary records, sign-ins, offers of it"
            self._verbs.follow_up(what, Role.SECURITY_LEAD)


def _asset(imposed: Imposed) -> str:
    return str(imposed.order.of.asset)  # type: ignore[attr-defined]  # a change of an asset
