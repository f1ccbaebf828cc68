"""Which playbooks exist: every file under `workflows/playbooks/`. A thirteenth is found by being there."""

import builtins
import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache

import workflows.playbooks
from workflows.incident import Card
from workflows.playbook import Playbook


@dataclass(frozen=True)
class PlaybookInfo:
    """One playbook as the outside names it."""

    name: str  # its file under workflows/playbooks/, without .py
    type: str  # its Temporal workflow type
    card: Card
    cls: builtins.type[Playbook]


@cache
def discover() -> dict[str, PlaybookInfo]:
    """Every playbook by its file's name, in the order of the seed's sections."""
    found: list[PlaybookInfo] = []
    for module in pkgutil.iter_modules(workflows.playbooks.__path__):
        loaded = importlib.import_module(f"workflows.playbooks.{module.name}")
        for cls in vars(loaded).values():
            if isinstance(cls, type) and issubclass(cls, Playbook) and cls.__module__ == loaded.__name__:
                found.append(PlaybookInfo(module.name, cls.__name__, cls.card, cls))
    found.sort(key=lambda info: tuple(int(n) for n in info.card.section.split(".")))
    return {info.name: info for info in found}
