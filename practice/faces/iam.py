"""`/iam`: of Google's IAM API (cloud.google.com/iam/docs/reference/rest), who may act as which service account."""

from __future__ import annotations

from practice.http.face import Call, Reply
from practice.http.google import google_face
from practice.world.state import JSON

FACE = google_face("iam")


class NotActedAs(list[str]):
    """Service accounts that nobody gave us `roles/iam.serviceAccountUser` on."""


@FACE.reads(
    "serviceAccounts.testIamPermissions", "/iam/v1/projects/{project}/serviceAccounts/{account}:testIamPermissions", "POST"
)  # fmt: skip
def test_permissions(call: Call) -> Reply:
    """Which of the permissions that are asked about the caller has on a service account. Without any the answer is empty."""
    account = call.path["account"]
    names = [service.name for service in call.state.fleet.services.values()]
    if account.partition("@")[0] not in names or account.partition("@")[2] != f"{call.path['project']}.iam.gserviceaccount.com":
        raise call.refuse(404, f"Unknown service account: {account}")
    asked: list[str] = (call.body or {}).get("permissions", [])
    granted = [one for one in asked if one != "iam.serviceAccounts.actAs" or account not in call.state.part(NotActedAs)]
    answer: JSON = {"permissions": granted} if granted else {}
    return Reply(answer)
