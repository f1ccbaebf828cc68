"""The database as it was, before anything of it is mended (A.5 M2, S-SNAPDB): by us where its cluster is known, by a person elsewhere."""

from activities.action import Role
from activities.databases.client import store_of
from activities.databases.databases import Databases
from activities.databases.jobs import Snapshot, Snapshots
from activities.databases.seen import ClusterOf, ClustersOf
from activities.kit.words.shell import Var, command
from workflows.engine.verbs import Verbs


async def keep_database(verbs: Verbs) -> None:
    """A snapshot of each of the service's clusters, in another account. Whether it can be restored is tried by people."""
    known = await verbs.look(Databases.clusters, ClustersOf())
    clusters = known.of(verbs.service) if known is not None else ()
    if not clusters:
        by_hand = command("gcloud", "sql", "backups", "create", "--async", "--instance", Var("DATABASE_INSTANCE"))
        why = "the system of databases does not answer" if known is None else f"no cluster of {verbs.service} is known"
        what = "Take a snapshot of the database into another domain, and try to restore it"
        verbs.task(f"{what}: {why}", Role.DB_LEAD, (by_hand,))
        return
    await verbs.together(*(_keep(verbs, cluster) for cluster in clusters))


async def _keep(verbs: Verbs, cluster: str) -> None:
    """Of the node that takes writes; where none is met, of the one that has received most."""
    seen = await verbs.look(Databases.survey, ClusterOf(cluster=cluster))
    reached = [one for one in seen.nodes if one.reachable] if seen is not None else []
    writers = seen.writers if seen is not None else ()
    best = max(reached, key=lambda one: (one.id in writers, one.lsn or 0), default=None)
    order = Snapshot(cluster=cluster, store=store_of(verbs.policy.systems), node=best.id) if best is not None else None
    if order is not None and await verbs.propose(Snapshots.create, order):
        verbs.task(
            f"Try to restore the snapshot of {order.node} of {cluster} elsewhere: until then nobody knows that it can be", Role.DB_LEAD
        )
        return
    why = "none of its nodes is reached" if order is None else "ours could not be taken"
    verbs.task(f"Take a snapshot of {cluster} into another domain: {why}", Role.DB_LEAD, order.by_hand() if order is not None else ())
