"""One incident, several playbooks (spec §11): a playbook that is called in runs beside the first one, in the same workflow.

It has its own card, phases, proof and symptom. Everything else is the incident's: commander, room, clocks, timeline, questions, measures, tasks.
What it has imposed is its own to lift while it runs; then it is the incident's. Why it is no workflow of its own: ADR 30.
"""

from typing import Any, Final

from activities.action import Role
from workflows.engine.measures import Measures
from workflows.engine.state import IncidentState
from workflows.incident import Card, Incident, Phase
from workflows.people.context import Tells

# The playbooks of the seed, and who carries one out where it is not installed.
SEED: Final = {
    "production_outage": ("2.1", Role.OPS_LEAD), "llm_provider_outage": ("2.2", Role.OPS_LEAD), "prompt_injection": ("2.3", Role.SECURITY_LEAD),
    "data_breach": ("2.4", Role.SECURITY_LEAD), "tenant_isolation": ("2.5", Role.SECURITY_LEAD), "cost_runaway": ("2.6", Role.OPS_LEAD),
    "model_drift": ("2.7", Role.AI_ML_LEAD), "queue_backlog": ("2.8", Role.OPS_LEAD), "database_failover": ("2.9", Role.DB_LEAD),
    "secret_compromise": ("2.10", Role.SECURITY_LEAD), "cache_poisoning": ("2.11", Role.AI_ML_LEAD),
    "supply_chain_cve": ("2.12", Role.SECURITY_LEAD),
}  # fmt: skip

BREACH: Final = "data_breach"  # whoever calls it in suspects that data was seen, lost or changed

OWN: Final = frozenset(
    {
        "root", "called_for", "card", "playbook", "incident", "measures", "evidence_about", "phase", "phases", "run_state", "suspects", "curve",
        "mitigated_at", "resolved_at", "stable_for", "alarm", "firing", "recovering", "relapse", "relapses", "told", "listens", "symptom_ended",
        "waiting_for", "outcome", "checklist", "children",
    }
)  # fmt: skip


class ChildState(IncidentState):
    """The state of a playbook that was called in: what is its own, and for everything else the incident's."""

    root: IncidentState

    def __init__(self, root: IncidentState, playbook: str, card: Card, incident: Incident, why: str) -> None:
        fresh = IncidentState(root.id, playbook, card, root.declared_at)
        object.__setattr__(self, "root", root)
        for name in OWN - {"root"}:
            object.__setattr__(self, name, getattr(fresh, name))
        self.called_for, self.incident, self.measures = why, incident, Measures(root.measures)
        root.restricted = root.restricted or card.restricted
        root.children.append(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "root"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self.root, name, value)

    def raise_alarm(self, why: str) -> None:
        self.root.raise_alarm(why)

    def ended(self) -> None:
        """What it has left in force is the incident's from now on."""
        self.phase, self.waiting_for, self.measures.lent = Phase.CLOSED, "", False


class ChildTells:
    """Tells people what a called-in playbook says, and that it is that one. What the public reads is the incident's."""

    def __init__(self, root: Tells, section: str) -> None:
        self._root, self._whose = root, f"§{section}: "

    def say(self, text: str) -> None:
        self._root.say(self._whose + text)

    def page(self, roles: tuple[Role, ...], why: str) -> None:
        self._root.page(roles, self._whose + why)

    def impact_returned(self) -> None:
        """The first playbook decides what the public reads."""
