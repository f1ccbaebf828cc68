"""A valid request for every writing route of the registry, the release plane, the eval runner and the guardrails."""

from typing import Any

from practice.world.stage import Stage

Request = tuple[str, str, Any, dict[str, str]]


async def quality_examples(stage: Stage) -> dict[str, Request]:
    route, posture = "/quality/v1/routes/chat", "/guardrails/v1/routes/chat/posture"
    bodies: dict[str, dict[str, Any]] = {
        "publishing": {"publishes": "refused", "rollouts": "held"},
        "rollout": {"candidate": "5/11/3", "percent": 5},
        "snapshot": {"pinned": "aurora-large-4-2026-04-02"},
        "models": {"tenants": stage.tenants("business"), "model": "aurora-mini-4"},
        "batch": {"when": "off_peak"},
    }
    found: dict[str, Request] = {}
    for part, body in bodies.items():
        etag = (await stage.must("GET", f"{route}/{part}"))["etag"]
        found[f"quality.{part}.put"] = ("PUT", f"{route}/{part}", {"epoch": 1, **body}, {"If_Match": etag})
    etag = (await stage.must("GET", posture))["etag"]
    strict = {"epoch": 1, "strictness": "strict", "high_risk_tools": "closed", "banner": True}
    run = {"experiment_id": "1", "tags": [{"key": "suite", "value": "golden"}, {"key": "triple", "value": "6/12/3"}]}
    alias = {"name": "chat-prompt", "alias": "production", "version": "11"}
    return found | {
        "guardrails.posture.put": ("PUT", posture, strict, {"If_Match": etag}),
        "quality.sticky.clear": ("POST", f"{route}/sticky/clear", {"key": "k"}, {}),
        "quality.publish": ("POST", f"{route}/publishes", {"part": "prompt"}, {}),
        "evals.runs.start": ("POST", "/evals/v1/runs", {"key": "k", "suite": "golden", "triple": "6/12/3"}, {}),
        "mlflow.alias.set": ("POST", "/mlflow/api/2.0/mlflow/registered-models/alias", alias, {}),
        "mlflow.runs.create": ("POST", "/mlflow/api/2.0/mlflow/runs/create", run, {}),
        "langfuse.label.set": ("PATCH", "/langfuse/api/public/v2/prompts/chat-prompt/versions/11", {"newLabels": ["production"]}, {}),
    }
