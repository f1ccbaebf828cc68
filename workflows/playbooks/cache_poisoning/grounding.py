"""One domain of knowledge, as it is looked at: what is wrong with it, and whether what was done has helped (A.11 T1)."""

from datetime import datetime

from activities.action import Role
from activities.caches.caches import Caches
from activities.caches.keys import Entries
from activities.caches.orders import CensusOf
from activities.metrics.curves import CurveOf, CurveReading, Curves
from activities.retriever.library import AnswersOf, DomainsOf, Libraries, LibraryOf, OriginLoadOf
from activities.retriever.serving import CAG_OFF
from activities.values import Curve
from workflows.engine.verbs import Verbs
from workflows.incident import Incident
from workflows.playbooks.cache_poisoning.findings import Found, Verdict, judged


def curve_of(verbs: Verbs) -> CurveOf:
    """The curve of grounding, over all domains."""
    return CurveOf(curve=Curve.GROUNDING, service=verbs.service, numbers=verbs.policy.curves, fresh=verbs.policy.stability.fresh)


async def which_domain(verbs: Verbs, incident: Incident) -> str:
    """The domain that the alert names; otherwise the one whose curve is worst; otherwise a person says it."""
    known = (await verbs.do(Libraries.domains, DomainsOf())).domains
    if (named := incident.labels.get("domain", "")) in known:
        return named
    seen: CurveReading | None = await verbs.look(Curves.read, curve_of(verbs))
    ill = [one.labels["domain"] for one in (seen.ill if seen else ()) if one.labels.get("domain") in known]
    if ill:
        return ill[0]
    said = await verbs.ask(
        "Which domain of knowledge is it about?", roles=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER), example=f'"{known[0]}"' if known else '"billing"',
        facts=(f"there are {', '.join(known)}",),
    )  # fmt: skip
    if said is None or said.value not in known:
        verbs.hand_over("nobody says which domain of knowledge it is about")
    return str(said.value)


class Grounding:
    """What is known of the domain."""

    def __init__(self, verbs: Verbs, domain: str) -> None:
        self._verbs, self.domain, self._numbers = verbs, domain, verbs.policy.cache_poisoning
        self._rounds = 0
        self._questioned: set[str] = set()  # new sources that a person was asked to look at
        self.pinned: dict[str, str] = {}  # document → the version that we have pinned, whatever its origin shows
        self.crossed = False  # whether anybody was ever given another tenant's answer
        self._since: datetime | None = None  # what was answered before that says nothing of what was done

    async def look(self) -> Found:
        """The documents by their hashes, the latest answers, the cache, the origin and the curve: side by side."""
        verbs, domain, numbers = self._verbs, self.domain, self._numbers
        library, answers, census, load, seen = await verbs.together(
            verbs.do(Libraries.library, LibraryOf(domain=domain)),
            verbs.do(Libraries.answers, AnswersOf(domain=domain, limit=numbers.answers)),
            verbs.look(Caches.census, CensusOf(entries=Entries(domain=domain))),
            verbs.look(Libraries.origin_load, OriginLoadOf(service=verbs.service)),
            verbs.look(Curves.read, curve_of(verbs)),
        )
        lately = answers.since(self._since) if self._since else answers
        # The curve looks back for minutes: of what was done lately only the answers say something.
        curve = seen if self._since is None else None
        found = judged(domain, library, lately, census, load.ratio if load else None, curve, numbers, self.pinned, verbs.clock())
        self.crossed = self.crossed or Verdict.MISKEYED in found.verdicts
        verbs.note(found.in_words(), "finding")
        for name in (one for one in found.newcomers if one not in self._questioned):
            verbs.task(
                f"Say who added {name} to {domain}, and whether it may be cited; until then its documents are suspect", Role.AI_ML_LEAD
            )
            self._questioned.add(name)
        return found

    async def elsewhere(self, found: Found) -> Found:
        """Where nothing is wrong with the domain that was named, the symptom may be in another: it is said, and gone on with there."""
        ill = [one.labels.get("domain", "") for one in (found.curve.ill if found.curve else ())]
        other = next((name for name in ill if name and name != self.domain), "")
        if found.verdicts != (Verdict.WELL,) or not other:
            return found
        self._verbs.note(
            f"nothing is wrong with {self.domain}: the symptom is in {other}, and nothing is changed in {self.domain}", "no help"
        )
        self.domain = other
        return await self.look()

    async def latest(self, found: Found) -> Found:
        """What triage has found, for the first round; for a later one it is looked at again."""
        self._rounds += 1
        return found if self._rounds == 1 else await self.look()

    async def call_others_in(self, found: Found) -> None:
        """What is another playbook's: a tenant's answer to another tenant, orders in what is cited, answers that their documents do not bear out."""
        verbs, domain = self._verbs, self.domain
        if Verdict.MISKEYED in found.verdicts:
            pairs = f"{len(found.crossed)} answers about {domain} were made for another tenant, {found.misfiled} entries are under another's key"
            await verbs.call_in("tenant_isolation", pairs)
        if found.instructions:
            await verbs.call_in("prompt_injection", f"what answers about {domain} cite gives orders")
        if Verdict.SYNTHESIS in found.verdicts:
            await verbs.call_in(
                "model_drift", f"answers about {domain} do not say what the documents say that they cite, and those are right"
            )

    async def helped(self) -> Found:
        """Watch answers for a while: what is written again takes its time. Where it did not help that is said, with what is wrong now."""
        verbs, numbers = self._verbs, self._numbers
        self._since = began = verbs.clock()
        until = began + verbs.policy.paced(numbers.refills_within)
        while not verbs.rehearsing and verbs.clock() < until:
            await verbs.rest(numbers.look_again, f"answers about {self.domain} that were given since")
            answers = (await verbs.read(Libraries.answers, AnswersOf(domain=self.domain, limit=numbers.answers))).since(began)
            if len(answers.answers) >= numbers.least_answers and (answers.correct() or 0) < numbers.correct:
                break
        found = await self.look()
        if found.grounding:
            verbs.note(f"it did not help: {found.in_words()}", "no help")
            await self._restart(found)
        return found

    async def _restart(self, found: Found) -> None:
        """Wrong answers from a cache that is off: a process keeps answers of its own, whatever becomes of the cache."""
        verbs, kept = self._verbs, [one for one in found.answers.wrong if one.from_cache]
        if not kept or not verbs.in_force(CAG_OFF):
            return
        what = f"{len(kept)} answers about {self.domain} come from a cache although it is off: a process keeps answers of its own"
        verbs.note(what, "finding")
        task = verbs.task(f"Restart what answers questions about {self.domain}: {what}", Role.OPS_LEAD)
        await verbs.ask("Was it restarted?", roles=(Role.OPS_LEAD,), example='"restarted"', facts=(what,), about=task)
        self._since = verbs.clock()
