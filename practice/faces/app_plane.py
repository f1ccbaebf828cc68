"""`/app`: the product as its customers meet it. It obeys the flags by another path than the flag API's."""

from __future__ import annotations

from practice.faces.llm.answers import asking_tenant, attempt
from practice.http.face import Ask, Call, Face, Refusal, Reply
from practice.knowledge.library import Knowledge, hashed
from practice.quality.guardrails import Posture
from practice.quality.registry import Registry, said
from practice.world.chance import split

FACE = Face("app")


class ToolCall(Ask):
    tool: str | None = None
    arguments: dict[str, object] | None = None


class Question(Ask):
    message: str | None = None


@FACE.reads("tools.high_psu", "/app/tools/high-psu/call", "POST")
def call_tool(call: Call) -> Reply:
    call.ask(ToolCall)
    if not call.state.flags["tools.high_psu"] or call.state.part(Posture).high_risk_tools == "closed":
        raise Refusal(Reply({"error": "tool_disabled"}, 403))
    return Reply({"result": "done", "psu": 40})


@FACE.reads("scheduler", "/app/scheduler")
def scheduler(call: Call) -> Reply:
    return _running(call, "scheduler.enabled")


@FACE.reads("batch", "/app/batch")
def batch(call: Call) -> Reply:
    return _running(call, "batch.enabled")


@FACE.reads("autonomy", "/app/autonomy")
def autonomy(call: Call) -> Reply:
    return _running(call, "orchestrator.autonomy")


def _running(call: Call, flag: str) -> Reply:
    return Reply({"running": call.state.flags[flag]})


@FACE.reads("chat", "/app/chat", "POST")
def chat(call: Call) -> Reply:
    """An answer for a tenant's user in a new session, with who gave it (and which triple, which model); 502 when there is none."""
    call.ask(Question)
    tenant = asking_tenant(call)
    mode = call.state.route.mode(tenant.name)
    if mode == "retrieval_only":
        headers = {"x-mode": mode, "x-served-by": "retrieval", **_guarded(call)}
        return Reply({"answer": "From the knowledge base only.", "mode": mode}, headers=headers)
    name = next(iter(split(call.world.rng, 1, call.state.route.shares(tenant.name))))
    by = f"{name}@{tenant.region_at(name) or 'nowhere'}"
    headers = {"x-mode": mode, "x-served-by": by, **_versions(call, name, tenant.name), **_guarded(call)}
    if attempt(call, call.state.providers[name]):
        raise Refusal(Reply({"error": "no_answer"}, 502, headers))
    return Reply({"answer": "pong", "mode": mode}, headers=headers)


@FACE.reads("knowledge", "/app/knowledge/{domain}")
def knowledge(call: Call) -> Reply:
    """What questions about a domain are answered from, and what may be cited."""
    domain = call.state.part(Knowledge).domains.get(call.path["domain"])
    if domain is None:
        raise call.refuse(404, f"there is no domain {call.path['domain']}")
    answers = "unavailable" if domain.serving.mode == "withdrawn" else "cache" if domain.cag.share else "index"
    cites = [
        {"id": one.id, "hash": hashed(text), "source": one.source}
        for one in domain.documents.values()
        if (text := domain.answered_from(one)) is not None
    ]
    shown = {"banner": domain.serving.banner, "as_of": domain.freshness.as_of, "coalescing": domain.coalescing.on}
    return Reply({"answers": answers, "namespace": domain.namespace.version, "index": domain.alias.index, "cites": cites, **shown})


@FACE.reads("fallback", "/app/fallback")
def fallback(call: Call) -> Reply:
    """Whether cached answers are served where the model gives none."""
    return Reply({"cached_answers": call.state.part(Knowledge).fallback.on})


def _versions(call: Call, provider: str, tenant: str) -> dict[str, str]:
    """Which triple answers a new session, and which model the provider says it was."""
    registry = call.state.part(Registry)
    tried = registry.candidate if call.world.rng.random() * 100 < registry.rollout.percent else None
    model = registry.models.get(tenant) or registry.model_id(provider)
    return {"x-triple": said(tried or registry.serving), "x-model": model}


def _guarded(call: Call) -> dict[str, str]:
    """How strictly the answer was guarded, and whether chat says that it is not guarded as usual."""
    posture = call.state.part(Posture)
    return {"x-guard": posture.strictness, "x-banner": "shown" if posture.banner else "none"}
