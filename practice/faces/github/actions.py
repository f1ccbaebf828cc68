"""Actions, dependabot and repository switches of GitHub's REST API (docs.github.com/rest/actions, /rest/dependabot, /rest/repos)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from practice.faces.github.base import FACE, REPOSITORY, message, page, repository, repository_name
from practice.http.face import Ask, Call, Refusal, Reply
from practice.supply.cast import supply
from practice.supply.model import Bots, Run
from practice.supply.pipeline import REBUILD, RELEASE, advance
from practice.world.state import JSON

_ACTIONS = REPOSITORY + "/actions"
INPUTS = 25  # the most that a dispatch may have


class Dispatch(Ask):
    ref: Annotated[str, Field(min_length=1)]
    inputs: Annotated[dict[str, str], Field(max_length=INPUTS)] = {}


class RepositoryEdit(Ask):
    """The body of PATCH, as far as we know it."""

    allow_auto_merge: bool


@FACE.writes("actions.dispatch", _ACTIONS + "/workflows/{workflow}/dispatches")
def dispatch(call: Call) -> Reply:
    """Start a run. There is no idempotency key: twice is two runs. The answer names no run."""
    wanted, there, found = call.ask(Dispatch), supply(call.state, call.now), repository(call)
    if call.path["workflow"] not in (REBUILD, RELEASE):
        raise Refusal(message(404, "Not Found"))
    id = 9_000_000 + call.world.number()
    there.runs[id] = Run(id, wanted.inputs.get("key", ""), found.name, call.path["workflow"], dict(wanted.inputs), call.now)
    call.did(f"actions/{found.name}", None, wanted.inputs)
    return Reply(None, 204)


@FACE.reads("actions.runs", _ACTIONS + "/workflows/{workflow}/runs")
def runs(call: Call) -> Reply:
    """Runs of a workflow, newest first."""
    repository(call)
    of = (repository_name(call), call.path["workflow"])
    mine = [one for one in supply(call.state, call.now).runs.values() if (one.repository, one.workflow) == of]
    mine.sort(key=lambda one: -one.id)
    return page(call, [_shown(call, one) for one in mine], shown=lambda rows: {"total_count": len(mine), "workflow_runs": rows})


@FACE.reads("actions.run", _ACTIONS + "/runs/{run}")
def run(call: Call) -> Reply:
    """One run."""
    there = supply(call.state, call.now)
    found = there.runs.get(int(call.path["run"])) if call.path["run"].isdigit() else None
    if found is None or found.repository != repository_name(call):
        raise Refusal(message(404, "Not Found"))
    advance(call.world, there, found)
    return Reply(_shown(call, found))


@FACE.reads("actions.artifacts", _ACTIONS + "/runs/{run}/artifacts")
def artifacts(call: Call) -> Reply:
    """What a run has produced: the name of the artifact carries the digest of the image."""
    found = supply(call.state, call.now).runs.get(int(call.path["run"])) if call.path["run"].isdigit() else None
    if found is None or found.repository != repository_name(call):
        raise Refusal(message(404, "Not Found"))
    made = [{"id": found.id, "name": "image", "digest": found.digest, "expired": False}] if found.digest else []
    return Reply({"total_count": len(made), "artifacts": made})


def _shown(call: Call, one: Run) -> JSON:
    return {
        "id": one.id, "name": one.workflow, "display_title": f"incident {one.key}", "event": "workflow_dispatch",
        "status": "completed" if one.conclusion else "in_progress", "conclusion": one.conclusion or None,
        "created_at": f"{call.world.clock.stamp(one.at)[:19]}Z", "run_attempt": 1,
        "html_url": f"https://github.example/{one.repository}/actions/runs/{one.id}",
        **({"head_commit": {"message": one.why}} if one.why else {}),
    }  # fmt: skip


@FACE.reads("dependabot.alerts", REPOSITORY + "/dependabot/alerts")
def alerts(call: Call) -> Reply:
    """What dependabot finds in the lockfile of the repository."""
    found, there = repository(call), supply(call.state, call.now)
    services = [one.name for one in call.state.fleet.services.values() if one.repository == found.name]
    rows = []
    for number, one in enumerate(there.advisories.values(), start=1):
        if one.withdrawn or not any(there.locks[name].get(one.package) in one.bad for name in services):
            continue
        fixed = [e["fixed"] for r in one.record["affected"][0]["ranges"] for e in r["events"] if "fixed" in e]
        patched = {"identifier": fixed[0]} if fixed else None
        rows.append({
            "number": number, "state": "open",
            "dependency": {"package": {"ecosystem": "pip", "name": one.package}, "manifest_path": "requirements.txt", "scope": "runtime"},
            "security_advisory": {"ghsa_id": one.ghsa or one.id, "cve_id": one.cve or None, "severity": "critical"},
            "security_vulnerability": {"package": {"ecosystem": "pip", "name": one.package}, "first_patched_version": patched},
        })  # fmt: skip
    return page(call, rows)


@FACE.reads("advisories.get", "/github/advisories/{ghsa}")
def advisory(call: Call) -> Reply:
    """One reviewed advisory of GitHub's database."""
    found = next((one for one in supply(call.state, call.now).advisories.values() if one.ghsa == call.path["ghsa"]), None)
    if found is None:
        raise Refusal(message(404, "Not Found"))
    fixed = [e["fixed"] for r in found.record["affected"][0]["ranges"] for e in r["events"] if "fixed" in e]
    vulnerable = {
        "package": {"ecosystem": "pip", "name": found.package},
        "first_patched_version": found.reviewed or (fixed[0] if fixed else None),
    }
    return Reply({
        "ghsa_id": found.ghsa, "cve_id": found.cve or None, "severity": "critical", "withdrawn_at": found.record.get("withdrawn"),
        "vulnerabilities": [vulnerable],
    })  # fmt: skip


def _bots(call: Call) -> Bots:
    return supply(call.state, call.now).bots.setdefault(repository(call).name, Bots())


@FACE.reads("updates.get", REPOSITORY + "/automated-security-fixes")
def updates(call: Call) -> Reply:
    """Whether dependabot opens pull requests of security updates."""
    return Reply({"enabled": _bots(call).security_updates, "paused": False})


def _turn(call: Call, on: bool) -> Reply:
    bots = _bots(call)
    before, bots.security_updates = bots.security_updates, on
    call.did(f"automated-security-fixes/{repository_name(call)}", before, on)
    return Reply(None, 204)


@FACE.writes("updates.write.enable", REPOSITORY + "/automated-security-fixes", "PUT")
def enable(call: Call) -> Reply:
    return _turn(call, True)


@FACE.writes("updates.write.disable", REPOSITORY + "/automated-security-fixes", "DELETE")
def disable(call: Call) -> Reply:
    return _turn(call, False)


@FACE.writes("repos.update", REPOSITORY, "PATCH")
def update(call: Call) -> Reply:
    """Change a repository: here only whether pull requests may be merged automatically."""
    bots, wanted = _bots(call), call.ask(RepositoryEdit)
    before, bots.auto_merge = bots.auto_merge, wanted.allow_auto_merge
    call.did(f"repos/{repository_name(call)}", {"allow_auto_merge": before}, {"allow_auto_merge": bots.auto_merge})
    return Reply({"full_name": repository_name(call), "allow_auto_merge": bots.auto_merge})
