"""The cluster of an incident, as it is looked at (A.9 T1, T2), and what is told of it."""

from dataclasses import replace
from datetime import datetime

from activities.action import Role
from activities.backups.backups import Backups, BackupsOf
from activities.databases.client import store_of
from activities.databases.databases import Databases
from activities.databases.seen import ClusterOf, ClustersOf
from activities.metrics.curves import CurveOf, Curves
from activities.values import Curve
from workflows.engine.verbs import Verbs
from workflows.incident import Incident
from workflows.playbooks.database_failover.findings import Choice, Found, Verdict, choose, judged

LEADS = (Role.DB_LEAD, Role.INCIDENT_COMMANDER)


async def which_cluster(verbs: Verbs, incident: Incident) -> str:
    """The cluster that the alert names; otherwise the one of the service; otherwise a person says it."""
    known = await verbs.do(Databases.clusters, ClustersOf())
    names = [one.name for one in known.clusters]
    if (named := incident.labels.get("cluster", "")) in names:
        return named
    if len(mine := known.of(incident.service)) == 1:
        return mine[0]
    said = await verbs.ask(
        "Which cluster of databases is it about?",
        roles=LEADS,
        example=f'"{names[0]}"' if names else '"main"',
        facts=(f"there are {known.summary}",),
    )
    if said is None or said.value not in names:
        verbs.hand_over("nobody says which cluster of databases it is about")
    return str(said.value)


class Cluster:
    """What is known of it."""

    def __init__(self, verbs: Verbs, name: str) -> None:
        self._verbs, self.name, self.numbers = verbs, name, verbs.policy.database_failover
        self.store = store_of(verbs.policy.systems)
        self._rounds = 0
        self.closed_at: datetime | None = None  # from when on the application was seen to write nothing

    async def look(self) -> Found:
        """The nodes by what they say and by what is met there, the backups, and the curve: side by side."""
        verbs = self._verbs
        curve = CurveOf(curve=Curve.REPLICATION, service=verbs.service, numbers=verbs.policy.curves, fresh=verbs.policy.stability.fresh)
        seen, backups, _ = await verbs.together(
            verbs.do(Databases.survey, ClusterOf(cluster=self.name)),
            verbs.look(Backups.list, BackupsOf(cluster=self.name)),
            verbs.look(Curves.read, curve),
        )
        found = judged(seen, backups, self.numbers)
        verbs.note(found.in_words(), "finding")
        return found

    async def latest(self, found: Found) -> Found:
        """What triage has found, for the first round; for a later one it is looked at again."""
        self._rounds += 1
        return found if self._rounds == 1 else await self.look()

    async def decided_by_people(self, found: Found) -> Found:
        """Too few vantage points, or what they say fits nothing: people say what it is, and automation guesses nothing."""
        verbs = self._verbs
        if found.verdict is Verdict.UNKNOWN and verbs.rehearsing:
            verbs.hand_over(f"people say what is wrong with {self.name}: {'; '.join(found.evidence)}")
        while found.verdict is Verdict.UNKNOWN:
            known = {
                one.name.lower(): one for one in (Verdict.DEAD, Verdict.PARTITIONED, Verdict.OVERLOADED, Verdict.LAGGING, Verdict.WELL)
            }
            said = await verbs.ask(
                f"What is wrong with {self.name}? Say look to have it looked at again", roles=LEADS, example='"dead"',
                facts=(*found.evidence, found.seen.summary, f"one of {', '.join(known)}, look"),
            )  # fmt: skip
            if said is None:
                verbs.hand_over(f"nobody says what is wrong with {self.name}")
            if str(said.value) in known:
                verbs.note(f"{said.by} says that {known[str(said.value)]}", "finding")
                return replace(found, verdict=known[str(said.value)])
            found = await self.look()
        return found

    def choose(self, found: Found, old: str, not_these: frozenset[str] = frozenset()) -> Choice:
        """`closed_at`: since then nothing was written any more."""
        return choose(found.seen, old, self.closed_at or self._verbs.clock(), self.numbers, not_these)
