"""§2.12: from an advisory to a fleet without it; and from a malicious release to hosts that are cut off."""

from pathlib import Path

from practice.credentials.cast import credentials
from practice.supply.cast import FLAG
from tests.playbooks.secret_compromise.stolen import QUICK as KEYS
from tests.playbooks.supply_chain_cve.supplied import affected, ends, of, quick, supplied
from tests.stage.outages import makes, story
from workflows.incident import Phase, Severity, State

FOLLOW_UPS = ("Check the signatures", "Schedule audits", "Take new releases", "Give builders")


async def test_a_vulnerability_is_blocked_shielded_rebuilt_and_gone_by_digest_and_by_what_is_loaded(tmp_path: Path) -> None:
    """In this order, each once; nothing goes back to what is affected, and what is blocked stays so in somebody's name."""
    async with supplied(tmp_path) as (stage, incident):
        assert affected(stage) == 8
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED and status.severity <= Severity.SEV3, story(await incident.timeline())
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        there = of(stage)
        assert affected(stage) == 0 and there.locks["api"]["quickyaml"] == "2.3.4"
        done = [row.verb for row in incident.book() if row.outcome in ("done", "adopted")]
        order = (
            "blocklist.block",
            "update_bots.stop",
            "flags.switch_off",
            "builds.rebuild",
            "builds.release",
            "deploys.shift",
            "watches.begin",
        )
        assert [done.index(verb) for verb in order] == sorted(done.index(verb) for verb in order), done
        assert done.count("builds.rebuild") == done.count("builds.release") == 1
        assert (
            there.blocked["proxy/PyPI/quickyaml"].versions
            == there.blocked["ci/PyPI/quickyaml"].versions
            == ["2.1.0", "2.2.0", "2.3.0", "2.3.1"]
        )
        assert stage.world.state.flags[FLAG] and there.bots["acme/api"].auto_merge, "the virtual patch, and the bots' stop, were put back"
        assert [one.held_by for one in status.in_force] and all(one.name == "version blocked" for one in status.in_force)
        assert [task.text.startswith(begins) for task, begins in zip(status.follow_ups, FOLLOW_UPS, strict=True)] == [True] * 4
        assert stage.fleet.ledger.verify(incident.id).intact


async def test_a_malicious_release_is_blocked_kept_cut_off_rotated_and_built_without(tmp_path: Path) -> None:
    """Block before evidence before isolation; secrets are rotated; the builder on which it ran builds nothing."""
    async with supplied(tmp_path, "malicious", policy=quick(more=KEYS.format(numbers="")), secret_manager_project="acme") as (
        stage,
        incident,
    ):
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED and status.severity is Severity.SEV1, story(await incident.timeline())
        there = of(stage)
        assert affected(stage) == 0 and there.locks["api"]["httpkit"] == "1.8.2"
        assert {name for name, host in there.hosts.items() if host.isolation.isolated} == {"builder-1", "laptop-ravi", "node-eu-1"}
        assert {name for name, host in there.hosts.items() if len(host.snapshots) == 1} == {"builder-1", "laptop-ravi", "node-eu-1"}
        rows = [row for row in incident.book() if row.outcome in ("done", "adopted")]
        done = [row.verb for row in rows]
        order = ("blocklist.block", "evidence.supply", "evidence.snapshot_host", "hosts.isolate", "builds.rebuild", "builds.release")
        assert [done.index(verb) for verb in order] == sorted(done.index(verb) for verb in order), done
        assert next(run.inputs["not_on"] for run in there.runs.values() if run.workflow == "incident-rebuild.yml") == "builder-1"
        assert status.restricted
        texts = [task.text for task in status.tasks]
        (rotated,) = [one for one in status.called_in if one.section == "2.10"]
        assert rotated.state is State.RESOLVED and "DATABASE_URL" in rotated.why, (
            "what could be read there, without a question which it was"
        )
        keys = credentials(stage.world.state, stage.world.clock.now())
        assert all(keys.keys[keys.inventory[name].key].revoked is not None for name in ("database", "signing"))
        labels = [one.label for one in keys.keys.values()]
        assert all(labels.count(f"{incident.id}/{name}") == 1 for name in ("database", "signing")), "one replacement each"
        assert any("GITHUB_DEPLOY_KEY is in no inventory" in line for line in await incident.timeline())
        assert any(one.section == "2.4" and "malicious code" in one.why for one in status.called_in), status.called_in
        assert any(text.startswith("Rebuild builder-1 from a clean image") for text in texts)
        assert any("Cyber Resilience Act" in task.text and task.due for task in status.tasks)
        named = {one.name for one in status.in_force}
        assert named == {"version blocked", "host isolated", "denied", "audit enhanced"} and all(one.held_by for one in status.in_force)


async def test_on_kubernetes_the_cluster_starts_no_old_build_any_more(tmp_path: Path) -> None:
    """The pipeline rolls the fix out; then admission refuses the old build, so that no autoscaler brings it back."""
    async with supplied(tmp_path, service="orchestrator") as (stage, incident):
        old = stage.world.state.fleet.services["orchestrator"].newest().digest
        there = of(stage)
        there.locks["orchestrator"]["quickyaml"] = there.artefacts[old].components["quickyaml"] = "2.3.1"
        there.artefacts[old].direct.append("quickyaml")
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert affected(stage, "orchestrator") == affected(stage, "api") == 0
        assert [row.target for row in incident.done("admission.refuse")] == ["admission/eu-west", "admission/us-east"]
        await makes(stage, "supply-dials", stray={"orchestrator": [old]})
        assert of(stage).stray["orchestrator"] == [], "a pod of the old build is refused"
