"""What the REST APIs of our own product have in common: their errors, and numbers as JSON Schema understands them."""

from __future__ import annotations

from practice.http.face import Face, Refusal, Reply, Shown

CODES = {400: "invalid", 403: "not_permitted", 404: "not_found", 409: "stale_epoch", 412: "stale_etag", 428: "if_match_required"}


class Problem(Shown):
    """Why a request was refused. `tenants`, `provider` and `type` are there where they say more."""

    code: str
    message: str
    tenants: list[str] | None = None
    provider: str | None = None
    type: str | None = None


class ProblemReply(Shown):
    error: Problem


def own_api(name: str, contract: str) -> Face:
    """A face of our own product. `contract`: what the API is for; it opens its OpenAPI document."""
    return Face(
        name,
        refused=lambda status, message: problem(status, _code(status), message),
        invalid=lambda problems: problem(422, "invalid", "; ".join(problems)),
        unauthorised=lambda headers: problem(401, "unauthorized", "unknown token"),
        throttled=lambda: problem(429, "rate_limited", "slow down"),
        contract=contract,
    )


def problem(status: int, code: str, message: str, **more: object) -> Reply:
    return Reply({"error": {"code": code, "message": message, **more}}, status)


def conflict(code: str, message: str) -> Refusal:
    return Refusal(problem(409, code, message))


def _code(status: int) -> str:
    return CODES.get(status, "unavailable" if status >= 500 else "refused")
