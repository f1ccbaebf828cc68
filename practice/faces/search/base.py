"""What the routes of the search share."""

from __future__ import annotations

from practice.http.face import Call
from practice.http.own_api import own_api
from practice.library.library import Store, library

FACE = own_api("search", "Search over stores of documents, by hash and by likeness. Answers name documents and never show them.")


def store_of(call: Call) -> Store:
    found = library(call.state).stores.get(call.path["store"])
    if found is None:
        raise call.refuse(404, f"there is no store {call.path['store']}")
    return found
