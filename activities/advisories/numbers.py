"""The numbers of playbook 2.12 (spec §9.12), as settings."""

from datetime import timedelta

from pydantic import Field

from activities.organisation.rhythm import minutes
from activities.values import Value


class SupplyChain(Value):
    """Within what an advisory is acted on, and how long a fix is watched."""

    back: timedelta = timedelta(days=14)  # before the advisory was published: installs of then are looked at too
    contain_within: timedelta = timedelta(hours=4)  # malicious, or exploited and reachable from outside
    fix_within: timedelta = timedelta(hours=24)  # the same
    critical_within: timedelta = timedelta(hours=72)  # other critical ones
    high_within: timedelta = timedelta(days=14)  # and high ones
    copied_within: timedelta = minutes(10)  # so long a copy of a disk is waited for, before its host is isolated
    people_look: timedelta = minutes(15)  # between two looks whether people have brought about what only they can
    risk_accepted: timedelta = timedelta(days=7)  # at most so long something affected goes on on an executive's word
    clean_for: timedelta = minutes(60)  # fleet at zero, and as usual, before it is resolved
    zero_every: timedelta = minutes(10)  # how often it is looked meanwhile
    resting: timedelta = minutes(5)  # between two things that are put back
    watched: timedelta = timedelta(days=30)  # the advisory and the fix, after the incident
    watched_every: timedelta = timedelta(hours=24)  # how often
    looks_per_run: int = Field(default=200, ge=2)  # then the watch begins a new run: a history that is too long replays no more
