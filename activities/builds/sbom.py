"""A bill of material as CycloneDX has it, read by its own library; and whether it is the one that the builder has signed.

A document that nobody signed, that was signed for something else, or that says itself that it is not whole, excludes nothing.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component

from activities.action import Value
from activities.advisories.seen import PackageName

TYPES = {"pypi": "PyPI", "npm": "npm", "golang": "Go", "maven": "Maven", "cargo": "crates.io", "nuget": "NuGet", "gem": "RubyGems"}
WHOLE = ("complete", "not_specified")  # of CycloneDX's aggregates: what is said of nothing else counts as told
LONGEST = 16 * 1024 * 1024  # characters of a document that are read at all


class Part(Value):
    """What a build is made of. `direct`: named by the service itself, and not only by what it stands on; None: the document does not say."""

    ecosystem: str
    name: PackageName
    version: str
    direct: bool | None = None


class BillOfMaterial(Value):
    """`believed`: it excludes what it does not list; `why_not`: else, in words."""

    parts: tuple[Part, ...] = ()
    why_not: str = ""

    @property
    def believed(self) -> bool:
        return not self.why_not


def read(document: str, attestation: dict[str, Any] | None, digest: str) -> BillOfMaterial:
    """The parts, whatever is wrong with the document; and what is wrong."""
    if len(document) > LONGEST:
        return BillOfMaterial(why_not=f"the bill of material has {len(document)} characters: it is not read")
    try:
        said = json.loads(document)
        bom = Bom.from_json(said)  # type: ignore[attr-defined]  # the library makes it by a decorator
        parts = tuple(_parts(bom))
    except Exception as broken:
        return BillOfMaterial(why_not=f"the bill of material cannot be read: {type(broken).__name__}")
    return BillOfMaterial(parts=parts, why_not=_why_not(said, bom, document, attestation, digest))


def _why_not(said: Any, bom: Bom, document: str, attestation: dict[str, Any] | None, digest: str) -> str:
    if said.get("bomFormat") != "CycloneDX" or not bom.components:
        return "the bill of material lists nothing"
    if attestation is None:
        return "nobody has signed the bill of material"
    if attestation["subject"] != digest:
        return "the bill of material was signed for another build"
    if attestation["sha256"] != hashlib.sha256(document.encode()).hexdigest():
        return "the bill of material is not the one that was signed: it may be forged"
    loose = [str(one.get("aggregate")) for one in said.get("compositions") or [] if one.get("aggregate") not in WHOLE]
    if loose:
        return f"the bill of material says itself that it is {loose[0]}"
    unnamed = sum(one.purl is None or not one.version for one in _all(bom.components))
    return f"{unnamed} parts of the bill of material have no version" if unnamed else ""


def _parts(bom: Bom) -> Iterator[Part]:
    root = bom.metadata.component.bom_ref.value if bom.metadata.component else None
    below = {one.ref.value: {target.ref.value for target in one.dependencies} for one in bom.dependencies}
    direct = below.get(root) if root else None
    for one in _all(bom.components):
        if one.purl is not None and one.version:
            name = one.purl.name if not one.purl.namespace else f"{one.purl.namespace}/{one.purl.name}"
            named = None if direct is None else one.bom_ref.value in direct
            yield Part(ecosystem=TYPES.get(one.purl.type, one.purl.type), name=name, version=str(one.version), direct=named)


def _all(components: Any) -> Iterator[Component]:
    """Components, and those inside them."""
    for one in components:
        yield one
        yield from _all(one.components)
