"""What changes the fleet from outside: a deploy, and any other change, each with its entry in the change feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from practice.services.fleet import CHANGE_KINDS, Change, Revision
from practice.services.fleet_cast import image_digest, revision_name
from practice.world.state import JSON
from practice.world.world import World


def deploy(
    world: World,
    service: str,
    *,
    actor: str,
    what: str,
    kind: str = "deploy",
    error_rate: float = 0.0,
    latency_factor: float = 1.0,
    schema_min: int = 1,
    schema_max: int = 9,
    secrets: Mapping[str, int] | None = None,
    image_present: bool = True,
    reversible: bool = True,
    digest: str = "",
    details: Mapping[str, object] | None = None,
) -> Revision:
    """Build a new revision of a service and roll it out in every region: it serves where `LATEST` has traffic.

    One that needs a newer schema brings the migration to it along. Secrets are pinned as in the revision before, unless given.
    A push to the default branch of the service's repository ends here. Raises LookupError for an unknown service, ValueError for a kind.
    """
    known = world.state.fleet.services.get(service)
    if known is None:
        raise LookupError(f"there is no service {service}")
    before = known.newest()
    name = revision_name(service, before.number + 1)
    revision = Revision(
        name, before.number + 1, digest or image_digest(world.seed, name), world.clock.now(), actor,
        dict(before.secrets if secrets is None else secrets), schema_min=schema_min, schema_max=schema_max, image_present=image_present,
        error_rate=error_rate, latency_factor=latency_factor,
    )  # fmt: skip
    known.revisions[name] = revision
    known.schema = max(known.schema, schema_min)
    for place in known.places.values():
        place.history.append(name)
        place.template = name
        place.generation += 1
    said = what or f"{name}: routine release"
    change(
        world,
        [service],
        kind,
        said,
        actor=actor,
        reversible=reversible,
        digest=revision.digest,
        details={"revision": name, **(details or {})},
    )
    return revision


def change(
    world: World,
    services: Sequence[str],
    kind: str,
    what: str,
    *,
    actor: str,
    reversible: bool = True,
    digest: str = "",
    details: Mapping[str, object] | None = None,
) -> Change:
    """Enter a change into the feed; it does nothing by itself. Raises LookupError for an unknown service, ValueError for a kind."""
    if kind not in CHANGE_KINDS:
        raise ValueError(f"unknown kind {kind}; there are {', '.join(CHANGE_KINDS)}")
    fleet = world.state.fleet
    unknown = [name for name in services if name not in fleet.services]
    if unknown:
        raise LookupError(f"there is no service {unknown[0]}")
    told: JSON = dict(details or {})
    entry = Change(f"chg-{1000 + world.number()}", kind, world.clock.now(), actor, list(services), what, reversible, digest, told)
    fleet.changes.append(entry)
    return entry


def repository_of(world: World, repository: str) -> str | None:
    """The service that is deployed from a repository (`owner/name`); None where there is none."""
    return next((s.name for s in world.state.fleet.services.values() if s.repository == repository), None)
