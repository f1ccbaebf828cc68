"""What is wrong with a configuration, in words that mend it: which key, what was meant, what is known there."""

import re
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

EXAMPLE = "organisation.example.toml has every key with its default"


def explain(wrong: ValidationError, model: type[BaseModel], section: str = "") -> str:
    """The first thing that is wrong, as one sentence with its fix. `model`: what the section is read as."""
    first = wrong.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    where = ".".join(part for part in (section, *path) if part)
    if first["type"] == "extra_forbidden":
        known = _known(model, path[:-1])
        near = meant(path[-1], known) or f"; known here: {', '.join(known) or 'nothing'}"
        return f"{where}: there is no such key{near}; rename it or take it out. {EXAMPLE}"
    choices = re.findall(r"'([^']+)'", first["msg"])
    return f"{where}: {first['msg']} (got {first['input']!r}){meant(str(first['input']), choices)}. {EXAMPLE}"


def unknown_section(name: str, sections: dict[str, type[BaseModel] | None]) -> str:
    """A top-level key that nothing reads. One that belongs into a section is shown there."""
    inside = [f"[{section}] {name}" for section, model in sections.items() if model is not None and name in model.model_fields]
    near = f"; did you mean {inside[0]}?" if inside else meant(name, sections).replace("mean ", "mean [").replace("?", "]?")
    known = "" if near else f"; known: {', '.join(f'[{section}]' for section in sections)}"
    return f"{name}: there is no such section{near}{known}; rename it or take it out. {EXAMPLE}"


def meant(typed: str, known: Any) -> str:
    """`; did you mean x?`, when something is called nearly so."""
    near = get_close_matches(typed.lower().replace("-", "_"), list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _known(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys of the model that a path leads to."""
    at: Any = model
    for part in path:
        if isinstance(at, type) and issubclass(at, BaseModel):
            field = at.model_fields.get(part)
            at = field.annotation if field else None
        else:
            at = next((kind for kind in get_args(at) if _is_model(kind)), None)  # an entry of a table, an element of a list
        if at is not None and not _is_model(at) and get_origin(at) is not dict:
            at = next((kind for kind in get_args(at) if _is_model(kind)), at)
    return list(at.model_fields) if _is_model(at) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
