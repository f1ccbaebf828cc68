"""The rule that cuts off a workload: a NetworkPolicy that takes all of its pods, and lets in and out only what forensics need."""

import re
from typing import Any

GROUP = "networking.k8s.io"
ASSET, CHANGED_BY = "incident-playbooks/isolates", "incident-playbooks/changed-by"
PREFIX = "incident-isolates-"
WORKLOAD = re.compile(r"(?=.{1,200}$)[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")  # as Kubernetes calls one, and short enough for our prefix


def rule_name(asset: str) -> str:
    """One for each asset, whichever incident needs it: so it is made once. The incident stands in its annotation."""
    return PREFIX + asset


def rule(asset: str, namespace: str, selector: Any, forensics: Any, by: str = "") -> dict[str, Any]:
    """`selector`: of the workload's pods; `forensics`: the addresses from which it is examined, in CIDR form."""
    only = [{"ipBlock": {"cidr": forensics}}]
    return {
        "apiVersion": f"{GROUP}/v1", "kind": "NetworkPolicy",
        "metadata": {"name": rule_name(asset), "namespace": namespace, "annotations": {ASSET: asset, **({CHANGED_BY: by} if by else {})}},
        "spec": {
            "podSelector": selector, "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": only}], "egress": [{"to": only}],
        },
    }  # fmt: skip
