"""The deploy gate of one service: GitHub's rules for the branches that are deployed. Locked, nobody's push gets through (spec §7.2, G13).

A locked gate is one ruleset of the repository, without anybody who may bypass it, over the deploy branch and every `hotfix/…` branch. Its
name begins with `change-freeze <service>` and goes on with the holders, because a ruleset has no other text that people would see. An
exemption is one excluded branch, `hotfix/<first 12 digits of the artefact's digest>`. A gate that looks locked is not believed: a probe
deploy must be turned away.
"""

import json
import re
import shlex
from collections.abc import Mapping
from datetime import timedelta

from activities.action import Call, Effect, Limits, NotYet, Order, Refused, Risk, Role, System, Value, action
from activities.organisation.catalogue import Deployed
from activities.texts.wording import curl
from activities.tickets.github import JSON, Repositories

SOON = timedelta(seconds=1)
LONGEST_NAME = 100  # characters of a ruleset's name
RULES = ("creation", "update")
DENIED = "Cannot update this protected ref"
NEVER_EXEMPT = "hotfix/not-exempted"  # a branch that no digest can name: what holds for it holds for every hotfix without an exemption
_API = "https://api.github.com"
_TOKEN = "Authorization: Bearer $GITHUB_TOKEN"  # noqa: S105 - a reference: the person's own shell fills it in


def hotfix(digest: str) -> str:
    """The branch through which an exempted artefact comes: `hotfix/0a1b2c3d4e5f`."""
    return f"hotfix/{digest.removeprefix('sha256:')[:12]}"


class OfGate(Order):
    """Anything about the gate of one service."""

    service: Deployed

    def target(self) -> str:
        return f"gate/{self.service.name}"


class GateOf(OfGate):
    def effect(self) -> str:
        return f"see whether deploys of {self.service.name} are frozen"

    def by_hand(self) -> tuple[str, ...]:
        """The rules in force for the branch."""
        return (curl("GET", f"{_API}/repos/{self.service.repository}/rules/branches/{self.service.branch}", _TOKEN),)


class Gate(Value):
    locked: bool
    holders: tuple[str, ...]  # as the ruleset's name says
    exempted: tuple[str, ...]  # branches
    head: str  # the newest commit of the deploy branch
    hotfixes: dict[str, str]  # hotfix branch → its newest commit


class LockGate(OfGate):
    """Lock the gate for these holders, or change for whom it is locked and what may pass. `exempted`: digests of artefacts."""

    holders: tuple[str, ...]
    exempted: tuple[str, ...] = ()

    def effect(self) -> str:
        """Who holds it, and what may pass."""
        passing = f"; exempted: {', '.join(map(hotfix, self.exempted))}" if self.exempted else ""
        return (
            f"no push to {self.service.branch} or hotfix/… of {self.service.repository} is let through ({', '.join(self.holders)}){passing}"
        )

    def inverse(self) -> str:
        return f"remove the ruleset {title(self.service.name)}"

    def by_hand(self) -> tuple[str, ...]:
        """The ruleset; GitHub refuses a second one of the same name."""
        return (curl("POST", f"{_API}/repos/{self.service.repository}/rulesets", _TOKEN, body=self.ruleset()),)

    def ruleset(self) -> JSON:
        include = [f"refs/heads/{self.service.branch}", "refs/heads/hotfix/**/*"]
        exclude = sorted(f"refs/heads/{hotfix(digest)}" for digest in self.exempted)
        return {
            "name": title(self.service.name, self.holders),
            "target": "branch",
            "enforcement": "active",
            "bypass_actors": [],
            "conditions": {"ref_name": {"include": include, "exclude": exclude}},
            "rules": [{"type": rule} for rule in RULES],
        }


class UnlockGate(OfGate):
    def effect(self) -> str:
        return f"pushes to {self.service.branch} of {self.service.repository} are let through and deployed again"

    def inverse(self) -> str:
        return "freeze again"

    def by_hand(self) -> tuple[str, ...]:
        """Every ruleset of ours is removed."""
        rulesets = f"{_API}/repos/{self.service.repository}/rulesets"
        ours = f'.[] | select(.name | startswith("{title(self.service.name)}")) | .id'
        each = curl("DELETE", f"{rulesets}/{{}}", _TOKEN)
        return (f"{curl('GET', rulesets, _TOKEN)} | jq {shlex.quote(ours)} | xargs -I{{}} {each}",)


class ProbeGate(OfGate):
    """Try to deploy: an empty commit that no branch points to, and a push of it that must be turned away."""

    def effect(self) -> str:
        return f"a probe deploy to {self.service.branch} of {self.service.repository} is turned away"

    def inverse(self) -> str:
        """Nothing stays of a probe that was turned away."""
        return "nothing to undo: an empty commit that no branch points to"

    def by_hand(self) -> tuple[str, ...]:
        clone = f"git clone --quiet https://github.com/{self.service.repository} probe && cd probe"
        commit = f"git switch --quiet {self.service.branch} && git commit --quiet --allow-empty -m 'change freeze probe'"
        push = f"git push origin {self.service.branch} && echo 'NOT FROZEN: the probe went through' || echo 'turned away, as it must be'"
        return (clone, commit, push)


class DriftSince(OfGate):
    """What was deployed past the freeze? `head`, `hotfixes`: the commits when it began. `exempted`: digests that might pass."""

    head: str
    hotfixes: dict[str, str] = {}
    exempted: tuple[str, ...] = ()

    def effect(self) -> str:
        return f"see what was deployed of {self.service.name} during the freeze without an exemption"


class Drift(Value):
    """What was deployed during the freeze without an exemption, a sentence each. Empty: nothing."""

    deploys: tuple[str, ...] = ()


def _risk(order: LockGate, _limits: Limits) -> Risk:
    """Locking is narrow and reversible; letting something pass is the commander's (spec §4)."""
    return Risk.C2 if order.exempted else Risk.C1


class DeployGate(System):
    """The gates of all services, at GitHub."""

    def __init__(self, github: Repositories) -> None:
        self._github = github

    @action("deploy_gate.read")
    async def read(self, order: GateOf, call: Call) -> Gate:
        """The gate now. Refused: no such repository or branch."""
        place = _place(order.service)
        ours = await self._ours(call, order.service)
        branch = await self._github.branch(call, place, order.service.branch)
        names = [excluded.removeprefix("refs/heads/") for ruleset in ours for excluded in _ref_names(ruleset)["exclude"]]
        return Gate(
            locked=bool(ours) and not await self._open_ways(call, order.service, [r["id"] for r in ours if _is_whole(r)], ()),
            holders=tuple(dict.fromkeys(holder for ruleset in ours for holder in holders_in(str(ruleset["name"])))),
            exempted=tuple(names),
            head=str(branch["commit"]["sha"]),
            hotfixes=await self._github.heads(call, place, "hotfix/"),
        )

    @action("deploy_gate.lock", risk=_risk, asks=(Role.INCIDENT_COMMANDER,))
    async def lock(self, order: LockGate, call: Call) -> Effect:
        """One ruleset, exactly as ordered, and in force for both kinds of branches. NotYet: accepted, but not in force."""
        place, wanted = _place(order.service), order.ruleset()
        ours = await self._ours(call, order.service)
        adopted = len(ours) == 1 and _same(ours[0], wanted)
        if not ours:
            await self._github.make_ruleset(call, place, wanted)
        elif not _same(ours[0], wanted):
            await self._github.change_ruleset(call, place, int(ours[0]["id"]), wanted)
        for surplus in ours[1:]:
            await self._github.remove_ruleset(call, place, int(surplus["id"]))
        kept = await self._ours(call, order.service)
        if len(kept) != 1 or not _same(kept[0], wanted):
            raise NotYet(f"accepted, but {place} does not show the freeze as it was ordered", after=SOON)
        if ways := await self._open_ways(call, order.service, [kept[0]["id"]], order.exempted):
            raise NotYet(f"the ruleset is there, but {' and '.join(ways)}", after=SOON)
        return Effect(
            target=order.target(),
            summary=order.effect(),
            proven_by=f"the rules in force for {order.service.branch} and for hotfix branches name ruleset {kept[0]['id']}",
            adopted=adopted,
            before={"rulesets": [str(ruleset["name"]) for ruleset in ours]},
            after={"ruleset": int(kept[0]["id"]), "name": str(kept[0]["name"]), "exempted": [*map(hotfix, order.exempted)]},
        )

    @action("deploy_gate.unlock", risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER,))
    async def unlock(self, order: UnlockGate, call: Call) -> Effect:
        """No ruleset of ours, and no rule of one in force. NotYet: accepted, but still in force."""
        place = _place(order.service)
        ours = await self._ours(call, order.service)
        for ruleset in ours:
            await self._github.remove_ruleset(call, place, int(ruleset["id"]))
        gone = {int(ruleset["id"]) for ruleset in ours}
        rules = await self._github.rules(call, place, order.service.branch)
        if await self._ours(call, order.service) or any(rule["ruleset_id"] in gone for rule in rules):
            raise NotYet(f"accepted, but {place} is still frozen", after=SOON)
        return Effect(
            target=order.target(),
            summary=order.effect() + _also(rules),
            proven_by=f"no ruleset of ours is left, and no rule in force for {order.service.branch} comes from one",
            adopted=not ours,
            before={"rulesets": [str(ruleset["name"]) for ruleset in ours]},
            after={"other_rules": len(rules)},
        )

    @action("deploy_gate.probe", risk=Risk.C1, asks=(Role.OPS_LEAD,))
    async def probe(self, order: ProbeGate, call: Call) -> Effect:
        """A deploy that must be turned away. Refused: it went through, or something else than the freeze stopped it.

        Nothing is pushed at a gate that does not even look locked: that would only deploy.
        """
        place, branch = _place(order.service), order.service.branch
        ours = await self._ours(call, order.service)
        if ways := await self._open_ways(call, order.service, [ruleset["id"] for ruleset in ours], ()):
            raise Refused(f"not probed, because {place} is not frozen: {' and '.join(ways)}")
        head = (await self._github.branch(call, place, branch))["commit"]
        if _mark(call) in str(head["commit"]["message"]):  # an earlier try, whose reply was lost
            raise Refused(_went_through(order, str(head["sha"])))
        message = f"{_mark(call)}\n\nAn empty commit. It must never be on a branch: if you see it there, {place} was not frozen."
        tree = str(head["commit"]["tree"]["sha"])
        sha = await self._github.commit(call, place, tree=tree, parent=str(head["sha"]), message=message, at=call.at.isoformat())
        try:
            await self._github.push(call, place, branch, sha)
        except Refused as said:
            if DENIED not in said.message:
                raise Refused(f"the probe was turned away, but not by the freeze, so that it proves nothing: {said.message}") from None
        else:
            raise Refused(_went_through(order, sha))
        return Effect(
            target=order.target(),
            summary=order.effect(),
            proven_by=f"GitHub refused the push of {sha[:12]} to {branch}: {DENIED}",
            before={"head": str(head["sha"])},
            after={"head": str(head["sha"]), "ruleset": str(ours[0]["name"])},
        )

    @action("deploy_gate.drift")
    async def drift(self, order: DriftSince, call: Call) -> Drift:
        """Commits that came to the deploy branch, and hotfix branches that moved, without an exemption."""
        place, service = _place(order.service), order.service
        found: list[str] = []
        if order.head:
            try:
                commits = await self._github.commits_between(call, place, order.head, service.branch)
            except Refused:
                found.append(
                    f"{service.branch} was rewritten: the commit {order.head[:12]} that the freeze began with is not in it any more"
                )
            else:
                found += [f"{service.branch} {_in_words(commit)}" for commit in commits]
        allowed = {hotfix(digest) for digest in order.exempted}
        heads = await self._github.heads(call, place, "hotfix/")
        found += [f"{name} moved to {sha[:12]}" for name, sha in heads.items() if name not in allowed and order.hotfixes.get(name) != sha]
        return Drift(deploys=tuple(found))

    async def _ours(self, call: Call, service: Deployed) -> list[JSON]:
        """The rulesets that a freeze of this service has made, ours or by hand, oldest first."""
        listed = await self._github.rulesets(call, service.repository)
        ids = sorted(int(ruleset["id"]) for ruleset in listed if re.match(_ours(service.name), str(ruleset["name"])))
        return [await self._github.ruleset(call, service.repository, id) for id in ids]

    async def _open_ways(self, call: Call, service: Deployed, ids: list[int], exempted: tuple[str, ...]) -> list[str]:
        """What a push could still come through, in words, by the rules that GitHub says are in force; empty when nothing."""
        ways: list[str] = []
        for branch in (service.branch, NEVER_EXEMPT):
            rules = await self._github.rules(call, service.repository, branch)
            missing = set(RULES) - {str(rule["type"]) for rule in rules if rule["ruleset_id"] in ids}
            if missing:
                ways.append(f"no rule of it is in force for {branch} ({', '.join(sorted(missing))})")
        for branch in map(hotfix, exempted):
            if any(rule["ruleset_id"] in ids for rule in await self._github.rules(call, service.repository, branch)):
                ways.append(f"it still covers {branch}, which is exempted")
        return ways


def title(service: str, holders: tuple[str, ...] = ()) -> str:
    """The name of a freeze's ruleset, with as many holders as there is room for."""
    name = f"change-freeze {service}:"
    for n, holder in enumerate(holders):
        more = f" +{len(holders) - n}"
        longer = f"{name}{',' if n else ''} {holder}"
        if len(longer) + (len(more) if n < len(holders) - 1 else 0) > LONGEST_NAME:
            return name + more
        name = longer
    return name


def holders_in(name: str) -> tuple[str, ...]:
    """The holders that a ruleset's name says."""
    said = name.partition(":")[2].replace(",", " ").split()
    return tuple(holder for holder in said if not holder.startswith("+"))


def _ours(service: str) -> str:
    return re.escape(f"change-freeze {service}") + "(:|$)"


def _place(service: Deployed) -> str:
    if not service.repository:
        raise Refused(f"{service.name} has no repository in the organisation's catalogue, so that its deploys cannot be frozen")
    return service.repository


def _ref_names(ruleset: JSON) -> Mapping[str, list[str]]:
    names: dict[str, list[str]] = (ruleset.get("conditions") or {}).get("ref_name") or {"include": [], "exclude": []}
    return names


def _same(found: JSON, wanted: JSON) -> bool:
    return _compared(found) == _compared(wanted)


def _compared(ruleset: JSON) -> str:
    """What matters of a ruleset: GitHub adds fields of its own."""
    names = _ref_names(ruleset)
    rules = sorted(rule["type"] for rule in ruleset.get("rules") or ())
    told = [ruleset["name"], ruleset["target"], ruleset["enforcement"], ruleset.get("bypass_actors") or [], rules]
    return json.dumps([*told, sorted(names["include"]), sorted(names["exclude"])])


def _is_whole(ruleset: JSON) -> bool:
    """Whether nobody may bypass it."""
    return bool(ruleset["enforcement"] == "active") and not ruleset.get("bypass_actors")


def _mark(call: Call) -> str:
    """The first line of a probe's commit, the same over retries and over a person's *retry*."""
    return f"change freeze probe {call.key}"


def _went_through(order: ProbeGate, sha: str) -> str:
    where = f"{order.service.branch} of {order.service.repository}"
    return (
        f"NOT FROZEN: the probe deploy went through: {sha[:12]} is on {where} and is being deployed (an empty commit). "
        "Deploys are not held back by this freeze: stop the pipeline by hand"
    )


def _in_words(commit: JSON) -> str:
    made = commit["commit"]
    first = str(made["message"]).splitlines()[0][:80] if made["message"] else "without a message"
    return f"{str(commit['sha'])[:12]} by {made['author']['name']} at {made['author']['date']}: {first}"


def _also(rules: list[JSON]) -> str:
    others = sorted({str(rule["ruleset_source"]) for rule in rules if rule["type"] in RULES})
    return f"; rules of {', '.join(others)} still hold pushes back" if others else ""
