"""How Google's APIs say no (cloud.google.com/apis/design/errors): two forms, by the age of the API."""

from __future__ import annotations

from collections.abc import Callable

from practice.http.face import Face, Reply

STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
REASONS = {
    400: "invalid", 401: "authError", 403: "forbidden", 404: "notFound", 409: "alreadyExists", 412: "conditionNotMet",
    429: "rateLimitExceeded",
}  # fmt: skip


def error(status: int, message: str) -> Reply:
    return Reply({"error": {"code": status, "message": message, "status": STATUS.get(status, "UNKNOWN")}}, status)


def older_error(status: int, message: str) -> Reply:
    """Of Cloud Storage and Compute Engine."""
    errors = [{"message": message, "domain": "global", "reason": REASONS.get(status, "backendError")}]
    return Reply({"error": {"code": status, "message": message, "errors": errors}}, status)


def google_face(
    name: str, *, says: Callable[[int, str], Reply] = error, throttled: str = "Quota exceeded.", invalid: str = "",
    unauthorised: str = "Request had invalid authentication credentials.",
) -> Face:  # fmt: skip
    """`invalid`: what stands before the problems of a body."""
    return Face(
        name, refused=says, invalid=lambda problems: says(400, invalid + "; ".join(problems)),
        unauthorised=lambda headers: says(401, unauthorised), throttled=lambda: says(429, throttled),
    )  # fmt: skip
