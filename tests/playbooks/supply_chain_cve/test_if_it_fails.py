"""§2.12, *if it fails*: no fix, a fix that breaks, an advisory that is wrong or withdrawn, bills that are forged, instances that come back."""

from pathlib import Path

from practice.supply.faults import AGAIN, GHSA
from tests.playbooks.supply_chain_cve.supplied import affected, ends, hears, of, supplied
from tests.stage.outages import makes, split_of, story
from workflows.incident import Phase, Severity, State

OLD = ["2.1.0", "2.2.0", "2.3.0", "2.3.1", "2.3.4", "2.3.5"]
NO_FIX = {"id": GHSA, "events": [{"introduced": "0"}], "versions": [*OLD, "3.0.0"]}
MAJOR = {"id": GHSA, "events": [{"introduced": "0"}, {"fixed": "3.0.0"}], "versions": OLD}


async def test_a_withdrawn_advisory_is_asked_about_and_nothing_is_changed_when_security_says_so(tmp_path: Path) -> None:
    async with supplied(tmp_path, before={"supply-advisories": {"id": GHSA, "withdrawn": True}}) as (stage, incident):
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert not of(stage).runs and not of(stage).blocked and of(stage).bots.get("acme/api") is None
        assert any("was withdrawn. Is nothing to be done?" in line for line in await incident.timeline())


async def test_an_advisory_of_which_we_have_nothing_is_blocked_and_closed(tmp_path: Path) -> None:
    """Nothing is built, nobody is asked; what is bad cannot come in any more."""
    async with supplied(tmp_path, "superseded", labels={"advisory": AGAIN}) as (stage, incident):
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED and status.severity >= Severity.SEV3, story(await incident.timeline())
        assert of(stage).blocked["ci/PyPI/quickyaml"].versions == ["2.3.4"] and not of(stage).runs


async def test_without_a_fix_an_executive_has_the_risk_and_a_blocked_version_is_not_taken(tmp_path: Path) -> None:
    async with supplied(tmp_path, before={"supply-advisories": NO_FIX}) as (stage, incident):
        asked = {"Which version": "answer"}
        await hears(incident, "quickyaml 2.3.4 is on the blocklist: it is not taken, whoever says so", asked, {"Which version": "2.3.4"})
        await hears(incident, "Accept the risk for at most 7 days", {**asked, "Accept the risk": ""})
        await hears(incident, "Take api, or what uses quickyaml in it, out of service", {**asked, "Accept the risk": "decline"})
        assert affected(stage) == 8 and not of(stage).runs and not stage.world.state.flags["batch.enabled"]


async def test_only_across_a_major_version_is_a_persons_work_whoever_says_otherwise(tmp_path: Path) -> None:
    async with supplied(tmp_path, before={"supply-advisories": MAJOR}) as (stage, incident):
        await hears(incident, "Upgrade quickyaml of api by hand to 3.0.0: it is another major version")
        answers = {"is not done": ""}
        await hears(incident, "quickyaml 3.0.0 is another major version than 2.3.1: people upgrade it", answers, {"Which version": "3.0.0"})
        assert not of(stage).runs


async def test_a_fix_that_breaks_is_put_back_and_the_virtual_patch_stays(tmp_path: Path) -> None:
    async with supplied(tmp_path, before={"supply-dials": {"breaks": 0.5}}) as (stage, incident):
        await hears(incident, "or fix forward: never back to what is affected")
        assert {revision for split in (await split_of(stage)).values() for revision in split} == {"api-00041"}, "what served serves on"
        assert not stage.world.state.flags["batch.enabled"], "behind its virtual patch"


async def test_a_forged_bill_excludes_nothing_and_is_asked_about(tmp_path: Path) -> None:
    """The bill of the service that has nothing is forged: it counts as affected until somebody says what is in it."""
    before = {"supply-artefacts": {"service": "orchestrator", "forged": True}}
    async with supplied(tmp_path, "superseded", labels={"advisory": AGAIN}, before=before) as (stage, incident):
        await hears(incident, "not at zero yet: orchestrator")
        assert any(task.text.startswith("Say what is in the builds of orchestrator") for task in (await incident.status()).tasks)
        await makes(stage, "supply-artefacts", service="orchestrator", forged=False)
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())


async def test_an_old_instance_that_is_started_again_after_fleet_zero_is_a_relapse(tmp_path: Path) -> None:
    async with supplied(tmp_path) as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        old = next(one.digest for one in stage.world.state.fleet.services["api"].revisions.values() if one.number == 41)
        await makes(stage, "supply-dials", stray={"api": [old]})
        await hears(incident, "Stop what still runs of api")
        assert (await incident.status()).phases.count(Phase.MITIGATION) == 2
        await makes(stage, "supply-dials", stray={"api": []})
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED and affected(stage) == 0, story(await incident.timeline())


async def test_a_proxy_that_still_gives_the_bad_version_is_not_blocked(tmp_path: Path) -> None:
    async with supplied(tmp_path, before={"supply-dials": {"leaky": ["proxy"]}}) as (_, incident):
        said = await hears(incident, "failed: blocklist.block blocklists/proxy/PyPI/quickyaml", {"is not done": ""})
        assert "the proxy still gives quickyaml" in said


async def test_where_installs_are_not_recorded_malicious_code_counts_as_run(tmp_path: Path) -> None:
    """One cache is not recorded: everything is rotated as if it had run there."""
    async with supplied(tmp_path, "malicious", before={"supply-dials": {"gaps": ["the build cache"]}}) as (stage, incident):
        of(stage).installs.clear()
        await hears(incident, "it is not recorded (the build cache), and counts as run there")
        await hears(incident, "called in: §2.10")
