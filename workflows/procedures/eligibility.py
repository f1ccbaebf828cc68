"""Which revisions a service may be rolled back to, and why not to the others (spec §8 S-ROLLBACK, INV-5). Values only.

What is unknown is never in a revision's favour: a target that cannot be shown to be safe is none.
"""

from collections.abc import Collection
from datetime import datetime

from activities.action import Value
from activities.deploys.orders import Revision, Rollout, alike
from activities.organisation.catalogue import Blocked
from activities.organisation.numbers import RollBack
from activities.platform.change_feed import Changes


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
    dependencies: Collection[str] = (),
    disabled_secrets: Collection[str] = (),
    irreversible: Collection[datetime] = (),
    serving: Collection[str] | None = None,
    tried: Collection[str] = (),
) -> Targets:
    """Sort a service's revisions into targets and others.

    `schema` is the version of its database schema now; `blocked` lists digests of images, `dependencies` those of sets of dependencies,
    `disabled_secrets` lists `NAME:version`; `irreversible` are the instants of its irreversible migrations. `serving` is what is to be left
    (all that has traffic anywhere, unless given), `tried` what was tried in this incident and did not help.
    """
    left = in_traffic(rollout) if serving is None else serving
    newest_left = max((_age(one) for one in rollout.revisions if one.id in left), default=None)

    def against(one: Revision) -> tuple[str, ...]:
        green, wanted = one.green_minutes, rule.green.total_seconds() / 60
        gone = sorted({*one.disabled, *set(disabled_secrets).intersection(one.secrets)})
        unsure = {alike(name.removesuffix(":")) for name in one.secrets if name.endswith(":")}
        perhaps = sorted(name for name in disabled_secrets if alike(name.partition(":")[0]) in unsure)
        another, beside = "the image of a container beside the application's", set(one.images) - {one.digest}
        bad = beside.intersection(blocked)
        since = [at for at in irreversible if at >= one.created_at]
        silent = one.schema_min is None or one.schema_max is None
        fits = schema is None or one.schema_min is None or one.schema_max is None or one.schema_min <= schema <= one.schema_max
        flaws = (
            (not left, "nothing serves now: there is nothing to roll back"),
            (one.id in left, "it serves now"),
            (one.id not in left and newest_left and _age(one) > newest_left, "it is newer than what serves: not a way back"),
            (one.id in tried, "it was tried in this incident and did not help"),
            (not one.ready, "it is not ready in every region"),
            (one.image_present is False, "its image is gone"),
            (one.image_present is None and rule.image_vouched_for, "nobody can say whether its image is still there"),
            (gone, f"it needs {', '.join(gone)}, which is disabled"),
            (perhaps, f"nobody can say whether it needs {', '.join(perhaps)}, which is disabled"),
            (not one.digest, "its digest is unknown, so the blocklist cannot clear it"),
            (one.digest and one.digest in blocked, "its digest is on the blocklist"),
            (bad, f"{another} is on the blocklist"),
            (not bad and "" in beside and blocked, f"{another} is not named by digest, so the blocklist cannot clear it"),
            (one.dependencies and one.dependencies in dependencies, "the dependencies that it was built with are on the blocklist"),
            (
                not one.dependencies and dependencies,
                "it does not say which dependencies it was built with, so the blocklist cannot clear it",
            ),
            (schema is None, "the version of the database schema is unknown"),
            (schema is not None and silent, "it does not say which database schemas it works with"),
            (not fits, f"it works with database schemas {one.schema_min} to {one.schema_max}, and {schema} is in force"),
            (since, f"an irreversible migration ran since it was built, at {min(since, default=one.created_at):%Y-%m-%d %H:%M} UTC"),
            (green is None, "nobody can say how long it has served well"),
            (green is not None and not green >= wanted, f"it has served well for {green or 0:.0f} min only, {wanted:.0f} min are wanted"),
        )
        return tuple(why for bars, why in flaws if bars)

    ineligible = {one.id: reasons for one in rollout.revisions if (reasons := against(one))}
    eligible = [one for one in rollout.revisions if one.id not in ineligible]
    return Targets(eligible=tuple(sorted(eligible, key=_age, reverse=True)), ineligible=ineligible)


class Known(Value):
    """What is held against the revisions of a service, as it was read last. None: it could not be read, which is not the same as nothing."""

    schema_version: int | None = None
    blocked: Blocked | None = None
    changes: Changes | None = None

    def targets(self, rollout: Rollout, rule: RollBack, serving: Collection[str], tried: Collection[str]) -> Targets:
        lists, changes = self.blocked or Blocked(), self.changes.changes if self.changes else ()
        migrations = [
            c for c in changes if c.kind == "migration" and not c.reversible and (not c.services or rollout.service in c.services)
        ]
        return roll_back_targets(
            rollout, rule=rule, schema=self.schema_version, blocked=lists.images or (), dependencies=lists.dependencies or (),
            disabled_secrets=lists.secrets or (), irreversible=[change.at for change in migrations], serving=serving, tried=tried,
        )  # fmt: skip

    def unread(self, rollout: Rollout, target: Revision) -> tuple[str, ...]:
        """What a target could not be held against: it is eligible as far as known, and whoever approves must know that."""
        lists = ("what must not run again (organisation.toml)",) if self.blocked is None else self.blocked.unkept()
        seen = self.changes is not None and "migration" not in self.changes.gaps and self.changes.since <= target.created_at
        since = () if seen else (f"whether an irreversible migration ran since {target.created_at:%Y-%m-%d %H:%M} UTC",)
        return (
            *lists,
            *since,
            *(f"which versions of {name} are disabled" for name in rollout.unread_secrets),
            *(f"whether we may change it in {region}" for region in rollout.regions if region not in rollout.may_change),
        )


def in_traffic(rollout: Rollout) -> frozenset[str]:
    """Every revision that is to serve anything in any region, with LATEST resolved. What a rollout that got stuck still serves is a way back."""
    return frozenset(name for serving in rollout.regions.values() for name in serving.resolved(asked=True))


def _age(one: Revision) -> tuple[datetime, str]:
    return one.created_at, one.id
