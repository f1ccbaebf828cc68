"""What all routes of the retriever share."""

from __future__ import annotations

from practice.http.face import Call
from practice.http.own_api import own_api
from practice.knowledge.library import Domain, Knowledge

FACE = own_api(
    "retriever",
    "The retriever of our own product: which documents answers come from, which are kept out, which index is used, and when the cache is.",
)


def knowledge_of(call: Call) -> Knowledge:
    """It is written to by whoever asks: from now on every question counts."""
    return call.state.part(Knowledge)


def domain_of(call: Call) -> Domain:
    found = knowledge_of(call).domains.get(call.path["domain"])
    if found is None:
        raise call.refuse(404, f"there is no domain {call.path['domain']}")
    return found
