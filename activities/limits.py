"""What automation may do alone, and what no step may ever touch, whoever approves it (spec §2.4, INV-9)."""

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

from activities.outcomes import Refused
from activities.values import Value


class Limits(Value):
    """What automation may do alone (spec §2.4 caps, §9.2 pre-authorisation); beyond it a person is asked. And what no step may ever touch."""

    tenants: int = 3  # so many may be hit by one step without a question
    narrow_actions: int = 10  # so many small steps, in narrow_actions_window
    narrow_actions_window: timedelta = timedelta(minutes=10)  # as above
    trigger_confidence: float = 0.8  # an alert less sure than this changes nothing unasked
    parity: float = 0.95  # of a fallback provider's evals: a standing policy covers a failover from here on
    price_ratio: float = 1.3  # and up to this price
    # Our own workers, workflow service, its stores and credentials (spec G5, INV-9), as `name` or `namespace/name`; `*` stands for anything.
    protected: tuple[str, ...] = ("incident-*", "incidents/*", "temporal", "temporal-*")


@dataclass(frozen=True)
class StandsOn:
    """What this installation itself lives by (INV-9): the hosts of its pager, evidence and record, and the secrets that its settings name."""

    hosts: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()

    def needs(self, name: str) -> bool:
        """Whether it is one of them, or what one of these hosts is below."""
        return name in self.secrets or any(host == name or host.endswith(f".{name}") for host in self.hosts)


def spare_ourselves(workloads: tuple[str, ...], assets: tuple[str, ...], limits: Limits, stands_on: StandsOn) -> None:
    """Refuse what would take away the ground that we stand on. No approval helps: it is a change of policy, outside incidents."""
    for name in (*workloads, *assets):
        kept = next((one for one in limits.protected if fnmatchcase(name.casefold(), one.casefold())), None)
        if kept is not None:
            raise Refused(f"{name} is protected ({kept} in policy.limits.protected): it may be what this incident is run by")
    for name in assets:
        if stands_on.needs(name.casefold()):
            raise Refused(
                f"{name} is what this incident is run by, say the settings of its workers: a person does it, outside the incident"
            )
