"""When may more traffic come back? A sequential test, decided by a pure function (reference: Wald's SPRT with Ville's strict bounds).

H_bad: a share of at least `p_bad` of the answers is bad. H_good: at most `p_good` is. Evidence accumulates as a log-likelihood ratio;
credit is capped at the promote bound, so that good minutes are not banked against later bad ones. No data is BLIND: it never advances.
No clock, no I/O: safe inside a workflow, and the same tick always gives the same verdict.
"""

import math
from datetime import timedelta
from enum import StrEnum

from activities.values import Value

LEAST_SAMPLES = 30  # in each arm, before the two are compared
SIGMAS = 3  # standard errors by which one arm must be worse, beside the difference itself: we look many times


class CanaryPolicy(Value):
    """How careful we are. `alpha` bounds P(promote | bad), `beta` bounds P(abort | good), each over the whole ladder."""

    p_good: float = 0.01  # the share of bad answers of a healthy target
    p_bad: float = 0.05  # the share that must not be let through
    alpha: float = 0.01  # how likely a bad target may be promoted
    beta: float = 0.05  # how likely a good one may be turned back
    tick: timedelta = timedelta(seconds=30)  # one measurement
    min_dwell: timedelta = timedelta(minutes=5)  # the least time on a step
    max_dwell: timedelta = timedelta(minutes=30)  # after so long without a decision the step holds
    bake: timedelta = timedelta(minutes=15)  # the last watch, at the full share
    guard_rate: float = 0.5  # so many bad answers at once end it without statistics
    guard_least: int = 8  # of at least so many
    guard_ticks: int = 2  # in so many ticks
    max_blind_ticks: int = 4  # without data
    probes_per_second: float = 0.2  # of our own, on the step before any customer
    trials_to_decide: int = 476  # n95 of a healthy target for the defaults above
    growth: float = 2.5  # from one step to the next
    least_weight: float = 0.01  # of the first step with customers
    most_first_weight: float = 0.25  # however little traffic there is
    hold: timedelta = timedelta(minutes=60)  # how long an undecided step waits for a person
    back_off: timedelta = timedelta(minutes=30)  # after a failed attempt; doubled each time
    longest_back_off: timedelta = timedelta(hours=4)  # and never more than this
    attempts: int = 3  # then a person decides whether to stay on the fallback provider
    lease_ticks: int = 3  # the router falls back by itself when nobody renews for so long


class Verdict(StrEnum):
    """What one more tick of evidence says."""

    CONTINUE = "continue"
    ADVANCE = "advance"
    ABORT = "abort"
    HOLD = "hold"


class Tick(Value):
    """What was measured in one window: `n` trials of the canary, `bad` of them; and the same of the other arm."""

    n: int = 0
    bad: int = 0
    control_n: int = 0
    control_bad: int = 0
    seconds: float = 30
    blind: bool = False
    veto: str = ""


class Evidence(Value):
    """What is known on one step of the ladder so far."""

    llr: float = 0.0
    dwell: float = 0.0
    n: int = 0
    bad: int = 0
    blind: int = 0
    recent: tuple[tuple[int, int], ...] = ()


def bounds(policy: CanaryPolicy, steps: int) -> tuple[float, float]:
    """The log-likelihood ratios at which a step advances (upper) or aborts (lower), for a ladder of `steps`."""
    return math.log(steps / policy.alpha), math.log(policy.beta / steps)


def weigh(policy: CanaryPolicy, steps: int, weight: float, so_far: Evidence, tick: Tick) -> tuple[Verdict, Evidence, str]:
    """The verdict after one more tick, the evidence so far, and the reason in a few words."""
    promote, abort = bounds(policy, steps)
    dwell = so_far.dwell + tick.seconds
    if tick.veto:
        return Verdict.ABORT, so_far, f"veto: {tick.veto}"
    if tick.blind or not 0 <= tick.bad <= tick.n:
        seen = so_far.model_copy(update={"dwell": dwell, "blind": so_far.blind + 1})
        return (Verdict.HOLD if seen.blind > policy.max_blind_ticks else Verdict.CONTINUE), seen, "no data: blind"
    per_bad, per_good = math.log(policy.p_good / policy.p_bad), math.log((1 - policy.p_good) / (1 - policy.p_bad))
    llr = so_far.llr + tick.bad * per_bad + (tick.n - tick.bad) * per_good
    recent = (*so_far.recent, (tick.n, tick.bad))[-policy.guard_ticks :]
    seen = Evidence(llr=min(llr, promote), dwell=dwell, n=so_far.n + tick.n, bad=so_far.bad + tick.bad, blind=0, recent=recent)
    mostly = _mostly_bad(policy, sum(n for n, _ in recent), sum(bad for _, bad in recent))
    if (mostly or llr <= abort) and _mostly_bad(policy, tick.control_n, tick.control_bad):
        return Verdict.HOLD, seen, "both arms are failing: not the canary's fault"
    if mostly:
        return Verdict.ABORT, seen, f"{tick.bad} of {tick.n} answers were bad"
    if llr <= abort:
        return Verdict.ABORT, seen, f"{seen.bad} of {seen.n} answers were bad: worse than {policy.p_bad:.0%}"
    if seen.llr >= promote and dwell >= (policy.bake if weight >= 1 else policy.min_dwell).total_seconds():
        return Verdict.ADVANCE, seen, f"{seen.bad} of {seen.n} answers were bad: healthy"
    if dwell >= policy.max_dwell.total_seconds():
        return Verdict.HOLD, seen, f"undecided after {seen.n} answers"
    return Verdict.CONTINUE, seen, ""


def worsened(n: int, bad: int, control_n: int, control_bad: int) -> float | None:
    """By how much the share of bad answers is above the control's; None when there is too little to say, or when it may be chance."""
    if min(n, control_n) < LEAST_SAMPLES:
        return None
    drop = bad / n - control_bad / control_n
    both = (bad + control_bad) / (n + control_n)
    error = math.sqrt(both * (1 - both) * (1 / n + 1 / control_n))
    return drop if drop > SIGMAS * error else None


def ladder(policy: CanaryPolicy, requests_per_second: float) -> tuple[float, ...]:
    """The weights to climb: probes only, then a share in which a healthy target decides within 80 % of the longest dwell, then more."""
    wanted = policy.trials_to_decide / (0.8 * policy.max_dwell.total_seconds()) - policy.probes_per_second
    weight = min(max(wanted / max(requests_per_second, 1e-9), policy.least_weight), policy.most_first_weight)
    climb = [0.0]
    while weight < 0.6:
        climb.append(round(weight, 4))
        weight *= policy.growth
    return (*climb, 1.0)


def _mostly_bad(policy: CanaryPolicy, n: int, bad: int) -> bool:
    return n >= policy.guard_least and bad / n >= policy.guard_rate
