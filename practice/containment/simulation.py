"""Every 15 world seconds: assets speak to one another unless they are cut off, and whoever reads data leaves a line where that is logged.

`isolated`, `audited` and `restricted` say what other parts of the world go by.
"""

from __future__ import annotations

from practice.containment.cast import DATA_ROLES, there
from practice.containment.iam import members
from practice.containment.logs import audited_by_google, noted, rolled
from practice.containment.model import ASSETS, JSON, PROJECT
from practice.containment.network import isolated
from practice.metrics.metrics import Metrics, Series
from practice.world.state import State

__all__ = ["Simulation", "audited", "isolated", "restricted"]
MADE, REFUSED = "made", "refused"
CONNECTIONS = 20  # of an asset in one step


class Simulation:
    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._flows: dict[tuple[str, str], Series] = {
            (asset, outcome): metrics.counter("asset_connections_total", {"asset": asset, "outcome": outcome})
            for asset in ASSETS
            for outcome in (MADE, REFUSED)
        }

    def step(self, state: State, at: float) -> None:
        found = there(state, at)
        for asset in ASSETS:
            self._flows[asset, REFUSED if isolated(state, asset, at) else MADE].value += CONNECTIONS
        for scope, log in found.logs.items():
            if audited(state, scope):
                found.reads += 1
                noted(log, f"read-{found.reads}", "read", at)
            rolled(log, at)


def audited(state: State, scope: str) -> bool:
    """Whether accesses to the data of a scope are logged."""
    found = there(state, 0.0)
    return (scope in found.logs and found.logs[scope].level.data_access) or (scope == PROJECT and audited_by_google(found))


def restricted(state: State, scope: str, real: float = 0.0) -> bool:
    """Whether people have the data of a project by a binding of an incident only, with its end. `real`: the instant, in Unix seconds."""
    policy = there(state, 0.0).projects.get(scope)
    if policy is None:
        return False
    able = {one for role in DATA_ROLES for one in members(policy, role, real) if one.startswith("user:")}
    named = {one for binding in policy.bindings if _by_an_incident(binding) for one in binding["members"]}
    return able <= named


def _by_an_incident(binding: JSON) -> bool:
    return str((binding.get("condition") or {}).get("title", "")).startswith("incident-playbooks")
