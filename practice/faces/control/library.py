"""`/practice/documents`: what is planted in a store, and which stores cannot be searched as they should be."""

from __future__ import annotations

from pydantic import Field

from practice.faces.control.face import FACE
from practice.http.face import Ask, Call, Reply
from practice.library.library import Store, library


class Plant(Ask):
    """A text for a store. `twin`: the same in other words, which no hash finds."""

    store: str
    text: str = Field(min_length=1)
    id: str = ""
    tenant: str = ""
    session: str = ""
    twin: bool = False


class Searchable(Ask):
    store: str
    readable: bool | None = None
    coverage: float | None = Field(None, ge=0, le=1)


@FACE.writes("documents.plant", "/practice/documents")
def plant(call: Call) -> Reply:
    wanted = call.ask(Plant)
    _known(call, wanted.store)
    made = library(call.state).plant(at=call.now, **wanted.model_dump())
    call.did(f"documents/{wanted.store}", None, made.id)
    return Reply({"id": made.id, "sha256": made.sha256})


@FACE.writes("stores.set", "/practice/stores")
def set_store(call: Call) -> Reply:
    wanted = call.ask(Searchable)
    store, told = _known(call, wanted.store), wanted.model_dump(exclude_none=True, exclude={"store"})
    before = {name: getattr(store, name) for name in told}
    for name, value in told.items():
        setattr(store, name, value)
    call.did(f"stores/{wanted.store}", before, told)
    return Reply(told)


def _known(call: Call, name: str) -> Store:
    found = library(call.state).stores.get(name)
    if found is None:
        raise call.refuse(404, f"there is no store {name}")
    return found
