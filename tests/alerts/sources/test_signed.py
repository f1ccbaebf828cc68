"""Who may post: the signature of the whole body is looked at, also of one that is longer than what is kept."""

from pathlib import Path

import httpx
import pytest

from activities.ledger.inbox import Inbox
from activities.ledger.ledger import Ledger
from starters.alerts.intake import LONGEST_BODY, Intake
from starters.alerts.receiver import Receiver
from starters.screens.text import CliError
from tests.alerts.sources.payloads import KEY, as_sent, secret, signed
from worker.settings import Settings

SOURCES = """
[services.api]
platform = "cloud_run"
project = "acme"
regions = ["eu-west"]
repository = "acme/api"

[sources.dlp]
signed_by = "env:DLP_KEY"
identity = ["id"]
summary = "{id}"
[sources.siem]
signed_by = "env:NOT_THERE"
identity = ["id"]
summary = "{id}"
"""


class Door:
    """The receiver without a server: what it takes in is kept, and waits."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch, key: str = KEY) -> None:
        monkeypatch.setenv("HOOK_KEY", key)
        monkeypatch.setenv("DLP_KEY", KEY)

        async def away(self: Intake) -> None:
            raise CliError("the Temporal server does not answer", unreachable=True)

        monkeypatch.setattr(Intake, "_reachable", away)
        (place / "organisation.toml").write_text(SOURCES)
        ledger = Ledger(f"sqlite:///{place / 'ledger.db'}")
        ledger.migrate()
        settings = Settings(
            ledger_url=ledger.url, organisation=place / "organisation.toml", github_webhook_secret="env:HOOK_KEY" if key else ""
        )
        self.inbox = Inbox(ledger)
        self.web = httpx.AsyncClient(transport=httpx.ASGITransport(Receiver(settings, ledger).app()), base_url="http://receiver")

    async def github(self, body: bytes, signature: str, event: str = "secret_scanning_alert") -> httpx.Response:
        return await self.web.post("/alerts/github", content=body, headers={"X-Hub-Signature-256": signature, "X-GitHub-Event": event})

    async def described(self, name: str, body: bytes, signature: str) -> httpx.Response:
        return await self.web.post(f"/alerts/{name}", content=body, headers={"X-Signature-256": signature})

    @property
    def kept(self) -> list[str]:
        return [one["source"] for one in self.inbox.deliveries()]


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    return Door(tmp_path, monkeypatch)


async def test_a_signed_event_is_kept_and_brought(door: Door) -> None:
    body = as_sent(secret())
    answer = await door.github(body, signed(body))
    assert answer.status_code == 503 and "kept, not yet delivered" in answer.json()["error"]
    assert door.kept == ["github.secret_scanning_alert"]


BAD = {
    "none": "", "of another key": signed(as_sent(secret()), "another"), "of another body": signed(b"{}"),
    "without its prefix": signed(as_sent(secret())).removeprefix("sha256="), "not ascii": "sha256=ü",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_what_is_not_signed_is_refused_and_not_kept(door: Door, name: str) -> None:
    headers = {b"X-Hub-Signature-256": BAD[name].encode("latin-1"), b"X-GitHub-Event": b"secret_scanning_alert"}
    answer = await door.web.post("/alerts/github", content=as_sent(secret()), headers=headers)
    assert answer.status_code == 401 and not door.kept


async def test_without_a_key_nothing_of_github_is_taken_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shut = Door(tmp_path, monkeypatch, key="")
    body = as_sent(secret())
    answer = await shut.github(body, signed(body, ""))
    assert answer.status_code == 403 and "INCIDENT_GITHUB_WEBHOOK_SECRET" in answer.json()["error"] and not shut.kept


async def test_a_ping_is_answered_and_kept_nowhere(door: Door) -> None:
    assert (await door.github(b"{}", signed(b"{}"), "ping")).json() == {"pong": True}
    assert (await door.github(b"{}", signed(b"[]"), "ping")).status_code == 401 and not door.kept


async def test_an_event_of_two_megabytes_is_verified_whole_said_and_its_beginning_kept(door: Door) -> None:
    body = b'{"id": "' + b"x" * (2 << 20) + b'"}'
    answer = await door.described("dlp", body, signed(body))
    assert answer.status_code == 503, "an incident of triage waits to be told of it"
    (kept,) = door.inbox.deliveries()
    assert len(kept["raw"]) == LONGEST_BODY and kept["truncated"]
    assert (await door.described("dlp", body, signed(body[:LONGEST_BODY]))).status_code == 401


async def test_a_source_that_nobody_describes_or_whose_key_is_not_there_is_refused(door: Door) -> None:
    assert (await door.described("unknown", b"{}", signed(b"{}"))).status_code == 404
    answer = await door.described("siem", b"{}", signed(b"{}"))
    assert answer.status_code == 503 and "key" in answer.json()["error"] and not door.kept


async def test_an_event_whose_name_is_no_name_is_an_unknown_one(door: Door) -> None:
    await door.github(b"{}", signed(b"{}"), "../../etc")
    assert door.kept == ["github.unknown"]
