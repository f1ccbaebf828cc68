"""Git repositories as GitHub keeps them: commits, branches, and the rulesets that say who may move which branch. A part of `State`."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

HEADS = "refs/heads/"
DEFAULT_BRANCH = "~DEFAULT_BRANCH"
ALL = "~ALL"
NOTHING_YET = hashlib.sha1(b"tree 0\0", usedforsecurity=False).hexdigest()  # git's own name of the empty tree


@dataclass
class Commit:
    """One commit. Its name is its content, as in git: the same content is the same commit, however often it is made."""

    tree: str
    message: str
    parents: list[str]
    author: dict[str, str]  # name, email, date
    committer: dict[str, str]

    @property
    def sha(self) -> str:
        return hashlib.sha1(json.dumps(asdict(self), sort_keys=True).encode(), usedforsecurity=False).hexdigest()


@dataclass
class Ruleset:
    """What nobody but its bypass actors may do to the branches that it covers."""

    id: int
    name: str
    target: str
    enforcement: str  # active | disabled | evaluate
    include: list[str]
    exclude: list[str]
    rules: list[dict[str, Any]]
    bypass_actors: list[dict[str, Any]]
    created_at: str
    updated_at: str

    def covers(self, ref: str, default: str) -> bool:
        """Whether a branch, by its full name, falls under this ruleset."""
        if self.target != "branch":
            return False
        return any(_matches(p, ref, default) for p in self.include) and not any(_matches(p, ref, default) for p in self.exclude)


@dataclass
class Repository:
    """One repository, named `owner/name`. A push to its default branch, or to a branch `hotfix/…`, is deployed."""

    name: str
    default_branch: str = "main"
    commits: dict[str, Commit] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)  # branch → sha
    rulesets: dict[int, Ruleset] = field(default_factory=dict)
    lenient: bool = False  # rules are shown, but not enforced: the gate that only looks shut

    def add(self, commit: Commit) -> str:
        """Keep a commit; no branch need point to it."""
        self.commits[commit.sha] = commit
        return commit.sha

    def history(self, sha: str) -> list[str]:
        """A commit and everything before it, newest first."""
        found, waiting = dict[str, None](), [sha]
        while waiting:
            name = waiting.pop(0)
            if name in self.commits and name not in found:
                found[name] = None
                waiting += self.commits[name].parents
        return list(found)

    def rules(self, branch: str) -> list[tuple[Ruleset, dict[str, Any]]]:
        """The rules in force for a branch, whether or not it exists."""
        ref = HEADS + branch
        return [
            (ruleset, rule)
            for ruleset in self.rulesets.values()
            if ruleset.enforcement == "active" and ruleset.covers(ref, self.default_branch)
            for rule in ruleset.rules
        ]

    def is_deployed(self, branch: str) -> bool:
        """Whether a push to a branch is a deploy."""
        return branch == self.default_branch or branch.startswith("hotfix/")


def founded(name: str, at: str) -> Repository:
    """A repository with its first commit."""
    repository = Repository(name)
    author = {"name": "ci", "email": "ci@example.com", "date": at}
    repository.heads[repository.default_branch] = repository.add(Commit(NOTHING_YET, "Begin", [], author, author))
    return repository


def _matches(pattern: str, ref: str, default: str) -> bool:
    """GitHub's patterns are fnmatch over paths: `*` stops at a slash, `**/` stands for any number of folders."""
    if pattern == ALL:
        return True
    if pattern == DEFAULT_BRANCH:
        return ref == HEADS + default
    words = {"**/": "(?:[^/]+/)*", "**": "[^/]*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.fullmatch("".join(words.get(part, re.escape(part)) for part in parts), ref) is not None
