"""Objects, listed, watched and read one by one."""

from __future__ import annotations

import base64
from functools import partial

from practice.faces.kubernetes.base import CLUSTER, DEPLOYMENTS, FACE, KINDS, NO_SUCH, Kind, cluster_of
from practice.faces.kubernetes.objects import table, wants_table
from practice.faces.kubernetes.reading import selected, watch
from practice.http.face import Call, Reply
from practice.services.cluster import Cluster
from practice.world.state import JSON


def _list(call: Call, kind: Kind) -> Reply:
    cluster = cluster_of(call)
    if call.one("watch") in ("true", "1"):
        return Reply(stream=watch(call, kind.kind, kind.group_version, partial(kind.all, call)))
    found, rest = _page(call, selected(call, kind.all(call, call.state, cluster)))
    metadata = {"resourceVersion": str(cluster.version), **rest}
    if wants_table(call):
        return Reply({**table(kind.kind, found, str(cluster.version)), "metadata": metadata})
    return Reply({"kind": f"{kind.kind}List", "apiVersion": kind.group_version, "metadata": metadata, "items": found})


def _page(call: Call, found: list[JSON]) -> tuple[list[JSON], JSON]:
    """At most `limit` objects, by name, and the token by which the list goes on. All of them without a limit."""
    limit, token = call.one("limit", "0"), call.one("continue")
    if not limit.isdigit():
        raise call.refuse(400, f'strconv.ParseInt: parsing "{limit}": invalid syntax')
    try:
        after = base64.b64decode(token, validate=True).decode()
    except ValueError:
        raise call.refuse(400, "continue key is not valid") from None
    left = sorted((one for one in found if one["metadata"]["name"] > after), key=lambda one: str(one["metadata"]["name"]))
    shown = left[: int(limit) or None]
    if len(shown) == len(left):
        return (shown if token else found), {}
    place = base64.b64encode(shown[-1]["metadata"]["name"].encode()).decode()
    return shown, {"continue": place, "remainingItemCount": len(left) - len(shown)}


def _get(call: Call, kind: Kind) -> Reply:
    cluster = cluster_of(call)
    if kind is DEPLOYMENTS:
        _look(call, cluster)
    found = [one for one in selected(call, kind.all(call, call.state, cluster)) if one["metadata"]["name"] == call.path["name"]]
    if not found:
        raise kind.missing(call.path["name"])
    return Reply(table(kind.kind, found, str(cluster.version)) if wants_table(call) else found[0])


def _look(call: Call, cluster: Cluster) -> None:
    """In a world without a clock of its own it is the looking that lets a rollout go on."""
    rolling = cluster.rolling.get(call.path["name"])
    if rolling and rolling.leaving and call.world.clock.following:
        rolling.looks += 1


def _unknown(call: Call) -> Reply:
    """A path that leads nowhere, or a verb that this token's role does not have."""
    parts = call.path["rest"].split("/")
    named = next((one for one in KINDS if one.plural in parts), None)
    if named is None or call.route.method == "GET" or parts[0] not in ("api", "apis"):
        raise call.refuse(404, NO_SUCH)
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[call.route.method]
    group = f' in API group "{named.group}"'
    raise call.refuse(403, f'{named.full_name} is forbidden: User "practice" cannot {verb} resource "{named.plural}"{group}')


for _one in KINDS:
    _base = f"{CLUSTER}/{f'apis/{_one.group}' if _one.group else 'api'}/v1"
    _listing, _getting = partial(_list, kind=_one), partial(_get, kind=_one)
    FACE.reads(f"{_one.plural}.list", f"{_base}/{'namespaces/{namespace}/' if _one.namespaced else ''}{_one.plural}")(_listing)
    FACE.reads(f"{_one.plural}.get", f"{_base}/{'namespaces/{namespace}/' if _one.namespaced else ''}{_one.plural}/{{name}}")(_getting)
    if _one.namespaced:
        FACE.reads(f"{_one.plural}.list_all", f"{_base}/{_one.plural}")(_listing)
for _method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    FACE.reads(f"unknown.{_method.lower()}", CLUSTER + "/{rest:path}", _method, otherwise=True)(_unknown)
