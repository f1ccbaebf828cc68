"""What is started once and takes its time, on the practice platform: one row for each client, through the same cells."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from activities.action import Refused
from activities.agents.agent_runtime import AgentRuntime
from activities.agents.replays import AttackReplays
from activities.agents.replays import Replay as AttackReplay
from activities.backups.backups import BackupPlane, Restores, RestoreTests, RestoreTo, TestRestore
from activities.builds.hosts import HostSnapshots, SnapshotHost
from activities.builds.plane import SupplyPlane
from activities.builds.rebuild import Actions, Rebuild, Rebuilds, Release, Releases
from activities.databases.client import DatabasePlane
from activities.databases.jobs import Promote, Promotions, Replay, Warm, Warmings, WriteReplays
from activities.evals.evals import Evals, RunSuite
from activities.evals.mlflow_runs import MlflowRuns
from activities.evals.runner import EvalsApi
from activities.organisation.catalogue import Deployed
from activities.queues.control import QueueControl
from activities.queues.workers import Restarts, RestartWorker
from activities.sessions.auth import AuthService
from activities.sessions.sessions import Revocations, RevokeSessions
from practice.agents.runtime import Runtime
from practice.databases.cluster import Databases
from practice.injection.attacks import PAYLOAD, Read, injections
from practice.jobs.work import Work
from practice.quality.evals import Evals as Runs
from practice.supply.cast import supply
from practice.tenancy.cast import tenancy
from tests.activities.kit.rows.practised import STATUS
from tests.activities.kit.stage import FollowingClock, Stage, attempt, refused, stage, tried


@dataclass(frozen=True)
class Operated:
    """One client of an operation: the routes that start it and show it, and how often it was really started."""

    verb: Any
    system: Callable[[Stage], Any]
    order: Callable[[Stage], Any]
    start: str
    look: str
    started: Callable[[Stage], int]

    def __call__(self) -> "Run":
        played = stage()
        return Run(self, self.system(played), self.order(played), played)


@dataclass(frozen=True)
class Run:
    of: Operated
    system: Any
    order: Any
    stage: Stage

    async def tried(self) -> Any:
        return (await tried(self.of.verb, self.system, self.order, self.stage.call(key="k")))[0]

    def inject(self, mode: str, times: int | None, on: str = "") -> None:
        if mode in STATUS:
            self.stage.inject(on or self.of.start, "fail", times=times, status=STATUS[mode])
        else:
            self.stage.inject(on or self.of.start, mode, times=times, **({"retry_after": 7} if mode == "throttle" else {}))


def _suite(played: Stage) -> RunSuite:
    return RunSuite(suite="golden", triple="6/12/3", asked_at=played.call().at)


def _runs(played: Stage) -> int:
    return len(played.world.state.part(Runs).runs)


def _replay(played: Stage) -> AttackReplay:
    """Of a session that has read an attack."""
    session = next(iter(played.world.state.part(Runtime).sessions))
    injections(played.world.state).trace(session).read.append(Read("mail", "mail-1", "0" * 64, "", 0.2, 0.9, PAYLOAD))
    return AttackReplay(session=session)


def _on_cluster(kind: Any, face: str = "/databases") -> Callable[[Stage], Any]:
    client = BackupPlane if face == "/backups" else DatabasePlane
    return lambda played: kind(client(played.client(face)))


def _promotion(played: Stage) -> Promote:
    """Of the standby that has everything, once the old primary is dead and fenced."""
    cluster = played.world.state.part(Databases).clusters["main"]
    cluster.nodes["db-1"].up, cluster.nodes["db-1"].fenced = False, True
    return Promote(cluster="main", node="db-2", old="db-1", at_least=cluster.nodes["db-2"].lsn)


def _jobs(kind: str) -> Callable[[Stage], int]:
    return lambda played: sum(one.kind == kind for one in played.world.state.part(Databases).clusters["main"].jobs.values())


def _restores(played: Stage) -> int:
    return len(played.world.state.part(Databases).clusters["main"].restores)


def _sessions(played: Stage) -> RevokeSessions:
    return RevokeSessions(tenant="canary-eu-1", revoked_before=played.call().at)


def _rebuilds(played: Stage) -> Rebuilds:
    return Rebuilds(Actions(played.client("/github")), SupplyPlane(played.client("/supply")), FollowingClock())


def _rebuild(played: Stage) -> Rebuild:
    """With the version that is there already: what it is good for is told elsewhere."""
    service = Deployed(name="api", platform="cloud_run", regions=("eu-west", "us-east"), repository="acme/api")
    return Rebuild(service=service, package="quickyaml", version="2.3.4")


def _release(played: Stage) -> Release:
    """Of the build that serves already."""
    service = Deployed(name="api", platform="cloud_run", regions=("eu-west", "us-east"), repository="acme/api")
    supply(played.world.state, played.world.clock.now())
    return Release(service=service, image=played.world.state.fleet.services["api"].newest().digest)


def _copies(played: Stage) -> int:
    return len(supply(played.world.state, 0).hosts["builder-1"].snapshots)


OPERATED = {
    "rebuilds by github actions": Operated(
        Rebuilds.run, _rebuilds, _rebuild, "github.actions.dispatch", "github.actions.run", lambda played: len(supply(played.world.state, 0).runs)
    ),
    "releases by github actions": Operated(
        Releases.run, lambda played: Releases(Actions(played.client("/github")), FollowingClock()), _release, "github.actions.dispatch",
        "github.actions.run", lambda played: len(supply(played.world.state, 0).runs),
    ),
    "copies of hosts": Operated(
        HostSnapshots.run, lambda played: HostSnapshots(SupplyPlane(played.client("/supply")), FollowingClock()),
        lambda played: SnapshotHost(host="builder-1"), "supply.snapshots.start", "supply.snapshots.get", _copies,
    ),
    "promotions": Operated(
        Promotions.run, _on_cluster(Promotions), _promotion, "databases.jobs.start", "databases.jobs.get", _jobs("promote")
    ),
    "replays of queued writes": Operated(
        WriteReplays.run, _on_cluster(WriteReplays), lambda played: Replay(cluster="main"), "databases.jobs.start", "databases.jobs.get",
        _jobs("replay"),
    ),
    "warmings": Operated(
        Warmings.run, _on_cluster(Warmings), lambda played: Warm(cluster="main", node="db-2"), "databases.jobs.start", "databases.jobs.get",
        _jobs("warm"),
    ),
    "restore tests": Operated(
        RestoreTests.run, _on_cluster(RestoreTests, "/backups"), lambda played: TestRestore(cluster="main", backup="b-2"),
        "backups.restores.start", "backups.restores.get", _restores,
    ),
    "restores": Operated(
        Restores.run, _on_cluster(Restores, "/backups"), lambda played: RestoreTo(cluster="main", backup="b-1", until=played.call().at),
        "backups.restores.start", "backups.restores.get", _restores,
    ),
    "evals by our own contract": Operated(
        Evals.run, lambda played: Evals(EvalsApi(played.client("/evals")), FollowingClock()), _suite, "evals.runs.start", "evals.runs.one", _runs
    ),
    "evals in mlflow runs": Operated(
        Evals.run, lambda played: Evals(MlflowRuns(played.client("/mlflow"), "evals"), FollowingClock()), _suite, "mlflow.runs.create",
        "mlflow.runs.get", _runs,
    ),
    "sessions by our own auth": Operated(
        Revocations.run, lambda played: Revocations(AuthService(played.client("/auth")), FollowingClock()), _sessions, "auth.revoke_all",
        "auth.revocations.get", lambda played: len(tenancy(played.world.state, 0).auth.revocations),
    ),
    "replays of attacks": Operated(
        AttackReplays.run, lambda played: AttackReplays(AgentRuntime(played.client("/agents"))), _replay, "agents.replays.start",
        "agents.replays.get", lambda played: len(injections(played.world.state).replays),
    ),
    "restarts of workers": Operated(
        Restarts.run, lambda played: Restarts(QueueControl(played.client("/jobs")), FollowingClock()),
        lambda played: RestartWorker(worker="worker-1", generation=1, stacks="0" * 64), "jobs.restarts.start", "jobs.restarts.get",
        lambda played: len(played.world.state.part(Work).restarts),
    ),
}  # fmt: skip


async def once(run: Run, *, mode: str, times: int = 1, on_look: bool = False) -> None:
    """Whatever happens, it is started once; and trying again under the same key starts nothing."""
    run.inject(mode, times, run.of.look if on_look else "")
    effect = await run.tried()
    assert run.of.started(run.stage) == 1 and effect.proven_by
    again = await run.tried()
    assert again.adopted or effect.adopted
    assert run.of.started(run.stage) == 1


async def refused_for_good(run: Run, *, mode: str) -> None:
    run.inject(mode, None)
    await refused(run.tried)
    assert not run.of.started(run.stage)


async def never_an_effect(run: Run) -> None:
    """200 OK, and nothing was started."""
    run.inject("nothing_changed", None)
    try:
        effect = await run.tried()
    except (AssertionError, Refused):
        assert not run.of.started(run.stage)
    else:
        raise AssertionError(f"claimed: {effect.proven_by}")


async def a_dead_worker_is_followed(run: Run) -> None:
    """Another attempt finds the run by its key, and goes on with it."""
    run.inject("commit_then_drop", 1)
    try:
        await attempt(run.of.verb, run.system, run.order, run.stage.call(key="k"))
    except Exception as broke:
        assert run.of.started(run.stage) == 1, broke
    assert (await run.tried()).adopted and run.of.started(run.stage) == 1


OPERATED_CELLS: dict[str, Callable[[Run], Awaitable[None]]] = {
    **{f"once: {mode}": partial(once, mode=mode) for mode in ("fail", "hang", "commit_then_drop", "partial")},
    "once: throttle": partial(once, mode="throttle", times=2),
    **{f"once: a look: {mode}": partial(once, mode=mode, on_look=True) for mode in ("fail", "hang", "throttle")},
    **{f"refused: {mode}": partial(refused_for_good, mode=mode) for mode in ("denied", "expired", "moved")},
    "200 OK, nothing started": never_an_effect,
    "a dead worker": a_dead_worker_is_followed,
}
