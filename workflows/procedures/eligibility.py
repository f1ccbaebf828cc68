"""Which revisions a service may be rolled back to, and why not to the others (spec §8 S-ROLLBACK, INV-5). Values only.

What is unknown is never in a revision's favour: a target that cannot be shown to be safe is none.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from activities.action import Value
from activities.deploys.deploys import Revision, Rollout
from activities.organisation.numbers import RollBack


class Targets(Value):
    """Where a service may be rolled back to, in the order in which to try, and what speaks against every other revision."""

    eligible: tuple[Revision, ...]  # newest first: the smallest step back
    ineligible: dict[str, tuple[str, ...]]  # revision → all the reasons, for people to read

    def best(self) -> Revision | None:
        return self.eligible[0] if self.eligible else None


def roll_back_targets(
    rollout: Rollout,
    *,
    rule: RollBack,
    schema: int | None,
    blocked: Collection[str] = (),
    disabled_secrets: Collection[str] = (),
    irreversible: Collection[datetime] = (),
    serving: Collection[str] | None = None,
    tried: Collection[str] = (),
) -> Targets:
    """Sort a service's revisions into targets and others.

    `schema` is the version of its database schema now; `blocked` lists digests, `disabled_secrets` lists `NAME:version`; `irreversible`
    are the instants of its irreversible migrations. `serving` is what is to be left (all that has traffic anywhere, unless given),
    `tried` what was tried in this incident and did not help.
    """
    left = in_traffic(rollout) if serving is None else serving
    newest_first = sorted(rollout.revisions, key=_age, reverse=True)
    newest_left = next((one for one in newest_first if one.id in left), None)
    against = {
        one.id: (
            *_is_no_way_back(one, left, newest_left, tried),
            *_cannot_start(one, rule, blocked, disabled_secrets),
            *_cannot_read(one, schema, irreversible),
            *_has_not_served_well(one, rule),
        )
        for one in newest_first
    }
    return Targets(
        eligible=tuple(one for one in newest_first if not against[one.id]),
        ineligible={one.id: against[one.id] for one in rollout.revisions if against[one.id]},
    )


def in_traffic(rollout: Rollout) -> frozenset[str]:
    """Every revision that is to serve anything in any region, with LATEST resolved. What a rollout that got stuck still serves is a way back."""
    return frozenset(name for serving in rollout.regions.values() for name in serving.resolved(asked=True))


def _age(one: Revision) -> tuple[datetime, str]:
    return one.created_at, one.id


def _is_no_way_back(one: Revision, left: Collection[str], newest_left: Revision | None, tried: Collection[str]) -> Iterable[str]:
    if one.id in left:
        yield "it serves now"
    elif newest_left is not None and _age(one) > _age(newest_left):
        yield "it is newer than what serves: not a way back"
    if one.id in tried:
        yield "it was tried in this incident and did not help"


def _cannot_start(one: Revision, rule: RollBack, blocked: Collection[str], disabled_secrets: Collection[str]) -> Iterable[str]:
    if not one.ready:
        yield "it is not ready in every region"
    if one.image_present is False:
        yield "its image is gone"
    if one.image_present is None and rule.image_vouched_for:
        yield "nobody can say whether its image is still there"
    if gone := sorted({f"{name}:{version}" for name, version in one.secrets.items()} & set(disabled_secrets)):
        yield f"it needs {', '.join(gone)}, which is disabled"
    if not one.digest:
        yield "its digest is unknown, so the blocklist cannot clear it"
    elif one.digest in blocked:
        yield "its digest is on the blocklist"


def _cannot_read(one: Revision, schema: int | None, irreversible: Collection[datetime]) -> Iterable[str]:
    if schema is None:
        yield "the version of the database schema is unknown"
    elif one.schema_min is None or one.schema_max is None:
        yield "it does not say which database schemas it works with"
    elif not one.schema_min <= schema <= one.schema_max:
        yield f"it works with database schemas {one.schema_min} to {one.schema_max}, and {schema} is in force"
    if since := [at for at in irreversible if at >= one.created_at]:
        yield f"an irreversible migration ran since it was built, at {min(since):%Y-%m-%d %H:%M} UTC"


def _has_not_served_well(one: Revision, rule: RollBack) -> Iterable[str]:
    wanted = rule.green.total_seconds() / 60
    if one.green_minutes is None:
        yield "nobody can say how long it has served well"
    elif not one.green_minutes >= wanted:
        yield f"it has served well for {one.green_minutes:.0f} min only, {wanted:.0f} min are wanted"
