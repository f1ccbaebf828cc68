"""Locks the branches of a service by GitHub's rules: while they are locked, every push is refused (spec §7.2, G13).

A lock is not believed: a probe deploy must be refused. It does not stand on the kit: it is not a value that is changed and put back, but is
made again as the freeze wants it, whatever is found.
"""

import json
import re
from datetime import timedelta

from activities.action import Call, Effect, Limits, NotYet, Refused, Risk, Role, System, action
from activities.freeze.lock_orders import RULES, BranchLock, LockOf, ProbeDeploy, SetLock, holders_in, hotfix
from activities.organisation.catalogue import Deployed
from activities.tickets.github import JSON, Repositories

SOON = timedelta(seconds=1)
DENIED = "Cannot update this protected ref"
MOVED = "not a fast forward"
NEVER_EXEMPT = "hotfix/not-exempted"  # a branch that no digest can name: what holds for it holds for every hotfix without an exemption


def _risk(order: SetLock, _limits: Limits) -> Risk:
    """Locking is narrow and reversible; unlocking, and letting something pass, is the commander's (spec §4)."""
    return Risk.C1 if order.holders and not order.exempted else Risk.C2


class BranchLocks(System):
    """The locks of all services, at GitHub."""

    def __init__(self, github: Repositories) -> None:
        self._github = github

    @action("branch_lock.read")
    async def read(self, order: LockOf, call: Call) -> BranchLock:
        """The lock now. Refused: no such repository or branch."""
        service, place = order.service, _repository(order.service)
        ours = await self._ours(call, service)
        strict = [ruleset for ruleset in ours if ruleset["enforcement"] == "active" and not ruleset.get("bypass_actors")]
        head = str((await self._github.branch(call, place, service.branch))["commit"]["sha"])
        hotfixes = await self._github.heads(call, place, "hotfix/")
        return BranchLock(
            locked=bool(strict) and not await self._gaps(call, service, strict),
            holders=tuple(dict.fromkeys(holder for ruleset in ours for holder in holders_in(str(ruleset["name"])))),
            head=head, hotfixes=hotfixes, drift=await self._drift(order, call, head, hotfixes),
        )  # fmt: skip

    @action("branch_lock.apply", risk=_risk, asks=(Role.INCIDENT_COMMANDER,), on_suspicion=True)
    async def apply(self, order: SetLock, call: Call) -> Effect:
        """One ruleset, exactly as ordered and in force; without holders none. NotYet: accepted, but GitHub does not show it."""
        service, place, wanted = order.service, _repository(order.service), [order.ruleset()] if order.holders else []
        found = await self._ours(call, service)
        for ruleset in wanted:
            if not found or _compared(found[0]) != _compared(ruleset):
                await self._github.set_ruleset(call, place, ruleset, int(found[0]["id"]) if found else None)
        for surplus in found[len(wanted) :]:
            await self._github.remove_ruleset(call, place, int(surplus["id"]))
        kept = await self._ours(call, service)
        if [*map(_compared, kept)] != [*map(_compared, wanted)]:
            raise NotYet(f"accepted, but {place} does not show the rulesets as they were ordered", after=SOON)
        if gaps := await self._gaps(call, service, kept or found, not kept, *map(hotfix, order.exempted)):
            raise NotYet(f"accepted, but {' and '.join(gaps)}", after=SOON)
        source = f"ruleset {kept[0]['id']}" if kept else f"no ruleset of ours{await self._others(call, service, found)}"
        return order.done(
            f"the rules in force for {service.branch} and hotfix/… come from {source}",
            adopted=[*map(_compared, found)] == [*map(_compared, wanted)],
            before={"rulesets": [str(ruleset["name"]) for ruleset in found]},
            after={"rulesets": [str(ruleset["name"]) for ruleset in kept], "exempted": [*map(hotfix, order.exempted)]},
        )

    @action("branch_lock.probe", risk=Risk.C1, asks=(Role.OPS_LEAD,), on_suspicion=True)
    async def probe(self, order: ProbeDeploy, call: Call) -> Effect:
        """A deploy that must be refused. Refused: it was accepted, or something else than the lock stopped it.

        Nothing is pushed to a branch that does not even look locked: that would only deploy.
        """
        service, place, branch = order.service, _repository(order.service), order.service.branch
        ours = await self._ours(call, service)
        if gaps := await self._gaps(call, service, ours):
            raise Refused(f"not probed, because {place} is not frozen: {' and '.join(gaps)}")
        head, mark = (await self._github.branch(call, place, branch))["commit"], f"change freeze probe {call.key}"
        if mark in str(head["commit"]["message"]):  # of an earlier attempt, whose reply was lost
            raise Refused(_not_frozen(service, str(head["sha"])))
        message = f"{mark}\n\nAn empty commit. It must never be on a branch: if you see it there, {place} was not frozen."
        tree, parent = str(head["commit"]["tree"]["sha"]), str(head["sha"])
        sha = await self._github.commit(call, place, tree=tree, parent=parent, message=message, at=call.at.isoformat())
        try:
            await self._github.push(call, place, branch, sha)
        except Refused as said:
            if MOVED in said.message:
                raise NotYet(f"{branch} of {place} has moved during the probe, which proves nothing", after=SOON) from None
            if DENIED not in said.message:
                raise Refused(f"the probe was refused, but not by the lock, so that it proves nothing: {said.message}") from None
        else:
            raise Refused(_not_frozen(service, sha))
        return order.done(f"GitHub refused the push of {sha[:12]} to {branch}: {DENIED}{await self._others(call, service, ours)}")

    async def _drift(self, order: LockOf, call: Call, head: str, hotfixes: dict[str, str]) -> tuple[str, ...]:
        """Commits that came to the deploy branch, and hotfix branches that moved, without an exemption."""
        branch, since, allowed = order.service.branch, order.since, {hotfix(artefact) for artefact in order.exempted}
        if since is None:
            return ()
        try:
            commits = await self._github.commits_between(call, order.service.repository, since.head, branch)
        except Refused:
            commits = []
        found = [f"{branch} {_in_words(commit)}" for commit in commits]
        if head != since.head and not found:
            found.append(f"{branch} was rewritten: it is at {head[:12]}, and what came after {since.head[:12]} cannot be told")
        moved = (f"{name} moved to {sha[:12]}" for name, sha in hotfixes.items() if name not in allowed and since.hotfixes.get(name) != sha)
        return (*found, *moved)

    async def _ours(self, call: Call, service: Deployed) -> list[JSON]:
        """The rulesets that a freeze of this service has made, ours or by hand, oldest first."""
        ours = re.compile(re.escape(f"change-freeze {service.name}") + "(:|$)")
        listed = await self._github.rulesets(call, service.repository)
        ids = sorted(int(ruleset["id"]) for ruleset in listed if ours.match(str(ruleset["name"])))
        return [await self._github.ruleset(call, service.repository, id) for id in ids]

    async def _gaps(self, call: Call, service: Deployed, rulesets: list[JSON], unlocked: bool = False, *exempted: str) -> list[str]:
        """Where the rules in force are not as these rulesets should make them; `exempted` branches are not covered. Empty: nowhere."""
        gaps: list[str] = []
        for branch in (service.branch, NEVER_EXEMPT, *exempted):
            wanted = set() if unlocked or branch in exempted else RULES
            rules = await self._github.rules(call, service.repository, branch)
            found = RULES & {str(rule["type"]) for rule in rules if _from(rule, rulesets)}
            if missing := sorted(wanted - found):
                gaps.append(f"no rule of it is in force for {branch} ({', '.join(missing)})")
            elif found - wanted:
                gaps.append(f"it is still in force for {branch}")
        return gaps

    async def _others(self, call: Call, service: Deployed, ours: list[JSON]) -> str:
        """Who else forbids a push: then a refused one does not show that we do."""
        rules = await self._github.rules(call, service.repository, service.branch)
        names = sorted({str(rule["ruleset_source"]) for rule in rules if rule["type"] in RULES and not _from(rule, ours)})
        return f"; other rules of {', '.join(names)} refuse pushes as well" if names else ""


def _repository(service: Deployed) -> str:
    if not service.repository:
        raise Refused(f"{service.name} has no repository in the organisation's catalogue, so that its deploys cannot be frozen")
    return service.repository


def _compared(ruleset: JSON) -> str:
    """What matters of a ruleset: GitHub adds fields of its own."""
    names = (ruleset.get("conditions") or {}).get("ref_name") or {}
    rules, branches = (
        sorted(rule["type"] for rule in ruleset.get("rules") or ()),
        [sorted(names.get(k, ())) for k in ("include", "exclude")],
    )
    return json.dumps([ruleset["name"], ruleset["target"], ruleset["enforcement"], ruleset.get("bypass_actors") or [], rules, branches])


def _from(rule: JSON, rulesets: list[JSON]) -> bool:
    return any(rule["ruleset_id"] == ruleset["id"] for ruleset in rulesets)


def _not_frozen(service: Deployed, sha: str) -> str:
    where = f"{service.branch} of {service.repository}"
    return f"NOT FROZEN: the probe deploy was accepted: {sha[:12]} (an empty commit) is on {where} and is being deployed: stop it by hand"


def _in_words(commit: JSON) -> str:
    made = commit["commit"]
    first = str(made["message"]).splitlines()[0][:80] if made["message"] else "without a message"
    return f"{str(commit['sha'])[:12]} by {made['author']['name']} at {made['author']['date']}: {first}"
