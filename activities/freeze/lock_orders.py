"""What is wanted of the branches of one service that are deployed: locked for somebody, unlocked, looked at, proven by a probe deploy.

The lock is one ruleset of the repository, which nobody may bypass, over the deploy branch and every `hotfix/…` branch. Its name begins with
`change-freeze <service>` and goes on with the holders, because a ruleset has no other text that people would see. An exemption is one
excluded branch, `hotfix/<first 12 digits of the artefact's digest>`.
"""

import re
from typing import Any

from activities.action import Order, Value
from activities.kit.words.shell import Var, both, command, curl, pipe
from activities.kit.words.urls import path, query
from activities.organisation.catalogue import Deployed

LONGEST_NAME = 100  # characters of a ruleset's name
DIGEST = re.compile(r"sha256:([0-9a-f]{12})[0-9a-f]*")
RULES = frozenset({"creation", "update"})
TOKEN = ("Authorization: Bearer ", Var("GITHUB_TOKEN"))


def title(service: str, holders: tuple[str, ...] = (), more: int = 0) -> str:
    """The name of a freeze's ruleset, with as many holders as there is room for."""
    name = " ".join((f"change-freeze {service}:", ", ".join(holders), f"+{more}" if more else "")).strip()
    return name if len(name) <= LONGEST_NAME or not holders else title(service, holders[:-1], more + 1)


def holders_in(name: str) -> tuple[str, ...]:
    said = name.partition(":")[2].replace(",", " ").split()
    return tuple(holder for holder in said if not holder.startswith("+"))


def hotfix(artefact: str) -> str:
    """The branch through which an exempted artefact comes: `hotfix/0a1b2c3d4e5f`."""
    found = DIGEST.fullmatch(artefact)
    return f"hotfix/{found[1] if found else artefact}"


class BranchLock(Value):
    """The lock as it is. `drift`: what was deployed since without an exemption, a sentence each."""

    locked: bool
    holders: tuple[str, ...]  # as the ruleset's name says
    head: str  # the newest commit of the deploy branch
    hotfixes: dict[str, str]  # hotfix branch → its newest commit
    drift: tuple[str, ...] = ()


class OfService(Order, target="branches/{service.name}"):
    service: Deployed

    def url(self, *parts: str) -> str:
        return "https://api.github.com" + path("repos", *self.service.repository.split("/"), *parts)


class LockOf(OfService, effect="see whether deploys of {service.name} are frozen, and what was deployed all the same"):
    """Read the lock. `since`: as it was when the freeze began; `exempted`: digests of what might pass meanwhile."""

    since: BranchLock | None = None
    exempted: tuple[str, ...] = ()

    def by_hand(self) -> tuple[str, ...]:
        return (curl("GET", self.url("rules", "branches", *self.service.branch.split("/")), TOKEN),)


class SetLock(OfService):
    """Lock the branches for these holders, but for these artefacts (digests); without holders unlock them."""

    holders: tuple[str, ...] = ()
    exempted: tuple[str, ...] = ()

    def effect(self) -> str:
        where = f"{self.service.branch} or hotfix/… of {self.service.repository}"
        if not self.holders:
            return f"pushes to {where} are accepted and deployed again"
        passing = f"; exempted: {', '.join(map(hotfix, self.exempted))}" if self.exempted else ""
        return f"every push to {where} is refused ({', '.join(self.holders)}){passing}"

    def inverse(self) -> str:
        return f"remove the ruleset {title(self.service.name)}" if self.holders else "freeze again"

    def by_hand(self) -> tuple[str, ...]:
        """Make the ruleset (GitHub refuses a second one of the same name), or remove every ruleset of ours."""
        if self.holders:
            name = f"{title(self.service.name)} {', '.join(self.holders)}"
            return (curl("POST", self.url("rulesets"), TOKEN, body={**self.ruleset(), "name": name}),)
        listed = curl("GET", self.url("rulesets") + query({"per_page": 100}), TOKEN)
        ours = command("jq", "--arg", "name", title(self.service.name), ".[] | select(.name | startswith($name)) | .id")
        each = command("xargs", "-I{}", "curl", "-sS", "--fail-with-body", "-X", "DELETE", "-H", TOKEN, self.url("rulesets") + "/{}")
        return (pipe(listed, ours, each),)

    def ruleset(self) -> dict[str, Any]:
        include = [f"refs/heads/{self.service.branch}", "refs/heads/hotfix/**/*"]
        exclude = sorted(f"refs/heads/{hotfix(artefact)}" for artefact in self.exempted)
        return {
            "name": title(self.service.name, self.holders), "target": "branch", "enforcement": "active", "bypass_actors": [],
            "conditions": {"ref_name": {"include": include, "exclude": exclude}}, "rules": [{"type": rule} for rule in sorted(RULES)],
        }  # fmt: skip


class ProbeDeploy(OfService, effect="a probe deploy to {service.branch} of {service.repository} is refused"):
    """Try to deploy: an empty commit that no branch points to, and a push of it that must be refused."""

    undone = "nothing to undo: an empty commit that no branch points to"

    def by_hand(self) -> tuple[str, ...]:
        branch, clone = self.service.branch, f"https://github.com{path(*self.service.repository.split('/'))}"
        in_probe = ("git", "-C", "probe")
        return (
            command("git", "clone", "--quiet", "--branch", branch, clone, "probe"),
            command(*in_probe, "commit", "--quiet", "--allow-empty", "-m", "change freeze probe"),
            both(command(*in_probe, "push", "origin", branch), command("echo", "NOT FROZEN: the probe was accepted")),
        )
