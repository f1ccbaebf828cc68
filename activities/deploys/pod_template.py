"""Pod templates of Kubernetes: which container is the application's (not always the first), all images and secrets, and what others changed."""

from collections.abc import Iterator
from typing import Any

from activities.deploys.orders import alike, digest_of
from activities.organisation.catalogue import Deployed

Json = dict[str, Any]

TEMPLATE_HASH = "pod-template-hash"
CONTAINER = "kubectl.kubernetes.io/default-container"
SECRET = "secrets.incident-playbooks/"  # noqa: S105 - followed by a secret's name; the value is its pinned version
REFERENCES = ("secretKeyRef", "secretRef", "secret")  # in env, envFrom and volumes, projected ones too
KINDS = {"containers": "container", "initContainers": "init container", "volumes": "volume"}


def asked_template(replica_set: Json) -> Json:
    """The template as a Deployment asks for it: without the label that the controller adds."""
    template: Json = replica_set["spec"]["template"]
    metadata = template.get("metadata", {})
    labels = {key: value for key, value in metadata.get("labels", {}).items() if key != TEMPLATE_HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def notes_of(template: Json) -> dict[str, str]:
    return template.get("metadata", {}).get("annotations") or {}


def app_digest(service: Deployed, template: Json) -> str:
    """The digest of the application's container, by the name that is configured, kubectl's annotation or the service's; empty when unknown."""
    name, containers = service.container or notes_of(template).get(CONTAINER) or service.name, template["spec"]["containers"]
    return next((digest_of(one) for one in containers if len(containers) == 1 or one["name"] == name), "")


def digests(template: Json) -> tuple[str, ...]:
    """Those of all containers; empty where an image is not named by digest."""
    return tuple(digest_of(one) for kind in ("containers", "initContainers") for one in template["spec"].get(kind) or [])


def secrets(template: Json) -> tuple[str, ...]:
    """`NAME:version` for those whose version an annotation says, `NAME:` for every other one that is referred to."""
    pinned = {key.removeprefix(SECRET): version for key, version in notes_of(template).items() if key.startswith(SECRET)}
    known = {alike(name) for name in pinned}
    others = [f"{name}:" for name in dict.fromkeys(_referred_to(template["spec"])) if alike(name) not in known]
    return (*(f"{name}:{version}" for name, version in pinned.items()), *others)


def with_secret(template: Json, secret: str, version: int) -> Json:
    """The same template with this version of a secret, wherever it is referred to by version."""
    notes = {**notes_of(template), f"{SECRET}{secret}": str(version)}
    metadata = {**template.get("metadata", {}), "annotations": notes}
    return {**template, "metadata": metadata, "spec": _pinned(template["spec"], secret, str(version))}


def _pinned(thing: Any, secret: str, version: str) -> Any:
    if isinstance(thing, list):
        return [_pinned(one, secret, version) for one in thing]
    if not isinstance(thing, dict):
        return thing
    made = {key: _pinned(inner, secret, version) for key, inner in thing.items()}
    if (key := thing.get("secretKeyRef")) and alike(key.get("name", "")) == alike(secret):
        made["secretKeyRef"] = {**key, "key": version}
    return made


def changes(was: Json, now: Json) -> str:
    """What was made of a template, in words."""
    before, after = _parts(was), _parts(now)
    words = {part: "added" if part not in before else "removed" if part not in after else "changed" for part in sorted({*before, *after})}
    return ", ".join(f"{word} {part}" for part, word in words.items() if before.get(part) != after.get(part))


def _referred_to(thing: Any) -> Iterator[str]:
    if isinstance(thing, list):
        for one in thing:
            yield from _referred_to(one)
    elif isinstance(thing, dict):
        for key, inner in thing.items():
            if key in REFERENCES and isinstance(inner, dict):
                yield inner.get("secretName") or inner.get("name") or ""
            else:
                yield from _referred_to(inner)


def _parts(template: Json) -> Json:
    """A template by what people call its parts."""
    spec, labels = template["spec"], template.get("metadata", {}).get("labels") or {}
    named = {f"{kind} {one['name']}": one for field, kind in KINDS.items() for one in spec.get(field) or []}
    marks = {f"annotation {key}": value for key, value in notes_of(template).items()} | {
        f"label {key}": value for key, value in labels.items()
    }
    return marks | named | {field: value for field, value in spec.items() if field not in KINDS}
