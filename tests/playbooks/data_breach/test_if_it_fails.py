"""§2.4: what its readings do not say, and what no system of ours does, is said, and counts as the worst."""

from pathlib import Path

from tests.playbooks.data_breach.breached import breached, ends, hears, inside, of, quick
from tests.stage.outages import makes, story
from workflows.incident import Phase, Severity, State


async def test_a_log_that_has_rolled_away_is_said_and_everything_counts_that_could_be_read(tmp_path: Path) -> None:
    async with breached(tmp_path, before=(("breach-dials", {"log_hours": 0.05}),)) as (_, incident):
        line = await hears(incident, "what is older has rolled away: the worst is assumed")
        assert "the log begins" in line
        scope = await hears(incident, "accounts (PII, we are controller) by svc-export")
        assert "rows unknown" in scope and "confidence low" in scope


async def test_a_class_that_nobody_could_look_through_is_not_checked_and_never_clean(tmp_path: Path) -> None:
    async with breached(tmp_path, before=(("breach-dials", {"unchecked": ["mail_rule", "agent"]}),)) as (_, incident):
        line = await hears(incident, "hunt:")
        assert "mail rules: not checked" in line and "agent configurations: not checked" in line
        await hears(incident, "Look through mail rules for what was left behind: not checked by us")
        assert "clean" not in line


async def test_where_the_access_records_do_not_answer_people_are_asked_and_nothing_is_revoked_on_a_guess(tmp_path: Path) -> None:
    async with breached(tmp_path) as (stage, incident):
        await stage.inject("access_records.identities.list", "fail", status=403, times=None)
        await hears(incident, "Find out by hand who has read which data", {"Which identity": "decline"})
        await hears(incident, "nothing that is measured says it, so nothing is revoked by us", {"Which identity": "decline"})
        assert not incident.done("credentials.revoke")


async def test_what_cannot_be_isolated_by_us_is_a_task_with_its_commands_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with breached(tmp_path) as (stage, incident):
        await stage.inject("network.isolation.put", "fail", status=403, times=None)
        await hears(incident, "Cut api off from the network, but for forensics", {"network.isolate": "skip"})
        task = next(one for one in (await incident.status()).tasks if one.text.startswith("Cut api off"))
        assert any("isolation" in command for command in task.by_hand), task.by_hand
        await hears(incident, "credentials.revoke credential/export", {"network.isolate": "skip"})


async def test_a_vendor_that_says_nothing_counts_with_everything_that_it_has(tmp_path: Path) -> None:
    """Its notice makes us aware; after a day all that is shared with it is in the ledger, and its integration is revoked."""
    labels = {"signal": "vendor", "vendor": "vendor-insight", "integration": "export"}
    async with breached(tmp_path, intruder=False, labels=labels, policy=quick('vendor_patience = "PT20M"')) as (_, incident):
        await hears(
            incident, "vendor-insight has not said what was taken: everything that is shared with it counts", {"Which of our data sets": ""}
        )
        line = await hears(incident, "conversations (CONTENT/PII, we are processor) by vendor-insight")
        assert "rows unknown" in line and "confidence low" in line
        await hears(incident, "credentials.revoke credential/export")
        assert any("Ask vendor-insight for its logs" in task.text for task in (await incident.status()).tasks)


async def test_a_second_foothold_that_returns_after_the_eviction_is_a_relapse_and_goes_too(tmp_path: Path) -> None:
    """Nobody saw it: it lets the intruder in again as soon as the asset is back in the network."""
    async with breached(tmp_path, policy=quick()) as (stage, incident):
        await makes(stage, "footholds", kind="key", hidden_for=500.0)
        status = await ends(stage, incident)
        lines = story(await incident.timeline())
        assert status.state is State.RESOLVED and status.phases.count(Phase.MITIGATION) == 2, lines
        assert inside(stage) == [] and not any(one.state.enabled for one in of(stage).footholds.values())
        assert len(incident.done("network.isolate")) == 2


async def test_a_foothold_that_reads_switched_off_and_lets_somebody_in_is_not_evicted(tmp_path: Path) -> None:
    """The negative test decides, and not what its product says."""
    async with breached(tmp_path, footholds=[], before=(("footholds", {"kind": "identity", "sticks": True}),)) as (_, incident):
        await hears(incident, "Switch the user backup-operator-1 off, and keep it: it was not done by us", {"footholds.evict": "skip"})
        assert "somebody still comes in by" in story(await incident.timeline())


async def test_who_was_called_in_for_lost_writes_hunts_nobody(tmp_path: Path) -> None:
    async with breached(tmp_path, intruder=False, labels={"signal": "loss"}) as (stage, incident):
        status = await ends(stage, incident)
        verbs = {row.verb for row in incident.book()}
        assert status.state is State.RESOLVED and status.severity <= Severity.SEV2
        assert not verbs & {"network.isolate", "access.restrict", "footholds.evict"}, verbs
        assert "the loss ledger of §2.9" in story(await incident.timeline())
