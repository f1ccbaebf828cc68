"""What becomes of a push: continuous deployment builds it, and every service whose source it is gets a new revision."""

from __future__ import annotations

import hashlib

from practice.face import Call
from practice.fleet import Change, Revision, Service
from practice.repositories import Commit, Repository


def pushed(call: Call, repository: Repository, branch: str, commit: Commit) -> None:
    """Deploy a commit that has come to a branch from which is deployed."""
    for service in call.state.fleet.services.values():
        if service.repository == repository.name:
            _deploy(call, service, branch, commit)


def _deploy(call: Call, service: Service, branch: str, commit: Commit) -> None:
    """A new revision, wanted in every region. A hotfix branch is named after the digest of its artefact."""
    number = max((revision.number for revision in service.revisions.values()), default=0) + 1
    named = branch.removeprefix("hotfix/") if branch.startswith("hotfix/") else ""
    digest = "sha256:" + named + hashlib.sha256(commit.sha.encode()).hexdigest()[len(named) :]
    revision = Revision(f"{service.name}-{number:05d}", number, digest, call.now, actor=commit.author["name"])
    service.revisions[revision.name] = revision
    for place in service.places.values():
        place.history.append(revision.name)
        place.template = revision.name
        place.generation += 1
    what = f"{commit.message.splitlines()[0] if commit.message else 'a push'} ({branch})"
    change = Change(f"chg-{call.world.number()}", "deploy", call.now, revision.actor, [service.name], what, digest=digest)
    call.state.fleet.changes.append(change)
