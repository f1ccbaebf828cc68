"""GitHub's branches and rulesets: who may push what where, and what a push that is let through becomes."""

from typing import Any

import httpx
import pytest

from practice.services.fleet import Revision
from practice.services.repositories import Ruleset
from practice.world.stage import Stage

API = "/github/repos/acme/api"
FREEZE = {
    "name": "change-freeze", "target": "branch", "enforcement": "active",
    "conditions": {"ref_name": {"include": ["refs/heads/main", "refs/heads/hotfix/**/*"], "exclude": ["refs/heads/hotfix/0a1b2c3d4e5f"]}},
    "rules": [{"type": "update"}, {"type": "creation"}],
}  # fmt: skip


def newest(stage: Stage) -> Revision:
    return stage.world.state.fleet.services["api"].newest()


async def commit(stage: Stage, message: str = "a change", **more: Any) -> str:
    head = (await stage.must("GET", f"{API}/branches/main"))["commit"]
    body = {"message": message, "tree": head["commit"]["tree"]["sha"], "parents": [head["sha"]], **more}
    sha: str = (await stage.must("POST", f"{API}/git/commits", body))["sha"]
    return sha


async def push(stage: Stage, sha: str, branch: str = "main", **more: Any) -> httpx.Response:
    return await stage.call("PATCH", f"{API}/git/refs/heads/{branch}", {"sha": sha, **more})


async def create(stage: Stage, sha: str, branch: str) -> httpx.Response:
    return await stage.call("POST", f"{API}/git/refs", {"ref": f"refs/heads/{branch}", "sha": sha})


async def test_a_push_to_the_default_branch_is_deployed(stage: Stage) -> None:
    sha = await commit(stage, "Faster answers")
    assert newest(stage).name == "api-00041", "a commit alone deploys nothing"
    assert (await push(stage, sha)).json()["object"]["sha"] == sha
    assert newest(stage).name == "api-00042"
    assert (await stage.must("GET", f"{API}/git/ref/heads/main"))["object"]["sha"] == sha
    (change,) = stage.world.state.fleet.changes[-1:]
    assert (change.kind, change.services, change.what) == ("deploy", ["api"], "Faster answers (main)")


async def test_a_topic_branch_is_not_deployed_and_a_hotfix_branch_is(stage: Stage) -> None:
    sha = await commit(stage)
    assert (await create(stage, sha, "topic")).status_code == 201
    assert newest(stage).name == "api-00041"
    assert (await create(stage, sha, "hotfix/0a1b2c3d4e5f")).status_code == 201
    assert newest(stage).digest.startswith("sha256:0a1b2c3d4e5f")
    refs = await stage.must("GET", f"{API}/git/matching-refs/heads/hotfix/")
    assert [ref["ref"] for ref in refs] == ["refs/heads/hotfix/0a1b2c3d4e5f"]


async def test_a_covered_branch_takes_no_push_and_no_new_hotfix(stage: Stage) -> None:
    sha = await commit(stage)
    ruleset = await stage.must("POST", f"{API}/rulesets", FREEZE)
    refused = await push(stage, sha)
    assert (refused.status_code, refused.json()["message"]) == (
        422, "Repository rule violations found\n\nCannot update this protected ref.\n\n",
    )  # fmt: skip
    assert (await push(stage, sha, force=True)).status_code == 422, "force does not help"
    refused = await create(stage, sha, "hotfix/123")
    assert "Cannot create ref due to creations being restricted." in refused.json()["message"]
    assert (await create(stage, sha, "hotfix/0a1b2c3d4e5f")).status_code == 201, "it is excluded"
    assert (await create(stage, sha, "topic")).status_code == 201
    assert newest(stage).name == "api-00042"
    await stage.must("PUT", f"{API}/rulesets/{ruleset['id']}", {"enforcement": "evaluate"})
    assert (await push(stage, sha)).status_code == 200


async def test_the_rules_of_a_branch_name_their_ruleset(stage: Stage) -> None:
    made = await stage.must("POST", f"{API}/rulesets", FREEZE)
    rules = await stage.must("GET", f"{API}/rules/branches/hotfix/not/there")
    assert [(r["type"], r["ruleset_id"], r["ruleset_source"]) for r in rules] == [
        ("update", made["id"], "acme/api"), ("creation", made["id"], "acme/api"),
    ]  # fmt: skip
    assert await stage.must("GET", f"{API}/rules/branches/hotfix/0a1b2c3d4e5f") == []
    assert (await stage.must("GET", f"{API}/branches/main"))["protected"]
    (listed,) = await stage.must("GET", f"{API}/rulesets")
    assert listed["name"] == "change-freeze" and "rules" not in listed
    whole = await stage.must("GET", f"{API}/rulesets/{made['id']}")
    assert whole["rules"] == FREEZE["rules"] and whole["conditions"] == FREEZE["conditions"]
    assert (await stage.call("DELETE", f"{API}/rulesets/{made['id']}")).status_code == 204
    assert (await stage.call("GET", f"{API}/rulesets/{made['id']}")).status_code == 404


async def test_a_ruleset_is_checked_strictly(stage: Stage) -> None:
    for wrong in (
        {**FREEZE, "description": "for inc-1"}, {**FREEZE, "enforcement": "on"}, {**FREEZE, "rules": [{"type": "deny"}]}, {"name": "x"},
    ):  # fmt: skip
        answer = await stage.call("POST", f"{API}/rulesets", wrong)
        assert (answer.status_code, answer.json()["message"]) == (422, "Validation Failed")
    await stage.must("POST", f"{API}/rulesets", FREEZE)
    again = await stage.call("POST", f"{API}/rulesets", FREEZE)
    assert (again.status_code, again.json()["errors"]) == (422, ["Name must be unique"])


async def test_git_objects_are_what_they_contain(stage: Stage) -> None:
    author = {"name": "ada", "email": "ada@example.com", "date": "2026-11-23T11:00:00Z"}
    first = await commit(stage, author=author)
    assert await commit(stage, author=author) == first
    assert await commit(stage, "another", author=author) != first
    assert [e["changed"] for e in stage.effects("github.commits.create")] == [True, False, True]


async def test_a_push_loses_no_commit_and_points_to_one(stage: Stage) -> None:
    one, other = await commit(stage, "one"), await commit(stage, "other")
    assert (await push(stage, one)).status_code == 200
    lost = await push(stage, other)
    assert (lost.status_code, lost.json()["message"]) == (422, "Update is not a fast forward")
    assert (await push(stage, "0" * 40)).json()["message"] == "Object does not exist"
    assert (await push(stage, other, force=True)).status_code == 200
    assert (await stage.must("GET", f"{API}/compare/{one}...main"))["status"] == "diverged"
    assert (await push(stage, one, "nowhere")).status_code == 404


async def test_what_came_since_a_commit_is_told_oldest_first(stage: Stage) -> None:
    base = (await stage.must("GET", f"{API}/branches/main"))["commit"]["sha"]
    for message in ("one", "two"):
        await push(stage, await commit(stage, message))
    told = await stage.must("GET", f"{API}/compare/{base}...main")
    assert (told["status"], told["ahead_by"], [c["commit"]["message"] for c in told["commits"]]) == ("ahead", 2, ["one", "two"])
    assert (await stage.call("GET", f"{API}/compare/{base}...nowhere")).status_code == 404


async def test_a_repository_is_some_services_source(stage: Stage) -> None:
    for path in ("rulesets", "branches/main", "rules/branches/main", "git/ref/heads/main"):
        assert (await stage.call("GET", f"/github/repos/acme/nobodys/{path}")).status_code == 404
    assert (await stage.http.get(f"{API}/rulesets", headers={"Authorization": "Bearer wrong"})).status_code == 401


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [("refs/heads/main", {"main"}), ("~DEFAULT_BRANCH", {"main"}), ("~ALL", {"main", "hotfix/a", "hotfix/a/b", "topic"}),
     ("refs/heads/hotfix/*", {"hotfix/a"}), ("refs/heads/hotfix/**", {"hotfix/a"}), ("refs/heads/hotfix/**/*", {"hotfix/a", "hotfix/a/b"}),
     ("refs/heads/to?ic", {"topic"}), ("main", set())],
)  # fmt: skip
def test_patterns_are_githubs_own(pattern: str, matches: set[str]) -> None:
    ruleset = Ruleset(1, "r", "branch", "active", [pattern], [], [], [], "", "")
    assert {b for b in ("main", "hotfix/a", "hotfix/a/b", "topic") if ruleset.covers(f"refs/heads/{b}", "main")} == matches
