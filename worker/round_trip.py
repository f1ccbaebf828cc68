"""One activity round trip, for `incident doctor`: how long the server takes to dispatch a step (reference: warn above 30 ms)."""

from datetime import timedelta

from temporalio import activity, workflow


@activity.defn(name="round_trip")
async def round_trip() -> str:
    """Nothing, as fast as possible."""
    return "here"


@workflow.defn(name="RoundTrip")
class RoundTrip:
    """Times some round trips by the server's own clock."""

    @workflow.run
    async def run(self, times: int = 5) -> float:
        """The median of the round trips, in milliseconds."""
        took: list[float] = []
        for _ in range(max(1, times)):
            before = workflow.now()
            await workflow.execute_activity("round_trip", start_to_close_timeout=timedelta(seconds=5))
            took.append((workflow.now() - before).total_seconds() * 1000)
        return sorted(took)[len(took) // 2]
