"""The OpenAPI documents of our own REST contracts: current, valid, and what our faces really take and give."""

import httpx
import pytest
from openapi_spec_validator import validate

from practice.http.openapi import documents, text_of
from practice.world.stage import Stage
from tests.stage import contract


@pytest.mark.parametrize(("name", "made"), documents().items())
def test_a_document_is_valid_and_current(name: str, made: dict[str, object]) -> None:
    validate(made)
    assert (contract.DOCUMENTS / name).read_text() == text_of(made), "run `make docs`"


def test_there_is_no_document_of_an_api_that_is_gone() -> None:
    assert {path.name for path in contract.DOCUMENTS.iterdir()} == set(documents())


GATEWAY = "http://practice/platform/v1/services/api/gateway"
GOOD = b'{"epoch": 1, "rate_limit_rps": null, "breaker": true}'
PUT = {"If-Match": "x", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "wrong"),
    [
        ("PUT", GATEWAY, PUT, GOOD, None),
        ("GET", GATEWAY, {}, b"", None),
        ("GET", "http://practice/llm/v1/calls?window=60&route=chat", {}, b"", None),
        ("GET", "http://practice/slack/api/users.list?cursor=x", {}, b"", None),
        ("PUT", GATEWAY, {"Content-Type": "application/json"}, GOOD, "header If-Match: missing"),
        ("PUT", GATEWAY, PUT, b'{"epoch": -1, "rate_limit_rps": null, "breaker": true}', "body.epoch"),
        ("PUT", GATEWAY, PUT, b'{"epoch": 1, "rate_limit_rps": 0, "breaker": true}', "body.rate_limit_rps"),
        ("PUT", GATEWAY, PUT, b'{"epoch": 1, "breaker": true}', "'rate_limit_rps' is a required property"),
        ("PUT", GATEWAY, PUT, b'{"epoch": 1, "rate_limit_rps": null, "breaker": true, "colour": "red"}', "colour"),
        ("PUT", GATEWAY, PUT, b"", "JSON is expected"),
        ("GET", GATEWAY, {}, b"{}", "none is expected"),
        ("GET", f"{GATEWAY}?verbose=1", {}, b"", "query verbose: unknown"),
        ("GET", "http://practice/llm/v1/calls?window=long", {}, b"", "query window: 'long' is not of type 'number'"),
        ("DELETE", GATEWAY, {}, b"", "is not in the contract"),
        ("GET", "http://practice/platform/v1/colours", {}, b"", "is not in the contract"),
    ],
)
def test_a_request_is_held_against_the_document(method: str, url: str, headers: dict[str, str], body: bytes, wrong: str | None) -> None:
    found = contract.problems(method, url, headers, body)
    assert not found if wrong is None else any(wrong in one for one in found), found


READS = [
    "/platform/v1/services", "/platform/v1/services/api", "/platform/v1/feeds", "/platform/v1/feeds/routing-rules", "/platform/v1/changes",
    *(f"/platform/v1/services/api/{part}" for part in ("headroom", "dependencies", "schema", "regions", "gateway", "autoscaler", "write-gate")),
    *(f"/llm/v1/{part}" for part in ("routes/chat", "client-policy", "providers", "tenants", "calls", "served")),
    "/egress/v1/hosts/evil.example", "/egress/v1/tools/browser", "/egress/v1/calls", "/ui/v1/render/chat", "/search/v1/stores",
]  # fmt: skip


def assert_answer(answer: httpx.Response) -> None:
    met = contract.operation(answer.request.method, answer.request.url.path)
    assert met and not met.answer_problems(answer.status_code, answer.content)


@pytest.mark.parametrize("path", READS)
async def test_what_is_answered_is_in_the_document(stage: Stage, path: str) -> None:
    await stage.break_provider("aurora", "overload", 0.9)
    stage.forward(60)
    answer = await stage.call("GET", path)
    assert answer.status_code == 200
    assert_answer(answer)


async def test_what_is_refused_is_refused_as_in_the_document(stage: Stage) -> None:
    for method, path, body, status in (
        ("GET", "/platform/v1/services/nobody", None, 404),
        ("GET", "/llm/v1/calls?window=0", None, 400),
        ("PUT", "/llm/v1/client-policy", {}, 422),
        ("PUT", "/platform/v1/services/api/gateway", {"epoch": 1, "rate_limit_rps": 1, "breaker": False}, 428),
    ):
        answer = await stage.call(method, path, body)
        assert answer.status_code == status
        assert_answer(answer)
