"""What Google shows and our practice platform does not: accounts that it made itself, disabled keys, payloads that are no text."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from activities.action import Call
from activities.credentials.issuing.google_keys import GoogleKeys
from activities.credentials.orders import KeyRef
from activities.kit.http import HttpClient
from activities.secrets.google import GoogleSecrets

CALL = Call(incident_id="inc-20261123-key", key="k", at=datetime(2026, 11, 23, tzinfo=UTC))
KEYS = {"keys": [{"name": "projects/acme/serviceAccounts/a/keys/gk-1", "disabled": True, "validAfterTime": "2026-01-01T00:00:00Z"}]}


@pytest.mark.parametrize("account", ["deployer@acme.iam.gserviceaccount.com", "12345-compute@developer.gserviceaccount.com"])
async def test_a_key_is_found_whatever_the_address_of_its_account_and_a_disabled_one_is_not_revoked(account: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json=KEYS)

    async with HttpClient("http://google.example", {}, timeout=1.0, transport=httpx.MockTransport(answer)) as http:
        seen = await GoogleKeys(http).seen(CALL, KeyRef(issuer="google", subject=account, key="gk-1"))
    assert seen.alive is True and not seen.dead(was_alive=True)
    assert asked == [f"/v1/projects/-/serviceAccounts/{account}/keys"]


async def test_a_payload_that_is_no_text_is_another_secret_and_no_error() -> None:
    class Client:
        async def access_secret_version(self, **asked: Any) -> Any:
            return SimpleNamespace(payload=SimpleNamespace(data=b"\xff\xfe" + json.dumps({}).encode(), data_crc32c=0))

    found = await GoogleSecrets(Client(), "acme").value(CALL, "KEY", 1)
    assert found is not None and "{}" not in repr(found)
