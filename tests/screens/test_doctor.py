"""What `incident doctor` sees of the systems around us: each is read once with our own credentials, and a trouble of one hides no other."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from activities.action import Refused
from activities.ledger import capabilities
from activities.ledger.capabilities import Capability, Standing
from activities.ledger.ledger import Ledger
from activities.organisation.communications import DASHBOARDS
from activities.organisation.organisation import Organisation
from practice.http.server import serve
from practice.stores.mail import mail_server
from practice.stores.secret_manager import secret_manager
from practice.world.world import World
from starters.cli import doctor
from tests.stage.organisation import ORGANISATION, stage_settings
from tests.stores.caches import emptied
from worker.probes import probe_all
from worker.settings import Settings

LINKS = "\n[links.dashboards]\n" + "\n".join(f'"{name}" = "https://grafana.example.com/d/x"' for name in DASHBOARDS)


@pytest_asyncio.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Any]:
    organisation = tmp_path / "organisation.toml"
    organisation.write_text(ORGANISATION.format(policy="") + LINKS)
    world = World(seed=7, following=True, state=tmp_path / "practice")
    world.clock.show(world.clock.now() + 120)
    world.advance()
    async with serve(world) as url, mail_server(world) as smtp, secret_manager(world) as secrets:
        yield stage_settings(url, tmp_path, organisation).model_copy(
            update={
                "smtp_address": smtp, "smtp_tls": "none", "cache_address": emptied().address(), "secret_manager_project": "acme",
                "secret_manager_address": secrets, "secret_manager_tls": "none",
            }
        )  # fmt: skip


async def probed(settings: Any) -> dict[str, Capability]:
    return {one.product: one for one in await probe_all(settings)}


async def test_every_configured_system_is_read_once_and_says_something(settings: Any) -> None:
    seen = await probed(settings)
    assert {name for name, one in seen.items() if one.standing is not Standing.READY} == {"second status page"}
    assert len(seen) == 66
    assert "api" in seen["cloud run"].said and "orchestrator" in seen["kubernetes"].said


async def test_looking_changes_nothing(settings: Any) -> None:
    await probed(settings)
    base = settings.model_gateway_url.removesuffix("/llm")
    async with httpx.AsyncClient(base_url=base) as practice:
        assert (await practice.get("/practice/effects")).json()["effects"] == []


@pytest.mark.parametrize(
    ("changed", "system", "said"),
    [
        ({"unleash_url": "http://127.0.0.1:9/unleash"}, "unleash", "ConnectError"),
        ({"slack_token": "xoxb-typed-in"}, "slack", "must be a reference, not a secret"),
        ({"github_token": "env:NOT_SET_ANYWHERE"}, "github", "NOT_SET_ANYWHERE"),
        ({"github_repository": ""}, "github", "tickets have nowhere to go"),
        ({"pagerduty_requester": "P_NOBODY"}, "pagerduty", "no user has this id"),
        ({"prometheus_url": ""}, "prometheus", "INCIDENT_PROMETHEUS_URL is not set"),
    ],
)
async def test_what_is_wrong_with_one_system_is_said_and_hides_no_other(
    settings: Any, changed: dict[str, str], system: str, said: str
) -> None:
    seen = await probed(settings.model_copy(update=changed))
    assert seen[system].standing is not Standing.READY and said in seen[system].said
    assert sum(one.standing is Standing.READY for one in seen.values()) >= 13


@pytest.mark.parametrize(
    ("route", "product"),
    [
        ("kubernetes.deployments.patch", "kubernetes"),
        ("kubernetes.deployments.scale.patch", "kubernetes"),
        ("unleash.feature.off", "unleash"),
        ("run.services.patch", "cloud run"),
        ("github.rulesets.create", "github repositories"),
        ("slack.chat.postMessage", "slack"),
    ],
)
async def test_a_missing_permission_to_write_is_found_without_writing(settings: Any, route: str, product: str) -> None:
    async with httpx.AsyncClient(base_url=settings.model_gateway_url.removesuffix("/llm")) as practice:
        fault = {"route": route, "mode": "fail", "status": 403}
        (await practice.post("/practice/injected-faults", json=fault)).raise_for_status()
        seen = await probed(settings)
        assert (await practice.get("/practice/effects")).json()["effects"] == []
    assert [name for name, one in seen.items() if one.standing is Standing.READ_ONLY] == [product]
    assert "may not write" in seen[product].said
    check = doctor._product(seen[product])
    assert check.state == "warning" and "becomes a task for a person" in check.fix


async def test_doctor_says_what_each_is_for_when_it_is_missing(settings: Any) -> None:
    checks = {check.name: check for check in map(doctor._product, (await probed(settings.model_copy(update={"edge_url": ""}))).values())}
    assert checks["edge"].state == "warning" and "a task for a person" in checks["edge"].fix
    assert checks["slack"].state == "good"


def test_the_mode_is_said_every_time(tmp_path: Path) -> None:
    organisation = tmp_path / "organisation.toml"
    settings = Settings(organisation=organisation)
    organisation.write_text('[policy]\nmode = "live"\n')
    assert [check.state for check in doctor._mode(settings)] == ["good"]
    organisation.write_text('[policy]\nwrite_access = ["pager"]\n')
    (check,) = doctor._mode(settings)
    assert check.state == "warning" and "SHADOW: only pager may be written to" in check.said and 'mode = "live"' in check.fix


def test_the_six_dashboards_are_wanted_by_name(tmp_path: Path) -> None:
    organisation = tmp_path / "organisation.toml"
    settings = Settings(organisation=organisation)
    organisation.write_text(LINKS)
    assert doctor._dashboards(settings)[0].state == "good"
    organisation.write_text('[links.dashboards]\nlatency = "https://grafana.example.com/d/latency"\n')
    (check,) = doctor._dashboards(settings)
    assert check.state == "warning" and "token usage" in check.said and "[links.dashboards]" in check.fix


async def test_a_folder_for_evidence_that_cannot_be_written_is_found_before_it_is_needed(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    broken = await probed(settings.model_copy(update={"evidence": tmp_path / "file" / "below"}))
    assert broken["folder"].standing is Standing.BROKEN
    folder = (await probed(settings))["folder"]
    assert folder.standing is Standing.READY and "not write-once" in folder.said
    assert list((tmp_path / "evidence").iterdir()) == []


@pytest.mark.parametrize("store", ["gcs", "s3"])
async def test_the_evidence_store_that_is_chosen_says_whether_it_is_write_once(store: str, settings: Any) -> None:
    settings.organisation.write_text(ORGANISATION.format(policy=f'systems = {{ evidence = "{store}" }}'))
    chosen = (await probed(settings))[store]
    assert chosen.standing is Standing.READY and "write-once" in chosen.said and {"evidence", "mail", "search"} <= set(chosen.systems)
    plain = (await probed(settings.model_copy(update={f"{store}_bucket": "plain"})))[store]
    assert plain.standing is Standing.BROKEN and ("retention" in plain.said or "Object Lock" in plain.said)


def test_an_organisation_with_a_stray_key_is_broken_and_says_what_was_meant(tmp_path: Path) -> None:
    organisation = tmp_path / "organisation.toml"
    organisation.write_text("[contact]\nlegal = []\n[people.dana]\nroles = ['incident_commander']\n")
    check = doctor._organisation(Settings(organisation=organisation))
    assert check.state == "broken" and "did you mean [contacts]?" in check.said
    with pytest.raises(Refused, match=r"did you mean \[contacts\]"):
        Organisation(organisation).read_policy()


async def test_what_the_worker_cannot_use_is_kept_in_words_for_plan_and_status(settings: Any) -> None:
    ledger = Ledger(settings.ledger_url)
    assert capabilities.lacking(ledger) == [], "no worker has said so yet"
    ledger.migrate()
    for lacks in ({"unleash_url": "", "slack_token": ""}, {"unleash_url": ""}):
        capabilities.keep(ledger, await probe_all(settings.model_copy(update=lacks)))
    assert capabilities.in_words(capabilities.lacking(ledger)) == ["not configured: unleash (flags)"]
    (unleash,) = capabilities.lacking(ledger)
    assert unleash.said == "INCIDENT_UNLEASH_URL is not set" and unleash.systems == ("flags",)
