"""Requests that would succeed: of the faces of stores, mail and egress; of agents and their limits."""

from dataclasses import dataclass, field
from typing import Any

from practice.agents.budgets import Budgets
from practice.agents.runtime import Runtime
from practice.injection.attacks import PAYLOAD, Read, ToolCall, injections
from practice.knowledge.library import Build, Knowledge
from practice.world.stage import Stage


@dataclass
class Example:
    """A request that would succeed and change something."""

    method: str
    path: str
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)


RELATED = {"Content_Type": "multipart/related; boundary=b"}


S3 = {"Content_Type": "application/octet-stream"}


def upload(bucket: str, name: str) -> Example:
    """One object, in Google's own form."""
    told = f'{{"name": "{name}"}}'
    body = f"--b\r\nContent-Type: application/json\r\n\r\n{told}\r\n--b\r\nContent-Type: text/plain\r\n\r\nwhat was said\r\n--b--"
    return Example("POST", f"/gcs/upload/storage/v1/b/{bucket}/o?uploadType=multipart&ifGenerationMatch=0", body.encode(), RELATED)


async def records(stage: Stage) -> dict[str, Example]:
    """The writing routes of this room."""
    await stage.must("PUT", "/s3/plain/there", b"what was said", **S3)
    there = upload("plain", "there")
    await stage.must(there.method, there.path, there.json, **there.headers)
    paths = {
        "egress.hosts.put": "egress/v1/hosts/evil.example",
        "egress.tools.put": "egress/v1/tools/browser",
        "ui.render.put": "ui/v1/render/chat",
    }
    etags = {name: (await stage.must("GET", f"/{path}"))["etag"] for name, path in paths.items()}
    wanted = {"egress.hosts.put": {"denied": True}, "egress.tools.put": {"denied": True}, "ui.render.put": {"auto_render": False}}
    return {
        **{name: Example("PUT", f"/{paths[name]}", {"epoch": 1, **body}, {"If_Match": etags[name]}) for name, body in wanted.items()},
        "s3.objects.put": Example("PUT", "/s3/evidence/new", b"what was said", S3),
        "s3.objects.delete": Example("DELETE", "/s3/plain/there", None, S3),
        "gcs.objects.insert": upload("evidence", "new"),
        "gcs.objects.patch": Example("PATCH", "/gcs/storage/v1/b/plain/o/there", {"eventBasedHold": True}),
        "gcs.objects.delete": Example("DELETE", "/gcs/storage/v1/b/plain/o/there"),
    }


async def agents(stage: Stage) -> dict[str, Example]:
    """The writing routes of agents, the policy router and LiteLLM."""
    runtime = stage.world.state.part(Runtime)
    tenant, team, *_ = stage.world.state.tenants
    key = next(iter(stage.world.state.part(Budgets).keys))
    agent, session = next(iter(runtime.agents.values())), next(iter(runtime.sessions))
    run = next(one for one in runtime.runs.values() if one.state == "running")
    limit = {"psu_daily_cap": 1.0, "llm_rate": "low", "spend_usd_per_hour": None, "concurrency": None}
    profile = {"strict": True, "schema_validated": True, "allow": [], "deny": []}
    wanted: dict[str, tuple[str, Any]] = {
        "agents.pause.put": (f"agents/v1/runs/{run.trace}/pause", {"epoch": 1, "paused": True}),
        "agents.quarantine.put": (f"agents/v1/sessions/{session}/quarantine", {"epoch": 1, "quarantined": True, "reason": "r"}),
        "agents.tokens.put": (f"agents/v1/sessions/{session}/tokens", {"epoch": 1, "revoked": True}),
        "agents.schedules.put": (f"agents/v1/schedules/tenants/{tenant}", {"epoch": 1, "running": False}),
        "agents.tools.put": (f"agents/v1/tools/{agent.tools[0]}/block", {"epoch": 1, "tenants": [tenant], "everywhere": False}),
        "agents.profile.put": (f"agents/v1/tenants/{tenant}/profile", {"epoch": 1, **profile}),
        "policy.limits.put": (f"policy/v1/limits/tenant/{tenant}", limit),
        "policy.key_quota.put": (f"policy/v1/provider-keys/{key}/quota", {"tokens_per_minute": 7}),
    }
    etags = {name: (await stage.must("GET", f"/{path}"))["etag"] for name, (path, _) in wanted.items()}
    for path, body in (("key/block", {"key": key}), ("team/block", {"team_id": team})):
        await stage.must("POST", f"/litellm/{path}", body)
    other_key, other = list(stage.world.state.part(Budgets).keys)[-1], list(stage.world.state.tenants)[-1]
    return {
        **{name: Example("PUT", f"/{path}", body, {"If_Match": etags[name]}) for name, (path, body) in wanted.items()},
        "agents.cancellations.start": Example(
            "POST", "/agents/v1/cancellations", {"trace": run.trace, "key": "k", "grace_seconds": 30, "reason": "r"}
        ),
        **(await attacked(stage, session)),
        "litellm.key.update": Example("POST", "/litellm/key/update", {"key": key, "tpm_limit": 5}),
        "litellm.team.update": Example("POST", "/litellm/team/update", {"team_id": team, "tpm_limit": 5}),
        "litellm.key.block": Example("POST", "/litellm/key/block", {"key": other_key}),
        "litellm.team.block": Example("POST", "/litellm/team/block", {"team_id": other}),
        "litellm.key.unblock": Example("POST", "/litellm/key/unblock", {"key": key}),
        "litellm.team.unblock": Example("POST", "/litellm/team/unblock", {"team_id": team}),
    }  # fmt: skip


async def attacked(stage: Stage, session: str) -> dict[str, Example]:
    """Undoing what a session did, replaying what it read, and keeping a document out."""
    trace, at = injections(stage.world.state).trace(session), stage.world.clock.now()
    trace.read.append(Read("mail", "mail-1", "0" * 64, "", 0.2, 0.9, PAYLOAD))
    trace.calls.append(ToolCall("tc-1", session, "t", "tickets.create", "a", True, False, at))
    etag = (await stage.must("GET", "/search/v1/stores/mail/quarantine"))["etag"]
    return {
        "agents.tool_calls.undo": Example("POST", "/agents/v1/tool-calls/tc-1/undo", {"key": "k", "reason": "r"}),
        "agents.replays.start": Example("POST", "/agents/v1/replays", {"key": "k", "session": session}),
        "search.quarantine.put": Example(
            "PUT", "/search/v1/stores/mail/quarantine", {"epoch": 1, "documents": ["mail-1"], "from_tools": []}, {"If_Match": etag}
        ),
    }


async def knowledge(stage: Stage) -> dict[str, Example]:
    """Writes to the retriever."""
    of = "/retriever/v1/domains/billing"
    wanted: dict[str, dict[str, Any]] = {
        "cag": {"share": 0.5},
        "namespace": {"version": 2},
        "coalescing": {"on": True, "wait_seconds": 5.0},
        "serving": {"mode": "stale_ok", "banner": ""},
        "freshness": {"max_age_seconds": 60.0, "as_of": True},
        "quarantine": {"documents": ["billing/refunds"], "sources": []},
        "alias": {"index": "billing-2"},
    }
    domain = stage.world.state.part(Knowledge).domains["billing"]
    domain.builds["billing-2"] = Build("billing-2", 0.0, dict(domain.live.texts))
    paths = {f"retriever.{name}.put": (f"{of}/{name}", body) for name, body in wanted.items()}
    cached = {"on": True, "max_age_seconds": 60.0, "personal": False}
    paths["retriever.cached_answers.put"] = ("/retriever/v1/routes/chat/cached-answers", cached)
    settings = {
        name: Example("PUT", path, {"epoch": 1, **body}, {"If_Match": (await stage.must("GET", path))["etag"]})
        for name, (path, body) in paths.items()
    }
    return {
        **settings,
        "retriever.builds.start": Example("POST", f"{of}/builds", {"key": "k"}),
        "retriever.fetches.start": Example("POST", f"{of}/fetches", {"key": "f", "documents": ["billing/refunds"], "pins": {}}),
    }


async def tenants(stage: Stage) -> dict[str, Example]:
    """Writes to what stands before tenants' data: the gateway, the CDN, sign-in, and an HTTPRoute."""
    of = "/platform/v1/services/api"
    wanted: dict[str, tuple[str, dict[str, Any]]] = {
        "platform.endpoints.put": (f"{of}/endpoints/documents.get", {"admitted": 0.5}),
        "platform.surfaces.put": (f"{of}/surfaces/documents", {"offline": True}),
        "platform.region_write_gate.put": (f"{of}/regions/eu-west/write-gate", {"admitted": 0.5}),
        "cdn.bypass.put": ("/cdn/v1/paths/files.get/bypass", {"on": True}),
        "cdn.generation.put": ("/cdn/v1/paths/files.get/generation", {"number": 2}),
    }
    settings = {
        name: Example("PUT", path, {"epoch": 1, **body}, {"If_Match": (await stage.must("GET", path))["etag"]})
        for name, (path, body) in wanted.items()
    }
    revoked = {"tenant": "canary-eu-1", "user": "", "revoked_before": "2026-11-23T10:00:00Z", "exclude_service_accounts": True}
    weight = [{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 500}]
    route = "/k8s/eu-west/apis/gateway.networking.k8s.io/v1/namespaces/api/httproutes/reports.list"
    return {
        **settings,
        "auth.revoke_all": Example("POST", "/auth/api/v1/auth/sessions/revoke_all", revoked),
        "keycloak.users.logout": Example("POST", "/keycloak/admin/realms/canary-eu-1/users/canary-eu-1.user-1/logout"),
        "kubernetes.httproutes.patch": Example("PATCH", route, weight, {"Content_Type": "application/json-patch+json"}),
    }


async def jobs(stage: Stage) -> dict[str, Example]:
    """Writes to queues and workers, and to the bounds of an autoscaler."""
    tenant = next(iter(stage.world.state.tenants))
    shares = {"interactive": 0.5, "billing": 0.125, "email": 0.25, "reports": 0.125}
    wanted: dict[str, tuple[str, dict[str, Any]]] = {
        "consumers": ("queues/reports/consumers", {"share": 0.5}),
        "rate": ("queues/reports/rate", {"jobs_per_second": 0.5}),
        "retries": ("queues/reports/retries", {"max_attempts": 3, "backoff_seconds": 60.0}),
        "parked": ("queues/reports/parked/whole", {"ids": [], "before": None, "everything": True}),
        "intake": (f"tenants/{tenant}/intake", {"jobs_per_second": 0.5}),
        "tenant_jobs": (f"tenants/{tenant}/jobs", {"most": 2}),
        "allotment": ("allotment", {"shares": shares}),
        "pool": ("pool", {"workers": 9}),
    }
    autoscaler = "/k8s/eu-west/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/orchestrator"
    merge = {"Content_Type": "application/merge-patch+json"}
    return {
        **{
            f"jobs.{name}.put": Example(
                "PUT", f"/jobs/v1/{path}", body, {"If_Match": (await stage.must("GET", f"/jobs/v1/{path}"))["etag"]}
            )
            for name, (path, body) in wanted.items()
        },
        "jobs.restarts.start": Example("POST", "/jobs/v1/workers/worker-1/restarts", {"key": "k"}),
        "kubernetes.autoscalers.patch": Example("PATCH", autoscaler, {"spec": {"minReplicas": 5}}, merge),
    }
