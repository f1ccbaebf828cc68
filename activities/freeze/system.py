"""The change freeze: a workflow of ours per service, and the rules of the repositories that it deploys from."""

from temporalio.client import Client

from activities.freeze.deploy_gate import DeployGate
from activities.freeze.freezes import Freezes
from activities.identity.system import CODES
from activities.systems import Build, SystemInfo
from activities.tickets.github import Repositories
from activities.tickets.system import GITHUB


def _freezes(build: Build) -> Freezes:
    return Freezes(build.part(Client), build.client(CODES), build.settings.queues[0], build.settings.task_patience)


SYSTEM = SystemInfo({DeployGate: lambda build: DeployGate(Repositories(build.client(GITHUB))), Freezes: _freezes}, (GITHUB, CODES))
