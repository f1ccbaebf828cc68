"""A workflow that imposes a setting and lifts it again, as the engine does: run in the sandbox, it proves that the kit's orders cross over."""

from datetime import timedelta

from temporalio import workflow

from activities.action import Call, Effect
from activities.kit.setting import Reading, Restore
from tests.activities.kit.rows.probe import Level, ProbeOf, Probes

SOON = timedelta(seconds=10)


@workflow.defn
class ImposeAndLift:
    """Looks, imposes, and lifts step by step."""

    @workflow.run
    async def run(self, of: ProbeOf, wanted: Level) -> list[Effect]:
        call = Call(incident_id="inc-1", key="k", at=workflow.now())
        order = Probes.order(of, wanted)
        prior = await workflow.execute_activity(Probes.read, args=[order.look(), call], start_to_close_timeout=SOON)
        assert type(prior) is Reading[Level], type(prior)
        order = order.given(prior)
        effects = [await workflow.execute_activity(Probes.change, args=[order, call], start_to_close_timeout=SOON)]
        for step in order.undo_steps((0.5, 1.0)):
            assert isinstance(step, Restore)
            effects.append(await workflow.execute_activity(Probes.restore, args=[step, call], start_to_close_timeout=SOON))
        return effects
