"""One chat answer, as the data plane gives it: route or pin, retries, mode, and the failure in OpenAI's form."""

from __future__ import annotations

from typing import Any

from practice.http.face import Ask, Call, Refusal, Reply
from practice.llm.faults import TRANSIENT, condition
from practice.llm.gateway_log import CLASSES
from practice.llm.load import Retrying
from practice.world.chance import split
from practice.world.state import Provider, Tenant

STATUS = {
    "overload": 503, "rate_limit": 429, "spend_cap": 429, "auth": 401, "bad_request": 400, "timeout": 504, "content_filter": 400,
}  # fmt: skip
MESSAGE = {
    "overload": "the model is overloaded",
    "rate_limit": "rate limit reached for requests",
    "spend_cap": "the account's spend cap is reached",
    "auth": "the provider refused our key",
    "bad_request": "the provider refused the request",
    "timeout": "the provider did not answer in time",
    "content_filter": "the provider's content filter refused the answer",
}


class Completion(Ask):
    """OpenAI's chat completion request, as far as the product uses it (platform.openai.com/docs/api-reference/chat)."""

    messages: list[dict[str, Any]]
    model: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stream: bool | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None


def answer(call: Call) -> Reply:
    """Ask the model once for a tenant."""
    wanted = call.ask(Completion)
    if wanted.stream:
        raise call.refuse(400, "streaming is not offered here")
    if not wanted.messages:
        raise call.refuse(400, "messages must not be empty")
    tenant = asking_tenant(call)
    if call.state.route.mode(tenant.name) == "retrieval_only" and "x-provider" not in call.headers:
        return _completed(call, "From the knowledge base only: see the linked articles.", "retrieval", "retrieval_only")
    provider = _provider(call, tenant)
    region = tenant.region_at(provider.name)
    failure = attempt(call, provider)
    if failure:
        code, headers = CLASSES[failure], {"x-served-by": f"{provider.name}@{region}", "x-mode": "normal"}
        if failure == "rate_limit":
            headers["Retry-After"] = "2"
        shown = "spend_cap" if failure == "spend_cap" else failure
        body = {"error": {"message": MESSAGE[failure], "type": code.lower(), "code": shown, "provider": provider.name}}
        raise Refusal(Reply(body, STATUS[failure], headers))
    wrong = call.world.rng.random() < met_wrong(call, provider)
    text = "Purple seventeen, as of yesterday." if wrong else "pong"
    return _completed(call, text, f"{provider.name}@{region}", "normal", provider.model)


def asking_tenant(call: Call) -> Tenant:
    name = call.headers.get("x-tenant")
    if not name:
        raise call.refuse(400, "X-Tenant is required")
    tenant = call.state.tenants.get(name)
    if tenant is None:
        raise call.refuse(404, f"there is no tenant {name}")
    return tenant


def _provider(call: Call, tenant: Tenant) -> Provider:
    pinned = call.headers.get("x-provider")
    if pinned is not None and pinned not in call.state.providers:
        raise call.refuse(404, f"there is no provider {pinned}")
    name = pinned or next(iter(split(call.world.rng, 1, call.state.route.shares(tenant.name))))
    if tenant.region_at(name) is None:
        raise call.refuse(403, f"{tenant.name} does not allow {name}")
    return call.state.providers[name]


def attempt(call: Call, provider: Provider) -> str | None:
    """The failure that a call meets in the end, or None. A pinned call is tried once, a routed one as the policy says."""
    rng, world = call.world.rng, call.world
    load = world.traffic.load(provider.name)
    if load.breaker == "OPEN":
        return "overload"
    faults = [fault for fault in call.state.provider_faults if fault.provider == provider.name]
    met = condition(faults, call.now)
    if call.now < load.toppled_until:
        met.fail("overload", 0.95)
    draw = split(rng, 1, {**met.failures, "ok": max(0.0, 1 - met.transient - met.persistent)})
    outcome = next(iter(draw), "ok")
    if outcome in TRANSIENT and "x-provider" not in call.headers:
        stays = Retrying(call.state.policy).stays_failed(met.transient)
        return outcome if rng.random() < stays else None
    return None if outcome == "ok" else outcome


def met_wrong(call: Call, provider: Provider) -> float:
    """How likely an answer is wrong although it says 200."""
    return condition([f for f in call.state.provider_faults if f.provider == provider.name], call.now).wrong


def _completed(call: Call, text: str, by: str, mode: str, model: str = "retrieval") -> Reply:
    body = {
        "id": f"chatcmpl-{call.world.number()}",
        "object": "chat.completion",
        "created": int(call.real()),
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20},
    }
    return Reply(body, headers={"x-served-by": by, "x-mode": mode})
