"""The model gateway: epochs, etags, leases, permissions, and single answers."""

from typing import Any

import httpx
import pytest

from practice.world.stage import Stage

ROUTE = "/llm/v1/routes/chat"


async def put(stage: Stage, epoch: int, tenants: Any, weights: dict[str, float], **more: Any) -> httpx.Response:
    etag = more.pop("etag", None) or (await stage.must("GET", ROUTE))["etag"]
    body = {"epoch": epoch, "tenants": tenants, "weights": weights, **more}
    return await stage.call("PUT", f"{ROUTE}/weights", body, If_Match=etag)


async def test_a_list_writes_overrides_and_a_star_removes_them(stage: Stage) -> None:
    some = stage.tenants("starter")
    answer = await put(stage, 1, some, {"borealis": 1.0})
    assert answer.headers["ETag"] == f'"{answer.json()["etag"]}"'
    assert list(answer.json()["overrides"]) == some
    everyone = await put(stage, 2, "*", {"aurora": 1.0})
    assert everyone.json()["overrides"] == {}
    assert everyone.json()["weights"] == {"aurora": 1.0}


async def test_a_write_needs_the_version_that_it_read(stage: Stage) -> None:
    some = stage.tenants("starter")
    body = {"epoch": 1, "tenants": some, "weights": {"borealis": 1.0}}
    assert (await stage.call("PUT", f"{ROUTE}/weights", body)).status_code == 428
    assert (await put(stage, 1, some, {"borealis": 1.0}, etag="old")).status_code == 412
    assert (await put(stage, 1, some, {"borealis": 1.0})).status_code == 200


async def test_the_same_write_again_is_fine_and_changes_nothing(stage: Stage) -> None:
    some = stage.tenants("starter")
    first = await put(stage, 3, some, {"borealis": 1.0})
    again = await put(stage, 3, some, {"borealis": 1.0}, etag="long gone")
    assert again.status_code == 200
    assert again.json() == first.json()
    assert [e["changed"] for e in stage.effects("llm.routes.weights")] == [True, False]


async def test_an_older_epoch_or_another_write_of_the_same_is_stale(stage: Stage) -> None:
    some = stage.tenants("starter")
    await put(stage, 3, some, {"borealis": 1.0})
    for epoch in (2, 3):
        answer = await put(stage, epoch, some, {"cumulus": 1.0})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale_epoch")


async def test_sovereign_tenants_stay_where_they_are(stage: Stage) -> None:
    for tenants in (stage.tenants("sovereign", "starter"), "*"):
        answer = await put(stage, 1, tenants, {"borealis": 1.0})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "not_permitted"
        assert answer.json()["error"]["tenants"] == stage.tenants("sovereign")
    assert (await stage.must("GET", ROUTE))["overrides"] == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": {"borealis": 0.9}}, {"weights": {}}, {"weights": {"nobody": 1.0}}, {"tenants": ["nobody"]}, {"tenants": []},
        {"colour": 1}, {"epoch": "1"}, {"lease": {"seconds": 0, "safe_weights": {"aurora": 1.0}}},
    ],
)  # fmt: skip
async def test_nonsense_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    body = {"epoch": 1, "tenants": stage.tenants("starter"), "weights": {"borealis": 1.0}} | wrong
    etag = (await stage.must("GET", ROUTE))["etag"]
    assert (await stage.call("PUT", f"{ROUTE}/weights", body, If_Match=etag)).status_code == 422


async def test_a_lease_that_is_not_renewed_puts_the_safe_weights_back(stage: Stage) -> None:
    some = stage.tenants("starter")
    lease = {"seconds": 300, "safe_weights": {"aurora": 1.0}}
    await put(stage, 1, some, {"borealis": 1.0}, lease=lease)
    stage.forward(200)
    renewed = await stage.must("POST", f"{ROUTE}/lease", {"epoch": 1, "seconds": 300})
    assert renewed["lease"]["safe_weights"] == {"aurora": 1.0}
    stage.forward(200)
    assert (await stage.must("GET", ROUTE))["overrides"][some[0]] == {"borealis": 1.0}
    stage.forward(101)
    lapsed = await stage.must("GET", ROUTE)
    assert lapsed["overrides"][some[0]] == {"aurora": 1.0}
    assert lapsed["lease"] is None
    assert stage.effects()[-1]["route"] == "llm.lease.lapse"
    assert (await stage.call("POST", f"{ROUTE}/lease", {"epoch": 1, "seconds": 300})).status_code == 409


async def test_a_lease_of_another_epoch_is_not_renewed(stage: Stage) -> None:
    await put(stage, 5, stage.tenants("starter"), {"borealis": 1.0}, lease={"seconds": 300, "safe_weights": {"aurora": 1.0}})
    assert (await stage.call("POST", f"{ROUTE}/lease", {"epoch": 4, "seconds": 300})).status_code == 409


async def test_the_client_policy_is_replaced_whole(stage: Stage) -> None:
    policy = await stage.must("GET", "/llm/v1/client-policy")
    assert (policy["max_attempts"], policy["backoff"], policy["retry_budget"], policy["breaker"]["enabled"]) == (5, "none", 1.0, False)
    body = {k: v for k, v in policy.items() if k not in ("etag", "changed_by")}
    assert (await stage.call("PUT", "/llm/v1/client-policy", body)).status_code == 428
    assert (await stage.call("PUT", "/llm/v1/client-policy", {"max_attempts": 1}, If_Match=policy["etag"])).status_code == 422
    await stage.must("PUT", "/llm/v1/client-policy", body, If_Match=policy["etag"])
    assert stage.effects()[-1]["changed"] is False


async def test_providers_and_tenants_are_as_promised(stage: Stage) -> None:
    providers = {p["name"]: p for p in (await stage.must("GET", "/llm/v1/providers"))["providers"]}
    assert (providers["borealis"]["parity"], providers["borealis"]["price_ratio"]) == (0.97, 1.1)
    assert (providers["cumulus"]["parity"], providers["cumulus"]["evaluated"], providers["cumulus"]["self_hosted"]) == (0.88, True, True)
    tenants = (await stage.must("GET", "/llm/v1/tenants"))["tenants"]
    total = sum(t["rps"] for t in tenants)
    assert (len(tenants), round(total)) == (20, 12)
    assert providers["borealis"]["capacity_rps"] == pytest.approx(1.6 * total, rel=0.02)
    for tenant in tenants:
        reached = {place.split("@")[0] for place in tenant["allowed"]}
        assert reached == ({"aurora"} if tenant["tier"] == "sovereign" else {"aurora", "borealis", "cumulus"})


async def test_the_logs_add_up(stage: Stage) -> None:
    stage.forward(300)
    served = await stage.must("GET", "/llm/v1/served?route=chat&window=300")
    assert sum(t["n"] for t in served["tenants"].values()) == pytest.approx(3600, rel=0.1)
    assert served["cost_usd_per_hour"] == pytest.approx(12 * 3600 * 0.004, rel=0.1)
    assert all(sum(t["by"].values()) >= t["ok"] and t["modes"] == {"normal": t["n"]} for t in served["tenants"].values())
    assert (await stage.call("GET", "/llm/v1/calls?route=other")).status_code == 404
    assert (await stage.call("GET", "/llm/v1/served?window=-1")).status_code == 400


async def test_one_answer(stage: Stage) -> None:
    ask = {"messages": [{"role": "user", "content": "ping"}]}
    tenant, sovereign = stage.tenants("starter")[0], stage.tenants("sovereign")[0]
    answer = await stage.call("POST", "/llm/v1/chat/completions", ask, X_Tenant=tenant, X_Vantage="ams")
    assert answer.json()["choices"][0]["message"]["role"] == "assistant"
    assert answer.headers["x-served-by"].startswith("aurora@")
    pinned = await stage.call("POST", "/llm/v1/chat/completions", ask, X_Tenant=tenant, X_Provider="borealis")
    assert pinned.headers["x-served-by"].startswith("borealis@")
    barred = await stage.call("POST", "/llm/v1/chat/completions", ask, X_Tenant=sovereign, X_Provider="borealis")
    assert barred.status_code == 403
    assert (await stage.call("POST", "/llm/v1/chat/completions", ask)).status_code == 400
    assert (await stage.call("POST", "/llm/v1/chat/completions", ask | {"wish": 1}, X_Tenant=tenant)).status_code == 422


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("down", 503, "overload"),
        ("rate_limit", 429, "rate_limit"),
        ("spend_cap", 429, "spend_cap"),
        ("auth", 401, "auth"),
        ("timeout", 504, "timeout"),
    ],
)
async def test_one_failing_answer(stage: Stage, kind: str, status: int, code: str) -> None:
    await stage.break_provider("aurora", kind, 1.0)
    ask = {"messages": [{"role": "user", "content": "ping"}]}
    answer = await stage.call("POST", "/llm/v1/chat/completions", ask, X_Tenant=stage.tenants("starter")[0], X_Provider="aurora")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("retry-after" in answer.headers) is (kind == "rate_limit")


async def test_retrieval_only_is_labelled_everywhere(stage: Stage) -> None:
    tenant = stage.tenants("sovereign")[0]
    etag = (await stage.must("GET", ROUTE))["etag"]
    await stage.must("PUT", f"{ROUTE}/modes", {"epoch": 1, "tenants": [tenant], "mode": "retrieval_only"}, If_Match=etag)
    await stage.break_provider("aurora", "down")
    answer = await stage.call("POST", "/app/chat", {"message": "hi"}, X_Tenant=tenant)
    assert (answer.status_code, answer.headers["x-mode"], answer.json()["mode"]) == (200, "retrieval_only", "retrieval_only")
    gateway = await stage.call("POST", "/llm/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}, X_Tenant=tenant)
    assert gateway.headers["x-mode"] == "retrieval_only"
