"""The vendors' faces: what they accept, how they refuse, and whom it reaches."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from practice.world.stage import Stage

FLAG = "/unleash/api/admin/projects/default/features/tools.high_psu"
PAGES = "/statuspage/v1/pages/main/incidents"
ISSUES = "/github/repos/acme/ops/issues"


async def slack(stage: Stage, method: str, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await stage.call("POST", f"/slack/api/{method}", body)).json()
    return answer


async def inbox(stage: Stage, person: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await stage.must("GET", f"/practice/inbox/{person}"))["inbox"]
    return found


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/llm/v1/providers", 401),
        (FLAG, 401),
        (PAGES, 401),
        ("/pagerduty/api/users", 401),
        (ISSUES, 401),
        ("/app/batch", 401),
        ("/slack/api/users.list", 200),
    ],
)
async def test_wrong_credentials_are_refused(stage: Stage, path: str, status: int) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = await stage.http.get(path, headers=headers)
        assert answer.status_code == status
        if status == 200:
            assert answer.json() == {"ok": False, "error": "invalid_auth" if headers else "not_authed"}


async def test_a_flag_goes_off_for_the_product_and_leaves_an_event(stage: Stage) -> None:
    assert (await stage.call("POST", "/app/tools/high-psu/call", {})).status_code == 200
    for _ in range(2):
        assert (await stage.call("POST", f"{FLAG}/environments/production/off")).status_code == 200
    refused = await stage.call("POST", "/app/tools/high-psu/call", {})
    assert (refused.status_code, refused.json()) == (403, {"error": "tool_disabled"})
    assert [e["changed"] for e in stage.effects()] == [True, False]
    events = (await stage.must("GET", "/unleash/api/admin/events?feature=tools.high_psu"))["events"]
    assert [e["type"] for e in events] == ["feature-environment-disabled"] * 2
    client = {f["name"]: f["enabled"] for f in (await stage.must("GET", "/unleash/api/client/features"))["features"]}
    assert client["tools.high_psu"] is False
    assert client["batch.enabled"] is True
    assert (await stage.call("POST", f"{FLAG}/environments/moon/off")).status_code == 404
    assert (await stage.call("GET", FLAG + "x")).status_code == 404
    stage.forward(60)
    assert stage.value("increase(tool_calls_total{class='high_psu',outcome='blocked'}[1m])") > 0


async def test_a_status_page_incident_lives_and_is_seen_outside(stage: Stage) -> None:
    new = {"name": "Answers fail", "status": "investigating", "body": "We look", "metadata": {"ours": {"key": "k"}}}
    made = await stage.call("POST", PAGES, {"incident": new | {"components": {"chat": "major_outage"}}})
    assert (made.status_code, made.json()["impact"]) == (201, "critical")
    identity = made.json()["id"]
    (open_one,) = await stage.must("GET", f"{PAGES}/unresolved")
    assert open_one["metadata"] == {"ours": {"key": "k"}}
    await stage.must("PATCH", f"{PAGES}/{identity}", {"incident": {"status": "resolved", "body": "Done"}})
    assert await stage.must("GET", f"{PAGES}/unresolved") == []
    public = (await stage.http.get("/statuspage/public/api/v2/incidents.json")).json()["incidents"]
    assert [u["status"] for u in public[0]["incident_updates"]] == ["resolved", "investigating"]
    assert "metadata" not in public[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"name": "x" * 256},
        {"name": "x", "status": "burning"},
        {"name": "x", "metadata": {"k": "v"}},
        {"name": "x", "colour": "red"},
        {"name": "x", "impact_override": "huge"},
    ],
)
async def test_a_wrong_status_page_incident_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    assert (await stage.call("POST", PAGES, {"incident": wrong})).status_code == 422
    assert (await stage.call("GET", f"{PAGES}/nothing")).status_code == 404


async def test_a_slack_channel_from_birth_to_archive(stage: Stage) -> None:
    channel = (await slack(stage, "conversations.create", name="inc-7"))["channel"]["id"]
    assert (await slack(stage, "conversations.create", name="inc-7"))["error"] == "name_taken"
    assert (await slack(stage, "conversations.create", name="Inc 7"))["error"] == "invalid_name_specials"
    assert (await slack(stage, "conversations.create", name="x" * 81))["error"] == "invalid_name_maxlength"
    assert (await slack(stage, "conversations.invite", channel=channel, users="U_DANA,U_LEE"))["channel"]["num_members"] == 3
    assert (await slack(stage, "conversations.invite", channel=channel, users="U_DANA"))["error"] == "already_in_channel"
    assert (await slack(stage, "conversations.setTopic", channel=channel, topic="T"))["channel"]["topic"]["value"] == "T"
    metadata = {"event_type": "update", "event_payload": {"key": "k1"}}
    ts = (await slack(stage, "chat.postMessage", channel=channel, text="one", metadata=metadata))["ts"]
    await slack(stage, "chat.postMessage", channel=channel, text="two")
    await slack(stage, "chat.update", channel=channel, ts=ts, text="one!")
    history = (await slack(stage, "conversations.history", channel=channel, include_all_metadata=True))["messages"]
    assert [m["text"] for m in history] == ["two", "one!"]
    assert history[1]["metadata"] == metadata
    assert "metadata" not in (await slack(stage, "conversations.history", channel=channel))["messages"][1]
    first = await slack(stage, "conversations.history", channel=channel, limit=1)
    assert first["has_more"] is True
    assert (await slack(stage, "pins.add", channel=channel, timestamp=ts))["ok"] is True
    assert (await slack(stage, "pins.add", channel=channel, timestamp=ts))["error"] == "already_pinned"
    assert len((await slack(stage, "pins.list", channel=channel))["items"]) == 1
    await slack(stage, "bookmarks.add", channel_id=channel, title="t", type="link", link="https://example.com")
    assert [b["title"] for b in (await slack(stage, "bookmarks.list", channel_id=channel))["bookmarks"]] == ["t"]
    assert (await slack(stage, "conversations.archive", channel=channel))["ok"] is True
    assert (await slack(stage, "conversations.archive", channel=channel))["error"] == "already_archived"
    assert (await slack(stage, "chat.postMessage", channel=channel, text="late"))["error"] == "is_archived"
    live = (await slack(stage, "conversations.list", exclude_archived=True))["channels"]
    assert [c["name"] for c in live] == ["general", "incidents", "support", "executives"]


@pytest.mark.parametrize(
    ("method", "body", "error"),
    [
        ("chat.postMessage", {"channel": "C_NONE", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "C_GENERAL"}, "no_text"),
        ("chat.postMessage", {"channel": "C_GENERAL", "text": "x" * 40_001}, "msg_too_long"),
        ("chat.postMessage", {"channel": "C_GENERAL", "text": "x", "wish": 1}, "invalid_arguments"),
        ("chat.update", {"channel": "C_GENERAL", "ts": "1.0", "text": "x"}, "message_not_found"),
        ("users.lookupByEmail", {"email": "nobody@example.com"}, "users_not_found"),
        ("conversations.open", {"users": "U_NOBODY"}, "user_not_found"),
        ("chat.shout", {}, "unknown_method"),
    ],
)
async def test_slack_says_no_with_200(stage: Stage, method: str, body: dict[str, Any], error: str) -> None:
    assert (await slack(stage, method, **body))["error"] == error


async def test_a_direct_message_reaches_the_phone(stage: Stage) -> None:
    user = (await slack(stage, "users.lookupByEmail", email="noor@example.com"))["user"]["id"]
    channel = (await slack(stage, "conversations.open", users=user))["channel"]["id"]
    assert (await slack(stage, "conversations.open", users=user))["channel"]["id"] == channel
    await slack(stage, "chat.postMessage", channel=channel, text="your code is 123")
    (entry,) = await inbox(stage, "noor")
    assert (entry["via"], entry["text"]) == ("dm", "your code is 123")


async def test_a_page_is_sent_once_acknowledged_noted_and_resolved(stage: Stage) -> None:
    event: dict[str, Any] = {"routing_key": "practice-token", "event_action": "trigger", "dedup_key": "inc-1"}
    event["payload"] = {"summary": "it burns", "source": "us", "severity": "critical"}
    for _ in range(2):
        answer = await stage.call("POST", "/pagerduty/v2/enqueue", event)
        assert (answer.status_code, answer.json()["dedup_key"]) == (202, "inc-1")
    (entry,) = await inbox(stage, "dana")
    assert (entry["via"], entry["text"], entry["incident_key"]) == ("page", "it burns", "inc-1")
    assert [e["changed"] for e in stage.effects()] == [True, False]
    (found,) = (await stage.must("GET", "/pagerduty/api/incidents?incident_key=inc-1"))["incidents"]
    path = f"/pagerduty/api/incidents/{found['id']}"
    acknowledge = {"incident": {"type": "incident_reference", "status": "acknowledged"}}
    done = await stage.must("PUT", path, acknowledge, From="kim@example.com")
    assert done["incident"]["acknowledgements"][0]["acknowledger"]["id"] == "P_KIM"
    log = (await stage.must("GET", f"{path}/log_entries"))["log_entries"]
    assert (log[0]["type"], log[0]["agent"]["id"]) == ("acknowledge_log_entry", "P_KIM")
    assert (await stage.call("PUT", path, acknowledge, From="who@example.com")).status_code == 400
    target = {"responder_request_target": {"id": "P_RAVI", "type": "user_reference"}}
    request = {"requester_id": "P_DANA", "message": "models, please", "responder_request_targets": [target]}
    await stage.must("POST", f"{path}/responder_requests", request)
    assert (await inbox(stage, "ravi"))[0]["text"] == "models, please"
    await stage.must("POST", f"{path}/notes", {"note": {"content": "found it"}})
    assert [(await inbox(stage, name))[-1]["via"] for name in ("dana", "kim", "ravi")] == ["note"] * 3
    assert await inbox(stage, "sam") == []
    await stage.must("POST", "/pagerduty/v2/enqueue", {k: v for k, v in event.items() if k != "payload"} | {"event_action": "resolve"})
    assert (await stage.must("GET", path))["incident"]["status"] == "resolved"
    assert (await stage.call("PUT", path, acknowledge)).status_code == 400
    await stage.must("POST", "/pagerduty/v2/enqueue", event)
    assert len(await inbox(stage, "dana")) == 3  # page, note, and a page for the new incident


@pytest.mark.parametrize(
    "wrong",
    [
        {"event_action": "shout"},
        {"payload": None},
        {"routing_key": "x"},
        {"payload": {"summary": "s", "source": "t", "severity": "bad"}},
        {"wish": 1},
    ],
)
async def test_a_wrong_event_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    event = {"routing_key": "practice-token", "event_action": "trigger", "payload": {"summary": "s", "source": "t", "severity": "info"}}
    answer = await stage.call("POST", "/pagerduty/v2/enqueue", event | wrong)
    assert (answer.status_code, answer.json()["status"]) == (400, "invalid event")


async def test_who_is_on_call(stage: Stage) -> None:
    first = (await stage.must("GET", "/pagerduty/api/oncalls?earliest=true&escalation_policy_ids[]=EP_COMMANDER"))["oncalls"]
    assert [o["user"]["id"] for o in first] == ["P_DANA"]
    assert len((await stage.must("GET", "/pagerduty/api/users"))["users"]) == len(stage.world.state.people)


async def test_an_issue_is_found_commented_and_closed(stage: Stage) -> None:
    made = await stage.call("POST", ISSUES, {"title": "Outage", "body": "text <!-- inc:INC-1 -->", "labels": ["incident"]})
    assert made.status_code == 201
    number = made.json()["number"]
    for query, count in (
        ("repo:acme/ops in:body inc:INC-1", 1),
        ('"inc:INC-1" label:incident is:open', 1),
        ("INC-2", 0),
        ("INC-1 repo:acme/web", 0),
    ):
        token = {"Authorization": "Bearer practice-token"}
        answer = await stage.http.get("/github/search/issues", params={"q": query}, headers=token)
        assert answer.json()["total_count"] == count, query
    assert (await stage.call("POST", f"{ISSUES}/{number}/comments", {"body": "hm"})).status_code == 201
    assert [c["body"] for c in await stage.must("GET", f"{ISSUES}/{number}/comments")] == ["hm"]
    closed = await stage.must("PATCH", f"{ISSUES}/{number}", {"state": "closed"})
    assert (closed["state"], closed["state_reason"], closed["comments"]) == ("closed", "completed", 1)
    assert await stage.must("GET", ISSUES) == []
    assert len(await stage.must("GET", f"{ISSUES}?state=all&labels=incident")) == 1


@pytest.mark.parametrize("wrong", [{}, {"title": ""}, {"title": "t", "wish": 1}, {"title": "t", "labels": "incident"}])
async def test_a_wrong_issue_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    answer = await stage.call("POST", ISSUES, wrong)
    assert (answer.status_code, answer.json()["message"]) == (422, "Validation Failed")
    assert (await stage.call("GET", f"{ISSUES}/99")).status_code == 404


async def test_prometheus_answers_get_and_form_and_refuses_as_it_does(stage: Stage) -> None:
    form = await stage.http.post("/prom/api/v1/query", data={"query": "sum(llm_requests_total)"})
    assert form.json()["data"]["resultType"] == "vector"
    matrix = await stage.http.get("/prom/api/v1/query", params={"query": "llm_probe_success[1m]"})
    assert len(matrix.json()["data"]["result"][0]["values"]) == 4
    for path in (
        "query?query=sum(",
        "query",
        "query_range?query=1&start=1&end=2",
        "query_range?query=1&start=9&end=2&step=1",
        "query?query=1&time=soon",
    ):
        answer = await stage.http.get(f"/prom/api/v1/{path}")
        assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data"), path


async def test_the_exposition_is_one_for_a_real_prometheus(stage: Stage) -> None:
    answer = await stage.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert "# TYPE llm_requests_total counter" in lines
    assert "# TYPE llm_request_duration_seconds histogram" in lines
    assert all(line.startswith("#") or len(line.rsplit(" ", 1)) == 2 for line in lines)
    assert not any("e+" in line for line in lines)


def test_the_program_says_where_it_is_and_stops_when_told(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "practice", "--pace", "120", "--state", str(tmp_path)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}) as program:
        assert program.stdout
        ready = json.loads(program.stdout.readline())
        assert ready["pid"] == program.pid
        assert httpx.get(f"{ready['url']}/practice/clock", trust_env=False).json()["pace"] == 120
        program.send_signal(signal.SIGTERM)
        assert program.wait(5) == 0
