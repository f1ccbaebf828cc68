"""`/patroni`: Patroni's REST API, as every node of it answers for the whole cluster. The scope is the cluster `main`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict

from practice.databases.cluster import Cluster, Databases, Node
from practice.http.face import TOKEN, Ask, Call, Face, Reply
from practice.world.state import JSON


def _signed_in(headers: Mapping[str, str]) -> bool:
    """By a name and a password, and by nothing else (`restapi.authentication`). Only writes are asked for them."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    try:
        return kind == "Basic" and base64.b64decode(given).decode().partition(":")[2] == TOKEN
    except ValueError:
        return False


FACE = Face(
    "patroni",
    authorised=_signed_in,
    refused=lambda status, message: Reply(text=message, status=status),
    unauthorised=lambda headers: Reply(text="not authenticated" if "authorization" in headers else "no auth header received", status=401),
)


class Config(Ask):
    """A part of the dynamic configuration; null takes a key away."""

    model_config = ConfigDict(extra="forbid", strict=True)

    pause: bool | None = None
    ttl: int | None = None


class Failover(Ask):
    candidate: str | None = None
    leader: str | None = None


def _cluster(call: Call) -> Cluster:
    return call.state.part(Databases).clusters["main"]


@FACE.reads("cluster", "/patroni/cluster", public=True)
def cluster(call: Call) -> Reply:
    found = _cluster(call)
    paused = {"pause": True} if found.ha.paused else {}
    return Reply({"members": [_member(found, node) for node in found.nodes.values()], "scope": found.name, **paused})


@FACE.reads("config", "/patroni/config", public=True)
def config(call: Call) -> Reply:
    return Reply(_config(_cluster(call)))


@FACE.writes("config.patch", "/patroni/config", "PATCH")
def patch(call: Call) -> Reply:
    wanted, found = call.ask(Config), _cluster(call)
    before = _config(found)
    if "pause" in wanted.model_fields_set:
        found.ha.paused = bool(wanted.pause)
    if wanted.ttl is not None:
        found.leader_ttl = float(wanted.ttl)
    call.did("patroni/config", before, _config(found))
    return Reply(_config(found))


@FACE.writes("failover", "/patroni/failover")
def failover(call: Call) -> Reply:
    """To a named candidate, whether there is a leader or not."""
    wanted = call.ask(Failover)
    if wanted.candidate is None:
        raise call.refuse(400, "Failover could be performed only to a specific candidate")
    return _moved(call, wanted.candidate, "failed over")


@FACE.writes("switchover", "/patroni/switchover")
def switchover(call: Call) -> Reply:
    """From a leader that is well; in maintenance mode only to a named candidate."""
    wanted, found = call.ask(Failover), _cluster(call)
    if wanted.leader is None:
        raise call.refuse(400, "Switchover could be performed only from a specific leader")
    if wanted.candidate is None and found.ha.paused:
        raise call.refuse(400, "Switchover is possible only to a specific candidate in a paused state")
    if wanted.leader == wanted.candidate:
        raise call.refuse(400, "Switchover target and source are the same")
    if wanted.leader != found.leader:
        raise call.refuse(412, "leader name does not match")
    standing = [node.name for node in found.nodes.values() if not node.primary]
    return _moved(call, wanted.candidate or next(iter(standing), ""), "switched over")


def _moved(call: Call, candidate: str, how: str) -> Reply:
    found = _cluster(call)
    node, action = found.nodes.get(candidate), {"failed over": "failover", "switched over": "switchover"}[how]
    if node is None:
        raise call.refuse(412, "candidate does not exists")
    if not node.up:
        raise call.refuse(412, f"{action} is not possible: no good candidates have been found")
    if found.leader == candidate or found.dials.promotion_fails:
        raise call.refuse(503, f"{action.capitalize()} failed")
    before, old = found.leader, found.nodes.get(found.leader)
    if old is not None and old.up and not old.isolated:
        old.primary = False
    found.promote(candidate, call.now)
    call.did("patroni/leader", before, candidate)
    return Reply(text=f'Successfully {how} to "{candidate}"')


def _config(found: Cluster) -> JSON:
    paused: dict[str, Any] = {"pause": True} if found.ha.paused else {}
    return {"ttl": int(found.leader_ttl), "loop_wait": 10, "retry_timeout": 10, "maximum_lag_on_failover": 1048576, **paused}


def _member(found: Cluster, node: Node) -> JSON:
    leads = node.name == found.leader and node.primary
    state = "stopped" if not node.up else "running" if leads else "streaming" if found.streams_from(node) else "running"
    shown = {"name": node.name, "role": "leader" if leads else "replica", "state": state, "api_url": f"http://{node.name}:8008/patroni",
             "host": node.name, "port": 5432, "timeline": node.timeline}  # fmt: skip
    return shown if leads else {**shown, "lag": max(0, found.seen_lsn - node.replayed)}
