"""The rows of what a breach is contained with: networks, access, audit logs, holds; copies of disks stand in `created.py`."""

from datetime import UTC, datetime

from activities.access.google import GoogleAccess
from activities.access.keycloak_groups import GroupNames, KeycloakGroups
from activities.access.project_policy import ProjectPolicies
from activities.access.responders import Access, AccessOf, ResponderAccess
from activities.audit.google import GoogleAudit
from activities.audit.level import Auditing, AuditLevel, AuditOf
from activities.audit.own import OwnAuditLog
from activities.holds.gcs import GcsObjects
from activities.holds.objects import Hold, ObjectHolds, ObjectsOf
from activities.network.flows import FlowProbe
from activities.network.isolation import AssetOf, Isolation, NetworkIsolation
from activities.network.own import OwnNetwork
from activities.network.policies import NetworkPolicies
from practice.containment.cast import BREAK_GLASS, DATA_ROLES, EXPORTS, RESPONDERS, SUSPENDED
from practice.containment.model import FORENSICS
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage

UNTIL = datetime(2099, 1, 1, 8, tzinfo=UTC)
ORCHESTRATOR = AssetOf(asset="orchestrator", regions=("eu-west",), control="network policy")


def network(played: Stage, clock: LandingClock) -> NetworkIsolation:
    return NetworkIsolation(OwnNetwork(played.client("/network")), FlowProbe(played.client("/flows")))


def network_policy(played: Stage, clock: LandingClock) -> NetworkIsolation:
    policies = NetworkPolicies(lambda region: played.client(f"/k8s/{region}"), FORENSICS)
    played.world.state.fleet.services["orchestrator"].places.pop("us-east")  # one place: two are told of elsewhere
    return NetworkIsolation(policies, FlowProbe(played.client("/flows")))


def google_iam(played: Stage, clock: LandingClock) -> ResponderAccess:
    return ResponderAccess(GoogleAccess(ProjectPolicies(played.client("/crm")), DATA_ROLES, DATA_ROLES[0], [BREAK_GLASS]))


def keycloak_groups(played: Stage, clock: LandingClock) -> ResponderAccess:
    return ResponderAccess(KeycloakGroups(played.client("/keycloak-staff"), GroupNames(EXPORTS, RESPONDERS, SUSPENDED), ["export-bot"]))


def google_audit(played: Stage, clock: LandingClock) -> Auditing:
    return Auditing(GoogleAudit(ProjectPolicies(played.client("/crm")), played.client("/logging")))


def audit_log(played: Stage, clock: LandingClock) -> Auditing:
    return Auditing(OwnAuditLog(played.client("/audit")))


def holds(played: Stage, clock: LandingClock) -> ObjectHolds:
    return ObjectHolds(GcsObjects(played.client("/gcs")))


def level(days: int) -> AuditLevel:
    return AuditLevel(data_access=True, retention_days=days)


CONTAINMENT = {
    "network": Practised(network, AssetOf(asset="api"), Isolation(), None, "network.isolation.put"),
    "network policy": Practised(
        network_policy, ORCHESTRATOR, Isolation(), None, "kubernetes.networkpolicies.*", "kubernetes.networkpolicies.list",
        fenced=False,
        author_back="somebody", by_curl=False,
    ),
    "google iam": Practised(
        google_iam, AccessOf(scope="acme"), Access(people=("dana@example.com",), until=UNTIL),
        Access(people=("sam@example.com",), until=UNTIL), "crm.projects.setIamPolicy", "crm.projects.getIamPolicy",
        author_back="somebody", by_curl=False,
    ),
    "keycloak groups": Practised(
        keycloak_groups, AccessOf(scope="acme-staff", store="keycloak"), Access(people=("dana",), until=UNTIL),
        Access(people=("sam",), until=UNTIL), "keycloak_groups.groups.update", "keycloak_groups.groups.list", fenced=False,
        author_back="somebody", by_curl=False,
    ),
    "google audit": Practised(
        google_audit, AuditOf(scope="acme"), level(400), AuditLevel(data_access=True, retention_days=90), "logging.buckets.patch",
        "logging.buckets.get", fenced=False, author="somebody", by_curl=False,
    ),
    "audit log": Practised(
        audit_log, AuditOf(scope="acme", store="own"), level(400), AuditLevel(data_access=True, retention_days=90), "audit.level.put"
    ),
    "gcs holds": Practised(
        holds, ObjectsOf(bucket="logs", prefix="audit/2026-11-03"), Hold(held=True), None, "gcs.objects.patch", "gcs.objects.list",
        fenced=False,
        author_back="somebody", by_curl=False,
    ),
}  # fmt: skip
