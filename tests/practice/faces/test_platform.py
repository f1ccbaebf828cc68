"""The platform's own control plane: epochs, etags, who wrote, and traffic that obeys."""

from typing import Any

import httpx
import pytest

from practice.world.stage import Stage

API = "/platform/v1/services/api"
FEED = "/platform/v1/feeds/routing-rules"
SETTINGS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "regions": (f"{API}/regions", {"weights": {"eu-west": 0.25, "us-east": 0.75}}, {"weights": {"eu-west": 1.0, "us-east": 0.0}}),
    "gateway": (f"{API}/gateway", {"rate_limit_rps": 3.0, "breaker": True}, {"rate_limit_rps": None, "breaker": True}),
    "write-gate": (f"{API}/write-gate", {"admitted": 0.0}, {"admitted": 0.5}),
    "feed": (FEED, {"running": False, "pinned": 4711}, {"running": True, "pinned": 4711}),
}
settings = pytest.mark.parametrize(("path", "one", "other"), SETTINGS.values(), ids=list(SETTINGS))


async def put(stage: Stage, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    etag = headers.pop("etag", None) or (await stage.must("GET", path))["etag"]
    return await stage.call("PUT", path, body, If_Match=etag, **headers)


@settings
async def test_a_write_needs_the_version_that_it_read(stage: Stage, path: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    before = await stage.must("GET", path)
    assert (await stage.call("PUT", path, {"epoch": 1, **one})).status_code == 428
    written = await put(stage, path, {"epoch": 1, **one})
    assert written.json() | one == written.json() and written.headers["ETag"] == f'"{written.json()["etag"]}"'
    assert written.json()["etag"] != before["etag"] and written.json()["epoch"] == 1
    stale = await put(stage, path, {"epoch": 2, **other}, etag=before["etag"])
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "stale_etag")


@settings
async def test_the_same_write_again_changes_nothing_even_with_a_stale_version(
    stage: Stage, path: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    first = await put(stage, path, {"epoch": 3, **one})
    again = await put(stage, path, {"epoch": 3, **one}, etag="long gone")
    assert again.status_code == 200 and again.json() == first.json()
    assert [e["changed"] for e in stage.effects()] == [True, False]


@settings
async def test_an_older_epoch_or_another_write_of_the_same_is_stale_and_says_whose(
    stage: Stage, path: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    await put(stage, path, {"epoch": 3, **one}, X_Incident_Id="inc-1")
    for epoch in (2, 3):
        answer = await put(stage, path, {"epoch": epoch, **other})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale_epoch")
        assert "is at epoch 3 by inc-1" in answer.json()["error"]["message"]
    assert (await stage.must("GET", path))["changed_by"] == "inc-1"


@settings
async def test_who_changed_what_stands_in_the_change_feed(stage: Stage, path: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    await put(stage, path, {"epoch": 1, **one}, X_Actor="lee", X_Incident_Id="inc-1")
    entry = (await stage.must("GET", "/platform/v1/changes"))["changes"][-1]
    assert (entry["kind"], entry["actor"]) == ("config", "lee")
    assert "api" in entry["services"] and "→" in entry["what"]


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (f"{API}/regions", {"epoch": 1, "weights": {"eu-west": 1.0}}),
        (f"{API}/regions", {"epoch": 1, "weights": {"eu-west": 0.9, "us-east": 0.2}}),
        (f"{API}/regions", {"epoch": 1, "weights": {"eu-west": 1.5, "us-east": -0.5}}),
        (f"{API}/regions", {"epoch": "1", "weights": {"eu-west": 0.5, "us-east": 0.5}}),
        (f"{API}/gateway", {"epoch": 1, "rate_limit_rps": 0, "breaker": True}),
        (f"{API}/gateway", {"epoch": 1, "breaker": True}),
        (f"{API}/autoscaler", {"regions": {"eu-west": {"least": 21}}}),
        (f"{API}/autoscaler", {"regions": {"mars": {"least": 2}}}),
        (f"{API}/autoscaler", {"regions": {}}),
        (f"{API}/write-gate", {"epoch": 1, "admitted": 1.2}),
        (f"{API}/write-gate", {"epoch": 1, "admitted": 1.0, "colour": "red"}),
        (FEED, {"epoch": 1, "running": False, "pinned": 9999}),
    ],
)
async def test_nonsense_is_refused(stage: Stage, path: str, wrong: dict[str, Any]) -> None:
    answer = await put(stage, path, wrong)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert not stage.effects()


@pytest.mark.parametrize("path", [API.replace("api", "nobody"), f"{API.replace('api', 'nobody')}/regions", FEED + "-not", f"{API}/colours"])
async def test_what_is_not_there_is_not_found(stage: Stage, path: str) -> None:
    assert (await stage.call("GET", path)).status_code == 404


async def test_nobody_gets_in_without_the_token(stage: Stage) -> None:
    assert (await stage.call("GET", API, Authorization="Bearer wrong")).status_code == 401


async def test_services_are_described(stage: Stage) -> None:
    listed = (await stage.must("GET", "/platform/v1/services"))["services"]
    assert [one["name"] for one in listed] == ["api", "orchestrator"]
    assert await stage.must("GET", API) == listed[0] == {
        "name": "api", "platform": "cloud_run", "repository": "acme/api", "regions": ["eu-west", "us-east"],
        "depends_on": ["database", "cache"],
    }  # fmt: skip


async def test_drained_traffic_goes_elsewhere(stage: Stage) -> None:
    await put(stage, f"{API}/regions", {"epoch": 1, "weights": {"eu-west": 1.0, "us-east": 0.0}})
    stage.forward(120)
    rate = 'sum(increase(service_requests_total{{service="api",region="{}"}}[1m]))'
    assert stage.value(rate.format("us-east")) == 0
    assert stage.value(rate.format("eu-west")) == pytest.approx(360, rel=0.25)
    room = (await stage.must("GET", f"{API}/headroom"))["regions"]
    assert (room["eu-west"]["used_rps"], room["us-east"]["used_rps"]) == (6.0, 0.0)


async def test_a_limit_turns_the_rest_away(stage: Stage) -> None:
    await put(stage, f"{API}/gateway", {"epoch": 1, "rate_limit_rps": 2.0, "breaker": False})
    stage.forward(120)
    assert stage.value('sum(rate(service_requests_total{service="api",outcome!="limited"}[1m]))') == pytest.approx(2.0, rel=0.1)
    assert stage.value('sum(rate(service_limited_total{service="api"}[1m]))') == pytest.approx(4.0, rel=0.3)


async def test_new_instances_become_ready_in_time(stage: Stage) -> None:
    assert (await put(stage, f"{API}/autoscaler", {"regions": {"eu-west": {"least": 8}}})).status_code == 200
    first = (await stage.must("GET", f"{API}/autoscaler"))["regions"]["eu-west"]
    assert (first["replicas"], first["ready"], first["least"], first["most"]) == (8, 4, 8, 20)
    stage.forward(90)
    assert (await stage.must("GET", f"{API}/autoscaler"))["regions"]["eu-west"]["ready"] == 8


async def test_a_closed_gate_refuses_writes_and_nothing_else(stage: Stage) -> None:
    await put(stage, f"{API}/write-gate", {"epoch": 1, "admitted": 0.0})
    write = await stage.call("POST", "/edge/api/items", {})
    assert (write.status_code, write.json()["error"]) == (503, "read_only") and "retry-after" in write.headers
    stage.forward(120)
    assert stage.value('sum(increase(service_writes_total{service="api",outcome="ok"}[1m]))') == 0
    assert stage.value('sum(increase(service_requests_total{service="api",outcome="ok"}[1m]))') > 200


async def test_a_stopped_generator_makes_nothing_new(stage: Stage) -> None:
    feed = await stage.must("GET", FEED)
    assert [one["name"] for one in (await stage.must("GET", "/platform/v1/feeds?service=api"))["feeds"]] == ["routing-rules"]
    await put(stage, FEED, {"epoch": 1, "running": False, "pinned": feed["version"] - 1})
    stage.forward(600)
    after = await stage.must("GET", FEED)
    assert (after["version"], after["read"], after["made_at"]) == (feed["version"], feed["version"] - 1, feed["made_at"])


async def test_a_fault_shows_where_it_is(stage: Stage) -> None:
    await stage.must("POST", "/practice/service-faults", {"service": "api", "kind": "dependency", "dependency": "database", "rate": 0.9})
    stage.forward(60)
    rows = (await stage.must("GET", f"{API}/dependencies"))["dependencies"]
    assert [name for name, row in rows.items() if not row["up"]] == ["database"]
    assert list(rows) == ["load_balancer", "dns", "certificate", "database", "cache"]
    await stage.must("DELETE", "/practice/service-faults")
    await stage.must("POST", "/practice/service-faults", {"service": "api", "kind": "integrity", "rate": 1.0})
    stage.forward(60)
    assert (await stage.must("GET", f"{API}/schema"))["integrity_errors_per_minute"] > 0


async def test_changes_are_read_by_time_and_service(stage: Stage) -> None:
    await stage.must("POST", "/practice/deploys", {"service": "api", "what": "one"})
    stage.forward(60)
    await stage.must("POST", "/practice/changes", {"services": ["orchestrator"], "kind": "iam", "what": "two"})
    since = stage.world.clock.stamp(stage.world.clock.now() - 30)
    recent = await stage.must("GET", f"/platform/v1/changes?since={since}")
    assert [one["what"] for one in recent["changes"]] == ["two"] and len(recent["kinds"]) == 9 and recent["gaps"] == []
    for_api = (await stage.must("GET", "/platform/v1/changes?service=api"))["changes"]
    assert "one" in [c["what"] for c in for_api] and "two" not in [c["what"] for c in for_api]
    assert (await stage.call("GET", "/platform/v1/changes?since=yesterday")).status_code == 400
