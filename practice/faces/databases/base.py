"""What all routes about clusters share."""

from __future__ import annotations

from practice.databases.cluster import Cluster, Databases, Node
from practice.http.face import Call
from practice.http.own_api import own_api

FACE = own_api(
    "databases", "Clusters of databases: what their nodes say of themselves, what probes meet, and what is done when a primary fails."
)


def cluster_of(call: Call) -> Cluster:
    found = call.state.part(Databases).clusters.get(call.path["cluster"])
    if found is None:
        raise call.refuse(404, f"there is no cluster {call.path['cluster']}")
    return found


def node_of(call: Call) -> Node:
    found = cluster_of(call).nodes.get(call.path["node"])
    if found is None:
        raise call.refuse(404, f"{call.path['cluster']} has no node {call.path['node']}")
    return found
