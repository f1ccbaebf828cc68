"""The numbers of severity, of the gates and of each playbook (spec §3, §7 to §9), as settings."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from activities.models.canary_core import CanaryPolicy
from activities.organisation.rhythm import minutes, seconds
from activities.values import Value

Ratio = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Some = Annotated[int, Field(ge=1)]


class SeverityPolicy(Value):
    """The numbers of the severity function (spec §3)."""

    outage_ratio: Ratio = 0.50  # seed §0.1
    degraded_ratio: Ratio = 0.05  # seed §2.1
    window_s: Amount = 300  # seed §2.1
    many_regions: Some = 2  # seed §0.1
    many_tenants_ratio: Ratio = 0.25
    many_tenants: Some = 50
    many_users_ratio: Ratio = 0.10
    tier1_tenants: Some = 1
    min_samples: Some = 200
    spend_multiple: Amount = 3  # seed §2.6
    spend_floor_usd_per_h: Amount = 50
    confidence_floor: Ratio = 0.6
    doubt_discount: Ratio = 0.5  # what a fired U leaves of the confidence
    observe_at: int = Field(default=4, ge=1, le=5)  # evidence exists and none of it fires: observe
    synthetic_limit_s: Amount = 300
    blind_limit_s: Amount = 300
    sev3_patience: timedelta = timedelta(hours=4)
    sev2_patience: timedelta = timedelta(minutes=60)
    quiet: timedelta = timedelta(minutes=30)
    flap_changes: Some = 2
    flap_window: timedelta = timedelta(minutes=30)

    def paced(self, pace: float) -> "SeverityPolicy":
        """The same, with its durations in real time."""
        durations = ("sev3_patience", "sev2_patience", "quiet", "flap_window")
        return self.model_copy(update={name: getattr(self, name) / pace for name in durations})


class Stability(Value):
    """The stability gate (spec §7.1)."""

    window: timedelta = minutes(60)  # so long it must be stable before it is closed
    slo_target: float = 0.999  # of requests that succeed
    latency_ratio: float = 1.2  # so much slower than usual is still stable
    longest_gap: timedelta = seconds(120)  # without data; a longer one is blind
    fresh: timedelta = seconds(90)  # how old the newest sample may be; an older one says nothing of now
    blind_page_after: timedelta = minutes(5)  # blind for so long pages


class EvidenceNumbers(Value):
    """What automation may act on alone: what it measured itself, above the trigger's threshold (spec §2.4, §9.1)."""

    fresh_for: timedelta = minutes(5)  # an older reading, or an older event of a verified source, is no evidence any more
    error_ratio: Ratio = 0.05  # of a service's requests: seed §2.1
    least_requests: Some = 200  # fewer say nothing (spec §2.2); of a provider's calls: provider_outage.least_calls
    least_probes: Some = 3  # of a provider that answers none of them


class EvidenceHold(Value):
    """How long evidence is kept (spec §8 S-EVID)."""

    held_for: timedelta = timedelta(days=366)  # real time, at least; nobody can shorten it where the store is write-once


class MailNumbers(Value):
    """Letters to people outside."""

    most_recipients: Some = 500  # of one letter: more are for a person, with the company's own means


class HuntNumbers(Value):
    """The hunt for a payload over stores of documents (spec §9.3)."""

    window: timedelta = timedelta(days=30)  # how far back it is looked for
    likeness: Annotated[float, Field(gt=0, le=1)] = 0.8  # from here on a document says the same
    most_listed: Some = 200  # documents that are named one by one


class Impact(Value):
    """From when on a symptom is impact on customers (spec §7.3). What a card counts as its symptoms stands on the card."""

    error_ratio: Ratio = 0.01  # of requests: up to here there is none
    latency_ratio: float = Field(default=2.0, ge=1)  # of the usual 99th percentile; above it customers wait (seed §2.1)
    lost_ratio: Ratio = 0.5  # of the usual traffic: from here on it is lost
    turned_away_ratio: Ratio = 0.01  # of requests that our own gateway refuses
    least_requests: Amount = 50  # usual ones, in a window: with fewer, that none come says nothing
    improvement: Ratio = 0.5  # by how much it must have dropped to be called better
    worsening: Ratio = 0.5  # of what was well, or of what failed, whichever is less: so much more is clearly worse


class Limit(Value):
    """How far from usual something may be: above `impact` it is a symptom, up to `stable` it is as usual, between them neither."""

    impact: Amount
    stable: Amount
    least: Amount = 0  # so many must stand behind it; with fewer it says nothing


class CurveNumbers(Value):
    """From when on a curve is a symptom, and until when it is one (spec §9.3, §9.5 to §9.9, §9.11)."""

    window: timedelta = minutes(2)  # that a rate or a share is taken over
    spend: Limit = Limit(impact=3.0, stable=1.2)  # times the usual spend of one agent of one tenant (seed §2.6)
    spend_floor_usd_per_h: Amount = 50  # less than that an hour is no runaway
    unmetered: Limit = Limit(impact=1.10, stable=1.10)  # times our own count of a key's tokens: the provider's meter
    evals: Limit = Limit(impact=0.03, stable=0.01, least=50)  # below the suite's usual score, as a share of its cases
    eval_fresh: timedelta = timedelta(hours=2)  # an older run says nothing of now
    answers: Limit = Limit(impact=0.05, stable=0.01, least=40)  # below the usual share of good answers
    grounding: Limit = Limit(impact=0.10, stable=0.01, least=40)  # below the usual share of right ones, of a domain's judged cache hits
    denied_sources: Limit = Limit(impact=0, stable=0)  # citations of a source that must not be cited
    injected: Limit = Limit(impact=0, stable=0)  # what an injected instruction brought about
    age: Limit = Limit(impact=0.5, stable=0.5)  # the oldest job, as a share of what it may wait (spec §9.8)
    api_timeouts: Limit = Limit(impact=0.01, stable=0.01, least=50)  # of the API requests that wait for a job
    replication_lag_s: Limit = Limit(impact=30, stable=5)  # how many seconds old a replica may be that is read from
    no_writer: Limit = Limit(impact=0, stable=0)  # a database that takes no writes
    crossed: Limit = Limit(impact=0, stable=0)  # reads that got another tenant's object
    unexpected_use: Limit = Limit(impact=0, stable=0)  # of a credential, from where nobody of ours is
    exports: Limit = Limit(impact=10, stable=10)  # times the usual rows an hour of an identity (spec §9.4)
    export_rows_an_hour: Amount = 50_000  # and more than so many in any case
    points: Some = 240  # at most so many instants of a wait are looked at


class BackOff(Value):
    """How clients of a failing provider behave (spec §9.2 M1)."""

    max_attempts: int = 3  # of one call
    retry_budget: float = 0.10  # of all calls
    breaker_failure_ratio: float = 0.5  # from here on the breaker opens
    breaker_min_calls: int = 20  # of at least so many calls
    breaker_window_seconds: int = 30  # within so long


class ProviderOutage(Value):
    """The numbers of playbook 2.2 (spec §9.2)."""

    error_ratio: float = 0.05  # of a provider's calls: from here on it fails
    least_calls: int = 50  # fewer than these say nothing
    classified: float = 0.95  # of the errors must be understood
    log_window: timedelta = minutes(5)  # how far back calls are read
    probe_age: timedelta = seconds(120)  # an older probe is not believed
    headroom: float = 1.2  # what a fallback provider must carry, as a multiple of the load
    ramp: tuple[float, ...] = (0.1, 0.5, 1.0)  # the shares in which traffic moves to the fallback provider
    ramp_step: timedelta = minutes(2)  # how long each is watched
    ramp_least_calls: Some = 20  # that must have reached the fallback provider in a step, before it counts
    ramp_patience: timedelta = minutes(10)  # how long a step waits for so many; then a person decides
    served_share: float = 0.99  # of the calls must come from where they were sent
    healthy_for: timedelta = minutes(15)  # before anything returns to the primary
    healthy_error_ratio: float = 0.01  # and with no more errors than these
    longest_wait_for_primary: timedelta = timedelta(hours=12)  # then a person decides whether to stay
    flap_lock: timedelta = minutes(30)  # no return so soon after a move
    returns_apart: timedelta = minutes(60)  # one return attempt in so long
    rest_before_restoring: timedelta = minutes(15)  # on the primary, before features come back
    long_run: timedelta = minutes(15)  # an agent run that lasts for so long rests at a checkpoint
    most_checkpointed: Some = 5  # of them without a person
    resting: timedelta = minutes(1)  # between two things that are put back
    quality_drop: float = 0.03  # of the evals: more is a veto
    cost_ratio: float = 1.3  # of the fallback provider's cost: more is a veto
    cached_age: timedelta = timedelta(hours=24)  # how old a cached answer may be that is served where the model gives none
    cached_audit: Some = 50  # of these answers a person looks at
    back_off: BackOff = BackOff()
    canary: CanaryPolicy = CanaryPolicy()


class ModelDrift(Value):
    """The numbers of playbook 2.7 (spec §9.7; Annex A.7)."""

    window: timedelta = minutes(30)  # of judged answers that are sliced
    least_answers: Some = 200  # fewer say nothing of a slice
    explained: Ratio = 0.8  # of what is too much: a factor that explains so much is a cause
    least_cases: Some = 50  # fewer samples of a suite say nothing
    eval_margin: Ratio = 0.01  # below its baseline a suite still passes
    eval_drop: Ratio = 0.03  # below its baseline, beyond chance, it fails (trigger)
    eval_again: timedelta = minutes(15)  # when a suite says nothing that can be believed
    eval_patience: timedelta = minutes(60)  # then a person decides
    older_triples: Some = 3  # blessed ones that are tried before answers are degraded
    settled: timedelta = minutes(5)  # after a remedy, before its answers are judged
    improvement_within: timedelta = minutes(20)  # how long a remedy has to help before its cause is crossed out
    resting: timedelta = minutes(10)  # between two things that are put back (spec §7.1)
    normal_for: timedelta = timedelta(hours=24)  # live and as usual, at SEV-2 and above, before a rollout goes on
    cache_tag: str = "{route}-v{prompt}"  # how a cached answer names the prompt that made it
    human_sample: Some = 50  # answers that people judge: no judge model's score alone closes it
    quality_drop: Ratio = 0.03  # below what serves: more, beyond chance, is a veto
    rollout_steps: tuple[float, ...] = (1, 5, 25, 50, 100)  # percent of the new sessions, for a triple that is rolled out again
    canary: CanaryPolicy = CanaryPolicy(  # each step soaks for a day: what is worse in quality shows slowly
        p_good=0.04, p_bad=0.10, tick=minutes(15), min_dwell=timedelta(hours=24), max_dwell=timedelta(hours=72), bake=timedelta(hours=24),
        hold=timedelta(hours=24),
    )  # fmt: skip


class Freezing(Value):
    """The numbers of the change freeze (spec §7.2)."""

    exemption: timedelta = minutes(30)  # how long an exemption may be used, once
    exemption_look: timedelta = minutes(1)  # how often we look whether something came through an exemption, to close it behind
    ask_again: timedelta = timedelta(hours=24)  # a freeze this old is asked about, and then as often
    watch_every: timedelta = seconds(20)  # how often it is looked whether anything was deployed all the same
    watched_for: timedelta = timedelta(hours=1)  # how long one watch lasts before the next begins
    messages_per_run: int = 400  # a freeze may last for months: after so many messages its history begins anew


class ProductionOutage(Value):
    """The numbers of playbook 2.1 (spec §9.1)."""

    look_back: timedelta = timedelta(hours=24)  # how far changes are looked for
    unknown_after: timedelta = minutes(15)  # then the top-ranked change is rolled back all the same, if it may be
    others_after: timedelta = minutes(5)  # nobody has answered for so long: the next cause is acted on beside the question
    writes_looked_at: timedelta = minutes(5)  # how often it is looked whether writes are still safe, while the impact lasts
    unknown_is_unsafe_after: timedelta = minutes(10)  # when nobody can say whether writes are safe (A.1 T4)
    improvement_within: timedelta = minutes(6)  # how long an action has to help before the cause is crossed out
    limit_share: float = 0.9  # of the capacity: what the gateway admits while load is shed
    scale_by: float = 1.5  # of the instances there are
    steady: timedelta = minutes(15)  # stable for so long before anything is put back (A.1 R2)
    resting: timedelta = minutes(10)  # between two things that are put back (spec §7.1)
    features: tuple[str, ...] = ("tools.high_psu", "batch.enabled", "scheduler.enabled")  # what is not essential, least first


class MitigationSettings(Value):
    """How far the mitigation of our own platform are moved, and what must be seen before they count as moved (spec §8, §9.1)."""

    vantages: tuple[str, ...] = ("ams", "fra", "iad", "sfo", "sin")  # the networks that we probe from
    least_vantages: int = 3  # so many must have got an answer before the map of health is believed
    around_onset: timedelta = minutes(30)  # how far from the first bad sample a change is suspected at all
    drain_at_most: float = 0.5  # of the capacity, by one drain
    drain_headroom: float = 1.3  # what the other regions must be able to serve, as a multiple of everything that is asked
    saturation: float = 0.8  # of a dependency: from here on scaling may only push the trouble further
    settled: timedelta = seconds(45)  # the window of metrics in which a change must show
    look_again: timedelta = seconds(15)  # when it does not show yet
    feed_intervals: int = 2  # without a new version a generator counts as paused
    caps_return: tuple[float, ...] = (0.25, 0.5, 1.0)  # of the way back to the limits before a clamp (S-CLAMP)
    spend_ratio: float = 1.2  # of what is usual: who uses more after a step back is clamped again
    regions_return: tuple[float, ...] = (0.1, 0.5, 1.0)  # of the way back to the weights before a drain
    writes_return: tuple[float, ...] = (0.01, 0.1, 1.0)  # of the writes
    return_pause: timedelta = minutes(2)  # how long each of these steps is watched
    limit_growth: float = 1.25  # a limit is loosened by so much at a time
    limit_steps: int = 4  # a limit is given back in so many
    limit_pause: timedelta = minutes(5)  # between two of them
    step_error_ratio: float = 0.01  # more errors than these after a step, beyond chance, and it is taken back


class RollBack(Value):
    """What a revision must show before a service may be rolled back to it, and afterwards (spec §8 S-ROLLBACK, §9.1, INV-5)."""

    green: timedelta = minutes(60)  # how long it has served with errors inside the SLO
    image_vouched_for: bool = True  # false: an image of which nobody knows whether it is still there is good enough
    attempts: int = 2  # after so many that did not help the cause is probably not the code
    freeze_within: timedelta = minutes(3)  # how long a rollback waits for the verified freeze before the commander decides (INV-4)
    proven_within: timedelta = minutes(10)  # how long it may take until it is seen to help
    served_share: float = 0.99  # of the answers must carry the wanted build
    samples: int = 60  # of the data plane, in every region
    least_answers: int = 30  # fewer than these say nothing
    look_again: timedelta = seconds(30)  # when it does not show yet
    canary_steps: tuple[float, ...] = (0.01, 0.05, 0.25, 0.5, 1.0)  # of a fixed build that is to follow the pin
    canary_step: timedelta = minutes(10)  # how long each is watched
    canary_more_errors: float = 0.01  # than the service may have, and it is put back
    canary_least: int = Field(default=30, ge=1)  # requests that the fixed build must have answered in a step, before it counts
    canary_patience: timedelta = minutes(30)  # how long a step waits for so many; then it is put back


class LoopNumbers(Value):
    """What of a run looks like a loop (spec §9.6). Any of these is enough."""

    same_call: Some = 5  # times the same tool with the same arguments
    depth: Some = 20  # more than so many runs below one another
    steps: Some = 200  # more than so many
    alternations: Some = 20  # more than so many turns between two agents


class CostRunaway(Value):
    """The numbers of playbook 2.6 (spec §9.6)."""

    window: timedelta = minutes(2)  # over which the meters are read
    attributed: Ratio = 0.9  # of the spending must be somebody's
    suspect_multiple: Amount = 2.0  # of its own usual spending: from here on an agent is suspected
    clamp_multiple: Amount = 1.2  # of its own usual spending: what a clamp leaves
    clamp_at_least_usd_per_h: float = Field(default=1.0, gt=0)  # a clamp is never zero
    budget_warning: Ratio = 0.8  # of a day's PSU budget: said from here on
    meter_gap: Ratio = 0.10  # more that a provider counts than we do: somebody else uses the key
    quota_headroom: Amount = 1.2  # what a lowered quota leaves, as a multiple of what our own agents use of the key
    price_multiple: Amount = 1.3  # dearer per token than usual: it is the price
    failed_calls: Ratio = 0.5  # of a run's calls: a retry storm
    bloated: Amount = 3.0  # times its usual tokens per call: context bloat
    least_calls: Some = 10  # of a run: fewer say nothing about failures and context
    more_users: Amount = 1.5  # times last week's active users: it may be a launch
    changes_back: timedelta = timedelta(hours=24)  # how far a release note or a price change is looked for
    helped_within: timedelta = minutes(2)  # how long a clamp has to show in the curve
    cancelled_unasked: Some = 10  # runs; more are asked (A.6 M3)
    cancel_grace: timedelta = seconds(30)  # then a run is terminated
    cancel_quiet: timedelta = minutes(2)  # so long no call may come from a run that was ended, or from a child
    global_above_usd: Amount = 10_000  # of the next 24 hours: from here on clamping everything is asked for
    global_multiple: Amount = 1.2  # of what is usual of everything: what that leaves
    resting: timedelta = minutes(1)  # between two things that are put back
    after_restoring: timedelta = minutes(15)  # stable for so long once everything was given back


class CacheNumbers(Value):
    """How the cache of answers is emptied of what is named (spec §8 S-CACHE)."""

    batch: Some = 1000  # keys that are removed in one go
    keys_per_second: Some = 5000  # and no more than so many
    most_share: Ratio = 0.5  # of all keys: more than that is refused
    few: Some = 500  # so many may be removed whatever share they are
    sample: Some = 50  # entries that are kept whole as evidence


class CachePoisoning(Value):
    """The numbers of playbook 2.11 (spec §9.11)."""

    cache: CacheNumbers = CacheNumbers()
    answers: Some = 50  # that are looked at to tell what is wrong
    least_answers: Some = 20  # fewer say nothing of what was done
    correct: Ratio = 0.9  # so many of these must be right before it counts as help
    look_again: timedelta = minutes(1)  # how often that is looked at
    people_judge: Some = 50  # answers: no judge model alone says that it is over
    people_agree: Ratio = 0.9  # so many of these must be right
    stale: Ratio = 0.05  # of the documents older than they may be: from here on it is the sync that is broken
    dominates: Ratio = 0.2  # of the citations: from here on a source that is new is suspect
    new_for: timedelta = timedelta(days=7)  # after it was added
    many_items: Some = 100  # documents in one quarantine: from here on it is asked, as it is for a tenant's own
    golden: Ratio = 0.98  # of the golden queries a new index must answer well
    origin_load: Ratio = 0.8  # from here on nothing is removed from the cache
    refills_within: timedelta = minutes(5)  # so long it may take until answers are right again after a step
    rounds: Some = 2  # so many times the poison may come back before its domain is withdrawn
    freshness: Ratio = 0.5  # of the age that sources may have: what is allowed while it lasts
    correct_for: timedelta = minutes(60)  # answers are right for so long before the cache is used again
    canary: tuple[float, ...] = (0.05, 0.25, 0.5, 1.0)  # shares in which the cache comes back
    canary_step: timedelta = minutes(10)  # how long each is watched
    resting: timedelta = minutes(1)  # between two things that are put back


class PromptInjection(Value):
    """The numbers of playbook 2.3 (spec §9.3)."""

    suspect_score: Ratio = 0.7  # from here on the guardrails' word about a text is a suspicion
    suspect_times: Some = 3  # so many suspicions in a session
    sure_score: Ratio = 0.9  # one such is enough
    vouched_for: Ratio = 0.5  # provenance: while the guardrails are down, what has less is suspicious
    quarantine_within: timedelta = seconds(60)  # of looking: so long the export may go first, then the session is quarantined all the same
    quarantine_latest: timedelta = seconds(120)  # later than that it never is
    holds_within: timedelta = seconds(30)  # then a quarantine that does not hold is not waited for: the tokens are revoked
    outbound_back: timedelta = timedelta(hours=24)  # how far outbound calls are looked at
    platform_tenants: Some = 3  # so many tenants concerned: the strict profile is for everybody
    many_items: Some = 100  # to keep out of retrieval; more are asked
    variants: Some = 20  # of the attack, at least, that a fix must withstand
    transformations: Some = 6  # at least, by which they are made
    benign_margin: Ratio = 0.01  # more innocent requests refused than usual: the fix is not good
    replay_again: timedelta = minutes(30)  # between two replays, where the first has shown that it is not repaired
    replay_patience: timedelta = timedelta(hours=24)  # then people decide how to go on
    helped_within: timedelta = minutes(5)  # so long what was done has to show in the curve
    rounds: Some = 3  # of hunting and containing, before the tools are stopped everywhere
    read_only_tools: tuple[str, ...] = (
        "kb.search",
        "crm.lookup",
    )  # what stays allowed where it was probably nothing
    review_within: timedelta = minutes(30)  # by when it is looked at
    rendered_on: str = "chat"  # the surface that shows answers
    monitored: timedelta = timedelta(hours=24)  # after a session was let go on
    resting: timedelta = minutes(1)  # between two things that are put back


class TenantIsolation(Value):
    """The numbers of playbook 2.5 (spec §9.5)."""

    tried_within: timedelta = seconds(30)  # so long canaries may try suspect endpoints first; then they are denied all the same
    denied_within: timedelta = minutes(5)  # of the beginning: so soon suspect endpoints are denied
    offline_after: timedelta = minutes(15)  # of a containment that is not shown: then the surface goes offline
    back: timedelta = timedelta(hours=24)  # how far the access log is looked at, unless somebody says since when it leaks
    helped_within: timedelta = minutes(2)  # so long what was done has to show to the canaries and in the counters
    rounds: Some = 4  # of denying, bypassing and looking again, before people carry on
    session_window: timedelta = minutes(10)  # before the first crossing: sessions that were issued in it are mixed up too
    session_batch: Some = 20  # tenants whose sessions are revoked in one go; sign-in must stand it
    sampled_hits: Some = 1000  # of a shared cache: none of them may bear another tenant's tag
    fix_again: timedelta = minutes(15)  # between two looks whether the hotfix holds
    fix_patience: timedelta = timedelta(hours=24)  # then people decide how to go on
    matrix_clean: timedelta = minutes(60)  # so long canaries must read nothing of one another
    matrix_every: timedelta = minutes(5)  # and so often they try
    reopen: tuple[float, ...] = (0.01, 0.05, 0.25, 1.0)  # shares in which an endpoint comes back
    reopen_step: timedelta = minutes(10)  # how long each of them is watched
    watched: timedelta = minutes(60)  # stable, after the last endpoint has come back
    log_review: timedelta = timedelta(hours=24)  # of the first reads after that, whose log people look through


class AlertIntake(Value):
    """The numbers of the alert receiver (`docs/alerts.md`)."""

    waits: timedelta = minutes(5)  # an alert that no incident could be told of for so long pages
    late: timedelta = seconds(30)  # firing again so soon after it was resolved is taken for a late delivery
    repeat: timedelta = timedelta(hours=4)  # how often people are told that an alert still fires whose incident they closed
