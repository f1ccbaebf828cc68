"""The numbers of playbook 2.4, as settings (spec §9.4)."""

from datetime import timedelta

from activities.organisation.numbers import Some
from activities.organisation.rhythm import minutes, seconds
from activities.values import Value


class DataBreach(Value):
    """The numbers of playbook 2.4 (spec §9.4)."""

    back: timedelta = timedelta(days=30)  # how far access records are looked at, unless somebody says since when
    sampled: Some = 3  # records of a claim that are compared by their hash
    logs_begun_within: timedelta = seconds(120)  # so long logs go first; then Security may have the harm contained before (INV-1)
    disks_begun_within: timedelta = minutes(10)  # so long snapshots go first; as above
    access_for: timedelta = timedelta(hours=8)  # so long responders alone have access
    log_retention_days: Some = 400  # what logs are kept for, from now on
    held_objects: tuple[str, ...] = ()  # where logs and exports lie that are held at once, as bucket/prefix
    hunt_again: timedelta = minutes(10)  # after an eviction, before it is looked whether something has come back
    staged_step: timedelta = minutes(10)  # between two classes, where people want them evicted one after the other
    evictions: Some = 4  # rounds, before people carry on
    quiet: timedelta = timedelta(hours=72)  # so long nothing of the intruder may be seen, with enhanced logging
    unfounded_hold: timedelta = timedelta(days=30)  # so long evidence is held of a claim that was false
    vendor_patience: timedelta = timedelta(hours=24)  # a vendor that says nothing for so long: everything that it has counts
    legal_patience: timedelta = minutes(30)  # Legal not reached for so long: outside counsel and an executive are called
    rebuilt_again: timedelta = timedelta(hours=4)  # between two questions whether what was touched is rebuilt
    reuse_watched: timedelta = timedelta(days=90)  # so long it is watched whether stolen data is used
