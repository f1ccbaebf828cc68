"""Google's Cloud Run Admin API v2 (cloud.google.com/run/docs/reference/rest/v2), as a platform that `Deploys` shifts.

A write is conditional on the service's etag and is answered by an operation, which is polled for a few seconds. What counts afterwards is
`trafficStatuses`: the traffic in force, while `traffic` is only what was asked for. Fields that are empty, zero or false are left out.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import httpx

from activities.action import Call, NotYet, Refused
from activities.deploys.orders import LATEST, Revision, Rollout, Serving, Split, ToRevision, alike, digest_of, merged, percents
from activities.deploys.pins import Pinned
from activities.kit.http import HttpClient, outcome, pages
from activities.kit.words import urls
from activities.kit.words.redact import redact
from activities.organisation.catalogue import Deployed

Json = dict[str, Any]

BY_LATEST, BY_REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
SUCCEEDED, FAILED = "CONDITION_SUCCEEDED", "CONDITION_FAILED"
PASSING = frozenset({1, 2, 4, 8, 10, 13, 14})  # google.rpc.Code: cancelled, unknown, too late, exhausted, aborted, internal, unavailable
SCHEMA = "incident-playbooks/schema-"  # annotations of a revision: the database schemas that it works with
DEPENDENCIES = "incident-playbooks/dependencies"  # and the digest of the set of dependencies that it was built with
PAGE = 100
POLLED_EVERY = 0.3  # seconds


class CloudRun:
    """Services of any project. `patience` is how many seconds an operation is waited for; with the door's timeout it stays below a try's."""

    def __init__(self, door: HttpClient, iam: HttpClient, *, patience: float = 3.0) -> None:
        self._client = door
        self._iam = iam
        self._patience = patience

    async def survey(self, call: Call, service: Deployed) -> Rollout:
        """Revisions of all regions, newest first, and what serves where. A revision is ready when it is so in every region."""
        listing = (self._revisions(call, service, region) for region in service.regions)
        serving, listed = await asyncio.gather(self.regions(call, service), asyncio.gather(*listing))
        return Rollout(service=service.name, regions=serving, revisions=merged(listed))

    async def regions(self, call: Call, service: Deployed) -> dict[str, Serving]:
        """What serves in every region, by `trafficStatuses`."""
        said = await asyncio.gather(*(self._get(call, _path(service, region)) for region in service.regions))
        return {region: _serving(one) for region, one in zip(service.regions, said, strict=True)}

    async def may_change(self, call: Call, service: Deployed, region: str) -> bool:
        """Whether we may update the service, as IAM says (it changes nothing)."""
        return await _may(self._client, call, _path(service, region), "run.services.update")

    async def may_act_as(self, call: Call, service: Deployed, region: str) -> tuple[str, bool | None]:
        """The service account that its revisions run as, and whether we may let them. None: the service names none, so that nobody can say."""
        account = str((await self._get(call, _path(service, region))).get("template", {}).get("serviceAccount", ""))
        project, named, _ = account.partition("@")[2].partition(".iam.gserviceaccount.com")
        path = urls.path("v1", "projects", project if named else service.project, "serviceAccounts", account)
        return account, await _may(self._iam, call, path, "iam.serviceAccounts.actAs") if account else None

    async def shift(self, call: Call, order: ToRevision, region: str) -> None:
        """Ask for the region's split under the etag that was read, keeping tagged addresses, and wait for the operation."""
        path = _path(order.service, region)
        tagged = [t for t in (await self._get(call, path)).get("traffic", []) if t.get("tag")]
        body = {"etag": order.versions[region], "traffic": [*_targets(order.split[region]), *(_without_traffic(t) for t in tagged)]}
        said: Json = (await self._client.write(call, "PATCH", path, params={"updateMask": "traffic"}, json=body)).json()
        await self._finished(call, said)

    async def pinned(self, call: Call, service: Deployed, region: str) -> Pinned:
        """Which versions of secrets its template asks for."""
        said = await self._get(call, _path(service, region))
        return Pinned(secrets=tuple(dict.fromkeys(_secrets(said["template"]))), version=said["etag"])

    async def pin(self, call: Call, service: Deployed, region: str, secret: str, version: int, over: str) -> None:
        """Ask for a revision with this version of a secret, under the etag `over`; nothing else of the template changes."""
        path = _path(service, region)
        template = {name: value for name, value in (await self._get(call, path))["template"].items() if name != "revision"}
        body = {"etag": over, "template": _with_secret(template, secret, str(version))}
        said: Json = (await self._client.write(call, "PATCH", path, params={"updateMask": "template"}, json=body)).json()
        await self._finished(call, said)

    async def _finished(self, call: Call, operation: Json) -> None:
        """Poll while patience lasts; the caller reads back. Raises `Refused` when it failed, `NotYet` when only its outcome was lost."""
        until = time.monotonic() + self._patience
        while not operation.get("done") and time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                said = await self._client.ask(call, "GET", f"/v2/{operation['name']}")
                operation = said.json() if said.is_success else operation
            if not operation.get("done"):
                await asyncio.sleep(POLLED_EVERY)
        if error := operation.get("error"):
            why = redact(str(error.get("message", error)))
            if error.get("code") in PASSING:
                raise NotYet(f"accepted, and Cloud Run does not say what became of it: {why}")
            raise Refused(f"accepted, but Cloud Run gave it up: {why}")

    async def _revisions(self, call: Call, service: Deployed, region: str) -> list[Revision]:
        async def page(token: str) -> tuple[list[Json], str | None]:
            said = await self._get(call, f"{_path(service, region)}/revisions", pageSize=PAGE, pageToken=token or None)
            return said.get("revisions", []), said.get("nextPageToken") or None

        return [_revision(one, service.container) async for one in pages(f"the list of revisions of {service.name}", "", page)]

    async def _get(self, call: Call, path: str, **params: Any) -> Json:
        said: Json = (await self._client.read(call, path, **params)).json()
        return said


def _path(service: Deployed, region: str) -> str:
    if not service.project:
        raise Refused(f"organisation.toml does not say in which project {service.name} runs: set project in [services.{service.name}]")
    return f"/v2/projects/{service.project}/locations/{region}/services/{service.name}"


def _serving(said: Json) -> Serving:
    asked, in_force = _split(said.get("traffic", [])), _split(said.get("trafficStatuses", []))
    up_to_date = not said.get("reconciling") and "generation" in said and said.get("observedGeneration") == said["generation"]
    condition = said.get("terminalCondition", {})
    broke = up_to_date and condition.get("state") == FAILED and percents(asked) != percents(in_force)
    return Serving(
        split=in_force,
        latest=_last(said.get("latestReadyRevision", "")),
        version=said["etag"],
        settling={} if up_to_date and percents(asked) == percents(in_force) else asked,
        failed=condition.get("message") or condition.get("reason") or "it does not say why" if broke else "",
    )


def _split(targets: Iterable[Json]) -> Split:
    split: Split = {}
    for target in targets:
        name = LATEST if target.get("type") == BY_LATEST else _last(target.get("revision", ""))
        if target.get("percent"):
            split[name] = round(split.get(name, 0.0) + target["percent"] / 100, 6)
    return split


def _targets(split: Split) -> list[Json]:
    return [
        {"type": BY_LATEST, "percent": percent} if name == LATEST else {"type": BY_REVISION, "revision": name, "percent": percent}
        for name, percent in percents(split).items()
    ]


def _without_traffic(target: Json) -> Json:
    return {name: target[name] for name in ("type", "revision", "tag") if name in target}


async def _may(client: HttpClient, call: Call, path: str, permission: str) -> bool:
    said = await client.ask(call, "POST", f"{path}:testIamPermissions", json={"permissions": [permission]})
    return permission in outcome(said).json().get("permissions", [])


def _app(containers: list[Json], named: str) -> Json:
    """The application's own container: the one that is configured, else the one that takes the requests. Empty: nobody can say which."""
    found = [one for one in containers if len(containers) == 1 or (one.get("name") == named if named else one.get("ports"))]
    return found[0] if len(found) == 1 else {}


def _secrets(said: Json) -> Iterator[str]:
    """Those that any container is given, and those in volumes. A version that is not said follows the latest."""
    for source in (env.get("valueSource", {}) for one in said.get("containers", []) for env in one.get("env", [])):
        if key := source.get("secretKeyRef"):
            yield f"{_last(key['secret'])}:{key.get('version') or 'latest'}"
    for secret in (volume["secret"] for volume in said.get("volumes", []) if "secret" in volume):
        yield from (f"{_last(secret['secret'])}:{item.get('version') or 'latest'}" for item in secret.get("items") or [{}])


def _with_secret(thing: Any, secret: str, version: str) -> Any:
    """The same with this version, in variables and in volumes."""
    if isinstance(thing, list):
        return [_with_secret(one, secret, version) for one in thing]
    if not isinstance(thing, dict):
        return thing
    made = {key: _with_secret(inner, secret, version) for key, inner in thing.items()}
    if alike(_last(str(thing.get("secret", "")))) == alike(secret) and not isinstance(thing.get("secret"), dict):
        if "items" in thing:
            made["items"] = [{**item, "version": version} for item in thing["items"]]
        else:
            made["version"] = version
    return made


def _revision(said: Json, container: str) -> Revision:
    containers = said.get("containers", [])
    conditions = {one["type"]: one for one in said.get("conditions", [])}
    notes, there = said.get("annotations", {}), conditions.get("ContainerReady", {})
    return Revision(
        id=_last(said["name"]),
        digest=digest_of(_app(containers, container)),
        images=tuple(map(digest_of, containers)),
        created_at=datetime.fromisoformat(said["createTime"].replace("Z", "+00:00")),
        ready=conditions.get("Ready", {}).get("state") == SUCCEEDED,
        secrets=tuple(dict.fromkeys(_secrets(said))),
        dependencies=notes.get(DEPENDENCIES, ""),
        schema_min=_number(notes.get(f"{SCHEMA}min", "")),
        schema_max=_number(notes.get(f"{SCHEMA}max", "")),
        image_present=True if there.get("state") == SUCCEEDED else False if there.get("reason") == "CONTAINER_MISSING" else None,
    )


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]
