"""Requests that would succeed: of what a breach is contained with."""

from typing import Any

from practice.containment.cast import OURS, there
from practice.containment.model import ADMIN, Disk
from practice.world.stage import Stage
from tests.practice.examples import Example

POLICIES = "/k8s/eu-west/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
MERGE = {"Content_Type": "application/merge-patch+json"}
STAFF = "/keycloak-staff/admin/realms/acme-staff"
SPEC = {"podSelector": {"matchLabels": {"app": "orchestrator"}}, "policyTypes": ["Ingress"]}


def network_policy(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": {**SPEC, **more}}


async def containment_examples(stage: Stage) -> dict[str, Example]:
    """The writing routes of these faces."""
    for name in ("there", "patched", "gone"):
        await stage.must("POST", POLICIES, network_policy(name))
    paths: dict[str, tuple[str, dict[str, Any]]] = {
        "network.isolation.put": ("/network/v1/assets/api/isolation", {"isolated": True}),
        "audit.level.put": ("/audit/v1/scopes/api/level", {"data_access": True, "retention_days": 400}),
    }
    settings = {
        name: Example("PUT", path, {"epoch": 1, **body}, {"If_Match": (await stage.must("GET", path))["etag"]})
        for name, (path, body) in paths.items()
    }
    level = "/audit/v1/scopes/main/level"
    body = {"epoch": 1, "data_access": True, "retention_days": 30}
    await stage.must("PUT", level, body, If_Match=(await stage.must("GET", level))["etag"])
    there(stage.world.state, 0.0).disks.append(Disk("both", "eu-west", "api", regional=True))
    entry = {"logName": "projects/acme/logs/x", "resource": {"type": "global"}, "entries": [{"insertId": "1", "textPayload": "x"}]}
    return {
        **settings,
        "audit.events.make": Example("POST", "/audit/v1/scopes/main/test-events"),
        "kubernetes.networkpolicies.create": Example("POST", POLICIES, network_policy("new")),
        "kubernetes.networkpolicies.update": Example("PUT", f"{POLICIES}/there", network_policy("there", ingress=[{}])),
        "kubernetes.networkpolicies.patch": Example("PATCH", f"{POLICIES}/patched", {"spec": {"ingress": [{}]}}, MERGE),
        "kubernetes.networkpolicies.delete": Example("DELETE", f"{POLICIES}/gone"),
        "crm.projects.setIamPolicy": Example(
            "POST", "/crm/v3/projects/acme:setIamPolicy", {"policy": {"bindings": [{"role": ADMIN, "members": [OURS]}]}}
        ),
        "logging.buckets.patch": Example(
            "PATCH", "/logging/v2/projects/acme/locations/global/buckets/_Default?updateMask=retentionDays", {"retentionDays": 400}
        ),
        "logging.entries.write": Example("POST", "/logging/v2/entries:write", entry),
        "gce.disks.createSnapshot": Example(
            "POST", "/gce/compute/v1/projects/acme/zones/eu-west-b/disks/api-1/createSnapshot", {"name": "evidence-1"}
        ),
        "gce.regionDisks.createSnapshot": Example(
            "POST", "/gce/compute/v1/projects/acme/regions/eu-west/disks/both/createSnapshot", {"name": "evidence-2"}
        ),
        "keycloak_groups.groups.update": Example(
            "PUT", f"{STAFF}/groups/g-3", {"name": "incident-responders", "attributes": {"incident": ["x"]}}
        ),
        "keycloak_groups.members.join": Example("PUT", f"{STAFF}/users/staff.sam/groups/g-3"),
        "keycloak_groups.members.leave": Example("DELETE", f"{STAFF}/users/staff.kim/groups/g-2"),
    }
