"""The numbers of playbook 2.8 (spec §9.8; Annex A.8)."""

from datetime import timedelta

from activities.organisation.numbers import Amount, Ratio, Some
from activities.organisation.rhythm import minutes, seconds
from activities.values import Value


class QueueBacklog(Value):
    """From when on a queue is ill, what relieves it by how much, and what must be seen afterwards."""

    late: Ratio = 0.5  # of what a job may wait: from here on a queue is ill. Age beats depth
    deep: Amount = 5.0  # times its usual depth: from here on it is ill, where nobody can say how old its jobs are
    drains_within: timedelta = minutes(10)  # longer than that it does not drain by itself
    tenant_share: Ratio = 0.5  # of a queue's arrivals: from here on one tenant is noisy
    burst: Amount = 1.5  # times the usual arrivals
    retry_share: Ratio = 0.3  # of what is begun: a retry storm
    expired_share: Ratio = 0.2  # of the arrivals: work expires before it is done
    busy: Ratio = 0.95  # of the workers of a queue: there are too few
    stuck_for: timedelta = minutes(3)  # with no progress a worker is stuck
    poison_attempts: Some = 5  # so often begun, and never done
    poison_share: Ratio = 0.5  # of what is tried again: where many jobs are, it is no poison
    most_poison: Some = 20  # jobs in one step
    sampled: Some = 100  # jobs of a queue that are looked at
    intake_share: Amount = 1.0  # of what usually arrives of a tenant: what the API still takes of one that is noisy
    wide_intake: Ratio = 0.5  # of the requests, where no tenant stands out: what the gateway still lets in
    tenant_jobs: Some = 2  # jobs of a noisy tenant at once
    retries: Some = 3  # attempts of a job
    backoff: timedelta = seconds(60)  # between two of them
    scale_by: Amount = 1.5  # of the workers there are
    connections_per_worker: Some = 2
    launched_within: timedelta = minutes(3)  # then workers that were wanted and do not run count as not coming
    lent: Ratio = 0.5  # of the workers of deferrable queues
    restarts_per_minute: Ratio = 0.1  # of the workers, and at least one
    drain: Amount = 1.5  # times the usual completions: how fast a backlog is drained
    saturation: Ratio = 0.8  # of what the jobs stand on: from here on nothing is scaled, and draining is halved
    less_full: Ratio = 0.02  # by so much what they stand on must empty when a drain is halved; otherwise it is not the drain
    look_again: timedelta = minutes(1)  # while a queue drains
    helped_within: timedelta = minutes(3)  # so long a step has to show in the ages
    drain_patience: timedelta = timedelta(hours=2)  # while ages fall; then people decide
    age_ok_for: timedelta = minutes(15)  # before background work comes back
    resting: timedelta = minutes(1)  # between two things that are put back
    after_restoring: timedelta = minutes(15)  # as usual for so long once everything was given back
