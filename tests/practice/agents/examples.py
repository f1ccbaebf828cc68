"""A valid request for every writing route of the agents' faces: of the runtime, the policy router and LiteLLM."""

from typing import Any

from practice.agents.runtime import Runtime
from practice.world.stage import Stage

Request = tuple[str, str, Any, dict[str, str]]  # method, path, body, headers
READS = {
    "agents.runs.list": "/agents/v1/runs",
    "policy.limits.get": "/policy/v1/limits/all/all",
    "usage.traces.list": "/usage/v1/traces",
    "litellm.key.info": "/litellm/key/info?key=key-batch",
}
LIMIT = {"psu_daily_cap": None, "llm_rate": "low", "spend_usd_per_hour": 4.0, "concurrency": None}


async def requests(stage: Stage) -> dict[str, Request]:
    runtime = stage.world.state.part(Runtime)
    agent = next(one for one in runtime.agents.values() if one.autonomous)
    session, trace = next(iter(runtime.sessions)), next(iter(runtime.runs))
    await stage.must("POST", "/litellm/key/block", {"key": "key-spare"})
    await stage.must("POST", "/litellm/team/block", {"team_id": agent.tenant})

    async def setting(path: str, **body: Any) -> Request:
        return "PUT", path, body, {"If_Match": (await stage.must("GET", path))["etag"]}

    def litellm(path: str, **body: Any) -> Request:
        return "POST", f"/litellm/{path}", body, {}

    cancel = {"trace": trace, "key": "c-1", "grace_seconds": 30, "reason": "it loops"}
    profile = {"strict": True, "schema_validated": True, "allow": [], "deny": ["mail.send"]}
    return {
        "agents.pause.put": await setting(f"/agents/v1/runs/{trace}/pause", epoch=1, paused=True),
        "agents.cancellations.start": ("POST", "/agents/v1/cancellations", cancel, {}),
        "agents.quarantine.put": await setting(f"/agents/v1/sessions/{session}/quarantine", epoch=1, quarantined=True, reason="it loops"),
        "agents.tokens.put": await setting(f"/agents/v1/sessions/{session}/tokens", epoch=1, revoked=True),
        "agents.schedules.put": await setting(f"/agents/v1/schedules/agents/{agent.id}", epoch=1, running=False),
        "agents.tools.put": await setting("/agents/v1/tools/web.fetch/block", epoch=1, tenants=[agent.tenant], everywhere=False),
        "agents.profile.put": await setting(f"/agents/v1/tenants/{agent.tenant}/profile", epoch=1, **profile),
        "policy.limits.put": await setting(f"/policy/v1/limits/agent/{agent.id}", **LIMIT),
        "policy.key_quota.put": await setting("/policy/v1/provider-keys/key-batch/quota", tokens_per_minute=90_000),
        "litellm.key.update": litellm("key/update", key="key-batch", tpm_limit=9000),
        "litellm.key.block": litellm("key/block", key="key-batch"),
        "litellm.key.unblock": litellm("key/unblock", key="key-spare"),
        "litellm.team.update": litellm("team/update", team_id=agent.tenant, max_budget=4.0, budget_duration="1h"),
        "litellm.team.block": litellm("team/block", team_id=list(stage.world.state.tenants)[-1]),
        "litellm.team.unblock": litellm("team/unblock", team_id=agent.tenant),
    }
