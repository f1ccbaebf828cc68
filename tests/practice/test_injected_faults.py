"""Every injected fault on every kind of route. The table holds one valid request per writing route; a route without one fails the test."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from practice.http.app import FACES
from practice.world.stage import Stage, staged
from tests.practice.breach_examples import breach_examples
from tests.practice.containment_examples import containment_examples
from tests.practice.credential_examples import credential_examples
from tests.practice.database_examples import database_examples
from tests.practice.edge_examples import edge_examples
from tests.practice.examples import Example, agents, jobs, knowledge, records, tenants
from tests.practice.quality_examples import quality_examples
from tests.practice.supply_examples import supply_examples

WRITING = [route.name for face in FACES if not face.control for route in face.routes if route.writes]
ONE_READ_PER_FACE = {
    "llm.routes.get": "/llm/v1/routes/chat",
    "unleash.feature": "/unleash/api/admin/projects/default/features/batch.enabled",
    "app.scheduler": "/app/scheduler",
    "statuspage.public.incidents": "/statuspage/public/api/v2/incidents.json",
    "slack.users.list.get": "/slack/api/users.list",
    "pagerduty.oncalls": "/pagerduty/api/oncalls",
    "github.issues.list": "/github/repos/acme/ops/issues",
    "prometheus.query": "/prom/api/v1/query?query=time()",
    "kubernetes.deployments.get": "/k8s/eu-west/apis/apps/v1/namespaces/default/deployments/orchestrator",
    "platform.regions.get": "/platform/v1/services/api/regions",
    "edge.status": "/edge/api/regions/eu-west/status",
    "mlflow.alias.get": "/mlflow/api/2.0/mlflow/registered-models/alias?name=chat-prompt&alias=production",
    "langfuse.prompt.get": "/langfuse/api/public/v2/prompts/chat-prompt",
    "quality.rollout.get": "/quality/v1/routes/chat/rollout",
    "evals.suites": "/evals/v1/suites",
    "guardrails.status": "/guardrails/v1/routes/chat/status",
    "egress.hosts.get": "/egress/v1/hosts/evil.example",
    "ui.render.get": "/ui/v1/render/chat",
    "search.stores.list": "/search/v1/stores",
    "s3.buckets.get": "/s3/evidence",
    "gcs.buckets.get": "/gcs/storage/v1/b/evidence",
    "tenancy.map": "/tenancy/v1/services/api/map",
    "cdn.bypass.get": "/cdn/v1/paths/files.get/bypass",
    "auth.sessions.list": "/auth/api/v1/auth/sessions?tenant=canary-eu-1",
    "keycloak.realm": "/keycloak/admin/realms/canary-eu-1",
    "network.isolation.get": "/network/v1/assets/api/isolation",
    "keycloak_groups.groups.list": "/keycloak-staff/admin/realms/acme-staff/groups",
    "gce.disks.aggregatedList": "/gce/compute/v1/projects/acme/aggregated/disks",
    "supply.artefacts": "/supply/v1/services/api/artefacts",
    "exploited.kev": "/exploited/feeds/known_exploited_vulnerabilities.json",
    "waf.rules.list": "/waf/v1/rules",
    "cloud_armor.securityPolicies.get": "/cloudarmor/compute/v1/projects/acme/global/securityPolicies/edge",
    "run.services.get": "/run/v2/projects/acme/locations/eu-west/services/api",
}


async def examples(stage: Stage) -> dict[str, Example]:
    route = await stage.must("GET", "/llm/v1/routes/chat")
    free = stage.tenants("business")[:3]
    lease = {"seconds": 600, "safe_weights": {"aurora": 1.0}}
    weights = {"epoch": 1, "tenants": free, "weights": {"borealis": 1.0}, "lease": lease}
    leased = await stage.must("PUT", "/llm/v1/routes/chat/weights", weights, If_Match=route["etag"])
    policy = await stage.must("GET", "/llm/v1/client-policy")
    channel = (await stage.must("POST", "/slack/api/conversations.create", {"name": "inc-1"}))["channel"]["id"]
    message = await stage.must("POST", "/slack/api/chat.postMessage", {"channel": channel, "text": "hello"})
    published = await stage.must("POST", "/statuspage/v1/pages/main/incidents", {"incident": {"name": "x"}})
    shown, update = published["id"], published["incident_updates"][0]["id"]
    event = {"routing_key": "practice-token", "event_action": "trigger", "dedup_key": "k"}
    event["payload"] = {"summary": "s", "source": "t", "severity": "critical"}  # type: ignore[assignment]
    await stage.must("POST", "/pagerduty/v2/enqueue", event)
    page = (await stage.must("GET", "/pagerduty/api/incidents"))["incidents"][0]["id"]
    issue = (await stage.must("POST", "/github/repos/acme/ops/issues", {"title": "t"}))["number"]
    source = f"/github/repos/{stage.world.state.fleet.services['api'].repository}"
    head = (await stage.must("GET", f"{source}/branches/main"))["commit"]
    commit = {"message": "m", "tree": head["commit"]["tree"]["sha"], "parents": [head["sha"]]}
    made = (await stage.must("POST", f"{source}/git/commits", commit))["sha"]
    ruleset = (await stage.must("POST", f"{source}/rulesets", {"name": "r", "enforcement": "disabled"}))["id"]
    stage.forward(5)
    target = {"responder_request_target": {"id": "P_LEE", "type": "user_reference"}}
    slack, pd, flag = "/slack/api/", f"/pagerduty/api/incidents/{page}", "/unleash/api/admin/projects/default/features"
    production = f"{flag}/batch.enabled/environments/production"
    deployment = "/k8s/eu-west/apis/apps/v1/namespaces/default/deployments/orchestrator"
    whole, scale = await stage.must("GET", deployment), await stage.must("GET", f"{deployment}/scale")
    merge = {"Content_Type": "application/merge-patch+json"}
    api = "/platform/v1/services/api"
    etags = {part: (await stage.must("GET", f"{api}/{part}"))["etag"] for part in ("regions", "gateway", "autoscaler", "write-gate")}

    def setting(part: str, **body: Any) -> Example:
        return Example("PUT", f"{api}/{part}", body, {"If_Match": etags[part]})

    put_policy = {k: v for k, v in policy.items() if k not in ("etag", "changed_by")} | {"max_attempts": 2}
    return {
        **await records(stage),
        **await breach_examples(stage),
        **await credential_examples(stage),
        **await edge_examples(stage),
        **await database_examples(stage),
        **await agents(stage),
        **await jobs(stage),
        **await knowledge(stage),
        **await tenants(stage),
        **await supply_examples(stage),
        **await containment_examples(stage),
        "llm.routes.weights": Example(
            "PUT", "/llm/v1/routes/chat/weights", weights | {"epoch": 2, "weights": {"aurora": 0.5, "borealis": 0.5}},
            {"If_Match": leased["etag"]},
        ),
        "llm.routes.modes": Example(
            "PUT", "/llm/v1/routes/chat/modes", {"epoch": 2, "tenants": free, "mode": "retrieval_only"}, {"If_Match": leased["etag"]}
        ),
        "llm.routes.lease": Example("POST", "/llm/v1/routes/chat/lease", {"epoch": 1, "seconds": 900}),
        "llm.client_policy.put": Example("PUT", "/llm/v1/client-policy", put_policy, {"If_Match": policy["etag"]}),
        "unleash.feature.off": Example("POST", f"{production}/off"),
        "unleash.feature.on": Example("POST", f"{production}/on"),
        "statuspage.incidents.create": Example("POST", "/statuspage/v1/pages/main/incidents", {"incident": {"name": "y"}}),
        "statuspage.incidents.update": Example(
            "PATCH", f"/statuspage/v1/pages/main/incidents/{shown}", {"incident": {"status": "identified", "body": "b"}}
        ),
        "statuspage.incident_updates.update": Example(
            "PATCH", f"/statuspage/v1/pages/main/incidents/{shown}/incident_updates/{update}", {"incident_update": {"body": "c"}}
        ),
        "slack.conversations.create": Example("POST", slack + "conversations.create", {"name": "inc-2"}),
        "slack.conversations.invite": Example("POST", slack + "conversations.invite", {"channel": channel, "users": "U_DANA,U_LEE"}),
        "slack.conversations.join": Example("POST", slack + "conversations.join", {"channel": channel}),
        "slack.conversations.archive": Example("POST", slack + "conversations.archive", {"channel": channel}),
        "slack.conversations.setTopic": Example("POST", slack + "conversations.setTopic", {"channel": channel, "topic": "t"}),
        "slack.conversations.setPurpose": Example("POST", slack + "conversations.setPurpose", {"channel": channel, "purpose": "p"}),
        "slack.conversations.open": Example("POST", slack + "conversations.open", {"users": "U_NOOR"}),
        "slack.chat.postMessage": Example("POST", slack + "chat.postMessage", {"channel": channel, "text": "again"}),
        "slack.chat.update": Example("POST", slack + "chat.update", {"channel": channel, "ts": message["ts"], "text": "new"}),
        "slack.pins.add": Example("POST", slack + "pins.add", {"channel": channel, "timestamp": message["ts"]}),
        "slack.bookmarks.add": Example(
            "POST", slack + "bookmarks.add", {"channel_id": channel, "title": "t", "type": "link", "link": "https://example.com"}
        ),
        "pagerduty.enqueue": Example("POST", "/pagerduty/v2/enqueue", event | {"dedup_key": "k2"}),
        "pagerduty.incidents.update": Example("PUT", pd, {"incident": {"type": "incident_reference", "status": "acknowledged"}}),
        "pagerduty.incidents.notes": Example("POST", f"{pd}/notes", {"note": {"content": "n"}}),
        "pagerduty.incidents.responder_requests": Example(
            "POST", f"{pd}/responder_requests",
            {"requester_id": "P_DANA", "message": "come", "responder_request_targets": [target]},
        ),
        "github.issues.create": Example("POST", "/github/repos/acme/ops/issues", {"title": "u"}),
        "github.issues.update": Example("PATCH", f"/github/repos/acme/ops/issues/{issue}", {"state": "closed"}),
        "kubernetes.deployments.patch": Example("PATCH", deployment, {"spec": {"replicas": 5}}, merge),
        "kubernetes.deployments.update": Example("PUT", deployment, {**whole, "spec": {**whole["spec"], "replicas": 5}}),
        "kubernetes.deployments.scale.patch": Example("PATCH", f"{deployment}/scale", {"spec": {"replicas": 5}}, merge),
        "kubernetes.deployments.scale.update": Example("PUT", f"{deployment}/scale", {**scale, "spec": {"replicas": 5}}),
        "github.comments.create": Example("POST", f"/github/repos/acme/ops/issues/{issue}/comments", {"body": "c"}),
        "github.commits.create": Example("POST", f"{source}/git/commits", commit | {"message": "n"}),
        "github.refs.create": Example("POST", f"{source}/git/refs", {"ref": "refs/heads/topic", "sha": made}),
        "github.refs.update": Example("PATCH", f"{source}/git/refs/heads/main", {"sha": made}),
        "github.rulesets.create": Example("POST", f"{source}/rulesets", {"name": "s", "enforcement": "active"}),
        "github.rulesets.update": Example("PUT", f"{source}/rulesets/{ruleset}", {"enforcement": "active"}),
        "github.rulesets.delete": Example("DELETE", f"{source}/rulesets/{ruleset}"),
        "platform.regions.put": setting("regions", epoch=1, weights={"eu-west": 0.25, "us-east": 0.75}),
        "platform.gateway.put": setting("gateway", epoch=1, rate_limit_rps=5.0, breaker=True),
        "platform.autoscaler.put": setting("autoscaler", regions={"eu-west": {"least": 6}, "us-east": {"least": 7}}),
        "platform.write_gate.put": setting("write-gate", epoch=1, admitted=0.0),
        "platform.feeds.put": Example(
            "PUT", "/platform/v1/feeds/routing-rules", {"epoch": 1, "running": False, "pinned": 4711},
            {"If_Match": (await stage.must("GET", "/platform/v1/feeds/routing-rules"))["etag"]},
        ),
        "run.services.patch": Example(
            "PATCH", "/run/v2/projects/acme/locations/eu-west/services/api?updateMask=traffic",
            {"traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "api-00040", "percent": 100}]},
        ),
        **{name: Example(*one) for name, one in (await quality_examples(stage)).items()},
    }  # fmt: skip


ALREADY_THERE = {"unleash.feature.on", "slack.conversations.join"}  # their examples find the wanted state


async def send(stage: Stage, example: Example) -> httpx.Response:
    return await stage.call(example.method, example.path, example.json, Idempotency_Key="key-1", **example.headers)


def _told(answer: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer; Patroni answers some requests in plain words."""
    told: dict[str, Any] = answer.json() if answer.content and "json" in answer.headers["content-type"] else {}
    return told


async def test_the_table_is_complete(stage: Stage) -> None:
    assert set(await examples(stage)) == set(WRITING)
    listed = (await stage.must("GET", "/practice/routes"))["routes"]
    assert [r["name"] for r in listed if r["writes"]] == WRITING


@pytest.mark.parametrize("name", WRITING)
async def test_a_write_leaves_one_effect(stage: Stage, name: str) -> None:
    example = (await examples(stage))[name]
    before = len(stage.effects())
    answer = await send(stage, example)
    assert answer.is_success
    assert _told(answer).get("ok", True) is True
    assert len(stage.effects()) == before + 1
    effect = stage.effects()[-1]
    assert (effect["route"], effect["key"]) == (name, "key-1")
    assert effect["changed"] is (name not in ALREADY_THERE)


@pytest.mark.parametrize("name", WRITING)
async def test_commit_then_drop_does_the_work_and_closes_the_connection(stage: Stage, name: str) -> None:
    example = (await examples(stage))[name]
    before, state = len(stage.effects()), stage.world.kept(stage.world.keep())
    await stage.inject(name, "commit_then_drop", times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await send(stage, example)
    assert len(stage.effects()) == before + 1
    assert (stage.world.state != state) is (name != "slack.conversations.join")


async def test_over_a_socket_a_dropped_connection_closes_and_a_hanging_one_stays_open(socket_stage: Stage) -> None:
    flag = "/unleash/api/admin/projects/default/features/batch.enabled"
    await socket_stage.inject("unleash.feature.off", "commit_then_drop", times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await socket_stage.call("POST", f"{flag}/environments/production/off")
    assert len(socket_stage.effects()) == 1
    await socket_stage.inject("unleash.feature", "hang", times=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(socket_stage.call("GET", flag), 0.1)
    assert (await socket_stage.call("GET", flag)).status_code == 200


@pytest.mark.parametrize("name", WRITING)
async def test_nothing_changed_answers_like_success_and_does_nothing(stage: Stage, name: str) -> None:
    example = (await examples(stage))[name]
    before, state = len(stage.effects()), stage.world.kept(stage.world.keep())
    await stage.inject(name, "nothing_changed", times=1)
    lied = await send(stage, example)
    assert stage.world.state == state
    assert len(stage.effects()) == before
    honest = await send(stage, example)
    assert lied.status_code == honest.status_code
    assert _told(lied).keys() == _told(honest).keys()
    assert len(stage.effects()) == before + 1


@pytest.fixture(scope="module")
async def standing() -> AsyncIterator[Stage]:
    """One world for all who only read."""
    async with staged() as ready:
        yield ready


@pytest.mark.parametrize(("name", "path"), ONE_READ_PER_FACE.items())
class TestEveryFace:
    async def test_fails(self, standing: Stage, name: str, path: str) -> None:
        await standing.inject(name, "fail", times=2, status=502)
        seen = [(await standing.call("GET", path)).status_code for _ in range(3)]
        assert seen == [502, 502, 200]

    async def test_is_late(self, standing: Stage, name: str, path: str) -> None:
        await standing.inject(name, "latency", times=1, seconds=0.15)
        start = time.perf_counter()
        assert (await standing.call("GET", path)).status_code == 200
        assert time.perf_counter() - start >= 0.15

    async def test_throttles_in_its_own_form(self, standing: Stage, name: str, path: str) -> None:
        await standing.inject(name, "throttle", times=1, retry_after=7)
        answer = await standing.call("GET", path)
        assert answer.status_code == (420 if name.startswith("statuspage") else 429)
        assert answer.headers["Retry-After"] == "7"
        if name.startswith("slack"):
            assert answer.json() == {"ok": False, "error": "ratelimited"}

    async def test_hangs_until_the_client_gives_up(self, standing: Stage, name: str, path: str) -> None:
        await standing.inject(name, "hang", times=1)
        with pytest.raises(httpx.ReadTimeout):
            await standing.call("GET", path)
        assert (await standing.call("GET", path)).status_code == 200

    async def test_breaks_off(self, standing: Stage, name: str, path: str) -> None:
        await standing.inject(name, "partial", times=1)
        assert (await standing.call("GET", path)).status_code == 500

    async def test_a_glob_reaches_it(self, standing: Stage, name: str, path: str) -> None:
        await standing.inject(name.partition(".")[0] + ".*", "fail")
        assert (await standing.call("GET", path)).status_code == 503
        await standing.must("DELETE", "/practice/injected-faults")
        assert (await standing.call("GET", path)).status_code == 200

    async def test_answers_as_it_was(self, standing: Stage, name: str, path: str) -> None:
        await standing.inject(name, "stale_read", times=1)
        assert (await standing.call("GET", path)).status_code == 200


async def test_a_stale_read_shows_the_state_before_the_last_change(stage: Stage) -> None:
    flag = "/unleash/api/admin/projects/default/features/scheduler.enabled"
    await stage.must("POST", f"{flag}/environments/production/off")
    await stage.inject("unleash.feature", "stale_read", times=1)
    await stage.inject("app.scheduler", "stale_read", times=1)
    assert (await stage.must("GET", flag))["environments"][0]["enabled"] is True
    assert (await stage.must("GET", flag))["environments"][0]["enabled"] is False
    assert (await stage.must("GET", "/app/scheduler")) == {"running": True}
    assert (await stage.must("GET", "/app/scheduler")) == {"running": False}


async def test_partial_does_half_of_a_list_and_can_be_finished(stage: Stage) -> None:
    tenants = stage.tenants("business")
    route = await stage.must("GET", "/llm/v1/routes/chat")
    body = {"epoch": 1, "tenants": tenants, "weights": {"borealis": 1.0}}
    await stage.inject("llm.routes.weights", "partial", times=1)
    broken = await stage.call("PUT", "/llm/v1/routes/chat/weights", body, If_Match=route["etag"])
    assert broken.status_code == 500
    half = await stage.must("GET", "/llm/v1/routes/chat")
    assert list(half["overrides"]) == tenants[:3]
    assert stage.effects()[-1]["changed"] is True
    whole = await stage.must("PUT", "/llm/v1/routes/chat/weights", body, If_Match=half["etag"])
    assert list(whole["overrides"]) == tenants


async def test_an_injected_fault_must_name_a_route_and_a_mode(stage: Stage) -> None:
    for body in ({"route": "nowhere", "mode": "fail"}, {"route": "slack.*", "mode": "explode"}):
        assert (await stage.call("POST", "/practice/injected-faults", body)).status_code == 422


async def test_no_injected_fault_reaches_the_control_routes(stage: Stage) -> None:
    await stage.inject("*", "fail")
    assert (await stage.call("GET", "/practice/clock")).status_code == 200


async def test_a_refused_write_leaves_nothing(stage: Stage) -> None:
    state = stage.world.kept(stage.world.keep())
    answer = await stage.call("POST", "/slack/api/conversations.invite", {"channel": "C_GENERAL", "users": "U_DANA,U_NOBODY"})
    assert answer.json()["error"] == "user_not_found"
    assert stage.effects() == []
    assert stage.world.state == state


async def test_what_was_asked_is_remembered_with_its_injected_fault(stage: Stage) -> None:
    await stage.inject("app.scheduler", "fail", times=1)
    await stage.call("GET", "/app/scheduler", Idempotency_Key="k")
    (seen,) = (await stage.must("GET", "/practice/requests?route=app.*"))["requests"]
    assert (seen["status"], seen["injected_fault"], seen["key"]) == (503, "fail", "k")
