"""A rollback weeks later cannot bring a revoked version back: the survey says what the store has disabled (spec §1 G24, INV-5)."""

from activities.deploys.cloud_run import CloudRun
from activities.deploys.deploys import Deploys
from activities.deploys.orders import RevisionsOf
from activities.edge.probe import EdgeProbe
from activities.metrics.prometheus import Prometheus
from activities.organisation.catalogue import Deployed
from activities.organisation.numbers import RollBack
from activities.secrets.store import DisableVersion, Disabling
from tests.activities.credentials.stage import Vaulted, vaulted
from tests.activities.kit.stage import attempt
from workflows.procedures.eligibility import Known

API = Deployed(name="api", platform="cloud_run", project="acme", regions=("eu-west", "us-east"))


def deploys(stage: Vaulted) -> Deploys:
    played = stage.stage
    run = CloudRun(played.client("/run"), played.client("/iam"))
    return Deploys({"cloud_run": run}, EdgeProbe(played.client("/edge")), Prometheus(played.client("/prom")), store=stage.store)


async def test_a_revision_that_needs_a_disabled_version_is_no_target() -> None:
    async with vaulted() as stage:
        order = DisableVersion(secret="SIGNING_KEY", version=1, dead=True)
        await attempt(Disabling.create, stage.disabling, order, stage.stage.call(key="k"))
        seen = await attempt(Deploys.survey, deploys(stage), RevisionsOf(service=API), stage.stage.call())
        needing = {one.id for one in seen.revisions if "SIGNING_KEY:1" in one.secrets}
        assert needing and {one.id for one in seen.revisions if one.disabled} == needing
        targets = Known(schema_version=4).targets(seen, RollBack(), frozenset({"api-00041"}), set())
        assert all("it needs SIGNING_KEY:1, which is disabled" in targets.ineligible[name] for name in needing)


async def test_a_store_that_does_not_answer_is_said_and_stops_no_survey() -> None:
    async with vaulted() as stage:
        stage.stage.inject("secretmanager.versions.list", "fail", times=None)
        seen = await attempt(Deploys.survey, deploys(stage), RevisionsOf(service=API), stage.stage.call())
        assert seen.unread_secrets == ("DATABASE_URL", "SIGNING_KEY") and seen.revisions
        said = Known(schema_version=4).unread(seen, seen.revisions[0])
        assert "which versions of SIGNING_KEY are disabled" in said
