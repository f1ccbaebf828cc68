"""What waits, who works, and where every job is (spec §9.8; A.8 T1). It only looks."""

from activities.action import Call, System, action
from activities.queues.control import JobsLook, QueueControl, one_queue
from activities.queues.seen import Census, JobsSeen, WorkSeen


class WorkOf(JobsLook, target="queues", effect="read all queues, all workers, and what the jobs stand on", path="work"):
    """Everything at once."""


class JobsOf(
    JobsLook, target="queue/{queue}", effect="look at the oldest jobs of {queue}", path="queues/{queue}/jobs",
    asks=("limit", "least_attempts"),
):  # fmt: skip
    """Jobs that wait, the oldest first: by id, with no content. `least_attempts`: only what was begun so often."""

    queue: str
    limit: int = 100
    least_attempts: int = 0


class CensusOf(JobsLook, target="queues", effect="count every job by its id: where each is, and what became of it", path="census"):
    """Nothing is lost, and nothing done twice: counted, not believed."""


class Queues(System):
    def __init__(self, control: QueueControl) -> None:
        self._control = control

    @action("queues.work")
    async def work(self, order: WorkOf, call: Call) -> WorkSeen:
        """All queues with their rates, all workers, and what they stand on (T1). A worker that does not answer is unknown."""
        return WorkSeen.model_validate(await self._control.look(call, order))

    @action("queues.jobs")
    async def jobs(self, order: JobsOf, call: Call) -> JobsSeen:
        """The oldest jobs of one queue. Ages are sampled by this, where no depth can be read."""
        one_queue(order.queue)
        rows = (await self._control.look(call, order))["jobs"]
        known = ("id", "tenant", "age_seconds", "attempts")
        return JobsSeen.model_validate({"jobs": [{name: row.get(name) for name in known} for row in rows]})

    @action("queues.census")
    async def census(self, order: CensusOf, call: Call) -> Census:
        """Arrivals and completions by id, what waits, what is in flight, what is parked; what is missing, and what is there twice."""
        return Census.model_validate(await self._control.look(call, order))
