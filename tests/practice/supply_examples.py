"""Requests that would succeed: of the inventory of builds, of GitHub's pipeline and switches, and of a cluster's admission."""

from typing import Any

from activities.admission.admission import Refusal, binding, policy
from practice.world.stage import Stage
from tests.practice.examples import Example

GROUP = "/k8s/eu-west/apis/admissionregistration.k8s.io/v1"
MERGE = {"Content_Type": "application/merge-patch+json"}


async def supply_examples(stage: Stage) -> dict[str, Example]:
    """The writing routes of this room."""
    paths: dict[str, tuple[str, dict[str, Any]]] = {
        "supply.blocklist.put": ("/supply/v1/blocklists/proxy/PyPI/httpkit", {"versions": ["1.8.1"]}),
        "supply.isolation.put": ("/supply/v1/hosts/builder-1/isolation", {"isolated": True}),
    }
    settings = {
        name: Example("PUT", path, {"epoch": 1, **body}, {"If_Match": (await stage.must("GET", path))["etag"]})
        for name, (path, body) in paths.items()
    }
    of, other = "/github/repos/acme/api", "/github/repos/acme/orchestrator"
    await stage.must("DELETE", f"{other}/automated-security-fixes")
    return {
        **settings,
        "supply.snapshots.start": Example("POST", "/supply/v1/hosts/builder-1/snapshots"),
        "github.actions.dispatch": Example(
            "POST", f"{of}/actions/workflows/incident-rebuild.yml/dispatches", {"ref": "main", "inputs": {"key": "k"}}
        ),
        "github.repos.update": Example("PATCH", of, {"allow_auto_merge": False}),
        "github.updates.write.enable": Example("PUT", f"{other}/automated-security-fixes"),
        "github.updates.write.disable": Example("DELETE", f"{of}/automated-security-fixes"),
        **await _admission(stage, "validatingadmissionpolicies", policy(Refusal(digests=("sha256:a",)), ""), policy(Refusal(), "")),
        **await _admission(stage, "validatingadmissionpolicybindings", binding(), {**binding(), "spec": _WARNS}),
    }


_WARNS = {**binding()["spec"], "validationActions": ["Warn"]}


async def _admission(stage: Stage, plural: str, made: dict[str, Any], changed: dict[str, Any]) -> dict[str, Example]:
    """One that is there already is changed, and another is made."""
    for name in ("there", "patched", "gone"):
        await stage.must("POST", f"{GROUP}/{plural}", {**made, "metadata": {"name": name}})
    told = {**changed, "metadata": {"name": "there"}}
    return {
        f"kubernetes.{plural}.create": Example("POST", f"{GROUP}/{plural}", {**made, "metadata": {"name": "new"}}),
        f"kubernetes.{plural}.update": Example("PUT", f"{GROUP}/{plural}/there", told),
        f"kubernetes.{plural}.patch": Example("PATCH", f"{GROUP}/{plural}/patched", {"spec": changed["spec"]}, MERGE),
        f"kubernetes.{plural}.delete": Example("DELETE", f"{GROUP}/{plural}/gone"),
    }
