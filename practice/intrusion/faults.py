"""How somebody comes in, what they leave behind, and what is claimed in public."""

from __future__ import annotations

from practice.egress.outbound import Flow, Origin, outbound
from practice.intrusion.cast import EXPORTER, intrusion, record_hash
from practice.intrusion.model import KINDS, Claim, Foothold, Intruder, Intrusion
from practice.world.state import State

ROWS = 500  # in one step: 120,000 an hour
USUAL = ("oauth", "ci", "schedule")
MAKER = "schedule"  # the class of what makes another one
NAMES = {
    "identity": "backup-operator", "key": "exporter-key", "oauth": "report-helper", "mail_rule": "archive-invoices", "ci": "nightly-sync",
    "schedule": "usage-rollup", "agent": "planner-config",
}  # fmt: skip
CALLS_A_MINUTE = 8.0


def intrude(state: State, now: float, *, rows: int = ROWS, footholds: tuple[str, ...] = USUAL, host: str = "drop.invalid") -> Intrusion:
    """Somebody has the credential of the exporter, reads by it from now on, and has left things behind to come back by."""
    there = intrusion(state, now)
    there.intruder = Intruder(EXPORTER, rows, now, host)
    for kind in footholds:
        leave(there, kind, now)
    asset = there.identities[EXPORTER].asset
    outbound(state).flows.append(Flow(Origin(asset, host, "fetch"), CALLS_A_MINUTE, now))
    return there


def leave(there: Intrusion, kind: str, now: float, *, hidden_for: float = 0.0, reads_chat: bool = False) -> Foothold:
    """Something else to come back by."""
    if kind not in KINDS:
        raise ValueError(f"there is no class {kind}")
    there.made += 1
    id = f"{kind}-{there.made}"
    made = Foothold(
        id, kind, f"{NAMES[kind]}-{there.made}", now, makes=kind == MAKER, reads_chat=reads_chat,
        hidden_until=now + hidden_for if hidden_for else 0.0,
    )  # fmt: skip
    there.footholds[id] = made
    return made


def claim(there: Intrusion, id: str, *, true: bool, data_set: str = "conversations", n: int = 5) -> Claim:
    """Somebody claims to have a data set, and shows records: real ones, or made up."""
    samples = [record_hash(data_set if true else "made-up", n) for n in range(n)]
    found = there.claims[id] = Claim(id, "a forum", samples)
    return found
