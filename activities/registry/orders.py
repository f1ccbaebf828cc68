"""The words of the release plane: what is asked of it, and what it says of releases, offers and sessions."""

from datetime import datetime, timedelta

from activities.action import Value
from activities.kit.rest import RestLook, RestResource
from activities.kit.words.shell import Var

BASE, TOKEN = Var("RELEASE_PLANE_URL"), Var("RELEASE_PLANE_TOKEN")


class ReleaseLook(RestLook, target="route/{route}"):
    """What the release plane shows of a route."""

    base, token = BASE, TOKEN

    route: str


class ReleaseResource(RestResource):
    """A setting of a route."""

    base, token = BASE, TOKEN

    route: str

    def target(self) -> str:
        _, route, *part = self.parts()
        return "/".join(("route", route, *part))


class ReleasesOf(ReleaseLook, effect="read the releases of {route}", path="routes/{route}/releases"):
    pass


class OffersOf(ReleaseLook, effect="read the models that {route} may be answered by", path="routes/{route}/offers"):
    pass


class ServedOf(
    ReleaseLook, effect="read which triples answered {route} in the last {window}", path="routes/{route}/served", asks=("window",)
):
    window: timedelta = timedelta(minutes=2)


class StickyOf(ReleaseLook, effect="read the sticky sessions of {route}", path="routes/{route}/sticky"):
    pass


class Release(Value):
    """A triple that was released. `blessed_at`: when its evals had passed and a person let it go; None: never."""

    triple: str
    blessed_at: datetime | None
    blocklisted: bool
    why: str = ""


class Releases(Value):
    """All releases, oldest first, and what serves now by the registry's aliases."""

    serving: str
    releases: tuple[Release, ...]

    def eligible(self) -> tuple[str, ...]:
        """What may be rolled back to, the newest first: blessed, not on the blocklist, not what serves."""
        fit = [one for one in self.releases if one.blessed_at is not None and not one.blocklisted and one.triple != self.serving]
        ordered = sorted(fit, key=lambda one: (one.blessed_at is not None and one.blessed_at.timestamp()) or 0.0, reverse=True)
        return tuple(dict.fromkeys(one.triple for one in ordered))

    @property
    def blessed(self) -> bool:
        """Whether what serves was blessed as a whole."""
        return any(one.triple == self.serving and one.blessed_at is not None for one in self.releases)


class Offer(Value):
    """A model that a route may be answered by. `parity`: its quality against the usual one's. `permitted`: the tenants that allow its provider."""

    model: str
    provider: str
    parity: float
    price_ratio: float
    permitted: tuple[str, ...]


class Offers(Value):
    """What a route may be answered by. `snapshots`: those that can be pinned, with their provider; `floating`: what a provider's name means now."""

    offers: tuple[Offer, ...]
    tenants: tuple[str, ...]
    snapshots: dict[str, str]
    floating: dict[str, str]

    def of(self, model: str) -> Offer | None:
        return next((one for one in self.offers if one.model == model), None)
