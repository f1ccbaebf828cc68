"""The floor: thirteen steps and one signal in a workflow that is written by hand, with nothing of ours in it."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from benchmarks.steps import APPROVED, FIRST, MITIGATION, StepFile


class Floor:
    def __init__(self, file: StepFile) -> None:
        self._file = file

    @activity.defn(name="floor.step")
    async def step(self, name: str) -> str:
        self._file.take(activity.info().workflow_id or "", name)
        return name


@workflow.defn
class ByHand:
    def __init__(self) -> None:
        self._approved = False

    @workflow.run
    async def run(self, service: str) -> int:
        declared, *beside = FIRST
        await self._step(declared)
        await asyncio.gather(*(self._step(name) for name in beside))
        for name in MITIGATION:
            await self._step(name)
        await workflow.wait_condition(lambda: self._approved, timeout=timedelta(hours=4))
        for name in APPROVED:
            await self._step(name)
        return len((*FIRST, *MITIGATION, *APPROVED))

    @workflow.signal
    def approve(self, by: str) -> None:
        self._approved = True

    async def _step(self, name: str) -> None:
        await workflow.execute_activity(
            "floor.step",
            name,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.2)),
        )
