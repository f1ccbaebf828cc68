"""Builds that a cluster does not start any more, by digest: a ValidatingAdmissionPolicy, decided in CEL (spec §8 S-BLOCKLIST, A.12 M1).

One policy and its binding in each cluster. It refuses deployments and pods alike: an autoscaler, a rollback by hand and a node that comes back
cannot start such a build either. The list stands in the policy's variable `blocked`; a list of strings in JSON is one in CEL as well.
"""

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from activities.action import Call, Limits, NotYet, Refused, Risk, Role
from activities.admission.cluster import BINDINGS, GROUP, NAME, POLICIES, Clusters
from activities.kit.setting import Change, Reading, Resource, Restore, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import command, kubectl, pipe
from activities.organisation.catalogue import Deployed
from activities.values import listed

DIGEST_SHOWN = 19
CHANGED_BY = "incident-playbooks/changed-by"
SPEC = "has(object.spec.template) ? object.spec.template.spec : object.spec"  # of a deployment, and of a pod
NONE_BLOCKED = "all(c, !variables.blocked.exists(d, c.image.endsWith(d)))"
RULES = (
    f"variables.spec.containers.{NONE_BLOCKED}",
    f"has(variables.spec.initContainers) ? variables.spec.initContainers.{NONE_BLOCKED} : true",
)
MATCHED = (
    {"apiGroups": ["apps"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments", "statefulsets", "daemonsets"]},
    {"apiGroups": [""], "operations": ["CREATE"], "resources": ["pods"]},
)


class AdmissionOf(Resource):
    """The admission of the cluster of one region. `service`: the one whose deployment a refusal is proven by."""

    region: str
    service: Deployed

    def __str__(self) -> str:
        return f"the admission of {self.region}"

    def target(self) -> str:
        return f"admission/{self.region}"

    def read_by_hand(self) -> tuple[str, ...]:
        return (kubectl(self.region, self.service.namespace, "get", POLICIES, NAME, "-o", "yaml"),)

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        apply = kubectl(self.region, self.service.namespace, "apply", "--validate=false", "-f", "-")  # it is ours, and small
        return tuple(pipe(command("printf", "%s", json.dumps(one)), apply) for one in (policy(value, ""), binding()))


class Refusal(SettingValue):
    """The digests that are not started. `serving`: some of them serve now; then people are asked, because none of them would be replaced."""

    volatile: ClassVar[frozenset[str]] = frozenset({"serving"})

    digests: tuple[str, ...] = ()
    serving: bool = False

    def __str__(self) -> str:
        return f"{len(self.digests)} builds refused" if self.digests else "no build refused"

    def same(self, other: Self) -> bool:
        return set(self.digests) == set(other.digests)

    def met(self, now: Self) -> bool:
        return set(self.digests) <= set(now.digests)

    def both(self, other: Self) -> Self:
        return type(self)(digests=tuple(sorted({*self.digests, *other.digests})), serving=self.serving)

    def effect(self, of: AdmissionOf) -> str:
        more = f" and {len(self.digests) - 3} more" if len(self.digests) > 3 else ""
        named = listed(tuple(one[:DIGEST_SHOWN] for one in self.digests[:3])) + more
        return f"the cluster of {of.region} does not start {named}" + ("; none of its instances is replaced" if self.serving else "")

    def back(self, of: AdmissionOf) -> str:
        return f"{of}: {self} again"


def _risk(order: Change[AdmissionOf, Refusal] | Restore[AdmissionOf, Refusal], limits: Limits) -> Risk:
    return Risk.C1 if isinstance(order, Change) and not order.wanted.serving else Risk.C2


class Admission(
    Setting[AdmissionOf, Refusal], read="admission.read", change="admission.refuse", restore="admission.allow", risk=_risk,
    restore_risk=Risk.C3, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), contains=True,
):  # fmt: skip
    """Proven by a deployment of such a build, in a dry run, that our policy refuses."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    async def look_at(self, call: Call, of: AdmissionOf) -> Reading[Refusal]:
        """Raises `Refused` for a policy of our name that is not ours: nobody knows what it decides."""
        found = await self._clusters.find(call, of.region, POLICIES)
        if found is None:
            return Reading[Refusal](value=Refusal())
        metadata = found["metadata"]
        by = (metadata.get("annotations") or {}).get(CHANGED_BY, "")
        return Reading[Refusal](value=Refusal(digests=_blocked(found)), version=metadata["resourceVersion"], changed_by=by)

    async def write(self, call: Call, of: AdmissionOf, wanted: Refusal, over: Reading[Refusal], epoch: int) -> None:
        """The policy under the version that was read, then its binding, without which it decides nothing."""
        made = policy(wanted, call.incident_id)
        if over.version:
            made["metadata"]["resourceVersion"] = over.version
            await self._clusters.replace(call, of.region, POLICIES, made)
        else:
            await self._clusters.create(call, of.region, POLICIES, made)
        if await self._clusters.find(call, of.region, BINDINGS) is None:
            await self._clusters.create(call, of.region, BINDINGS, binding())

    async def check(self, call: Call, order: Change[AdmissionOf, Refusal] | Restore[AdmissionOf, Refusal], to: Refusal) -> None:
        """Said not to serve, a digest must not serve: what is refused is not replaced when it dies."""
        if isinstance(order, Restore) or order.wanted.serving or order.of.service.platform != "kubernetes":
            return
        running = await self._clusters.images(call, order.of.region, order.of.service)
        there = sorted(one for one in to.digests if any(image.endswith(one) for image in running))
        if there:
            raise Refused(f"{there[0][:DIGEST_SHOWN]} serves in {order.of.region}: to refuse it all the same, say that it does")

    async def shown(self, call: Call, of: AdmissionOf, value: Refusal) -> str:
        if not value.digests:
            return ""
        bound = await self._clusters.find(call, of.region, BINDINGS)
        if bound is None or bound["spec"] != binding()["spec"]:
            raise NotYet(f"accepted, but nothing binds the policy in {of.region}", after=SOON)
        if of.service.platform != "kubernetes":
            return "the policy is bound; no deployment of ours is there to try it with"
        said = await self._clusters.try_image(call, of.region, of.service, value.digests[-1])
        if NAME not in said:
            raise NotYet(f"accepted, but {of.region} would still start it: {said or 'it is taken'}", after=SOON)
        return f"a deployment of {value.digests[-1][:DIGEST_SHOWN]} in {of.region} is refused by our policy, in a dry run"


REFUSED_BUILDS = Admission.measure("build refused", sticky=True)


def refuse_builds(
    region: str, service: Deployed, now: Reading[Refusal], digests: Sequence[str], *, serving: bool, why: str = ""
) -> Change[AdmissionOf, Refusal]:
    """These too, beside what is refused already."""
    wanted = Refusal(digests=tuple(sorted(digests)), serving=serving)
    return Admission.order(AdmissionOf(region=region, service=service), wanted.both(now.value), why=why)


def policy(value: Refusal, by: str) -> dict[str, Any]:
    blocked = {"name": "blocked", "expression": json.dumps(sorted(value.digests))}
    rules = [{**one, "apiVersions": ["v1"]} for one in MATCHED]
    return {
        "apiVersion": f"{GROUP}/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": NAME, "annotations": {CHANGED_BY: by}},
        "spec": {
            "failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules},
            "variables": [blocked, {"name": "spec", "expression": SPEC}],
            "validations": [{"expression": one, "message": "this build is on the blocklist of an incident"} for one in RULES],
        },
    }  # fmt: skip


def binding() -> dict[str, Any]:
    spec = {"policyName": NAME, "validationActions": ["Deny"]}
    return {"apiVersion": f"{GROUP}/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": NAME}, "spec": spec}


def _blocked(found: dict[str, Any]) -> tuple[str, ...]:
    spec = found["spec"]
    try:
        blocked, pod = spec["variables"]
        named = json.loads(blocked["expression"])
        ours = pod["expression"] == SPEC and [one["expression"] for one in spec["validations"]] == [*RULES]
    except (KeyError, TypeError, ValueError):
        ours, named = False, []
    if not ours or not isinstance(named, list):
        raise Refused(f"the policy {NAME} is not as we make it: nobody knows what it refuses")
    return tuple(map(str, named))
