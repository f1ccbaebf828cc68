"""How a domain is served: settings that are read and written whole."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from practice.faces.retriever.base import FACE, domain_of, knowledge_of
from practice.http.face import Ask, Call
from practice.http.resource import Resource

OF = "/retriever/v1/domains/{domain}"
Name = Annotated[str, Field(min_length=1, max_length=500)]


class Cag(Ask):
    """The share of a domain's questions that may be answered from the cache. 0: none."""

    share: float = Field(ge=0, le=1)


class Namespace(Ask):
    """The version that stands in the keys of the cache. Another one, and nothing that was cached before is found."""

    version: int = Field(ge=1)


class Coalescing(Ask):
    """Whether questions for the same missing entry wait for one answer, and for how long at most."""

    on: bool
    wait_seconds: float = Field(gt=0, le=60)


class Serving(Ask):
    """`answering`; `stale_ok`: old answers are served while the origin is busy; `withdrawn`: "unavailable". And what is said with every answer."""

    mode: Literal["answering", "stale_ok", "withdrawn"]
    banner: str = Field(max_length=500)


class Freshness(Ask):
    """How old a source may be, and whether answers carry the date of what they cite."""

    max_age_seconds: float = Field(gt=0)
    as_of: bool


class Quarantine(Ask):
    """What is kept out of answers, and never deleted: documents (`id`, or `id@hash` for one version), and whole sources."""

    documents: list[Name]
    sources: list[Name]


class Alias(Ask):
    """The build that answers come from."""

    index: Name


class CachedAnswers(Ask):
    """Whether a route answers from the cache while its model does not. Only to the tenant that an answer was made for."""

    on: bool
    max_age_seconds: float = Field(ge=0)
    personal: bool


def _setting(name: str, part: str, shape: type[Ask], attribute: str) -> None:
    """A setting at an attribute of a domain."""

    def read(call: Call) -> Ask:
        return shape.model_validate(vars(getattr(domain_of(call), attribute)))

    def change(call: Call, wanted: Ask) -> None:
        domain = domain_of(call)
        if isinstance(wanted, Quarantine):
            _known(call, wanted)
        if isinstance(wanted, Alias) and wanted.index not in domain.builds:
            raise call.invalid(f"{domain.name} has no build {wanted.index}: there are {', '.join(domain.builds)}")
        setting = getattr(domain, attribute)
        for field in shape.model_fields:
            setattr(setting, field, getattr(wanted, field))
        knowledge_of(call).touched = True

    change.__doc__ = shape.__doc__
    Resource(FACE, name, OF + part, shape, read).takes(shape, change)


def _known(call: Call, wanted: Quarantine) -> None:
    """Nothing is kept out that does not exist: a name that is mistyped would look like a quarantine."""
    domain = domain_of(call)
    documents = {name if name in domain.documents else name.rpartition("@")[0] or name for name in wanted.documents}
    if missing := sorted((documents - domain.documents.keys()) | ({*wanted.sources} - domain.sources.keys())):
        raise call.invalid(f"{domain.name} does not have {', '.join(missing)}")


for _name, _part, _shape in (
    ("cag", "/cag", Cag),
    ("namespace", "/namespace", Namespace),
    ("coalescing", "/coalescing", Coalescing),
    ("serving", "/serving", Serving),
    ("freshness", "/freshness", Freshness),
    ("quarantine", "/quarantine", Quarantine),
    ("alias", "/alias", Alias),
):
    _setting(_name, _part, _shape, _name)


def _fallback(call: Call) -> CachedAnswers:
    if call.path["route"] != call.state.route.alias:
        raise call.refuse(404, f"there is no route {call.path['route']}")
    found = knowledge_of(call).fallback
    return CachedAnswers(on=found.on, max_age_seconds=found.max_age_seconds, personal=found.personal)


def _serve_cached(call: Call, wanted: CachedAnswers) -> None:
    _fallback(call)
    found = knowledge_of(call).fallback
    found.on, found.max_age_seconds, found.personal = wanted.on, wanted.max_age_seconds, wanted.personal


Resource(FACE, "cached_answers", "/retriever/v1/routes/{route}/cached-answers", CachedAnswers, _fallback).takes(
    CachedAnswers, _serve_cached
)
