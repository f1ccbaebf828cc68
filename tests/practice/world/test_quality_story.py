"""Quality in the practice world: what spoils answers spoils exactly those, what cures them cures those; judging goes wrong by itself."""

from typing import Any

import pytest

from practice.world.stage import Stage

ROUTE, MLFLOW = "/quality/v1/routes/chat", "/mlflow/api/2.0/mlflow/registered-models/alias"
BAD = "sum(increase(answers_judged_total{verdict='bad'}[5m])) / sum(increase(answers_judged_total[5m]))"


async def control(stage: Stage, what: str, **body: Any) -> Any:
    return await stage.must("POST", f"/practice/quality/{what}", body)


async def serve(stage: Stage, part: str, version: int) -> None:
    await stage.must("POST", MLFLOW, {"name": f"chat-{part}", "alias": "production", "version": str(version)})


async def shares(stage: Stage, factor: str) -> dict[str, float]:
    """Of the judged answers of the last five minutes: the value of a factor → the share of bad ones."""
    rows = (await stage.must("GET", f"{ROUTE}/samples?window=300&limit=2000"))["samples"]
    values = sorted({row[factor] for row in rows})
    return {v: sum(row["bad"] for row in rows if row[factor] == v) / sum(row[factor] == v for row in rows) for v in values}


async def run(stage: Stage, suite: str, triple: str) -> Any:
    begun = await stage.must("POST", "/evals/v1/runs", {"key": f"{suite}{triple}{stage.world.number()}", "suite": suite, "triple": triple})
    assert begun["state"] == "running"
    await stage.must("GET", f"/evals/v1/runs/{begun['id']}")
    return await stage.must("GET", f"/evals/v1/runs/{begun['id']}")


async def test_a_published_prompt_spoils_its_slice_and_the_old_one_cures_it(stage: Stage) -> None:
    assert stage.value(BAD) < 0.05
    await control(stage, "publishes", part="prompt", spoils={"language": "de"}, rate=0.8)
    stage.forward(600)
    found = await shares(stage, "language")
    assert found["de"] > 0.4 and max(found["en"], found["fr"]) < 0.1 and stage.value(BAD) > 0.1
    await serve(stage, "prompt", 12)
    stage.forward(600)
    assert 0.04 < stage.value(BAD) < 0.12, "a fifth of the sessions is still with the bad prompt"
    await stage.must("POST", f"{ROUTE}/sticky/clear", {"key": "k"})
    stage.forward(600)
    assert stage.value(BAD) < 0.05


async def test_the_first_rollback_cures_half_of_the_slices(stage: Stage) -> None:
    """Two causes at once: a prompt, and a model that the provider moved."""
    await control(stage, "publishes", part="prompt", spoils={"language": "de"}, rate=0.8)
    await control(stage, "moves", spoils={"context": "long"}, rate=0.8)
    await serve(stage, "prompt", 12)
    await stage.must("POST", f"{ROUTE}/sticky/clear", {"key": "k"})
    stage.forward(600)
    by_language, by_context = await shares(stage, "language"), await shares(stage, "context")
    assert by_context["long"] > 0.6 and by_context["short"] < 0.06 and by_language["de"] < 0.45
    etag = (await stage.must("GET", f"{ROUTE}/snapshot"))["etag"]
    await stage.must("PUT", f"{ROUTE}/snapshot", {"epoch": 1, "pinned": "aurora-large-4-2026-08-06"}, If_Match=etag)
    stage.forward(600)
    assert (await shares(stage, "context"))["long"] < 0.07


async def test_a_fallback_provider_and_retrieval_are_not_spoilt(stage: Stage) -> None:
    await control(stage, "moves", spoils={}, rate=0.9)
    stage.forward(300)
    assert stage.value(BAD) > 0.8
    route = await stage.must("GET", "/llm/v1/routes/chat")
    sovereign, others = stage.tenants("sovereign"), stage.tenants("enterprise", "business", "starter")
    etag, modes = route["etag"], {"epoch": 1, "tenants": sovereign, "mode": "retrieval_only"}
    etag = (await stage.must("PUT", "/llm/v1/routes/chat/modes", modes, If_Match=etag))["etag"]
    weights = {"epoch": 2, "tenants": others, "weights": {"borealis": 1.0}}
    await stage.must("PUT", "/llm/v1/routes/chat/weights", weights, If_Match=etag)
    stage.forward(600)
    assert stage.value(BAD) < 0.06


async def test_evals_see_what_they_hold_cases_of(stage: Stage) -> None:
    await control(stage, "publishes", part="prompt", spoils={"language": "de"}, rate=0.8, in_evals=False)
    await control(stage, "publishes", part="guard", spoils={"tool": "code"}, rate=0.8)
    hidden, seen = await run(stage, "golden", "6/13/3"), await run(stage, "golden", "6/13/4")
    assert hidden["score"] > 0.94 and seen["score"] < 0.9 and seen["n"] == 400 and seen["ran_on"] == "6/13/4"


async def test_gauges_are_of_what_serves_only(stage: Stage) -> None:
    assert stage.value("count(eval_pass_ratio >= 0)") == 4
    await control(stage, "publishes", part="prompt", spoils={}, rate=0.5)
    stage.forward(180)
    assert stage.value("count(eval_pass_ratio >= 0)") == 4
    assert stage.value("count(eval_pass_ratio{model_version='6/13/3'} < 0.7)") == 4
    assert stage.value("max by (suite) (eval_pass_ratio{suite='golden'})") < 0.7


@pytest.mark.parametrize("name", ["stuck", "nan", "few"])
async def test_the_runner_goes_wrong_by_itself(stage: Stage, name: str) -> None:
    await control(stage, "publishes", part="prompt", spoils={}, rate=0.9)
    stage.forward(10)
    await control(stage, "judging", **{name: 7 if name == "few" else True})
    said = await run(stage, "golden", "6/13/3")
    assert {"stuck": said["ran_on"] == "6/12/3" and said["score"] > 0.9, "nan": said["score"] == "NaN", "few": said["n"] == 7}[name]
    assert said["state"] == "done"


async def test_a_rollout_reaches_its_share_of_new_sessions(stage: Stage) -> None:
    await control(stage, "publishes", part="prompt", percent=25)
    stage.forward(900)
    by = {row["triple"]: row["answers"] for row in (await stage.must("GET", f"{ROUTE}/served?window=900"))["by"]}
    assert 0.15 < by["6/13/3"] / sum(by.values()) < 0.35
    assert (await stage.must("GET", f"{ROUTE}/releases"))["serving"] == "6/12/3"


async def test_while_publishes_are_refused_nobody_publishes(stage: Stage) -> None:
    etag = (await stage.must("GET", f"{ROUTE}/publishing"))["etag"]
    await stage.must("PUT", f"{ROUTE}/publishing", {"epoch": 1, "publishes": "refused", "rollouts": "held"}, If_Match=etag)
    refused = await stage.call("POST", f"{ROUTE}/publishes", {"part": "prompt"})
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "publishing_paused"
    assert (await stage.must("GET", f"{ROUTE}/releases"))["serving"] == "6/12/3"


async def test_a_tenant_that_does_not_permit_a_provider_is_not_answered_by_it(stage: Stage) -> None:
    etag = (await stage.must("GET", f"{ROUTE}/models"))["etag"]
    body = {"epoch": 1, "tenants": stage.tenants("sovereign")[:1], "model": "borealis-pro-2"}
    refused = await stage.call("PUT", f"{ROUTE}/models", body, If_Match=etag)
    assert refused.status_code == 403 and refused.json()["error"]["tenants"] == body["tenants"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/evals/v1/runs", {"key": "k", "suite": "nothing", "triple": "6/12/3"}, 422),
        ("POST", "/evals/v1/runs", {"key": "k", "suite": "golden", "triple": "6/99/3"}, 422),
        ("POST", "/evals/v1/runs", {"key": "k", "suite": "golden", "triple": "../x"}, 422),
        ("GET", "/evals/v1/runs/none", None, 404),
        ("GET", "/quality/v1/routes/other/releases", None, 404),
        ("GET", f"{ROUTE}/samples?window=NaN", None, 400),
        ("POST", f"{ROUTE}/publishes", {"part": "weights"}, 422),
        ("POST", MLFLOW, {"name": "chat-prompt", "alias": "production", "version": "99"}, 404),
        ("POST", MLFLOW, {"name": "nothing", "alias": "production", "version": "1"}, 404),
        ("POST", MLFLOW, {"name": "chat-prompt", "alias": "production", "version": "x"}, 400),
        ("GET", f"{MLFLOW}?name=chat-prompt&alias=nothing", None, 400),
        ("GET", "/langfuse/api/public/v2/prompts/nothing", None, 404),
        ("PATCH", "/langfuse/api/public/v2/prompts/chat-prompt/versions/11", {"newLabels": ["latest"]}, 400),
        ("POST", "/practice/quality/faults", {"name": "x", "where": {"weather": "bad"}}, 422),
    ],
)
async def test_what_means_nothing_is_refused(stage: Stage, method: str, path: str, body: Any, status: int) -> None:
    assert (await stage.call(method, path, body)).status_code == status
