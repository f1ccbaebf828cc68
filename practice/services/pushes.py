"""What becomes of a push: continuous deployment builds it, and every service whose source it is gets a new revision."""

from __future__ import annotations

from practice.http.face import Call
from practice.services.deploying import deploy
from practice.services.fleet_cast import image_digest
from practice.services.repositories import Commit, Repository
from practice.supply.cast import supply
from practice.supply.pipeline import refusal


def pushed(call: Call, repository: Repository, branch: str, commit: Commit) -> None:
    """Deploy a commit that has come to a branch from which is deployed. A hotfix branch is named after the digest of its artefact."""
    first = commit.message.partition("\n")[0] or "a push"
    for service in list(call.state.fleet.services.values()):
        there = supply(call.state, call.now)
        if service.repository == repository.name and not refusal(there, there.locks.get(service.name, {})):  # a refused build is no deploy
            deploy(
                call.world, service.name, actor=commit.author["name"], what=f"{first} ({branch})",
                digest=_digest(call, branch, commit), details={"commit": commit.sha, "branch": branch},
            )  # fmt: skip


def _digest(call: Call, branch: str, commit: Commit) -> str:
    built = image_digest(call.world.seed, commit.sha)
    named = branch.removeprefix("hotfix/") if branch.startswith("hotfix/") else ""
    begin = f"sha256:{named}"
    return begin + built[len(begin) :]
