"""How objects must look that are written to a Kubernetes API, and how it says no (kubernetes.io/docs/reference/kubernetes-api).

As strict as `fieldValidation=Strict`: an unknown field is refused, and so is a value of another type.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from practice.http.face import Ask, Refusal, Reply
from practice.world.state import JSON

REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 409: "Conflict",
    415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
_MISTYPED = ("_type", "extra_forbidden", "literal_error")


def status(code: int, message: str, details: JSON | None = None) -> Reply:
    """An answer that is no object: a Status."""
    body: JSON = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    body |= {"reason": REASONS.get(code, "InternalError"), **({"details": details} if details else {}), "code": code}
    return Reply(body, code)


def of(kind: str, name: str, causes: list[JSON] | None = None) -> JSON:
    """The details of a Status: what it is about."""
    return {"name": name, "group": "apps", "kind": kind, **({"causes": causes} if causes else {})}


class Loose(Ask):
    """An object of the API. Fields that it knows and that are nothing to us may be anything, unknown ones are refused."""

    unused: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _drop_unused(cls, given: Any) -> Any:
        dropped = cls.unused.split()
        return {name: value for name, value in given.items() if name not in dropped} if isinstance(given, dict) else given


class Metadata(Loose):
    """ObjectMeta. What the server decides is taken and ignored."""

    unused = (
        "uid creationTimestamp generation selfLink managedFields ownerReferences finalizers generateName deletionTimestamp "
        "deletionGracePeriodSeconds"
    )

    name: str | None = None
    namespace: str | None = None
    resourceVersion: str | None = None  # noqa: N815 - the wire's name
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class KeyOfSecret(Ask):
    name: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]
    optional: bool | None = None


class EnvSource(Loose):
    unused = "fieldRef resourceFieldRef configMapKeyRef fileKeyRef"

    secretKeyRef: KeyOfSecret | None = None  # noqa: N815 - the wire's name


class Env(Ask):
    name: Annotated[str, Field(min_length=1)]
    value: str | None = None
    valueFrom: EnvSource | None = None  # noqa: N815 - the wire's name


class Container(Loose):
    unused = (
        "command args envFrom ports resources resizePolicy restartPolicy restartPolicyRules volumeMounts volumeDevices livenessProbe "
        "readinessProbe startupProbe lifecycle terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext stdin "
        "stdinOnce tty workingDir"
    )

    name: Annotated[str, Field(min_length=1)]
    image: Annotated[str, Field(min_length=1)]
    env: list[Env] | None = None


class PodSpec(Loose):
    unused = (
        "initContainers ephemeralContainers volumes restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy dnsConfig "
        "nodeSelector serviceAccountName serviceAccount automountServiceAccountToken nodeName hostNetwork hostPID hostIPC hostUsers "
        "shareProcessNamespace securityContext imagePullSecrets hostname subdomain setHostnameAsFQDN affinity schedulerName tolerations "
        "hostAliases priorityClassName priority preemptionPolicy readinessGates runtimeClassName enableServiceLinks overhead "
        "topologySpreadConstraints os schedulingGates resourceClaims resources hostnameOverride"
    )

    containers: Annotated[list[Container], Field(min_length=1)]


class Template(Ask):
    metadata: Metadata | None = None
    spec: PodSpec


class Selector(Ask):
    matchLabels: dict[str, str] | None = None  # noqa: N815 - the wire's name
    matchExpressions: list[Any] | None = None  # noqa: N815 - the wire's name


Count = Annotated[int, Field(ge=0)]


class DeploymentSpec(Loose):
    unused = "strategy"

    replicas: Count | None = None
    selector: Selector
    template: Template
    paused: bool | None = None
    minReadySeconds: Count | None = None  # noqa: N815 - the wire's name
    revisionHistoryLimit: Count | None = None  # noqa: N815 - the wire's name
    progressDeadlineSeconds: Annotated[int, Field(gt=0)] | None = None  # noqa: N815 - the wire's name


class Deployment(Loose):
    """Deployment; its status is the controller's."""

    unused = "status"

    apiVersion: Literal["apps/v1"]  # noqa: N815 - the wire's name
    kind: Literal["Deployment"]
    metadata: Metadata
    spec: DeploymentSpec


class ScaleSpec(Ask):
    replicas: Count = 0


class Scale(Loose):
    unused = "status"

    apiVersion: Literal["autoscaling/v1"]  # noqa: N815 - the wire's name
    kind: Literal["Scale"]
    metadata: Metadata
    spec: ScaleSpec = ScaleSpec()


def checked(thing: Any, shape: type[Ask], name: str) -> JSON:
    """The thing, if it has this shape. Refused with 400 when it cannot be read as such, with 422 when its values make no sense."""
    try:
        shape.model_validate(thing)
    except ValidationError as error:
        problems = [(".".join(map(str, e["loc"])), e["msg"], e["type"]) for e in error.errors()]
        if any(kind.endswith(_MISTYPED) for _, _, kind in problems):
            said = ", ".join(f"{'unknown field' if kind == 'extra_forbidden' else msg} {where!r}" for where, msg, kind in problems)
            raise Refusal(status(400, f"strict decoding error: {said}")) from error
        causes = [{"reason": "FieldValueInvalid", "message": msg, "field": where} for where, msg, _ in problems]
        said = ", ".join(f"{where}: Invalid value: {msg}" for where, msg, _ in problems)
        raise Refusal(
            status(422, f'{shape.__name__}.apps "{name}" is invalid: {said}', of(f"{shape.__name__.lower()}s", name, causes))
        ) from error
    whole: JSON = thing
    return whole
