"""What is known of a leak: by which endpoints, on which layer, in which regions, and whether it is sure (A.5 T1, Annex B 2.5). Pure."""

from dataclasses import dataclass, field
from datetime import datetime

from activities.tenancy.ledger import LeakLedger
from activities.tenancy.matrix import Crossed, CrossRead, Layer, Matrix
from activities.tenancy.plane import EndpointSeen, Homes, IsolationFacts, TenancyMap
from workflows.severity.facts import Facts, Scope, Suspicion


@dataclass
class Findings:
    """Everything that was found. None: nobody knows."""

    map: TenancyMap
    mapped: bool = True  # false: no map can be read, so that canaries try nothing, and nothing is denied by us
    homes: Homes | None = None
    facts: IsolationFacts | None = None
    ledger: LeakLedger | None = None
    crossed: Crossed | None = None
    leaks: dict[str, CrossRead] = field(default_factory=dict)  # by endpoint: the first canary that has read another's object by it
    endpoints: dict[str, None] = field(default_factory=dict)  # that are suspect, in the order in which they were found
    mixed: bool = False
    regions: dict[str, None] = field(default_factory=dict)

    def take(self, found: Matrix) -> None:
        for one in found.leaks:
            self.leaks.setdefault(one.endpoint, one)
            self.regions[one.region] = None
        self.endpoints |= dict.fromkeys(found.leaking)
        self.mixed = self.mixed or bool(found.mixed)

    @property
    def confirmed(self) -> bool:
        """A canary has read another's object, or the access log shows who read whose: one is enough."""
        return bool(self.leaks or self.mixed or (self.crossed is not None and self.crossed.n))

    @property
    def layers(self) -> tuple[Layer, ...]:
        found = {one.layer for one in self.leaks.values()} | ({Layer.SESSIONS} if self.mixed else set())
        return tuple(one for one in Layer if one in (found or {Layer.UNKNOWN}))

    @property
    def layer_unknown(self) -> bool:
        return Layer.UNKNOWN in self.layers

    @property
    def suspects(self) -> tuple[EndpointSeen, ...]:
        return tuple(known for name in self.endpoints if (known := self.map.of(name)) is not None)

    @property
    def surfaces(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.surface for one in self.suspects))

    def of_surface(self, surface: str) -> tuple[EndpointSeen, ...]:
        return tuple(one for one in self.map.endpoints if one.surface == surface)

    @property
    def siblings(self) -> tuple[str, ...]:
        """What shares code or surface with what is suspect: the same is looked for there."""
        return tuple(dict.fromkeys(other.name for one in self.suspects for other in self.map.siblings(one.name)))

    @property
    def caches(self) -> tuple[EndpointSeen, ...]:
        """Suspect endpoints before which something shared keeps answers."""
        return tuple(one for one in self.suspects if one.cache or one.cdn)

    @property
    def tenants(self) -> tuple[str, ...]:
        """Who is at home in a region that is concerned; those whose home nobody knows count everywhere."""
        homes = self.homes
        if homes is None:
            return ()
        return tuple(sorted([name for name, region in homes.at.items() if region in self.regions] + list(homes.unknown)))

    @property
    def first(self) -> datetime | None:
        return self.crossed.first if self.crossed is not None else None

    def severity_facts(self) -> Facts:
        sure = Suspicion.CONFIRMED if self.confirmed else Suspicion.SUSPECTED
        seen = len(self.ledger.owners) if self.ledger is not None else None
        return Facts(isolation_failure=sure, scope=Scope.CORE, tenant_count=seen or None)

    def in_words(self) -> str:
        said = [
            f"isolation failure {'confirmed' if self.confirmed else 'suspected'}: {', '.join(self.endpoints) or 'no endpoint is known'}"
        ]
        said += [f"layer: {', '.join(self.layers)}"] if self.leaks or self.mixed else []
        said += [self.crossed.summary] if self.crossed is not None else ["the access log does not answer"]
        said += [self.facts.in_words] if self.facts is not None else []
        return "; ".join(said)
