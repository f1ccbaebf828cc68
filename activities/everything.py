"""Every class of verbs in `activities/`: a new one is found by being there."""

import importlib
import pkgutil
from functools import cache
from typing import Any

import activities
from activities.action import Measure, System, action_of
from activities.kit.setting import Setting


@cache
def verbs() -> tuple[type[System], ...]:
    named = [one for module in _modules() for one in vars(module).values() if isinstance(one, type)]
    return tuple(dict.fromkeys(one for one in named if any(hasattr(verb, "__action__") for verb in vars(one).values())))


@cache
def measures() -> dict[str, tuple[Measure[Any], type[Setting[Any, Any, Any]]]]:
    """The measures that change a setting, by the wire name of that verb: `flags.switch_off`."""
    settings = [cls for cls in verbs() if issubclass(cls, Setting)]
    known = [one for module in _modules() for one in vars(module).values() if isinstance(one, Measure)]
    return {action_of(measure.impose).name: (measure, cls) for cls in settings for measure in known if measure.impose is cls.change}


@cache
def _modules() -> list[Any]:
    names = [one.name for one in pkgutil.walk_packages(activities.__path__, "activities.") if ".migrations" not in one.name]
    return [importlib.import_module(name) for name in names]
