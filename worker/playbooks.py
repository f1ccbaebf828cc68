"""Which workflows exist: a playbook in every file under `workflows/playbooks/`, and the few with a lifetime of their own beside them.

A thirteenth playbook is found by being there.
"""

import builtins
import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache

from temporalio import workflow

import workflows
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


@cache
def lasting() -> tuple[type, ...]:
    """The workflows with a lifetime of their own: whatever a file of `workflows/` declares."""
    found: list[type] = []
    for module in pkgutil.iter_modules(workflows.__path__):
        loaded = importlib.import_module(f"workflows.{module.name}")
        for cls in vars(loaded).values():
            if isinstance(cls, type) and cls.__module__ == loaded.__name__ and workflow._Definition.from_class(cls):
                found.append(cls)
    return tuple(found)
