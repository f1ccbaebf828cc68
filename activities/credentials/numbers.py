"""The numbers of playbook 2.10, as settings (spec §9.10)."""

from datetime import timedelta

from activities.organisation.numbers import Some
from activities.organisation.rhythm import minutes, seconds
from activities.values import Value


class SecretCompromise(Value):
    """The numbers of playbook 2.10 (spec §9.10)."""

    evidence_within: timedelta = seconds(120)  # so long evidence may go first; then what is surely stolen is revoked all the same (INV-1)
    overlap_choice: timedelta = minutes(5)  # so long people may choose an overlap, where revoking would be an outage
    overlap: timedelta = minutes(60)  # the longest that a stolen key may stay alive by our order, and a suspected one
    batch: Some = 5  # credentials of one danger that are worked on side by side: issuers stand no more
    lasting: timedelta = timedelta(days=90)  # a replacement
    forget_again: timedelta = minutes(5)  # between two tries at a place that lets the old key in still
    forget_patience: timedelta = minutes(30)  # then people carry on at that place
    session_batch: Some = 20  # tenants whose sessions are ended in one go; sign-in must stand it
    zero_use: timedelta = timedelta(hours=24)  # so long nobody may use an old key, before anything is called over
    attest_again: timedelta = timedelta(hours=4)  # between two questions for what people do by hand
