"""Which workflows exist: a playbook in every file or folder of `workflows/playbooks/`, and the few with a lifetime of their own beside them.

A thirteenth playbook is found by being there.
"""

import builtins
import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache

from temporalio import workflow

from workflows.incident import Card
from workflows.playbook import Playbook


@dataclass(frozen=True)
class PlaybookInfo:
    """One playbook as the outside names it."""

    name: str  # its file under workflows/playbooks/ without .py, or its folder
    type: str  # its Temporal workflow type
    card: Card
    cls: builtins.type[Playbook]


def name_of(cls: builtins.type[Playbook]) -> str:
    """The file, or the folder, that a playbook stands in."""
    return cls.__module__.removeprefix("workflows.playbooks.").removesuffix(".playbook")


@cache
def discover() -> dict[str, PlaybookInfo]:
    """Every playbook by its file's (or folder's) name, in the order of the seed's sections."""
    classes = [cls for cls in _declared("workflows.playbooks") if issubclass(cls, Playbook)]
    found = [PlaybookInfo(name_of(cls), cls.__name__, cls.card, cls) for cls in classes]
    found.sort(key=lambda info: tuple(int(n) for n in info.card.section.split(".")))
    return {info.name: info for info in found}


@cache
def lasting() -> tuple[type, ...]:
    """The workflows with a lifetime of their own: whatever else a file of `workflows/` declares."""
    return tuple(cls for cls in _declared("workflows") if not issubclass(cls, Playbook))


def _declared(package: str) -> list[type]:
    """The workflow classes that the modules of a package declare."""
    root = importlib.import_module(package)
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(root.__path__, f"{package}.")]
    return [
        cls
        for module in modules
        for cls in vars(module).values()
        if isinstance(cls, type) and cls.__module__ == module.__name__ and workflow._Definition.from_class(cls)
    ]
