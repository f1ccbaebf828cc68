"""What our own product says of its tenancy (docs/api/tenancy.json): endpoints, canaries, homes, the access log. Ids and counts, no content."""

from datetime import datetime

from activities.action import Value
from activities.kit.rest import RestClient, RestLook
from activities.kit.words.shell import Var

BASE, TOKEN = Var("TENANCY_URL"), Var("TENANCY_TOKEN")


class TenancyPlane(RestClient):
    """The client."""


class TenancyLook(RestLook, target="tenancy/{service}"):
    base, token = BASE, TOKEN

    service: str


class MapOf(TenancyLook, effect="read the endpoints of {service}, and its canary tenants", path="services/{service}/map"):
    """Every endpoint with its siblings."""


class HomesOf(TenancyLook, effect="read in which region each tenant of {service} is at home", path="services/{service}/homes"):
    """Where each tenant's data is."""


class FactsOf(
    TenancyLook, effect="read how {service} comes to its database, and what its cache keys name", path="services/{service}/facts"
):
    """The role, the pool, the keys (Annex B 2.5)."""


class ContractTestsOf(
    TenancyLook, effect="read the tenancy contract tests of what serves {service}", path="services/{service}/contract-tests"
):
    """Their newest run, as the application role."""


class CrossingsOf(
    TenancyLook, effect="read which reads of {service} have crossed since {since:%H:%M:%S} UTC", path="services/{service}/crossings",
    asks=("since",),
):  # fmt: skip
    since: datetime

    def asked(self) -> dict[str, str]:
        return {"since": self.since.isoformat()}


class EndpointSeen(Value):
    """One way to tenants' data. `code`: shared with its siblings; `cache`: the domain of the cache of answers that it uses, if any."""

    name: str
    surface: str
    code: str
    writes: bool = False
    cache: str = ""
    cdn: bool = False


class Canary(Value):
    """A tenant that only probes. At every endpoint it owns the object `{name}.{endpoint}`."""

    name: str
    region: str


class TenancyMap(Value):
    endpoints: tuple[EndpointSeen, ...]
    canaries: tuple[Canary, ...]
    regions: tuple[str, ...]

    def of(self, name: str) -> EndpointSeen | None:
        return next((one for one in self.endpoints if one.name == name), None)

    def siblings(self, name: str) -> tuple[EndpointSeen, ...]:
        """What shares its code or its surface: what one of them forgets, the others may forget too."""
        known = self.of(name)
        return tuple(one for one in self.endpoints if known and (one.code == known.code or one.surface == known.surface))

    def pair(self, region: str) -> tuple[str, str] | None:
        """Two canaries of a region; None where there are fewer: one alone cannot read another."""
        there = sorted(one.name for one in self.canaries if one.region == region)
        return (there[0], there[1]) if len(there) > 1 else None


class Homes(Value):
    """`at`: tenant → region. `unknown`: tenants that are said to be in several regions, or in none."""

    at: dict[str, str]
    unknown: tuple[str, ...] = ()


class IsolationFacts(Value):
    """Annex B 2.5. None: nobody can say."""

    owner: bool | None
    bypassrls: bool | None
    pool_mode: str | None
    cache_key_has_tenant: bool | None

    @property
    def in_words(self) -> str:
        said = {None: "unknown", True: "yes", False: "no"}
        return (
            f"the application owns its tables: {said[self.owner]}, passes by row security: {said[self.bypassrls]}, "
            f"pool: {self.pool_mode or 'unknown'}, cache keys name the tenant: {said[self.cache_key_has_tenant]}"
        )


class ContractRun(Value):
    """Tenancy contract tests. `failed`: a foreign tenant got in; `broken`: a tenant did not get its own. None: they did not run."""

    build: str
    total: int
    failed: int | None
    broken: int | None

    @property
    def passed(self) -> bool:
        return bool(self.total) and self.failed == 0 and self.broken == 0

    @property
    def in_words(self) -> str:
        if self.failed is None or not self.total:
            return f"the contract tests of {self.build} did not run"
        return f"of {self.total} contract tests of {self.build} {self.failed} let a foreign tenant in, and {self.broken} keep tenants from their own"
