"""The numbers of sign-in under attack, as settings (spec §9.10 step 4)."""

from activities.organisation.numbers import Some
from activities.values import Value


class SignInNumbers(Value):
    """What sign-in lets through while passwords are tried, and how many accounts a list may have (spec §9.10)."""

    per_account: Some = 5  # attempts in a minute for one account
    per_address: Some = 60  # and from one address: whole companies are behind some
    most_reset: Some = 100  # accounts that may have to choose another password by one list; more than that is a person's decision and work
    step_up_tenants: Some = 20  # tenants whose sign-in asks for a second factor in one go
