"""The rows of the supply chain: blocklists, hosts, admission, update bots; what takes its time there stands in `operated.py`."""

from activities.admission.admission import Admission, AdmissionOf, Refusal, binding, policy
from activities.admission.cluster import NAME, Clusters
from activities.builds.blocklist import Blocked, BlocklistOf, Blocklists
from activities.builds.bots import MERGES, UPDATES, Bot, BotOf, UpdateBots, UpdateSwitches
from activities.builds.hosts import HostIsolation, HostOf, Isolated
from activities.builds.plane import SupplyPlane
from activities.organisation.catalogue import Deployed
from practice.services.admission import Admission as Stored
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage

ORCHESTRATOR = Deployed(name="orchestrator", platform="kubernetes", regions=("eu-west", "us-east"))
BAD, OTHER = (f"sha256:{letter * 64}" for letter in "ab")
POLICIES = "kubernetes.validatingadmissionpolicies"


def plane(played: Stage) -> SupplyPlane:
    return SupplyPlane(played.client("/supply"))


def blocklists(played: Stage, clock: LandingClock) -> Blocklists:
    return Blocklists(plane(played))


def hosts(played: Stage, clock: LandingClock) -> HostIsolation:
    return HostIsolation(plane(played))


def bots(played: Stage, clock: LandingClock) -> UpdateBots:
    return UpdateBots(UpdateSwitches(played.client("/github")))


def admission(played: Stage, clock: LandingClock) -> Admission:
    """A cluster that has our policy already, without a build in it: that it is made where there is none is told elsewhere."""
    made = policy(Refusal(), "")
    made["metadata"].update(resourceVersion="7", creationTimestamp="2026-11-23T10:00:00Z")
    there = played.world.state.part(Stored)
    there.of("eu-west", "validatingadmissionpolicies")[NAME] = made
    there.of("eu-west", "validatingadmissionpolicybindings")[NAME] = binding()
    return Admission(Clusters(lambda region: played.client(f"/k8s/{region}")))


SUPPLY = {
    "blocklist of the proxy": Practised(
        blocklists, BlocklistOf(place="proxy", ecosystem="PyPI", package="httpkit"), Blocked(versions=("1.8.1",)),
        Blocked(versions=("1.7.2",)), "supply.blocklist.put",
    ),
    "host isolation": Practised(hosts, HostOf(host="builder-1", builds=True), Isolated(isolated=True), None, "supply.isolation.put"),
    "merging without a person": Practised(
        bots, BotOf(repository="acme/api", switch=MERGES), Bot(on=False), None, "github.repos.update", "github.repos.get", fenced=False,
        author="somebody", by_curl=False,
    ),
    "pull requests of dependabot": Practised(
        bots, BotOf(repository="acme/api", switch=UPDATES), Bot(on=False), None, "github.updates.write.*", "github.updates.get", fenced=False,
        author="somebody", by_curl=False,
    ),
    "admission of a cluster": Practised(
        admission, AdmissionOf(region="eu-west", service=ORCHESTRATOR), Refusal(digests=(BAD,)), Refusal(digests=(OTHER,)),
        f"{POLICIES}.update", f"{POLICIES}.get", by_curl=False,
    ),
}  # fmt: skip
