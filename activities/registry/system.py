"""Where versions are kept (`[policy.systems] registry` in organisation.toml chooses), and the release plane of our own product."""

from activities.registry.langfuse import Langfuse
from activities.registry.mlflow import Mlflow
from activities.registry.release_plane import ReleasePlane
from activities.registry.triples import TripleStore
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting


class MlflowSettings(ClientSettings):
    mlflow_url: str = setting(about="the MLflow server", needed=True, example="https://mlflow.example.com", practice="{url}/mlflow")
    mlflow_token: str = secret("where MLflow asks for one", needed=False)
    mlflow_experiment: str = setting("evals", about="the experiment whose runs are evaluations")


class LangfuseSettings(ClientSettings):
    langfuse_url: str = setting(needed=True, example="https://cloud.langfuse.com", practice="{url}/langfuse")
    langfuse_token: str = secret("the base64 text of PUBLIC_KEY:SECRET_KEY of the project")


class ReleasePlaneSettings(ClientSettings):
    release_plane_url: str = setting(needed=True, example="https://releases.example.com", practice="{url}/quality")
    release_plane_token: str = secret()


async def _probe_mlflow(mlflow: Mlflow, look: Look) -> Seen:
    return Seen(
        f"its health check says {await mlflow.alive(look.call)}; not probed whether we may write: MLflow tells nothing of our token"
    )


async def _probe_langfuse(langfuse: Langfuse, look: Look) -> Seen:
    return Seen(f"its health check says {(await langfuse.alive(look.call))[:80]}; not probed whether we may write")


def _langfuse(opening: Opening) -> Langfuse:
    return Langfuse(opening.http("langfuse", scheme="Basic "))


async def _probe_plane(plane: ReleasePlane, look: Look) -> Seen:
    return Seen(f"has {len((await plane.get(look.call, '/v1/routes'))['routes'])} model routes")


MLFLOW = ClientInfo("mlflow", Mlflow, MlflowSettings, _probe_mlflow)
LANGFUSE = ClientInfo("langfuse", Langfuse, LangfuseSettings, _probe_langfuse, _langfuse)
SYSTEM = SystemInfo(
    Port("registry", TripleStore, (MLFLOW, LANGFUSE)), ClientInfo("release plane", ReleasePlane, ReleasePlaneSettings, _probe_plane)
)
