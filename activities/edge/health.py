"""The words of health at the edge: a service as it is seen from inside its regions and from outside, and what it stands on.

Shares are 0 to 1.
"""

from datetime import datetime

from activities.action import Order, Value
from activities.kit.words.shell import Var, address, curl
from activities.kit.words.urls import path
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import of_service, read_by_hand

EDGE = Var("EDGE_URL")
WELL = 0.95  # of the probes answered well: below, a region or a vantage point counts as ill


class Vantages(Order):
    """Look at a service from inside every region, and from outside through the balancer, from several networks."""

    service: str
    regions: tuple[str, ...]
    numbers: MitigationSettings = MitigationSettings()
    times: int = 4

    def target(self) -> str:
        return f"service/{self.service}"

    def effect(self) -> str:
        return f"look at {self.service} from inside {_and(self.regions)} and from outside ({', '.join(self.numbers.vantages)})"

    def by_hand(self) -> tuple[str, ...]:
        """Inside and outside of each region, by curl."""
        return tuple(
            command
            for region in self.regions
            for command in (
                curl("GET", address(EDGE, path(self.service, "regions", region, "status"))),
                curl("GET", address(EDGE, path(self.service, "healthz")), ("X-Region: ", region)),
            )
        )


class Inside(Value):
    """What a region says of itself. `ok` is None where it did not answer; `revisions` are shares of its traffic."""

    ok: bool | None
    revisions: dict[str, float] = {}
    ready: int | None = None
    replicas: int | None = None
    dependencies: dict[str, bool] = {}


class HealthMap(Value):
    """A service from inside and outside. A share is of the probes that said anything; None where none did.

    `outside` is by region, `vantages` by the network from which the probe came, through the balancer. `answered`: so many vantage points
    got an answer of any kind; below `wanted` the map proves nothing.
    """

    service: str
    inside: dict[str, Inside]
    outside: dict[str, float | None]
    vantages: dict[str, float | None]
    answered: int
    wanted: int
    at: datetime

    @property
    def believed(self) -> bool:
        """True when enough vantage points got an answer (A.1 T1)."""
        return self.answered >= self.wanted

    def ill_outside(self) -> tuple[str, ...]:
        """The regions that customers cannot use well."""
        return tuple(region for region, share in sorted(self.outside.items()) if share is not None and share < WELL)

    def ill_inside(self) -> tuple[str, ...]:
        """The regions that call themselves ill, or do not answer."""
        return tuple(region for region, seen in sorted(self.inside.items()) if seen.ok is not True)

    def in_front(self) -> bool:
        """True when every region calls itself well and none can be used: what is broken stands in front of them."""
        return not self.ill_inside() and bool(self.outside) and set(self.ill_outside()) == set(self.outside)


class DependenciesOf(Order):
    """Ask what a service stands on: balancer, names, certificate, database, cache."""

    service: str

    def target(self) -> str:
        return f"service/{self.service}"

    def effect(self) -> str:
        return f"ask what {self.service} stands on, and whether it holds"

    def by_hand(self) -> tuple[str, ...]:
        return (read_by_hand(of_service(self.service, "dependencies")),)


class Dependencies(Value):
    """Whether each of them is up, and what it says."""

    up: dict[str, bool]
    detail: dict[str, str] = {}
    at: datetime

    def down(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, up in self.up.items() if not up))


def _and(names: tuple[str, ...]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
