"""Seeded draws that stay cheap when the numbers grow."""

from __future__ import annotations

import math
from random import Random

EXACT_UP_TO = 50
"""Above this many trials a normal approximation is drawn."""


def poisson(rng: Random, mean: float) -> int:
    if mean <= 0:
        return 0
    if mean > EXACT_UP_TO:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    chance = total = math.exp(-mean)
    draw, count = rng.random(), 0
    while draw > total and count < 500:
        count += 1
        chance *= mean / count
        total += chance
    return count


def binomial(rng: Random, trials: int, p: float) -> int:
    if trials <= 0 or p <= 0:
        return 0
    if p >= 1:
        return trials
    if trials > EXACT_UP_TO and trials * min(p, 1 - p) > 5:
        return min(trials, max(0, round(rng.gauss(trials * p, math.sqrt(trials * p * (1 - p))))))
    if p > 0.5:
        return trials - binomial(rng, trials, 1 - p)
    chance = total = (1 - p) ** trials
    odds = p / (1 - p)
    draw, count = rng.random(), 0
    while draw > total and count < trials:
        count += 1
        chance *= odds * (trials - count + 1) / count
        total += chance
    return count


def split(rng: Random, total: int, shares: dict[str, float]) -> dict[str, int]:
    """Deal `total` out by shares (a multinomial draw); shares need not sum to 1."""
    dealt: dict[str, int] = {}
    left, mass = total, sum(shares.values())
    for name, share in shares.items():
        if left <= 0 or mass <= 0:
            break
        count = binomial(rng, left, min(1.0, share / mass))
        if count:
            dealt[name] = count
        left -= count
        mass -= share
    return dealt
