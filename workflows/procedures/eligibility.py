"""Which revisions a service may be rolled back to, and why not to the others (spec §8 S-ROLLBACK, INV-5). Values only.

What is unknown is never in a revision's favour: a target that cannot be shown to be safe is none.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from activities.action import Value
from activities.deploys.orders import Revision, Rollout, alike
from activities.organisation.numbers import RollBack


class Targets(Value):
    """Where a service may be rolled back to, in the order in which to try, and what speaks against every other revision."""

    eligible: tuple[Revision, ...]  # newest first: the smallest step back
    ineligible: dict[str, tuple[str, ...]]  # revision → all the reasons, for people to read

    def best(self) -> Revision | None:
        return self.eligible[0] if self.eligible else None


class _Scene(NamedTuple):
    """What a revision is held against."""

    serving: frozenset[str]
    newest_serving: tuple[datetime, str]
    tried: frozenset[str]
    blocked: frozenset[str]
    disabled_secrets: frozenset[str]
    schema: int | None
    irreversible: tuple[datetime, ...]
    rule: RollBack


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
    left = frozenset(in_traffic(rollout) if serving is None else serving)
    known = [_age(one) for one in rollout.revisions if one.id in left]
    scene = _Scene(
        serving=left,
        newest_serving=max(known, default=_age(rollout.revisions[0]) if rollout.revisions else (datetime.max, "")),
        tried=frozenset(tried),
        blocked=frozenset(blocked),
        disabled_secrets=frozenset(disabled_secrets),
        schema=schema,
        irreversible=tuple(irreversible),
        rule=rule,
    )
    against = {one.id: tuple(why for check in CHECKS for why in check(one, scene)) for one in rollout.revisions}
    newest_first = sorted(rollout.revisions, key=_age, reverse=True)
    return Targets(
        eligible=tuple(one for one in newest_first if not against[one.id]),
        ineligible={name: reasons for name, reasons in against.items() if reasons},
    )


def in_traffic(rollout: Rollout) -> frozenset[str]:
    """Every revision that is to serve anything in any region, with LATEST resolved. What a rollout that got stuck still serves is a way back."""
    return frozenset(name for serving in rollout.regions.values() for name in serving.resolved(asked=True))


def _age(one: Revision) -> tuple[datetime, str]:
    return one.created_at, one.id


# ---- the checks: each yields what speaks against a revision ----


def _is_a_way_back(one: Revision, scene: _Scene) -> Iterable[str]:
    if one.id in scene.serving:
        yield "it serves now"
    elif _age(one) > scene.newest_serving:
        yield "it is newer than what serves: not a way back"
    if one.id in scene.tried:
        yield "it was tried in this incident and did not help"


def _can_start(one: Revision, scene: _Scene) -> Iterable[str]:
    if not one.ready:
        yield "it is not ready in every region"
    if one.image_present is False:
        yield "its image is gone"
    if one.image_present is None and scene.rule.image_vouched_for:
        yield "nobody can say whether its image is still there"
    if gone := sorted(scene.disabled_secrets.intersection(one.secrets)):
        yield f"it needs {', '.join(gone)}, which is disabled"
    unsure = {alike(name.removesuffix(":")) for name in one.secrets if name.endswith(":")}
    if perhaps := sorted(name for name in scene.disabled_secrets if alike(name.partition(":")[0]) in unsure):
        yield f"nobody can say whether it needs {', '.join(perhaps)}, which is disabled"


def _is_not_blocked(one: Revision, scene: _Scene) -> Iterable[str]:
    if not one.digest:
        yield "its digest is unknown, so the blocklist cannot clear it"
    elif one.digest in scene.blocked:
        yield "its digest is on the blocklist"
    beside = set(one.images) - {one.digest}
    if beside & scene.blocked:
        yield "the image of a container beside the application's is on the blocklist"
    elif "" in beside and scene.blocked:
        yield "the image of a container beside the application's is not named by digest, so the blocklist cannot clear it"


def _knows_the_schema(one: Revision, scene: _Scene) -> Iterable[str]:
    if scene.schema is None:
        yield "the version of the database schema is unknown"
    elif one.schema_min is None or one.schema_max is None:
        yield "it does not say which database schemas it works with"
    elif not one.schema_min <= scene.schema <= one.schema_max:
        yield f"it works with database schemas {one.schema_min} to {one.schema_max}, and {scene.schema} is in force"
    since = [at for at in scene.irreversible if at >= one.created_at]
    if since:
        yield f"an irreversible migration ran since it was built, at {min(since):%Y-%m-%d %H:%M} UTC"


def _has_served_well(one: Revision, scene: _Scene) -> Iterable[str]:
    wanted = scene.rule.green.total_seconds() / 60
    if one.green_minutes is None:
        yield "nobody can say how long it has served well"
    elif not one.green_minutes >= wanted:
        yield f"it has served well for {one.green_minutes:.0f} min only, {wanted:.0f} min are wanted"


Check = Callable[[Revision, _Scene], Iterable[str]]
CHECKS: tuple[Check, ...] = (_is_a_way_back, _can_start, _is_not_blocked, _knows_the_schema, _has_served_well)
