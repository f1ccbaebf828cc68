"""The global first-15-minutes checklist (seed §0.3), word for word, with what the spec adds (§5).

The seed's items stand in the seed's order. What the spec adds is a part of one of them (who took command is a part of *Declare*), or an item
of its own. When each is due is the organisation's (`Policy.first_minutes`); where each stands is `progress.py`.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from activities.action import Role
from activities.organisation.policy import Policy
from workflows.status import ItemState, ItemStatus


class Item(NamedTuple):
    key: str  # the field of `FirstMinutes` that says when it is due
    owner: Role
    text: str  # the seed's own line where it has one, marks of emphasis included
    done_means: str  # what must be read back before it counts (spec §5)
    part_of: str = ""  # the key of the item that it is a part of
    seed: bool = True  # the line is the seed's; otherwise the spec added it


IC, OPS, SECURITY, COMMS = Role.INCIDENT_COMMANDER, Role.OPS_LEAD, Role.SECURITY_LEAD, Role.COMMS_LEAD
ITEMS: tuple[Item, ...] = (
    Item("declare", IC, "Declare incident; assign **IC** and **Scribe**.", "the ticket, fetched by its id"),
    Item("commander", IC, "IC paged and acknowledged.", "the acknowledgement", part_of="declare", seed=False),
    Item("scribe", IC, "Scribe assigned.", "the role is taken", part_of="declare", seed=False),
    Item("cadence", COMMS, "Set **comms cadence** (e.g., every 30 min for SEV‑1/2).", "the next update has a time"),
    Item("freeze", OPS, "Freeze deploys: `change_freeze = ON`.", "the deploy system denies a probe deploy in our name"),
    Item("telemetry", OPS, "Snapshot telemetry links (dashboards, traces, logs).", "the export exists and its hash matches"),
    Item("blast_radius", OPS, "Identify blast radius (which tenants/regions/endpoints).", "a radius with its quality"),
    Item("playbook", IC, "Choose **playbook** below and begin mitigation.", "the first mitigation step is verified or waits for approval"),
    Item("war_room", IC, "Create shared war‑room (chat channel) + bridge.", "the channel exists, with the links pinned"),
    Item("status_page", COMMS, "Draft Status Page update; notify support/execs as needed.", "the draft waits for approval"),
    Item("published", COMMS, "Status Page update published.", "the public page, fetched from outside", part_of="status_page", seed=False),
    Item("told", COMMS, "Support and execs told.", "delivery receipts", part_of="status_page", seed=False),
    Item("leads", IC, "Ops, Comms (and Security) leads assigned.", "the roles are taken", seed=False),
    Item("evidence", SECURITY, "Evidence hold, if there is any security hint.", "the hold's id, returned by the store", seed=False),
    Item("legal_clocks", Role.LEGAL, "Provisional legal clocks, if data may be exposed.", "the clocks run", seed=False),
    Item("checkpoint", IC, "T+15 checkpoint: read out what is done and what is not.", "the report is posted", seed=False),
)


def due_at(key: str, severity: int, declared_at: datetime, policy: Policy) -> datetime | None:
    """When an item is due: a real instant, so the pace is in it. None: no deadline at this severity."""
    within = policy.first_minutes.due(key, severity)
    return declared_at + policy.paced(within) if within is not None else None


def tick(key: str, due: datetime | None, now: datetime, done_at: datetime | None = None, evidence: str = "") -> ItemStatus:
    """The tick of an item that applies: done in time or late, missed, open, or not due."""
    if done_at is not None:
        state = ItemState.LATE if due is not None and done_at > due else ItemState.DONE
    elif due is None:
        state = ItemState.NOT_DUE
    else:
        state = ItemState.MISSED if now > due else ItemState.OPEN
    return ItemStatus(key=key, state=state, done_at=done_at, due_at=due, evidence=evidence)


def late_by(one: ItemStatus, now: datetime | None = None) -> timedelta:
    """How much later than due it was done, or is `now`; nothing when it is in time, has no deadline, or nobody says when now is."""
    until = one.done_at or now
    if one.due_at is None or until is None or one.state not in (ItemState.LATE, ItemState.MISSED):
        return timedelta(0)
    return max(until - one.due_at, timedelta(0))
