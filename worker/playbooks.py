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
    name: str  # its file under workflows/playbooks/ without .py, or its folder
    type: str  # its Temporal workflow type
    card: Card
    cls: builtins.type[Playbook]


@cache
def discover() -> dict[str, PlaybookInfo]:
    """Every playbook by its file's (or folder's) name, in the order of the seed's sections."""
    found: dict[str, PlaybookInfo] = {}
    for cls in _declared("workflows.playbooks"):
        if issubclass(cls, Playbook):
            name = cls.__module__.removeprefix("workflows.playbooks.").removesuffix(".playbook")
            found[name] = PlaybookInfo(name, cls.__name__, cls.card, cls)
    return dict(sorted(found.items(), key=lambda one: tuple(int(n) for n in one[1].card.section.split("."))))


@cache
def lasting() -> tuple[type, ...]:
    """The workflows with a lifetime of their own: whatever else a file of `workflows/` declares."""
    return tuple(cls for cls in _declared("workflows") if not issubclass(cls, Playbook))


def _declared(package: str) -> list[type]:
    root = importlib.import_module(package)
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(root.__path__, f"{package}.")]
    return [
        cls
        for module in modules
        for cls in vars(module).values()
        if isinstance(cls, type) and cls.__module__ == module.__name__ and workflow._Definition.from_class(cls)
    ]
