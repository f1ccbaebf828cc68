"""§2.5: each layer by its own remedy, and what hides behind the first endpoint that was denied."""

import json
from pathlib import Path
from typing import Any

import pytest

from practice.knowledge.library import Knowledge
from practice.tenancy.model import Auth
from starters.screens.curve import grid
from tests.playbooks.tenant_isolation.leaking import admitted, crossed, ends, leaking, of
from tests.stage.outages import makes, passes, story
from tests.stores.caches import emptied
from workflows.incident import Phase, State
from workflows.status import DrawnMatrix


async def test_a_sibling_export_that_still_leaks_after_the_denial_is_denied_as_well(tmp_path: Path) -> None:
    """The alert names one endpoint. What shares its code is tried by canaries, and is closed before anybody says so."""
    async with leaking(tmp_path, "missing_where", endpoints=("documents.get",), labels={"endpoint": "documents.get"}) as (stage, incident):
        await incident.hears("done: endpoints.deny endpoint/api/documents.get")
        await makes(stage, "tenancy-faults", kind="missing_where", endpoints=["documents.export"])
        status = await ends(stage, incident, until=Phase.RECOVERY)
        assert admitted(stage)["documents.export"] == 0 and await crossed(stage) == 0, story(await incident.timeline())
        assert status.severity.value == 1
        ended = await ends(stage, incident, fix={})
        assert ended.state is State.RESOLVED and set(admitted(stage).values()) == {1.0}


async def test_a_pooled_session_variable_is_told_from_a_missing_where_and_only_the_database_mends_it(tmp_path: Path) -> None:
    """Twist: it leaks only to whoever comes next. A fix at the service alone is not proven, as the application role: nothing is let in again."""
    async with leaking(tmp_path, "pooled") as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        said = story(await incident.timeline())
        assert "a pooled session variable" in said and admitted(stage)["reports.list"] == 0
        await makes(stage, "tenancy-fixes", service=True, database=False)
        await incident.answer("Which artefact", "decline")
        await incident.hears("a tenant outlives its transaction")
        assert admitted(stage)["reports.list"] == 0, "not on a deploy alone"
        ended = await ends(stage, incident, fix={"service": True, "database": True})
        assert ended.state is State.RESOLVED and set(admitted(stage).values()) == {1.0}, story(await incident.timeline())


async def test_a_shared_cache_and_a_cdn_are_sampled_passed_by_and_given_other_keys(tmp_path: Path) -> None:
    """M5: sample first, then another generation; the cache comes back on a word, and its old keys never."""
    server = emptied()
    cache: dict[str, Any] = {"cache_address": server.address(), "cache_password": f"file:{tmp_path / 'token'}"}
    async with leaking(tmp_path, "cache_key", "cdn", **cache) as (stage, incident):
        status = await ends(stage, incident, fix={})
        assert status.state is State.RESOLVED, story(await incident.timeline())
        verbs = [row.verb for row in incident.book() if row.outcome in ("done", "adopted")]
        for sample, change in (("evidence.cache", "retriever.bump_namespace"), ("evidence.cdn", "cdn.bump_generation")):
            assert verbs.index(sample) < verbs.index(change), verbs
        files, domain = of(stage).endpoints["files.get"], stage.world.state.part(Knowledge).domains["contracts"]
        assert (files.generation.number, files.bypass.on) == (2, False) and (domain.namespace.version, domain.cag.share) == (2, 1.0)
        assert "0 of 0 hits bear another tenant's tag" in story([entry["text"] for entry in await incident.entries()])
        assert await crossed(stage) == 0 and set(admitted(stage).values()) == {1.0}


async def test_a_cache_that_cannot_be_sampled_keeps_its_keys(tmp_path: Path) -> None:
    """INV-1: no purge and no other keys before a sample is kept. It is passed by all the same, and a person keeps the sample."""
    async with leaking(tmp_path, "cdn") as (stage, incident):
        await stage.inject("cdn.samples", "fail", status=403)
        status = await ends(stage, incident, until=Phase.RECOVERY)
        files = of(stage).endpoints["files.get"]
        assert files.bypass.on and files.generation.number == 1, story(await incident.timeline())
        assert any(task.text.startswith("Keep a sample of what is cached before files.get by hand") for task in status.tasks)


async def test_mixed_up_identities_sign_everybody_out_tenant_by_tenant_on_two_words(tmp_path: Path) -> None:
    """M6: the commander and Security, both; each tenant once; service accounts go on."""
    async with leaking(tmp_path, "sessions") as (stage, incident):
        question = await incident.question("Sign out everybody")
        assert question.quorum == 2 and {role.value for role in question.roles} == {"security_lead", "incident_commander"}
        assert len(stage.world.effects.entries) and not of(stage).auth.revocations
        await incident.answer("Sign out everybody", by="sam")
        assert not of(stage).auth.revocations, "one word is not two"
        await ends(stage, incident, until=Phase.RECOVERY)
        auth: Auth = of(stage).auth
        homes = {one.tenant for one in auth.sessions.values()}
        assert {one.asked["tenant"] for one in auth.revocations.values()} == homes and len(auth.revocations) == len(homes)
        alive = [one for one in auth.sessions.values() if auth.alive(one)]
        assert alive and all(one.service_account for one in alive) and await crossed(stage) == 0, story(await incident.timeline())


async def test_who_has_not_signed_in_since_shortly_before_the_first_crossing_is_not_signed_out(tmp_path: Path) -> None:
    """M6: the sessions of the window."""
    async with leaking(tmp_path, "sessions") as (stage, incident):
        auth: Auth = of(stage).auth
        quiet = sorted(stage.world.state.tenants)[0]
        for one in auth.sessions.values():
            if one.tenant == quiet and not one.service_account:
                one.issued, one.mixed = one.issued - 7200, False
        question = await incident.question("Sign out everybody")
        homes = {one.tenant for one in auth.sessions.values()}
        assert question.asks.startswith(f"Sign out everybody of {len(homes) - 1} tenants")
        assert any(f"{len(homes) - 1} of {len(homes)} tenants have sessions that were issued since" in fact for fact in question.facts)
        assert any("sign-in knows no earlier bound" in fact for fact in question.facts)
        await incident.answer("Sign out everybody", by="sam")
        await ends(stage, incident, until=Phase.RECOVERY)
        now: Auth = of(stage).auth
        assert {one.asked["tenant"] for one in now.revocations.values()} == homes - {quiet}
        assert all(now.alive(one) for one in now.sessions.values() if one.tenant == quiet) and await crossed(stage) == 0


@pytest.mark.parametrize("kind", ["missing_where", "cdn"])
async def test_what_anybody_has_seen_is_in_the_evidence_and_only_counts_are_outside(tmp_path: Path, kind: str) -> None:
    """INV-14: no id of an object in the history; the leak matrix has owners, viewers and counts."""
    async with leaking(tmp_path, kind) as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        matrix, seen = (await incident.status()).matrix, of(stage).accesses
        assert matrix is not None and (matrix.row, matrix.column) == ("owner", "viewer")
        assert {(owner, viewer) for owner, viewer, _ in matrix.cells} == {(one.owner, one.viewer) for one in seen}
        assert sum(n for _, _, n in matrix.cells) == len(seen)
        history = json.dumps((await incident.handle.fetch_history()).to_json())
        assert not any(one.object in history for one in seen)
        kept = b"".join(path.read_bytes() for path in (tmp_path / "evidence").rglob("*") if path.is_file())
        assert kept and await crossed(stage) >= 0


async def test_a_report_that_nothing_bears_out_is_asked_about_and_nothing_is_denied_on_a_guess(tmp_path: Path) -> None:
    async with leaking(tmp_path) as (stage, incident):
        question = await incident.question("By which endpoint is it said to leak")
        assert set(admitted(stage).values()) == {1.0} and "documents.get" in question.facts[0]
        await incident.answer("By which endpoint", "decline")
        await incident.hears("nobody says which endpoint leaks")
        await passes(stage, 60)
        assert set(admitted(stage).values()) == {1.0}


def test_the_leak_matrix_is_drawn_with_what_is_greatest_first_and_says_what_it_leaves_out() -> None:
    cells = [("amber", "birch", 7), ("amber", "cedar", 1), ("delta", "birch", 2)]
    matrix = DrawnMatrix(name="leak matrix", row="owner", column="viewer", cells=cells, more=3)
    assert grid(matrix, 60, 5) == (
        "         birch    cedar",
        "amber        7        1",
        "delta        2        ·",
        "(3 more pairs)",
    )
    assert grid(matrix, 60, 1)[-1] == "(5 more pairs)" and "delta" not in "".join(grid(matrix, 60, 1))


def test_two_tenants_whose_names_begin_alike_stand_apart_in_the_matrix() -> None:
    cells = [("amber", "canary-eu-1", 7), ("amber", "canary-eu-2", 1)]
    drawn = grid(DrawnMatrix(name="leak matrix", row="owner", column="viewer", cells=cells, more=0), 60, 5)
    assert drawn == ("      canary-eu-1 canary-eu-2", "amber           7           1")
