"""Assets that are cut off: proven by flows, never by an answer; forensics still get in, and nothing is stopped or deleted."""

from typing import Any

import pytest

from activities.action import Limits, Refused, Risk, Role, StandsOn, action_of
from activities.network.flows import FlowProbe
from activities.network.isolation import NETWORK_POLICY, AssetOf, Isolation, NetworkIsolation, isolate
from activities.network.own import OwnNetwork
from activities.network.policies import NetworkPolicies
from activities.network.rules import rule
from activities.organisation.catalogue import Catalogue, Deployed
from practice.containment.cast import there
from practice.containment.model import FORENSICS, Containment
from practice.containment.simulation import isolated
from tests.activities.kit.stage import Stage, attempt, refused, stage, tried

ORCHESTRATOR = Deployed(name="orchestrator", platform="kubernetes", regions=("eu-west", "us-east"))
CATALOGUE = Catalogue(services={"orchestrator": ORCHESTRATOR})
POLICIES = "kubernetes.networkpolicies"
CONTROLS = ("network", NETWORK_POLICY)


def system(played: Stage, control: str = NETWORK_POLICY) -> NetworkIsolation:
    policies = NetworkPolicies(lambda region: played.client(f"/k8s/{region}"), FORENSICS, lambda: CATALOGUE)
    used: Any = OwnNetwork(played.client("/network")) if control == "network" else policies
    return NetworkIsolation(used, FlowProbe(played.client("/flows")))


def found(played: Stage) -> Containment:
    return there(played.world.state, played.world.clock.now())


async def given(played: Stage, on: NetworkIsolation, **more: Any) -> Any:
    order = isolate("orchestrator", "it sends rows out", **more)
    return order.given(await attempt(NetworkIsolation.read, on, order.look(), played.call()))


async def cut_off(played: Stage, on: NetworkIsolation, **more: Any) -> Any:
    return (await tried(NetworkIsolation.change, on, await given(played, on, **more), played.call(key="k")))[0]


def beside(played: Stage, name: str, labels: dict[str, str], **lets: Any) -> None:
    """A policy of somebody else in one region."""
    spec = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress", "Egress"], **lets}
    metadata = {"name": name, "namespace": "default", "resourceVersion": "5"}
    found(played).policies.setdefault("eu-west", {})[f"default/{name}"] = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec,
    }  # fmt: skip


@pytest.mark.parametrize("control", CONTROLS)
async def test_it_is_cut_off_in_every_place_and_comes_back_whole_and_nothing_was_stopped(control: str) -> None:
    played = stage()
    on, pods = system(played, control), await (played.client("/k8s/eu-west")).read(played.call(), "/api/v1/namespaces/default/pods")
    order = await given(played, on)
    effect, _ = await tried(NetworkIsolation.change, on, order, played.call(key="k"))
    assert effect.proven_by.endswith("connections from it and to it are refused in eu-west and us-east; forensics get in")
    assert isolated(played.world.state, "orchestrator") and not isolated(played.world.state, "api")
    effect, _ = await tried(NetworkIsolation.restore, on, order.undo(), played.call(key="lift"))
    assert "come about in eu-west and us-east" in effect.proven_by and not isolated(played.world.state, "orchestrator")
    again = await (played.client("/k8s/eu-west")).read(played.call(), "/api/v1/namespaces/default/pods")
    assert [one["metadata"]["uid"] for one in again.json()["items"]] == [one["metadata"]["uid"] for one in pods.json()["items"]]
    assert not found(played).policies["eu-west"] if control == NETWORK_POLICY else True


async def test_a_cluster_whose_network_does_nothing_of_policies_is_found_by_the_probe() -> None:
    played = stage()
    found(played).unenforced = ["us-east"]
    with pytest.raises(AssertionError, match="a connection to it comes about in us-east"):
        await cut_off(played, system(played))
    assert len(played.effects(f"{POLICIES}.create")) == 2, "the API took both"


async def test_what_another_policy_lets_through_comes_through_still_and_is_named() -> None:
    played = stage()
    beside(played, "allow-dns", {"app": "orchestrator"}, egress=[{}])
    beside(played, "deny-others", {"app": "orchestrator"})
    beside(played, "allow-of-others", {"app": "somebody"}, egress=[{}])
    with pytest.raises(AssertionError, match="let traffic through beside our rule: allow-dns in eu-west") as never:
        await cut_off(played, system(played))
    assert "allow-of-others" not in str(never.value) and "deny-others" not in str(never.value)


@pytest.mark.parametrize(
    ("dial", "said"),
    [("dark", "nobody can say in eu-west whether a connection to it comes about"), ("walled", "forensics do not get in in eu-west"),
     ("leaky", "a connection to it comes about in eu-west")],
)  # fmt: skip
async def test_what_nobody_can_try_or_forensics_cannot_reach_is_not_proven(dial: str, said: str) -> None:
    played = stage()
    setattr(found(played).assets["orchestrator"], dial, True)
    with pytest.raises(AssertionError, match=said):
        await cut_off(played, system(played, "network"))


async def test_a_write_that_breaks_off_between_two_clusters_is_continued_there_and_back() -> None:
    played = stage()
    on, order = system(played), await given(played, system(played))
    played.inject(f"{POLICIES}.create", "fail", times=3)
    _, broke = await tried(NetworkIsolation.change, on, order, played.call(key="k"))
    assert len(broke) == 3 and isolated(played.world.state, "orchestrator")
    found(played).policies["eu-west"].clear()  # as a lift leaves it that broke off
    now = await on.look_at(played.call(), order.of)
    assert (now.value.isolated, now.value.partly) == (False, True)
    await tried(NetworkIsolation.restore, on, order.undo(), played.call(key="lift"))
    assert not any(found(played).policies.values()), "half an isolation is not taken for none"


async def test_a_policy_of_our_name_that_does_something_else_is_not_taken_for_ours() -> None:
    """A forgery that lets everything in would look like an isolation."""
    played = stage()
    forged = rule("orchestrator", "default", {"matchLabels": {"app": "orchestrator"}}, FORENSICS)
    forged["spec"]["ingress"] = [{}]
    forged["metadata"]["resourceVersion"] = "5"
    found(played).policies["eu-west"] = {"default/incident-isolates-orchestrator": forged}
    why = await refused(lambda: attempt(NetworkIsolation.read, system(played), isolate("orchestrator").look(), played.call()))
    assert "is not as we make it" in why


async def test_two_incidents_need_one_rule_and_a_rule_that_was_changed_meanwhile_is_not_deleted() -> None:
    played = stage()
    on, order = system(played), await given(played, system(played))
    await tried(NetworkIsolation.change, on, order, played.call(key="k"))
    await tried(NetworkIsolation.change, on, await given(played, on), played.call(incident_id="inc-2", key="other"))
    assert len(played.effects(f"{POLICIES}.create")) == 2, "one for each cluster"
    over = await on.look_at(played.call(), order.of)
    stale = over.model_copy(update={"rules": {**over.rules, "eu-west": "1"}})
    with pytest.raises(Exception, match="has been modified"):
        await on.write(played.call(), order.of, Isolation(isolated=False), stale, 1)
    assert not played.effects(f"{POLICIES}.delete")


def test_one_asset_is_narrow_the_second_of_an_incident_is_not_and_letting_it_back_never_is() -> None:
    risk, back = action_of(NetworkIsolation.change), action_of(NetworkIsolation.restore)
    one, second = isolate("api"), isolate("api", others=1)
    assert [risk.risk(one, Limits()), risk.risk(second, Limits())] == [Risk.C1, Risk.C2] and back.risk(one, Limits()) is Risk.C2
    assert back.asks == (Role.SECURITY_LEAD,) and set(risk.asks) == {Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER}
    assert second.digest("x") == isolate("api", others=4).digest("x"), "how many others there are may change without asking again"


@pytest.mark.parametrize("asset", ["", "*", "api/../x", "API", "a b", "x" * 300, "api'; touch x"])
async def test_what_is_no_single_workload_is_refused(asset: str) -> None:
    played = stage()
    order = NetworkIsolation.order(AssetOf(asset=asset, regions=("eu-west",)), Isolation())
    await refused(lambda: attempt(NetworkIsolation.change, system(played), order, played.call()))
    assert not played.effects("kubernetes")


async def test_what_runs_nowhere_that_we_know_and_what_runs_our_incidents_is_refused() -> None:
    played = stage()
    elsewhere = isolate("billing")
    assert "nobody says in which clusters" in await refused(
        lambda: attempt(NetworkIsolation.change, system(played), elsewhere, played.call())
    )
    missing = isolate("billing", service=ORCHESTRATOR.model_copy(update={"name": "billing"}))
    assert "there is no workload" in await refused(lambda: attempt(NetworkIsolation.change, system(played), missing, played.call()))
    with pytest.raises(Refused, match="protected"):
        await attempt(NetworkIsolation.change, system(played), isolate("incident-worker"), played.call())
    on = system(played, "network")
    on.stands_on = StandsOn(hosts=frozenset({"ledger.example.com"}))
    with pytest.raises(Refused, match="is what this incident is run by"):
        await attempt(NetworkIsolation.change, on, isolate("ledger.example.com"), played.call())
