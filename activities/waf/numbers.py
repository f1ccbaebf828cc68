"""The numbers of the edge, as settings (spec §8 S-WAF)."""

from datetime import timedelta

from activities.organisation.numbers import Ratio, Some
from activities.organisation.rhythm import minutes
from activities.values import Value


class EdgeNumbers(Value):
    """When an address is part of an attack, and when a rule may be enforced (spec §8 S-WAF, A.10 M6)."""

    window: timedelta = minutes(10)  # so far back the edge is asked what it has seen
    least_failed: Some = 50  # failed sign-ins from one address in that time: fewer are people who mistype
    attack_share: Ratio = 0.95  # of an address's sign-ins that fail: from here on all of it is the attack, its few successes too
    preview: timedelta = minutes(5)  # so long a rule only notes what it would deny
    preview_under_attack: timedelta = minutes(1)  # while the attack is going on
    false_positives: Ratio = 0.001  # of ordinary requests that a rule may deny without people being asked
    first_rule: Some = 1000  # rules of ours have priorities from here on
    rules: Some = 500  # so many of them at most
