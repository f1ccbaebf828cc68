"""What takes its time: fetching documents once more by two paths, and building an index beside the one in use."""

from __future__ import annotations

from typing import Any

from practice.knowledge.library import BUILD_SECONDS, LOOKS, Build, Domain, Knowledge, Operation, hashed


def begin(knowledge: Knowledge, kind: str, domain: str, key: str, asked: dict[str, Any], at: float) -> Operation:
    """Begin it; one that was begun under the same key is that one."""
    known = next((one for one in knowledge.operations.values() if one.key == key), None)
    if known is not None:
        return known
    made = Operation(f"{kind}-{len(knowledge.operations) + 1}", key, kind, domain, at, asked)
    knowledge.operations[made.id] = made
    knowledge.touched = True
    return made


def looked_at(knowledge: Knowledge, operation: Operation, at: float) -> None:
    """It is done at the second look, or when its time is over."""
    operation.looks += 1
    if operation.state == "running" and (operation.looks >= LOOKS or at - operation.began >= BUILD_SECONDS):
        _end(knowledge, operation, at)


def advance(knowledge: Knowledge, at: float) -> None:
    for operation in knowledge.operations.values():
        if operation.state == "running" and at - operation.began >= BUILD_SECONDS:
            _end(knowledge, operation, at)


def _end(knowledge: Knowledge, operation: Operation, at: float) -> None:
    domain = knowledge.domains[operation.domain]
    operation.state = "done"
    if operation.kind == "fetch":
        _fetched(knowledge, domain, operation, at)
    else:
        _built(domain, operation, at)


def _fetched(knowledge: Knowledge, domain: Domain, operation: Operation, at: float) -> None:
    """Both paths must show the same, and what was pinned. All documents, or none."""
    pins: dict[str, str] = operation.asked["pins"]
    got: dict[str, tuple[str, str]] = {}
    for name in operation.asked["documents"]:
        document = domain.documents[name]
        pin = pins.get(name, "")
        kept = {} if knowledge.no_archive else {hashed(text): text for text in document.archive}
        first, second = (kept[pin], kept[pin]) if pin in kept else (document.origin, document.other_path)
        got[name] = first, second
        if first != second or (pin and hashed(first) != pin):
            operation.state = "failed"
            operation.says = f"{name}: the two paths differ" if first != second else f"{name}: the origin does not show the pinned version"
    operation.result = {"fetched": [{"id": name, "hash": hashed(a), "other_path": hashed(b)} for name, (a, b) in got.items()]}
    if operation.state == "failed":
        return
    for name, (text, _) in got.items():
        document = domain.documents[name]
        document.text, document.fetched_at, document.provenance, document.seen = text, at, 0.95, hashed(document.origin)


def _built(domain: Domain, operation: Operation, at: float) -> None:
    texts = {one.id: one.text for one in domain.documents.values() if not domain.quarantine.holds(one, one.text)}
    right = sum(texts.get(one.id) == one.real for one in domain.documents.values())
    made = Build(f"{domain.name}-{len(domain.builds) + 1}", at, texts, right / len(domain.documents))
    domain.builds[made.id] = made
    operation.result = {"build": made.id, "golden": made.golden, "documents": len(texts)}
