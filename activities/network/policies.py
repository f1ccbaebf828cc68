"""NetworkPolicies (networking.k8s.io/v1): one in each cluster where the workload runs.

They only ever add up: what another policy lets through for the same pods comes through still, however strict ours is. Such policies are named;
whether the network does what the policies say, a probe finds out (there are clusters whose network plugin takes them and does nothing).
"""

import asyncio
from collections.abc import Callable
from typing import Any

from activities.action import Call, Refused
from activities.kit.http import Conflict, HttpClient, outcome, pages
from activities.kit.words.urls import path
from activities.network.isolation import AssetOf, IsolationReading, read_back
from activities.network.rules import ASSET, CHANGED_BY, GROUP, WORKLOAD, rule, rule_name
from activities.organisation.catalogue import Catalogue

Json = dict[str, Any]
MANAGER = {"fieldManager": "incident-playbooks"}
PAGE = 250
KINDS = ("deployments", "statefulsets")


class NetworkPolicies:
    """The clusters of all regions. `opened` opens the door to a region's API; `forensics`: the addresses that stay let in, in CIDR form."""

    def __init__(self, opened: Callable[[str], HttpClient], forensics: str, catalogue: Callable[[], Catalogue] = Catalogue) -> None:
        self._opened, self._forensics, self._catalogue = opened, forensics, catalogue
        self._doors = dict[str, HttpClient]()

    async def read(self, call: Call, of: AssetOf) -> IsolationReading:
        """It has no version of its own: a rule that was taken away leaves no trace, so that a late write is looked for after a lift."""
        regions, namespace = self._places(of)
        seen = await asyncio.gather(*(self._in_region(call, of, region, namespace) for region in regions))
        rules = {region: version for region, (version, _, _) in zip(regions, seen, strict=True)}
        by = next((by for _, by, _ in seen if by), "")
        return IsolationReading(
            value=read_back(rules), changed_by=by, rules=rules, openers=tuple(one for *_, found in seen for one in found)
        )

    async def _in_region(self, call: Call, of: AssetOf, region: str, namespace: str) -> tuple[str, str, list[str]]:
        """The version of our rule there, empty where there is none; by whom it is; and what lets traffic through beside it."""
        selector = await self._selector(call, region, namespace, of.asset)
        policies = await self._all(call, region, namespace)
        found = next((one for one in policies if one["metadata"]["name"] == rule_name(of.asset)), None)
        openers = self._beside(region, of, selector, policies)
        if found is None:
            return "", "", openers
        self._ours(found, of, namespace, selector)
        return found["metadata"]["resourceVersion"], (found["metadata"].get("annotations") or {}).get(CHANGED_BY, ""), openers

    async def write(self, call: Call, of: AssetOf, isolated: bool, over: IsolationReading, epoch: int) -> None:
        """Cluster by cluster; what broke off is finished by the next attempt. A rule is deleted only as it was read."""
        regions, namespace = self._places(of)
        for region in regions:
            version, door = over.rules.get(region, ""), self._door(region)
            if isolated and not version:
                selector = await self._selector(call, region, namespace, of.asset)
                made = rule(of.asset, namespace, selector, self._forensics, call.incident_id)
                await door.write(call, "POST", _path(namespace), params=MANAGER, json=made)
            if not isolated and version:
                only = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": version}}
                await self._taken_away(call, door, _path(namespace, rule_name(of.asset)), only)

    async def _taken_away(self, call: Call, door: HttpClient, where: str, only: Json) -> None:
        try:
            await door.write(call, "DELETE", where, json=only)
        except Refused:
            if await door.find(call, where) is None:
                raise Conflict(f"{where}: somebody else has taken it away") from None
            raise

    async def may_change(self, call: Call, region: str) -> bool:
        """Whether we may make policies there, by the cluster's own word."""
        spec = {"resourceAttributes": {"group": GROUP, "resource": "networkpolicies", "verb": "create"}}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
        where = path("apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews")
        return bool(outcome(await self._door(region).ask(call, "POST", where, json=body)).json()["status"]["allowed"])

    async def held(self, call: Call, region: str, namespace: str) -> int:
        """How many workloads of a namespace are cut off."""
        return sum(1 for one in await self._all(call, region, namespace) if ASSET in (one["metadata"].get("annotations") or {}))

    def _places(self, of: AssetOf) -> tuple[tuple[str, ...], str]:
        if not WORKLOAD.fullmatch(of.asset):
            raise Refused(f"{of.asset[:60]!r} is no name of a workload")
        if of.regions:
            return of.regions, of.namespace
        known = self._catalogue().services.get(of.asset)
        if known is None or known.platform != "kubernetes":
            raise Refused(f"nobody says in which clusters {of.asset} runs: it is no service on Kubernetes in organisation.toml")
        return known.regions, known.namespace

    async def _selector(self, call: Call, region: str, namespace: str, asset: str) -> Json:
        """Of the workload's pods, whole, as its own controller picks them."""
        for kind in KINDS:
            found = await self._door(region).find(call, path("apis", "apps", "v1", "namespaces", namespace, kind, asset))
            if found is not None:
                selector: Json = found["spec"]["selector"]
                return selector
        raise Refused(f"there is no workload {asset} in {namespace} of {region}")

    def _ours(self, found: Json, of: AssetOf, namespace: str, selector: Json) -> None:
        """Raises `Refused` for a policy of our name that does not do what ours does: nobody would know what it lets through."""
        wanted = rule(of.asset, namespace, selector, self._forensics)["spec"]
        if any(found["spec"].get(name) != wanted[name] for name in wanted):
            raise Refused(
                f"the policy {rule_name(of.asset)} is not as we make it (its pods, or the addresses of forensics, are others): "
                "nobody knows what it lets through"
            )

    def _beside(self, region: str, of: AssetOf, selector: Json, policies: list[Json]) -> list[str]:
        """Policies that take the same pods and let something through."""
        labels = dict(selector.get("matchLabels") or {})
        others = [one for one in policies if one["metadata"]["name"] != rule_name(of.asset)]
        return [f"{one['metadata']['name']} in {region}" for one in others if _lets_through(one["spec"]) and _may_take(one["spec"], labels)]

    async def _all(self, call: Call, region: str, namespace: str) -> list[Json]:
        async def page(token: str) -> tuple[list[Json], str | None]:
            asked: dict[str, Any] = {"limit": PAGE, "continue": token or None}
            said = (await self._door(region).read(call, _path(namespace), **asked)).json()
            return said["items"], said["metadata"].get("continue") or None

        return [one async for one in pages(f"the network policies of {region}", "", page)]

    def _door(self, region: str) -> HttpClient:
        if region not in self._doors:
            self._doors[region] = self._opened(region)
        return self._doors[region]


def _path(namespace: str, *name: str) -> str:
    return path("apis", GROUP, "v1", "namespaces", namespace, "networkpolicies", *name)


def _lets_through(spec: Json) -> bool:
    return bool(spec.get("ingress") or spec.get("egress"))


def _may_take(spec: Json, labels: dict[str, str]) -> bool:
    """Whether its selector may take the pods: its expressions are not evaluated here, and count as if they did."""
    wanted = (spec.get("podSelector") or {}).get("matchLabels") or {}
    return all(labels.get(name, value) == value for name, value in wanted.items())
