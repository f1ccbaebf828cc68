"""The Kubernetes API (kubernetes.io/docs/reference/kubernetes-api): Deployments, as a platform that `Deploys` shifts and `Replicas` scales.

A revision is a ReplicaSet, and is called by its name. Shifting sets a Deployment's pod template to that of the ReplicaSet: what `kubectl
rollout undo --to-revision` does, but always to a named one, and only if the Deployment is still as it was read (JSON patch with a test).
Nothing is pinned by that: the next deploy serves at once. Where a controller keeps Deployments as a repository has them, it reverts this.

Pod templates tell what Kubernetes does not know, by annotations: `incident-playbooks/schema-min` and `-max` (the database schemas that
the build works with), `incident-playbooks/dependencies` (the digest of the set that it was built with), `secrets.incident-playbooks/NAME`
(the pinned version of a secret). Images are named by digest.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from activities.action import Call, NotYet, Refused, Value
from activities.deploys.orders import Altered, Revision, Rollout, Serving, Split, ToRevision, merged, percents
from activities.deploys.pins import Pinned
from activities.deploys.pod_template import app_digest, asked_template, changes, digests, notes_of, secrets, with_secret
from activities.kit.http import Conflict, HttpClient, Unprocessable, outcome, pages
from activities.organisation.catalogue import Deployed

Json = dict[str, Any]

REVISION = "deployment.kubernetes.io/revision"
CHANGE_CAUSE = "kubernetes.io/change-cause"  # what `kubectl rollout history` shows
OURS = re.compile(r".* to (?P<revision>\S+) \[(?P<key>.+)\]")  # our own, with the key of the shift
SCHEMA = "incident-playbooks/schema-"
DEPENDENCIES = "incident-playbooks/dependencies"
DONE, GIVEN_UP = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
NOTHING = "it is scaled to zero, so that nothing serves: scale it up first"
UNSEEN = "(a template that is not rolled out yet)"
PATCH = {"Content-Type": "application/json-patch+json"}
MANAGER = {"fieldManager": "incident-playbooks"}
PAGE = 500  # as kubectl
GONE = 410  # the rest of a list is no longer there to be read


class Replicated(Value):
    """How many pods a Deployment has: wanted, there, and ready. `observed`: the controller has seen what is wanted."""

    wanted: int
    there: int
    ready: int
    observed: bool
    version: str


class Kubernetes:
    """The clusters of all regions. `opened` opens the door to a region's API; it is called once for each."""

    def __init__(self, opened: Callable[[str], HttpClient]) -> None:
        self._opened = opened
        self._clients: dict[str, HttpClient] = {}

    async def survey(self, call: Call, service: Deployed) -> Rollout:
        """ReplicaSets as revisions, newest first, and what serves where. A revision is ready when it is so in every region."""
        seen = await asyncio.gather(*(self._look(call, service, region) for region in service.regions))
        images = await asyncio.gather(*(self._images(call, region) for region in service.regions))
        serving = {region: _serving(service, *one) for region, one in zip(service.regions, seen, strict=True)}
        listed = [[_revision(service, one, held) for one in sets] for (_, sets), held in zip(seen, images, strict=True)]
        return Rollout(service=service.name, regions=serving, revisions=merged(listed))

    async def regions(self, call: Call, service: Deployed) -> dict[str, Serving]:
        """What serves in every region, by the status of the rollout."""
        seen = await asyncio.gather(*(self._look(call, service, region) for region in service.regions))
        return {region: _serving(service, *one) for region, one in zip(service.regions, seen, strict=True)}

    async def shift(self, call: Call, order: ToRevision, region: str) -> None:
        """Set the template to that of the revision's ReplicaSet, if the Deployment is still at the version that was read."""
        wanted = [*percents(order.split[region])]
        if len(wanted) != 1:
            raise Refused(f"on Kubernetes one revision takes all: {order.service.name} cannot serve {' and '.join(wanted)} in {region}")
        deployment, sets = await self._look(call, order.service, region)
        found = next((one for one in sets if one["metadata"]["name"] == wanted[0]), None)
        if found is None:
            raise Refused(
                f"{wanted[0]} is not among the ReplicaSets of {order.service.name} in {region} (any more): Kubernetes keeps only so many"
            )
        if deployment["spec"].get("paused"):
            raise Refused(f"{order.service.name} is paused in {region}; resume its rollout first")
        if deployment["spec"].get("replicas", 1) == 0:
            raise Refused(f"{order.service.name} in {region}: {NOTHING}")
        cause = f"{call.incident_id}: {order.purpose} to {wanted[0]} [{call.key}]"
        template = {"op": "replace", "path": "/spec/template", "value": asked_template(found)}
        notes = {**(deployment["metadata"].get("annotations") or {}), CHANGE_CAUSE: cause}
        noted = {"op": "add", "path": "/metadata/annotations", "value": notes}
        await self._patch(call, order.service, region, order.versions[region], [template, noted])

    async def may_change(self, call: Call, service: Deployed, region: str) -> bool:
        """Whether we may patch Deployments and their scale, as the cluster itself says (SelfSubjectAccessReview: it changes nothing)."""
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        for part in ("", "scale"):
            asked = {"namespace": service.namespace, "verb": "patch", "group": "apps", "resource": "deployments", "subresource": part}
            body = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {"resourceAttributes": asked}}
            if not outcome(await self._client(region).ask(call, "POST", path, json=body)).json()["status"]["allowed"]:
                return False
        return True

    async def replicas(self, call: Call, service: Deployed, region: str) -> Replicated:
        """How many pods a region's Deployment has."""
        said = await self._deployment(call, service, region)
        status = said.get("status", {})
        return Replicated(
            wanted=said["spec"].get("replicas", 1),
            there=status.get("replicas", 0),
            ready=status.get("readyReplicas", 0),
            observed=_observed(said),
            version=said["metadata"]["resourceVersion"],
        )

    async def scale(self, call: Call, service: Deployed, region: str, replicas: int, version: str) -> None:
        """Want so many pods, if the Deployment is still at `version`. Raises `Conflict` when it is not."""
        wanted = {"op": "replace", "path": "/spec/replicas", "value": replicas}
        await self._patch(call, service, region, version, [wanted], "/scale")

    async def pinned(self, call: Call, service: Deployed, region: str) -> Pinned:
        """Which versions of secrets the Deployment asks for; a rollout that is under way counts."""
        said = await self._deployment(call, service, region)
        return Pinned(secrets=secrets(said["spec"]["template"]), version=said["metadata"]["resourceVersion"])

    async def pin(self, call: Call, service: Deployed, region: str, secret: str, version: int, over: str) -> None:
        """Ask for this version of a secret, if the Deployment is still at the version `over`: its pods are made anew, a few at a time."""
        said = await self._deployment(call, service, region)
        template = {"op": "replace", "path": "/spec/template", "value": with_secret(said["spec"]["template"], secret, version)}
        cause = f"{call.incident_id}: version {version} of {secret} [{call.key}]"
        notes = {**(said["metadata"].get("annotations") or {}), CHANGE_CAUSE: cause}
        await self._patch(call, service, region, over, [template, {"op": "add", "path": "/metadata/annotations", "value": notes}])

    async def _patch(self, call: Call, service: Deployed, region: str, version: str, changes: list[Json], of: str = "") -> None:
        patch = [{"op": "test", "path": "/metadata/resourceVersion", "value": version}, *changes]
        try:
            await self._client(region).write(call, "PATCH", _path(service) + of, headers=PATCH, params=MANAGER, json=patch)
        except Unprocessable as no:
            # A failed test is 422, as is a template that makes no sense: only the version tells them apart.
            if (await self._deployment(call, service, region))["metadata"]["resourceVersion"] != version:
                raise Conflict(no.message) from no
            raise

    async def _look(self, call: Call, service: Deployed, region: str) -> tuple[Json, list[Json]]:
        """The Deployment and its own ReplicaSets."""
        deployment = await self._deployment(call, service, region)
        labels = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"].get("matchLabels", {}).items())
        path = f"/apis/apps/v1/namespaces/{service.namespace}/replicasets"
        listed = await self._list(call, region, path, **({"labelSelector": labels} if labels else {}))
        uid = deployment["metadata"]["uid"]
        return deployment, [one for one in listed if any(o["uid"] == uid for o in one["metadata"].get("ownerReferences", []))]

    async def _deployment(self, call: Call, service: Deployed, region: str) -> Json:
        said: Json = (await self._client(region).read(call, _path(service))).json()
        return said

    async def _images(self, call: Call, region: str) -> frozenset[str]:
        """The digests of the images that nodes hold. Who may not list nodes knows of none."""
        try:
            nodes = await self._list(call, region, "/api/v1/nodes")
        except Refused:
            return frozenset()
        names = [name for node in nodes for image in node.get("status", {}).get("images", []) for name in image.get("names") or []]
        return frozenset(digest for name in names if (digest := name.partition("@")[2]))

    async def _list(self, call: Call, region: str, path: str, **params: str) -> list[Json]:
        """All pages. Raises `NotYet` when the rest was dropped meanwhile: then it is read from its beginning."""

        async def page(token: str) -> tuple[list[Json], str | None]:
            asked = {**params, "limit": str(PAGE), **({"continue": token} if token else {})}
            said = await self._client(region).ask(call, "GET", path, params=asked)
            if said.status_code == GONE:
                raise NotYet(f"{path}: the list went on changing while it was read")
            found = outcome(said).json()
            return found.get("items") or [], found["metadata"].get("continue") or None

        return [one async for one in pages(f"{path} in {region}", "", page)]

    def _client(self, region: str) -> HttpClient:
        if region not in self._clients:
            self._clients[region] = self._opened(region)
        return self._clients[region]


def _path(service: Deployed) -> str:
    return f"/apis/apps/v1/namespaces/{service.namespace}/deployments/{service.name}"


# ---- reading ----


def _observed(deployment: Json) -> bool:
    seen: int = deployment.get("status", {}).get("observedGeneration", 0)
    return bool(seen >= deployment["metadata"]["generation"])


def _wanted(deployment: Json, sets: list[Json]) -> str:
    """The ReplicaSet of the template that the Deployment asks for; of twins the newest, as the controller chooses."""
    template = deployment["spec"]["template"]
    alike = [one for one in sets if asked_template(one) == template]
    newest = max(alike, key=lambda one: int(one["metadata"].get("annotations", {}).get(REVISION) or 0), default=None)
    return newest["metadata"]["name"] if newest else UNSEEN


def _serving(service: Deployed, deployment: Json, sets: list[Json]) -> Serving:
    """By the status, as `kubectl rollout status` reads it."""
    status, wanted = deployment.get("status", {}), _wanted(deployment, sets)
    conditions = {one["type"]: one for one in status.get("conditions", [])}
    progressing = conditions.get("Progressing", {})
    there, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    none_wanted = deployment["spec"].get("replicas", 1) == 0
    all_ready = there == status.get("availableReplicas", 0) == deployment["spec"].get("replicas", 1)
    # A rollout that was once complete stays so when a pod of it fails later: only its pods are there, and that is what is asked here.
    complete = all_ready or (there > 0 and progressing.get("reason") == DONE)
    over = not none_wanted and _observed(deployment) and wanted != UNSEEN and updated == there and complete
    gave_up = not over and _observed(deployment) and progressing.get("status") == "False" and progressing.get("reason") == GIVEN_UP
    return Serving(
        split={wanted: 1.0} if over else _ready_shares(sets),
        latest=wanted,
        version=deployment["metadata"]["resourceVersion"],
        settling={} if over or none_wanted else {wanted: 1.0},
        failed=NOTHING if none_wanted else progressing.get("message") or GIVEN_UP if gave_up else "",
        pins=False,
        altered=_altered(service, deployment, sets),
    )


def _altered(service: Deployed, deployment: Json, sets: list[Json]) -> Altered | None:
    """Ours, by change-cause and image, although its template is none that we wrote: an admission controller adds to it what it likes."""
    cause = OURS.fullmatch((deployment["metadata"].get("annotations") or {}).get(CHANGE_CAUSE, ""))
    meant = next((asked_template(one) for one in sets if cause and one["metadata"]["name"] == cause["revision"]), None)
    template = deployment["spec"]["template"]
    if not cause or meant is None or meant == template or app_digest(service, template) not in {app_digest(service, meant)} - {""}:
        return None
    return Altered(revision=cause["revision"], key=cause["key"], how=changes(meant, template))


def _ready_shares(sets: list[Json]) -> Split:
    ready = {one["metadata"]["name"]: one.get("status", {}).get("availableReplicas", 0) for one in sets}
    total = sum(ready.values())
    return {name: round(count / total, 6) for name, count in ready.items() if count}


def _revision(service: Deployed, replica_set: Json, held: frozenset[str]) -> Revision:
    template, metadata = replica_set["spec"]["template"], replica_set["metadata"]
    images, notes, status = digests(template), notes_of(template), replica_set.get("status", {})
    return Revision(
        id=metadata["name"],
        digest=app_digest(service, template),
        images=images,
        created_at=datetime.fromisoformat(metadata["creationTimestamp"].replace("Z", "+00:00")),
        ready=status.get("readyReplicas", 0) > 0 or not replica_set["spec"].get("replicas", 0),  # without pods nobody says anything else
        secrets=secrets(template),
        dependencies=notes.get(DEPENDENCIES, ""),
        schema_min=_whole(notes.get(f"{SCHEMA}min", "")),
        schema_max=_whole(notes.get(f"{SCHEMA}max", "")),
        image_present=held.issuperset(images) or None,
    )


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None
