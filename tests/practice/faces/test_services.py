"""What customers meet at the edge, what changed in the day before, and the hands on the services."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from practice.services.deploying import deploy, repository_of
from practice.services.fleet import CHANGE_KINDS
from practice.world.stage import Stage


async def asked(stage: Stage, times: int = 100, path: str = "/edge/api/", method: str = "GET", **headers: str) -> list[httpx.Response]:
    return [await stage.http.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}) for _ in range(times)]


def share(answers: list[httpx.Response], status: int) -> float:
    return sum(answer.status_code == status for answer in answers) / len(answers)


async def breaks(stage: Stage, kind: str, **more: Any) -> None:
    await stage.must("POST", "/practice/service-faults", {"service": "api", "kind": kind, **more})


async def test_an_answer_says_which_build_it_came_from_and_where(stage: Stage) -> None:
    answers = await asked(stage)
    assert share(answers, 200) > 0.97
    assert {a.headers["x-revision"] for a in answers} == {"api-00041"}
    assert set(Counter(a.headers["x-region"] for a in answers)) == {"eu-west", "us-east"}
    assert {a.headers["x-region"] for a in await asked(stage, 5, X_Region="us-east")} == {"us-east"}
    assert {a.headers["x-region"] for a in await asked(stage, 5, X_Vantage="fra")} == {"eu-west"}
    assert {a.headers["x-region"] for a in await asked(stage, 5, X_Vantage="sfo")} == {"us-east"}


async def test_a_split_shows_in_the_build_headers(stage: Stage) -> None:
    place = stage.world.state.fleet.services["api"].places["eu-west"]
    place.split = {"api-00040": 0.5, "LATEST": 0.5}
    seen = Counter(a.headers["x-revision"] for a in await asked(stage, X_Region="eu-west"))
    assert min(seen["api-00040"], seen["api-00041"]) > 30


async def test_a_bad_revision_is_met_as_5xx_and_its_build_is_named(stage: Stage) -> None:
    deploy(stage.world, "api", actor="ci", what="", error_rate=0.5)
    for path in ("/edge/api/", "/edge/api/healthz"):
        answers = await asked(stage, path=path)
        assert 0.3 < share(answers, 500) < 0.7
        assert {a.headers["x-revision"] for a in answers} == {"api-00042"}
    status = await stage.must("GET", "/edge/api/regions/eu-west/status")
    assert (status["ok"], status["revisions"]) == (False, {"api-00042": 1.0})


async def test_inside_and_outside_can_differ(stage: Stage) -> None:
    await breaks(stage, "dependency", dependency="load_balancer", rate=1.0)
    answers = await asked(stage, 10, "/edge/api/healthz")
    assert share(answers, 503) == 1
    assert "x-revision" not in answers[0].headers
    status = await stage.must("GET", "/edge/api/regions/eu-west/status")
    assert status == {
        "ok": True, "revisions": {"api-00041": 1.0}, "ready": 4, "replicas": 4, "dependencies": {"database": True, "cache": True}
    }  # fmt: skip


async def test_a_broken_region_is_met_where_it_is(stage: Stage) -> None:
    await breaks(stage, "region", region="eu-west", rate=1.0)
    await breaks(stage, "dependency", dependency="cache", rate=0.01)
    assert share(await asked(stage, 10, X_Region="eu-west"), 503) == 1
    assert share(await asked(stage, 20, X_Region="us-east"), 200) > 0.8
    assert (await stage.must("GET", "/edge/api/regions/eu-west/status"))["ok"] is False
    assert (await stage.must("GET", "/edge/api/regions/us-east/status"))["dependencies"] == {"database": True, "cache": False}
    stage.world.state.fleet.services["api"].weights = {"eu-west": 0.0, "us-east": 1.0}
    assert {a.headers["x-region"] for a in await asked(stage, 10, X_Vantage="ams")} == {"us-east"}


async def test_writes_are_taken_refused_let_through_in_part_or_spoilt(stage: Stage) -> None:
    gate = stage.world.state.fleet.services["api"].gate
    assert share(await asked(stage, 50, "/edge/api/items", "POST"), 201) > 0.95
    gate.admitted = 0.0
    refused = await asked(stage, 20, "/edge/api/items", "POST")
    assert share(refused, 503) == 1
    told = next(a for a in refused if a.json() == {"error": "read_only"})
    assert told.headers["Retry-After"] == "60"
    assert share(await asked(stage, 20), 200) > 0.9  # reads go on
    gate.admitted = 0.1
    assert 0 < share(await asked(stage, 100, "/edge/api/items", "POST"), 201) < 0.3
    gate.admitted = 1.0
    await breaks(stage, "integrity", rate=0.5)
    assert 0.3 < share(await asked(stage, 100, "/edge/api/items", "POST"), 500) < 0.7


async def test_who_is_too_much_is_turned_away(stage: Stage) -> None:
    stage.world.state.fleet.services["api"].gateway.rate_limit_rps = 3.0
    answers = await asked(stage)
    assert 0.3 < share(answers, 429) < 0.7
    assert next(a for a in answers if a.status_code == 429).headers["Retry-After"] == "1"


async def test_a_degraded_answer_says_so(stage: Stage) -> None:
    await breaks(stage, "dependency", dependency="database", rate=1.0)
    stage.world.state.fleet.services["api"].gateway.breaker = True
    modes = Counter(a.headers.get("x-mode") for a in await asked(stage, 40))
    assert modes["degraded"] > 30


@pytest.mark.parametrize(
    "path", ["/edge/nothing/", "/edge/nothing/healthz", "/edge/nothing/regions/eu-west/status", "/edge/api/regions/moon/status"]
)
async def test_there_is_nothing_else_at_the_edge(stage: Stage, path: str) -> None:
    assert (await stage.http.get(path)).status_code == 404


async def test_nobody_counts_single_requests(stage: Stage) -> None:
    stage.forward(15)
    before = [(s.name, s.labels, s.value) for s in stage.world.metrics]
    await asked(stage, 20)
    await asked(stage, 20, "/edge/api/items", "POST")
    assert [(s.name, s.labels, s.value) for s in stage.world.metrics] == before
    assert stage.effects() == []


async def test_the_day_before_was_an_ordinary_one(stage: Stage) -> None:
    fleet, born = stage.world.state.fleet, stage.world.clock.start
    assert {change.kind for change in fleet.changes} == set(CHANGE_KINDS)
    assert [c.at for c in fleet.changes] == sorted(c.at for c in fleet.changes)
    assert all(born - 86_400 < c.at < born for c in fleet.changes)
    assert len({c.id for c in fleet.changes}) == len(fleet.changes)
    for service in fleet.services.values():
        newest = service.newest()
        assert [r.number for r in service.revisions.values()] == list(range(34, 42))
        assert all(300 <= r.green_minutes <= 9000 for r in service.revisions.values())
        assert any(c.digest == newest.digest and c.at == newest.created for c in fleet.changes)
        assert service.serving("eu-west") == service.serving("us-east") == {newest.name: 1.0}
        assert sum(service.weights.values()) == 1


async def test_a_deploy_enters_the_change_feed_and_so_does_any_change(stage: Stage) -> None:
    made = await stage.must(
        "POST", "/practice/deploys", {"service": "orchestrator", "kind": "config", "what": "smaller pool", "actor": "lee"}
    )
    revision, entry = made["revision"], made["change"]
    assert (revision["name"], revision["actor"], revision["green_minutes"]) == ("orchestrator-00042", "lee", 0.0)
    assert revision["secrets"] == {"DATABASE_URL": 3, "SIGNING_KEY": 2, "OPENAI_API_KEY": 1}
    assert (entry["kind"], entry["what"], entry["digest"]) == ("config", "smaller pool", revision["digest"])
    assert entry["details"] == {"revision": "orchestrator-00042"}
    innocent = {"services": ["api", "orchestrator"], "kind": "vendor", "what": "new edge nodes", "reversible": False}
    said = (await stage.must("POST", "/practice/changes", innocent))["change"]
    assert (said["kind"], said["services"], said["reversible"]) == ("vendor", ["api", "orchestrator"], False)
    assert await stage.must("POST", "/practice/changes/gaps", {"gaps": ["iam"]}) == {"gaps": ["iam"]}
    shown = (await stage.must("GET", "/practice/world"))["fleet"]
    assert [c["id"] for c in shown["changes"][-2:]] == [entry["id"], said["id"]]
    assert shown["gaps"] == ["iam"]
    assert stage.effects() == []  # these are the hands of the drill


async def test_a_push_finds_the_service_that_it_deploys(stage: Stage) -> None:
    assert repository_of(stage.world, "acme/orchestrator") == "orchestrator"
    assert repository_of(stage.world, "acme/ops") is None
    with pytest.raises(LookupError):
        deploy(stage.world, "nothing", actor="ci", what="")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("deploys", {"service": "nothing"}, 404),
        ("deploys", {"service": "api", "kind": "wish"}, 422),
        ("deploys", {"service": "api", "error_rate": 2}, 422),
        ("changes", {"services": ["nothing"], "kind": "iam", "what": "x"}, 404),
        ("changes", {"services": ["api"], "kind": "wish", "what": "x"}, 422),
        ("changes/gaps", {"gaps": ["wish"]}, 422),
        ("service-faults", {"service": "nothing", "kind": "region"}, 404),
        ("service-faults", {"service": "api", "kind": "region", "region": "moon"}, 404),
        ("service-faults", {"service": "api", "kind": "dependency"}, 422),
        ("service-faults", {"service": "api", "kind": "flag"}, 422),
        ("service-faults", {"service": "api", "kind": "storm"}, 422),
        ("feeds/nothing", {"bad": True}, 404),
        ("feeds/routing-rules", {}, 422),
        ("world", {"services": {"nothing": {}}}, 404),
        ("world", {"services": {"api": {"colour": 1}}}, 422),
        ("world", {"services": {"api": {"rps": "much"}}}, 422),
        ("world", {"services": {"api": {"places": {"moon": {"least": 1}}}}}, 404),
    ],
)
async def test_wrong_hands_are_refused_and_leave_nothing(stage: Stage, path: str, body: dict[str, Any], status: int) -> None:
    state = stage.world.kept(stage.world.keep())
    assert (await stage.call("POST", f"/practice/{path}", body)).status_code == status
    assert stage.world.state == state


async def test_a_fault_begins_and_ends_when_it_was_told_and_can_be_taken_back(stage: Stage) -> None:
    await breaks(stage, "region", after_seconds=300, for_seconds=300)
    failing = 'sum(rate(service_requests_total{service="api",outcome="error"}[1m])) > 1'
    seen = []
    for _ in range(4):
        stage.forward(180)
        seen.append(stage.value(failing) > 0)
    assert seen == [False, True, True, False]
    faults = (await stage.must("GET", "/practice/world"))["fleet"]["faults"]
    assert [(f["kind"], f["active"]) for f in faults] == [("region", False)]
    assert await stage.must("DELETE", "/practice/service-faults/orchestrator") == {"faults": faults}
    assert await stage.must("DELETE", "/practice/service-faults/api") == {"faults": []}


def test_the_program_takes_the_names_of_its_services() -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "practice", "--services", "web, jobs"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}) as program:
        assert program.stdout
        url = program.stdout.readline().split('"')[3]
        assert list(httpx.get(f"{url}/practice/world", trust_env=False).json()["fleet"]["services"]) == ["web", "jobs"]
        program.send_signal(signal.SIGTERM)
        assert program.wait(5) == 0
