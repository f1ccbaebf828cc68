"""The numbers of responders' access and of audit logs while something is contained (spec §9.4, A.4 M6)."""

from datetime import timedelta

from activities.organisation.numbers import Some
from activities.values import Value


class ContainmentNumbers(Value):
    """For how long responders have access, and audit logs are kept (spec A.4 M6)."""

    responders_for: timedelta = timedelta(hours=8)  # real time; then their access ends, and more is a new order
    audit_days: Some = 400  # so long what is logged of accesses to data is kept, at least
