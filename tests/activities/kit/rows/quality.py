"""The rows of the registry, the release plane and the guardrails."""

from activities.guardrails.guardrails import CLOSED, Guardrails, GuardrailsApi, Posture, PostureOf
from activities.product.app_plane import AppPlane
from activities.registry.choices import (
    BatchOf,
    BatchTime,
    BatchTimes,
    CheaperModels,
    Snapshot,
    SnapshotOf,
    Snapshots,
    cheaper,
)
from activities.registry.guard_chains import GuardChain, GuardChainOf, GuardChains
from activities.registry.langfuse import Langfuse
from activities.registry.mlflow import Mlflow
from activities.registry.release_plane import ReleasePlane
from activities.registry.releases import PAUSED, Publishing, PublishingOf, PublishingPause, Rollout, RolloutOf, Rollouts
from activities.registry.triples import Triple, TripleOf, Triples
from practice.quality.registry import Registry, Release
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage

BEFORE, OLDER = Triple(model=6, prompt=12, guard=2), Triple(model=6, prompt=12, guard=1)  # one write each: the cells count them
MINI = cheaper("chat", ("cedar-homes", "nimbus-media", "iris-optics"), "aurora-mini-4")


def plane(played: Stage) -> ReleasePlane:
    return ReleasePlane(played.client("/quality"))


def app(played: Stage) -> AppPlane:
    return AppPlane(played.client("/app"))


def blessed(played: Stage) -> None:
    """Both were released as a whole once, in this world."""
    played.world.state.part(Registry).releases += [Release((6, 12, guard), -3 * 86_400.0 - guard) for guard in (1, 2)]


def in_mlflow(played: Stage, clock: LandingClock) -> Triples:
    blessed(played)
    return Triples(Mlflow(played.client("/mlflow")), plane(played), app(played))


def in_langfuse(played: Stage, clock: LandingClock) -> Triples:
    blessed(played)
    return Triples(Langfuse(played.client("/langfuse", Authorization="Basic practice-token")), plane(played), app(played))


def publishing(played: Stage, clock: LandingClock) -> PublishingPause:
    return PublishingPause(plane(played))


def rollouts(played: Stage, clock: LandingClock) -> Rollouts:
    return Rollouts(plane(played), app(played))


def snapshots(played: Stage, clock: LandingClock) -> Snapshots:
    return Snapshots(plane(played), app(played))


def models(played: Stage, clock: LandingClock) -> CheaperModels:
    return CheaperModels(plane(played), app(played))


def batch(played: Stage, clock: LandingClock) -> BatchTimes:
    return BatchTimes(plane(played))


def guardrails(played: Stage, clock: LandingClock) -> Guardrails:
    return Guardrails(GuardrailsApi(played.client("/guardrails")), app(played), plane(played))


def guard_chains(played: Stage, clock: LandingClock) -> GuardChains:
    return GuardChains(Mlflow(played.client("/mlflow")), plane(played), app(played))


QUALITY = {
    "guard chain": Practised(
        guard_chains, GuardChainOf(route="chat"), GuardChain(version=2), GuardChain(version=1), "mlflow.alias.set", "mlflow.alias.get",
        fenced=False, author="somebody",
    ),
    "triple in mlflow": Practised(
        in_mlflow, TripleOf(route="chat"), BEFORE, OLDER, "mlflow.alias.set", "mlflow.alias.get", fenced=False, author="somebody"
    ),
    "triple in langfuse": Practised(
        in_langfuse, TripleOf(route="chat", store="langfuse"), BEFORE, OLDER, "langfuse.label.set", "langfuse.prompt.get", fenced=False,
        author="somebody",
    ),
    "publishing": Practised(
        publishing, PublishingOf(route="chat"), PAUSED, Publishing(publishes="refused", rollouts="open"), "quality.publishing.put"
    ),
    "rollout": Practised(
        rollouts, RolloutOf(route="chat"), Rollout(candidate="5/11/3", percent=5), Rollout(candidate="5/11/3", percent=25), "quality.rollout.put"
    ),
    "model snapshot": Practised(
        snapshots, SnapshotOf(route="chat"), Snapshot(pinned="aurora-large-4-2026-04-02"), Snapshot(pinned="aurora-large-4-2026-08-06"),
        "quality.snapshot.put",
    ),
    "models of tenants": Practised(models, MINI.of, MINI.wanted, None, "quality.models.put", author="somebody", halves=True),
    "batch time": Practised(batch, BatchOf(route="chat"), BatchTime(when="off_peak"), BatchTime(when="paused"), "quality.batch.put"),
    "guardrails": Practised(
        guardrails, PostureOf(route="chat"), CLOSED, Posture(strictness="strict", high_risk_tools="open", banner=False),
        "guardrails.posture.put",
    ),
}  # fmt: skip
