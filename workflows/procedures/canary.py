"""A fixed build gets the traffic step by step, and goes back at once when it fails more than the service may (spec §8 S-CANARY)."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from typing import cast

from activities.action import Effect, Role
from activities.deploys.deploys import Deploys
from activities.deploys.orders import LATEST, Revision, RevisionsOf, Rollout, Split, ToRevision
from activities.metrics.telemetry import Surface, Telemetry
from activities.organisation.catalogue import Deployed
from workflows.engine.proof.judge import in_words
from workflows.engine.proof.proof import minutes
from workflows.engine.verbs import Verbs
from workflows.errors import Relapse
from workflows.people.questions import ApprovalTerms


class Canary:
    """Of one service."""

    def __init__(self, verbs: Verbs, service: Deployed) -> None:
        self._verbs, self._service, self._numbers = verbs, service, verbs.policy.roll_back

    async def to(
        self, fixed: Revision, rollout: Rollout, *, asks: str = "", facts: tuple[str, ...] = (), roles: tuple[Role, ...] = ()
    ) -> bool:
        """Step by step to the fixed build, then let the service follow the latest. False: it was not approved, or it was put back.

        `asks`, `facts`, `roles`: where more is to be decided than a return to the latest.
        """
        verbs, numbers, name = self._verbs, self._numbers, self._service.name
        steps = numbers.canary_steps if self._service.platform == "cloud_run" else (1.0,)
        splits = [rollout.splits(), *(_share(fixed, rollout, share) for share in steps)]
        shifts = [{"split": wanted, "before": before} for before, wanted in pairwise(splits)]
        orders = [ToRevision(service=self._service, purpose="return to latest", **shift) for shift in shifts]
        backs = [ToRevision(service=self._service, split=splits[0], purpose="roll back", before=order.split) for order in orders]
        terms = ApprovalTerms(
            asks=asks or f"Return {name} to {fixed.id}?", roles=roles,
            facts=(*facts, f"in steps of {', '.join(f'{s:.0%}' for s in steps)}, {minutes(numbers.canary_step)} each",
                   f"back at once when it fails {numbers.canary_more_errors:.0%} more of its requests than the service may"),
            lasting=(numbers.canary_patience + numbers.canary_step) * len(steps),  # as long as every step may take
        )  # fmt: skip
        decision = await verbs.approve_all(Deploys.shift, [*orders, *backs], terms)
        if decision.grant is None:
            return False
        for order, back in zip(orders, backs, strict=True):
            fresh = await verbs.read(Deploys.survey, RevisionsOf(service=self._service))
            effect = (
                await verbs.propose(Deploys.shift, order.model_copy(update={"versions": fresh.versions()}), under=decision.grant)
            ).effect
            relapse: Relapse | None = None
            try:
                if effect and (verbs.assumes(Deploys.shift) or await self._stands(order, {fixed.id, *_served(effect)} - _named(splits[0]))):
                    continue
            except Relapse as back_again:
                relapse = back_again
            await verbs.propose(Deploys.shift, back, under=decision.grant)
            if relapse:
                raise relapse
            return False
        return True

    async def _stands(self, order: ToRevision, fixed: set[str]) -> bool:
        """Watch one step: it counts when the fixed build has answered enough requests in it, and fails few of them."""
        verbs, numbers, name, policy = self._verbs, self._numbers, self._service.name, self._verbs.policy
        allowed, waited = 1 - policy.stability.slo_target + numbers.canary_more_errors, timedelta(0)
        while waited < numbers.canary_patience:
            await verbs.rest(numbers.canary_step, f"watch: {order.effect()}")
            waited += numbers.canary_step
            own = Surface(service=name, window=waited, revisions=tuple(sorted(fixed)), fresh=policy.stability.fresh)
            health = await verbs.read(Telemetry.impact, own)
            every = verbs.impact.judge(await verbs.read(Telemetry.impact, verbs.impact.surface_of(name, numbers.canary_step)))
            if every.impact or (health.error_ratio or 0.0) > allowed:
                verbs.note(f"the canary of {name} is put back: {in_words(health)}; of all: {every.why}")
                return False
            if every.ended and health.error_ratio is not None and health.requests >= numbers.canary_least:
                return True
        verbs.note(f"the canary of {name} is put back: only {health.requests:.0f} requests came to {', '.join(sorted(fixed))}; {every.why}")
        return False


def _named(splits: Mapping[str, Split]) -> set[str]:
    return {name for split in splits.values() for name in split}


def _served(effect: Effect) -> set[str]:
    """What serves after a shift, by the platform's word: where others altered a build on its way it has another name."""
    return _named(cast("Mapping[str, Split]", effect.after)) - {LATEST}


def _share(fixed: Revision, rollout: Rollout, share: float) -> dict[str, Split]:
    """So much of every region's traffic for the fixed build; all of it: let the region follow the latest."""
    if share >= 1:
        return {region: {LATEST: 1.0} for region in rollout.regions}
    rest = {region: {r: round(s * (1 - share), 2) for r, s in one.resolved().items()} for region, one in rollout.regions.items()}
    return {region: {fixed.id: share, **others} for region, others in rest.items()}
