"""Branches, commits and references (docs.github.com/rest/git, /rest/branches, /rest/commits). A push that is let through may be a deploy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from practice.faces.github.base import FACE, REPOSITORY, message, page, repository
from practice.http.face import Ask, Call, Refusal, Reply
from practice.services.pushes import pushed
from practice.services.repositories import HEADS, Commit, Repository
from practice.supply.cast import supply
from practice.supply.model import Bots
from practice.world.state import JSON

_GIT = REPOSITORY + "/git"
_Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
DENIED = {"update": "Cannot update this protected ref.", "creation": "Cannot create ref due to creations being restricted."}


class Signature(Ask):
    name: Annotated[str, Field(min_length=1)]
    email: Annotated[str, Field(min_length=3)]
    date: str | None = None


class NewCommit(Ask):
    message: str
    tree: _Sha
    parents: list[_Sha] = []
    author: Signature | None = None
    committer: Signature | None = None


class RefEdit(Ask):
    sha: _Sha
    force: bool = False


class NewRef(Ask):
    ref: Annotated[str, Field(pattern=r"^refs/heads/.+$")]
    sha: _Sha


@FACE.reads("repos.get", REPOSITORY)
def repository_itself(call: Call) -> Reply:
    """A repository, with what the caller may do there."""
    found = repository(call)
    permissions = {"admin": call.may("rulesets.create"), "push": call.may("refs.update"), "pull": True}
    merges = supply(call.state, call.now).bots.get(found.name, Bots()).auto_merge
    return Reply({"full_name": found.name, "default_branch": "main", "permissions": permissions, "allow_auto_merge": merges})


@FACE.reads("branches.get", REPOSITORY + "/branches/{branch:path}")
def branch(call: Call) -> Reply:
    found = repository(call)
    name = call.path["branch"]
    sha = found.heads.get(name)
    if sha is None:
        raise Refusal(message(404, "Branch not found"))
    return Reply({"name": name, "commit": _commit_json(found, sha), "protected": bool(found.rules(name))})


@FACE.reads("refs.get", _GIT + "/ref/heads/{branch:path}")
def ref(call: Call) -> Reply:
    found = repository(call)
    return Reply(_ref_json(found, _head(call, found)))


@FACE.reads("refs.matching", _GIT + "/matching-refs/heads/{prefix:path}")
def matching(call: Call) -> Reply:
    """Every branch whose name begins so; none is an empty list."""
    found = repository(call)
    return Reply([_ref_json(found, name) for name in sorted(found.heads) if name.startswith(call.path["prefix"])])


@FACE.writes("commits.create", _GIT + "/commits")
def commit(call: Call) -> Reply:
    """A commit that no branch points to yet: nothing is deployed by it. The same content twice is the same commit."""
    found, wanted = repository(call), call.ask(NewCommit)
    if missing := [parent for parent in wanted.parents if parent not in found.commits]:
        raise Refusal(message(422, f"Parent SHA does not exist or is not a commit object: {missing[0]}"))
    author = _signed(call, wanted.author)
    made = Commit(wanted.tree, wanted.message, wanted.parents, author, _signed(call, wanted.committer) if wanted.committer else author)
    before = made.sha if made.sha in found.commits else None
    sha = found.add(made)
    call.did(f"{found.name}/commits/{sha}", before, sha)
    return Reply(_git_commit_json(found, sha), 201)


@FACE.reads("commits.compare", REPOSITORY + "/compare/{basehead}")
def compare(call: Call) -> Reply:
    """`base...head`: the commits that head has and base has not, oldest first."""
    found = repository(call)
    base, dots, head = call.path["basehead"].partition("...")
    shas = [found.heads.get(name, name) for name in (base, head)]
    if not dots or any(sha not in found.commits for sha in shas):
        raise Refusal(message(404, "Not Found"))
    behind, ahead = found.history(shas[0]), found.history(shas[1])
    new = [sha for sha in reversed(ahead) if sha not in behind]
    lost = [sha for sha in behind if sha not in ahead]
    status = "diverged" if new and lost else "ahead" if new else "behind" if lost else "identical"
    counts = {"status": status, "ahead_by": len(new), "behind_by": len(lost), "total_commits": len(new)}
    return page(call, [_commit_json(found, sha) for sha in new], 250, lambda rows: {**counts, "commits": rows})


@FACE.writes("refs.create", _GIT + "/refs")
def new_ref(call: Call) -> Reply:
    """A new branch: refused by a `creation` rule. A branch `hotfix/…` is deployed."""
    found, wanted = repository(call), call.ask(NewRef)
    name = wanted.ref.removeprefix(HEADS)
    if name in found.heads:
        raise Refusal(message(422, "Reference already exists"))
    _exists(found, wanted.sha)
    _obey(found, name, "creation")
    return _push(call, found, name, wanted.sha, 201)


@FACE.writes("refs.update", _GIT + "/refs/heads/{branch:path}", "PATCH")
def push(call: Call) -> Reply:
    """Move a branch: refused by an `update` rule, and unless forced when commits would be lost."""
    found, wanted = repository(call), call.ask(RefEdit)
    name = _head(call, found)
    _exists(found, wanted.sha)
    _obey(found, name, "update")
    if not wanted.force and found.heads[name] not in found.history(wanted.sha):
        raise Refusal(message(422, "Update is not a fast forward"))
    return _push(call, found, name, wanted.sha, 200)


def _push(call: Call, found: Repository, name: str, sha: str, status: int) -> Reply:
    before = found.heads.get(name)
    found.heads[name] = sha
    if before != sha and found.is_deployed(name):
        pushed(call, found, name, found.commits[sha])
    call.did(f"{found.name}/{HEADS}{name}", before, sha)
    return Reply(_ref_json(found, name), status)


def _obey(found: Repository, name: str, what: str) -> None:
    """Raise as GitHub does when a rule forbids it."""
    if not found.lenient and any(rule["type"] == what for _, rule in found.rules(name)):
        raise Refusal(message(422, f"Repository rule violations found\n\n{DENIED[what]}\n\n"))


def _exists(found: Repository, sha: str) -> None:
    if sha not in found.commits:
        raise Refusal(message(422, "Object does not exist"))


def _head(call: Call, found: Repository) -> str:
    name = str(call.path["branch"])
    if name not in found.heads:
        raise Refusal(message(404, "Not Found"))
    return name


def _signed(call: Call, signature: Signature | None) -> dict[str, str]:
    given = signature.model_dump(exclude_none=True) if signature else {"name": "practice-bot", "email": "practice-bot@example.com"}
    return {"date": call.stamp(), **given}


def _ref_json(found: Repository, name: str) -> JSON:
    return {"ref": HEADS + name, "url": f"{_url(found)}/git/{HEADS}{name}", "object": {"type": "commit", "sha": found.heads[name]}}


def _git_commit_json(found: Repository, sha: str) -> JSON:
    made = found.commits[sha]
    return {
        "sha": sha,
        "url": f"{_url(found)}/git/commits/{sha}",
        "message": made.message,
        "author": made.author,
        "committer": made.committer,
        "tree": {"sha": made.tree},
        "parents": [{"sha": parent} for parent in made.parents],
    }


def _commit_json(found: Repository, sha: str) -> JSON:
    made = found.commits[sha]
    inner = {"message": made.message, "author": made.author, "committer": made.committer, "tree": {"sha": made.tree}}
    url = f"https://github.example/{found.name}/commit/{sha}"
    return {"sha": sha, "html_url": url, "commit": inner, "author": None, "parents": [{"sha": parent} for parent in made.parents]}


def _url(found: Repository) -> str:
    return f"https://api.github.example/repos/{found.name}"
