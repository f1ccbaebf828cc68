"""The change freeze: a workflow of ours per service, and the rules of the repositories that it deploys from."""

from temporalio.client import Client

from activities.deploys.deploys import Deploys
from activities.freeze.branch_lock import BranchLocks
from activities.freeze.freezes import Freezes
from activities.freeze.watch import FreezeWatch
from activities.identity.codes import Codes
from activities.kit.clock import Clock
from activities.platform.change_feed import ChangeFeed
from activities.systems import Build, ClientInfo, Look, Seen, SystemInfo, Unused
from activities.tickets.github import Repositories
from activities.tickets.system import GitHubSettings


async def _probe(github: Repositories, look: Look) -> Seen:
    locked = [service for service in look.catalogue.services.values() if service.repository]
    if not locked:
        raise Unused("organisation.toml names no repository")
    for service in locked:
        await github.branch(look.call, service.repository, service.branch)
    may = [await github.may_lock(look.call, service.repository) for service in locked]
    return Seen(f"{len(locked)} branches that a freeze can lock", may_write=False if False in may else None if None in may else True)


def _freezes(build: Build) -> Freezes:
    return Freezes(build.part(Client), build.part(Codes), build.settings.queues[0], build.settings.task_patience)


def _watch(build: Build) -> FreezeWatch:
    return FreezeWatch(build.system(BranchLocks), build.system(Deploys), build.system(ChangeFeed), build.part(Clock))  # type: ignore[type-abstract]


SYSTEM = SystemInfo(ClientInfo("github repositories", Repositories, GitHubSettings, _probe), built={Freezes: _freezes, FreezeWatch: _watch})
