"""Who runs eval suites: `[policy.systems] evals` in organisation.toml chooses."""

from activities.evals.evals import EvalRunner
from activities.evals.mlflow_runs import MlflowRuns
from activities.evals.runner import EvalsApi
from activities.registry.system import MlflowSettings
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting


class EvalsSettings(ClientSettings):
    evals_url: str = setting(needed=True, example="https://evals.example.com", practice="{url}/evals")
    evals_token: str = secret()


async def _probe(runner: EvalRunner, look: Look) -> Seen:
    return Seen(f"knows {len(await runner.suites(look.call))} suites")


def _runs(opening: Opening) -> MlflowRuns:
    return MlflowRuns(opening.http("mlflow"), opening.settings.mlflow_experiment)


EVALS = ClientInfo("evals", EvalsApi, EvalsSettings, _probe)
MLFLOW_RUNS = ClientInfo("mlflow runs", MlflowRuns, MlflowSettings, _probe, _runs)
SYSTEM = SystemInfo(Port("evals", EvalRunner, (EVALS, MLFLOW_RUNS)))
