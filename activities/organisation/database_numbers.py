"""The numbers of playbook 2.9 (spec §9.9), as settings."""

from datetime import timedelta

from activities.organisation.numbers import Amount, Ratio, Some
from activities.organisation.rhythm import minutes, seconds
from activities.values import Value


class DatabaseFailover(Value):
    """The numbers of playbook 2.9 (spec §9.9)."""

    quorum: Some = 3  # vantage points that must answer before anything is called dead
    down_votes: Some = 2  # so many of them do not reach the primary
    rpo: timedelta = minutes(5)  # so much of the past may be lost
    rto: timedelta = minutes(30)  # so long it may take until writes are taken again
    stale: timedelta = seconds(30)  # so old a replica may be that is read from
    lag_bytes: Some = 100_000_000  # behind the primary: from here on its reads are stale as well
    flapped: timedelta = minutes(30)  # the manager has promoted so lately: it is paused
    busy: Ratio = 0.95  # of its connections used: overloaded, and never failed over
    app_latency_ms: Amount = 50.0  # from the application to a candidate: more is too slow for every query
    disk: Ratio = 0.95  # full
    unreplayed: Some = 65_536  # bytes that a standby may have received and not replayed, with nothing that holds it up
    survey_again: timedelta = seconds(15)  # how often the cluster is looked at while something is waited for
    write_steps: tuple[float, ...] = (0.1, 0.5, 1.0)  # shares in which writes come back
    write_step: timedelta = minutes(10)  # how long each is watched
    reads_share: Ratio = 0.5  # of what is asked for is let in while a new primary is cold, or reads are throttled
    attached_for: timedelta = minutes(30)  # replicas attached and near for so long before it is closed
    hold_old_primary: timedelta = timedelta(days=14)  # before it is rebuilt as a standby
    lag_within: timedelta = minutes(10)  # so long what was done against the lag has to show
    resting: timedelta = minutes(1)  # between two things that are put back
