"""How long an attempt may still write: always shorter than the time after which the server gives the work to somebody else.

The server takes an attempt for dead when its start-to-close time is over, or when it has heard no heartbeat for the heartbeat timeout. A
process that was suspended for so long does not know it. So an attempt that was silent for too long writes no more, even after it beats
again (`pulse`). The server counts from when it gave the attempt out, we count from when we got it: no wall clock is asked, because ours may be
minutes off the server's. What it had sent before is in flight all the same: versions and epochs fence that, and where a system has neither, it is
looked at again after a lift (`setting`).
"""

from datetime import timedelta

from temporalio import activity

from activities.action import Call, Expired, NotYet
from activities.kit.pulse import PULSE, at_work
from activities.kit.validity import VALIDITY

MARGIN = timedelta(
    seconds=2
)  # before the end of start-to-close, or a tenth of it: the longest that an attempt is taken to be on its way to us


def refuse_when_late() -> None:
    """Call it just before every write. Raises `NotYet` when another attempt may be at work by now, `Expired` when the approval has ended."""
    valid = VALIDITY.get()
    if valid is not None and not valid.begins():
        attempt = activity.info().attempt if activity.in_activity() else 1
        raise Expired("the approval ended while this attempt waited, before it could be carried out", attempt)
    if not activity.in_activity():
        return
    info, pulse = activity.info(), PULSE.get()
    if pulse is not None and pulse.lost:
        raise NotYet("this attempt was silent for too long; it does not write any more")
    limit = info.start_to_close_timeout
    if limit and at_work() > limit - min(MARGIN, limit / 10):
        raise NotYet("this attempt is over time; it does not write any more")


def attempts(call: Call) -> int:
    """How often this was tried by now, a person's *retry* included."""
    return (activity.info().attempt if activity.in_activity() else 1) + call.again


def elapsed() -> timedelta:
    """Real time since the step began: nothing in its first attempt, the attempts and pauses before in a later one."""
    if not activity.in_activity():
        return timedelta(0)
    info = activity.info()
    return max(timedelta(0), info.started_time - info.scheduled_time)


def by_now(call: Call) -> Call:
    """The same call at this attempt's own instant: what must show in the metrics shows later than the step began."""
    return call.model_copy(update={"at": call.at + elapsed()})
