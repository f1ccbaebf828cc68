"""No healthy standby is left: the newest backup that was really restored once, into a new instance, up to an instant (§9.9, if it fails)."""

from activities.action import Role
from activities.backups.backups import Backup, Restores, RestoreTests, RestoreTo, TestRestore
from workflows.engine.verbs import Verbs
from workflows.playbooks.database_failover.cluster import LEADS, Cluster
from workflows.playbooks.database_failover.findings import Found
from workflows.severity.facts import DataLoss, Facts


class Restoring:
    def __init__(self, verbs: Verbs, cluster: Cluster) -> None:
        self._verbs, self._cluster = verbs, cluster
        self.name = cluster.name

    async def restore(self, found: Found) -> None:
        """Announced before it is decided: what was written after the backup's log is lost. People send the clients there."""
        verbs = self._verbs
        verbs.note(f"no standby of {self.name} may take over", "finding")
        verbs.classify(Facts(db_failover=True, data_loss=DataLoss.POSSIBLE))
        for backup in sorted(found.backups.backups if found.backups is not None else (), key=lambda one: not one.verified):
            if not await self._restores(backup):
                continue
            until = backup.covers_until or backup.at
            verbs.say(f"restoring {self.name} as it was at {until:%H:%M:%S} UTC: later writes are not in it")
            order = RestoreTo(cluster=self.name, backup=backup.id, until=until)
            done = await verbs.propose(Restores.run, order, facts=(_known(backup),))
            if done.effect is None:
                verbs.hand_over(f"backup {backup.id} of {self.name} is not restored: {self.name} stays read-only")
            task = verbs.task(
                f"Send the clients of {self.name} to {done.effect.after['instance']}, once its data was looked at", Role.DB_LEAD
            )
            await verbs.ask(
                "Do the clients use the restored instance?", roles=LEADS, example='"yes"', about=task, facts=(done.effect.summary,)
            )
            verbs.hand_over(f"{self.name} goes on as {done.effect.after['instance']}: people open it for writes")
        verbs.task(f"Search for snapshots of {self.name}: no backup that we know of can be restored", Role.DB_LEAD)
        verbs.hand_over(f"no backup of {self.name} can be restored: it stays read-only")

    async def _restores(self, backup: Backup) -> bool:
        """Whether it can be restored is tried, and not believed; the next older one is tried where it cannot."""
        verbs = self._verbs
        if backup.verified:
            return True
        verbs.note(f"backup {backup.id} is unverified: it is restored into an instance that nobody uses first", "finding")
        return bool(await verbs.propose(RestoreTests.run, TestRestore(cluster=self.name, backup=backup.id)))


def _known(backup: Backup) -> str:
    at = backup.restore_tested_at
    return f"backup of {backup.at:%d %b %H:%M} UTC, " + (
        f"restored in a test at {at:%d %b %H:%M} UTC" if at else "restored in a test just now"
    )
