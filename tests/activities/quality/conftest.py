"""The systems of quality, on the practice platform."""

import pytest

from activities.evals.answers import Answers
from activities.evals.evals import Evals
from activities.evals.mlflow_runs import MlflowRuns
from activities.evals.runner import EvalsApi
from activities.guardrails.guardrails import Guardrails, GuardrailsApi
from activities.product.app_plane import AppPlane
from activities.registry.choices import CheaperModels, Snapshots
from activities.registry.langfuse import Langfuse
from activities.registry.mlflow import Mlflow
from activities.registry.release_plane import ReleasePlane
from activities.registry.releases import ReleaseHistory, Rollouts, StickySessions
from activities.registry.triples import Triples
from practice.quality.faults import QualityFaults, Spoilt
from practice.quality.registry import Registry
from practice.world.world import World
from tests.activities.conftest import FollowingClock, MakeClient


@pytest.fixture
def plane(door: MakeClient) -> ReleasePlane:
    return ReleasePlane(door("/quality"))


@pytest.fixture
def app(door: MakeClient) -> AppPlane:
    return AppPlane(door("/app"))


@pytest.fixture(params=["mlflow", "langfuse"])
def triples(request: pytest.FixtureRequest, door: MakeClient, plane: ReleasePlane, app: AppPlane) -> Triples:
    """The triple in each registry that there is a client for."""
    langfuse = Langfuse(door("/langfuse", Authorization="Basic practice-token"))
    return Triples(Mlflow(door("/mlflow")) if request.param == "mlflow" else langfuse, plane, app)


@pytest.fixture(params=["evals", "mlflow runs"])
def evals(request: pytest.FixtureRequest, door: MakeClient) -> Evals:
    """The eval runner, by each client that there is."""
    return Evals(EvalsApi(door("/evals")) if request.param == "evals" else MlflowRuns(door("/mlflow"), "evals"), FollowingClock())


@pytest.fixture
def history(plane: ReleasePlane) -> ReleaseHistory:
    return ReleaseHistory(plane)


@pytest.fixture
def rollouts(plane: ReleasePlane, app: AppPlane) -> Rollouts:
    return Rollouts(plane, app)


@pytest.fixture
def sticky(plane: ReleasePlane) -> StickySessions:
    return StickySessions(plane)


@pytest.fixture
def snapshots(plane: ReleasePlane, app: AppPlane) -> Snapshots:
    return Snapshots(plane, app)


@pytest.fixture
def cheaper_models(plane: ReleasePlane, app: AppPlane) -> CheaperModels:
    return CheaperModels(plane, app)


@pytest.fixture
def answers(plane: ReleasePlane) -> Answers:
    return Answers(plane)


@pytest.fixture
def guardrails(door: MakeClient, plane: ReleasePlane, app: AppPlane) -> Guardrails:
    return Guardrails(GuardrailsApi(door("/guardrails")), app, plane)


def registry(world: World) -> Registry:
    return world.state.part(Registry)


def faults(world: World) -> QualityFaults:
    return world.state.part(QualityFaults)


def publish(world: World, part: str = "prompt", rate: float = 0.6, **spoils: str) -> str:
    """A new version that serves at once, and spoils answers of this slice. Returns its number."""
    number = str(registry(world).publish(part, "ci", world.clock.now() - world.clock.start))
    where = tuple(sorted({part: number, **spoils}.items()))
    faults(world).spoilt.append(Spoilt(f"{part} {number}", where, rate))
    return number
