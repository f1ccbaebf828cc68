"""Google's own messages and a CEL that is not ours as judges: what we write to a policy is one, and its conditions say what we mean by them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import cel
import httpx
import pytest
from google.iam.v1 import iam_policy_pb2, policy_pb2  # type: ignore[import-untyped]
from google.protobuf.json_format import MessageToDict, ParseDict

from activities.access.google import GoogleAccess, _at_rest, _woken
from activities.access.project_policy import ProjectPolicies
from activities.access.responders import Access, AccessOf
from activities.audit.google import GoogleAudit
from activities.audit.level import AuditLevel, AuditOf
from activities.kit.http import HttpClient
from practice.containment.cast import BREAK_GLASS, DATA_ROLES
from tests.activities.kit.stage import BEARER, Stage, stage

UNTIL = datetime(2030, 5, 1, 8, tzinfo=UTC)
CONDITIONS = (
    None,
    {"title": "on call", "expression": 'request.time < timestamp("2099-01-01T00:00:00Z")'},
    {"title": "either", "description": "two ways", "expression": '(request.time < timestamp("2099-01-01T00:00:00Z")) || (1 == 1)'},
    {"title": "spaces", "expression": "  true  "},
    {"title": "both", "expression": '(1 == 1) && (request.time > timestamp("1999-01-01T00:00:00Z"))'},
)


class Noted(httpx.AsyncBaseTransport):
    """Notes what is sent, and sends it on."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.sent = inner, list[tuple[str, dict[str, Any]]]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((request.url.path.rpartition(":")[2], json.loads(await request.aread() or b"{}")))
        answer: httpx.Response = await self._inner.handle_async_request(request)
        return answer


def noted(played: Stage) -> tuple[ProjectPolicies, Noted]:
    transport = Noted(played._transport)
    return ProjectPolicies(HttpClient("http://practice/crm", BEARER, transport=transport)), transport


def gives(binding: Mapping[str, Any], at: datetime) -> bool:
    """Whether a binding gives its role at an instant, as CEL has it."""
    condition = binding.get("condition")
    return condition is None or cel.evaluate(condition["expression"], {"request": {"time": at}}) is True


async def test_what_is_written_to_a_policy_is_a_request_of_googles_and_says_who_has_access_when() -> None:
    played = stage()
    policies, transport = noted(played)
    access, of, call = GoogleAccess(policies, DATA_ROLES, DATA_ROLES[0], [BREAK_GLASS]), AccessOf(scope="acme"), played.call()
    await access.write(call, of, Access(people=("dana@example.com",), until=UNTIL), await access.read(call, of))
    sent = next(body for verb, body in transport.sent if verb == "setIamPolicy")
    asked = ParseDict({"resource": "projects/acme", **sent}, iam_policy_pb2.SetIamPolicyRequest())
    assert (asked.policy.version, sorted(asked.update_mask.paths)) == (3, ["bindings", "etag", "version"])
    bindings = MessageToDict(asked.policy)["bindings"]
    before, after = UNTIL - timedelta(seconds=1), UNTIL + timedelta(seconds=1)
    able = [{name for one in bindings if one["role"] in DATA_ROLES and gives(one, at) for name in one["members"]} for at in (before, after)]
    kept = {BREAK_GLASS, "serviceAccount:api@acme.iam.gserviceaccount.com"}
    assert able == [kept | {"user:dana@example.com"}, kept]
    shown = await policies.read(call, "acme")
    assert ParseDict(shown, policy_pb2.Policy()).bindings == asked.policy.bindings


async def test_what_is_logged_is_written_as_google_has_it_and_nobody_loses_a_role_by_it() -> None:
    played = stage()
    policies, transport = noted(played)
    audit, of, call = GoogleAudit(policies, played.client("/logging")), AuditOf(scope="acme"), played.call()
    before = (await policies.read(call, "acme"))["bindings"]
    await audit.write(call, of, AuditLevel(data_access=True, retention_days=400), await audit.read(call, of), 1)
    sent = next(body for verb, body in transport.sent if verb == "setIamPolicy")
    asked = ParseDict({"resource": "projects/acme", **sent}, iam_policy_pb2.SetIamPolicyRequest())
    kinds = {kind.log_type for one in asked.policy.audit_configs for kind in one.audit_log_configs}
    assert kinds == {policy_pb2.AuditLogConfig.ADMIN_READ, policy_pb2.AuditLogConfig.DATA_READ, policy_pb2.AuditLogConfig.DATA_WRITE}
    assert [one.exempted_members for one in asked.policy.audit_configs[0].audit_log_configs] == [[], [], []]
    assert (await policies.read(call, "acme"))["bindings"] == before


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_binding_at_rest_gives_nothing_and_comes_back_to_the_letter(condition: dict[str, str] | None) -> None:
    binding = {"role": "roles/x", "members": ["user:kim@example.com"], **({"condition": condition} if condition else {})}
    resting = _at_rest(binding)
    assert gives(binding, UNTIL) and not gives(resting, UNTIL) and not gives(resting, datetime.now(UTC))
    assert _woken(resting) == binding and _woken(binding) == binding
    assert ParseDict(resting, policy_pb2.Binding()).condition.title == (condition or {}).get("title", "incident-playbooks: at rest")
