"""Bodies that Cloud Run's Admin API v2 takes, and resources as it shows them (cloud.google.com/run/docs/reference/rest/v2).

As in Google's JSON: enums are taken as numbers or as names, 64-bit numbers are shown as text, and what is empty, zero or false is left out.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from practice.http.face import Ask
from practice.services.fleet import Place, Revision, Service
from practice.world.state import JSON
from practice.world.versions import fingerprint

LATEST = "LATEST"
BY_LATEST, BY_REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
SCHEMA = "incident-playbooks/schema-"
DEPENDENCIES = "incident-playbooks/dependencies"
SUCCEEDED, FAILED, RECONCILING = "CONDITION_SUCCEEDED", "CONDITION_FAILED", "CONDITION_RECONCILING"


def _enum(names: tuple[str, ...], given: int | str) -> str:
    """The name of an enum's value, which may be given by number."""
    if isinstance(given, int) and 0 < given <= len(names):
        return names[given - 1]
    if given not in names:
        raise ValueError(f"invalid value {given!r}; there are {', '.join(names)}")
    return str(given)


class Message(Ask):
    """A message of the API. Fields that it knows and that are nothing to us are dropped, unknown ones refused."""

    unused: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _drop_unused(cls, given: Any) -> Any:
        dropped = cls.unused.split()
        return {name: value for name, value in given.items() if name not in dropped} if isinstance(given, dict) else given


class Target(Message):
    """Where a part of the traffic goes."""

    unused = "uri"

    type: int | str
    revision: str = ""
    percent: int = Field(0, ge=0, le=100)
    tag: str = ""

    @field_validator("type")
    @classmethod
    def _named(cls, given: int | str) -> str:
        return _enum((BY_LATEST, BY_REVISION), given)

    @property
    def name(self) -> str:
        return LATEST if self.type == BY_LATEST else self.revision.rsplit("/", 1)[-1]


class SecretKey(Message):
    secret: str
    version: str = "latest"


class EnvSource(Message):
    secretKeyRef: SecretKey  # noqa: N815 - the wire's name


class Env(Message):
    name: str
    value: str = ""
    valueSource: EnvSource | None = None  # noqa: N815 - the wire's name


class Container(Message):
    unused = (
        "command args resources volumeMounts workingDir livenessProbe startupProbe readinessProbe dependsOn baseImageUri "
        "buildInfo sourceCode"
    )

    name: str = ""
    image: str
    ports: list[Any] = Field(default_factory=list)
    env: list[Env] = Field(default_factory=list)

    @property
    def digest(self) -> str:
        """The image's digest; a tag is resolved to one."""
        _, found, digest = self.image.partition("@")
        return digest if found else "sha256:" + hashlib.sha256(self.image.encode()).hexdigest()

    @property
    def secrets(self) -> dict[str, int]:
        named = [env.valueSource.secretKeyRef for env in self.env if env.valueSource]
        return {key.secret.rsplit("/", 1)[-1]: pinned(key.version) for key in named}


class Item(Message):
    unused = "mode"

    path: str
    version: str = "latest"


class SecretVolume(Message):
    unused = "defaultMode"

    secret: str
    items: list[Item] = Field(min_length=1)


class Volume(Message):
    unused = "cloudSqlInstance emptyDir nfs gcs"

    name: str
    secret: SecretVolume | None = None


def pinned(version: str) -> int:
    """A version by its number: this world knows no aliases."""
    if not version.isdigit():
        raise ValueError("versions of secrets must be pinned by number here")
    return int(version)


class Template(Message):
    unused = (
        "labels scaling vpcAccess timeout serviceAccount executionEnvironment encryptionKey maxInstanceRequestConcurrency "
        "serviceMesh encryptionKeyRevocationAction encryptionKeyShutdownDuration sessionAffinity healthCheckDisabled nodeSelector "
        "gpuZonalRedundancyDisabled client clientVersion"
    )

    containers: list[Container] = Field(min_length=1)
    volumes: list[Volume] = Field(default_factory=list)
    revision: str = ""
    annotations: dict[str, str] = Field(default_factory=dict)

    @property
    def app(self) -> Container:
        """The one that takes the requests: exactly one has ports, where there are several."""
        found = [one for one in self.containers if one.ports or len(self.containers) == 1]
        if len(found) != 1:
            raise ValueError("template.containers: exactly one container must have ports")
        return found[0]

    @property
    def mounted(self) -> dict[str, int]:
        held = [volume.secret for volume in self.volumes if volume.secret]
        return {one.secret.rsplit("/", 1)[-1]: pinned(item.version) for one in held for item in one.items}

    def schema_bound(self, which: str, default: int) -> int:
        given = self.annotations.get(SCHEMA + which, str(default))
        if not given.isdigit():
            raise ValueError(f"template.annotations[{SCHEMA}{which}] must be a number")
        return int(given)


class Scaling(Message):
    unused = "scalingMode manualInstanceCount"

    minInstanceCount: int = Field(0, ge=0)  # noqa: N815 - the wire's name
    maxInstanceCount: int = Field(0, ge=0)  # noqa: N815 - the wire's name


class ServicePatch(Message):
    """A service, of which the fields of the update mask are taken. What only the server writes may be sent back and is ignored."""

    unused = (
        "description uid generation labels annotations createTime updateTime deleteTime expireTime creator lastModifier client "
        "clientVersion ingress launchStage binaryAuthorization invokerIamDisabled defaultUriDisabled urls iapEnabled multiRegionSettings "
        "customAudiences observedGeneration terminalCondition conditions latestReadyRevision latestCreatedRevision trafficStatuses uri "
        "satisfiesPzs threatDetectionEnabled buildConfig reconciling"
    )

    name: str = ""
    etag: str = ""
    traffic: list[Target] | None = None
    template: Template | None = None
    scaling: Scaling | None = None


# ---- resources ----


def etag_of(place: Place) -> str:
    """The version of a service's configuration: how many instances run at the moment is no part of it."""
    return f'"{fingerprint([place.region, place.split, place.least, place.most, place.generation, place.template])}"'


def shown_service(service: Service, place: Place, name: str, own: JSON, stamp: Any) -> JSON:
    """A service in one region. `own` is what the Admin API remembers of it: tags, and what is under way."""
    moving: JSON = own.get("moving") or {}
    under_way = bool(moving) and not moving["over"]
    ready = moving["latest"] if under_way else service.latest_ready(place.region)
    state = RECONCILING if under_way else FAILED if moving else SUCCEEDED
    oldest = min((service.revisions[n].created for n in place.history), default=0.0)
    return _full(
        {
            "name": name,
            "uid": fingerprint(name),
            "generation": str(place.generation),
            "createTime": stamp(oldest),
            "template": shown_template(service, service.revisions[place.template]),
            "traffic": moving["targets"] if moving else targets_of(place.split, own.get("tags", {})),
            "scaling": _full({"minInstanceCount": place.least, "maxInstanceCount": place.most, "scalingMode": "AUTOMATIC"}),
            "observedGeneration": str(place.generation - (1 if under_way else 0)),
            "terminalCondition": _full({"type": "Ready", "state": state, "message": moving.get("failed") if state == FAILED else ""}),
            "latestReadyRevision": f"{name}/revisions/{ready}",
            "latestCreatedRevision": f"{name}/revisions/{place.template}",
            "trafficStatuses": targets_of(moving["shown"] if moving else place.split, own.get("tags", {})),
            "uri": f"https://{service.name}-{place.region}.example.com",
            "reconciling": under_way,
            "etag": etag_of(place),
        }
    )


def targets_of(split: dict[str, float], tags: dict[str, str]) -> list[JSON]:
    """A split as traffic targets; a tag keeps a revision reachable by an address of its own, also without traffic."""
    found = [
        _full({"type": BY_LATEST if n == LATEST else BY_REVISION, "revision": "" if n == LATEST else n, "percent": round(share * 100)})
        for n, share in split.items()
        if share > 0
    ]
    return found + [{"type": BY_REVISION, "revision": revision, "tag": tag} for tag, revision in tags.items()]


def shown_template(service: Service, revision: Revision) -> JSON:
    account = f"{service.name}@acme.iam.gserviceaccount.com"
    return {"annotations": _annotations(revision), "serviceAccount": account, **_running(service, revision)}


def shown_revision(service: Service, place: Place, revision: Revision, name: str, stamp: Any) -> JSON:
    """A revision. Its conditions say whether its container is there and whether it can start."""
    there = {"type": "ContainerReady", "state": SUCCEEDED if revision.image_present else FAILED}
    if not revision.image_present:
        there |= {"reason": "CONTAINER_MISSING", "message": f"Image '{_image(service, revision)}' not found."}
    can, serves = revision.ready and revision.image_present, revision.name in service.serving(place.region)
    return {
        "name": name,
        "uid": fingerprint(name),
        "generation": "1",
        "annotations": _annotations(revision),
        "createTime": stamp(revision.created),
        "service": service.name,
        "creator": revision.actor,
        **_running(service, revision),
        "conditions": [
            {"type": "Ready", "state": SUCCEEDED if can else FAILED},
            there,
            {"type": "ContainerHealthy", "state": SUCCEEDED if can else FAILED},
            {"type": "Active", **({"state": SUCCEEDED} if serves else {"state": FAILED, "revisionReason": "RETIRED"})},
        ],
        "observedGeneration": "1",
        "etag": f'"{fingerprint([revision.name, revision.digest])}"',
    }


def _annotations(revision: Revision) -> JSON:
    built = {DEPENDENCIES: revision.dependencies} if revision.dependencies else {}
    return {SCHEMA + "min": str(revision.schema_min), SCHEMA + "max": str(revision.schema_max), **built}


def _running(service: Service, revision: Revision) -> JSON:
    """Its containers, side-cars first, and its volumes."""
    beside = [
        _full({"name": one.name, "image": f"images.example.com/mesh/{one.name}@{one.digest}", "env": _env(one.secrets)})
        for one in revision.side_cars
    ]
    app = {"image": _image(service, revision), "env": _env(revision.secrets), "ports": [{"name": "http1", "containerPort": 8080}]}
    volumes = [
        {"name": f"v{number}", "secret": {"secret": secret, "items": [{"path": "value", "version": str(version)}]}}
        for number, (secret, version) in enumerate(revision.mounted.items())
    ]
    return _full({"containers": [*beside, _full(app)], "volumes": volumes})


def _env(secrets: dict[str, int]) -> list[JSON]:
    return [
        {"name": secret.upper().replace("-", "_"), "valueSource": {"secretKeyRef": {"secret": secret, "version": str(version)}}}
        for secret, version in secrets.items()
    ]


def _image(service: Service, revision: Revision) -> str:
    return f"images.example.com/{service.name}@{revision.digest}"


def _full(given: JSON) -> JSON:
    """Without what is empty, zero or false, as Google's JSON."""
    return {name: value for name, value in given.items() if value not in ("", 0, False, None, [], {})}
