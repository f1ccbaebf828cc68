"""The rows of Annex A, playbook by playbook: what each asks for, and by what the product does it.

`by`: names of verbs that are a step of a recorded incident; `task`, `follow_up`, `asks`: the beginning of such a text in it; `resolved`: its
stability gate has passed. `story`: for a row that holds only in another world than the recorded one, the story that tells it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    id: str
    does: str
    by: tuple[str, ...] = ()
    task: str = ""
    follow_up: str = ""
    asks: str = ""
    resolved: bool = False
    story: str = ""  # file under tests/ :: name of the story
    only_when: str = ""  # what must be true in the world for it


ANNEX: dict[str, tuple[Row, ...]] = {
    "production_outage": (
        Row("T1", "health inside and outside, per region", by=("edge.health",)),
        Row("T2", "rank changes", by=("change_feed.since",)),
        Row("T3", "infrastructure, application or dependency", by=("edge.dependencies", "telemetry.onset")),
        Row("T4", "whether writes are safe", by=("write_gate.read",)),
        Row("M1", "freeze", by=("freezes.hold",)),
        Row("M2", "stop a bad artefact", by=("feeds.of_service",),
            only_when="a generated artefact is bad",
            story="playbooks/production_outage/test_causes.py::test_an_innocent_latest_deploy_is_not_the_end_of_it"),
        Row("M3", "roll back", by=("deploys.shift", "deploys.served_by")),
        Row("M4", "drain a region", only_when="one region fails",
            story="playbooks/production_outage/test_causes.py::test_one_region_that_fails_is_drained_after_a_question_and_gets_its_traffic_back"),
        Row("M5", "read-only", only_when="writes are not safe",
            story="playbooks/production_outage/test_causes.py::test_integrity_errors_stop_writes_after_one_question_and_they_come_back_in_steps"),
        Row("M6", "shed load", only_when="the cause is load, or unknown",
            story="playbooks/production_outage/test_causes.py::test_load_is_limited_and_scaled_and_both_are_put_back"),
        Row("M7", "scale within bounds", only_when="the cause is load",
            story="playbooks/production_outage/test_causes.py::test_load_is_limited_and_scaled_and_both_are_put_back"),
        Row("M8", "hotfix", by=("freezes.exempt",), only_when="nothing is eligible to roll back to",
            story="playbooks/production_outage/test_crossing_out.py::test_where_nothing_is_eligible_the_change_stays_suspected_and_a_hotfix_is_offered"),
        Row("R1", "stability gate", resolved=True),
        Row("R2", "give features back step by step", only_when="something was shed",
            story="playbooks/production_outage/test_causes.py::test_load_is_limited_and_scaled_and_both_are_put_back"),
        Row("R3", "return to the fixed build", asks="Return api to"),
        Row("R4", "unfreeze", by=("freezes.release",)),
        Row("P1", "post-mortem, tests, monitors", follow_up="Add a regression test"),
    ),
    "cost_runaway": (
        Row("T1", "attribute the spending, own meter and provider's", by=("usage.spending", "agents.runs", "curves.read")),
        Row("T2", "legitimate? ask tenant or customer success", task="Ask the tenant, or customer success"),
        Row("M1", "clamp the narrowest", by=("budgets.clamp",)),
        Row("M2", "pause the offender's schedules", by=("agents.pause_schedules",)),
        Row("M3", "cancel runs by trace", by=("evidence.export_session", "agents.cancel")),
        Row("M4", "provider's key quota down", by=("provider_keys.lower",)),
        Row("X1", "theft suspected: 2.10", task="Carry out §2.10 secret compromise"),
        Row("M5", "batch, off-peak, cheaper model", only_when="it is the price",
            story="playbooks/cost_runaway/test_causes.py::test_a_price_change_clamps_nobody_and_a_cheaper_model_with_parity_answers"),
        Row("M6", "global clamp", only_when="the loss would be beyond what was set",
            story="playbooks/cost_runaway/test_if_it_fails.py::test_everything_is_clamped_only_when_two_people_want_it"),
        Row("R1", "usual for an hour, invoice reconciled", task="Reconcile the provider's invoice"),
        Row("R2", "restore caps and schedules", by=("budgets.restore", "agents.resume_schedules")),
        Row("P1", "budget alarms, kill-switches, guardrails, run budgets, refunds", follow_up="Add budget alarms"),
    ),
    "tenant_isolation": (
        Row("M1", "disable suspect endpoints", by=("endpoints.deny",)),
        Row("M2", "evidence: logs, samples, database snapshot", by=("evidence.isolation",), task="Take a snapshot of the database"),
        Row("T1", "reproduce with canaries, layer, siblings", by=("tenancy.matrix", "tenancy.facts")),
        Row("M3", "region read-only", by=("write_gate.close_region",)),
        Row("M4", "surface offline", only_when="nothing shows within 15 minutes that it has stopped",
            story="playbooks/tenant_isolation/test_if_it_fails.py::test_a_leak_that_nothing_stops_takes_the_surface_offline"),
        Row("M5", "pass caches by, bump their keys", only_when="something shared keeps answers on the path",
            story="playbooks/tenant_isolation/test_layers.py::test_a_shared_cache_and_a_cdn_are_sampled_passed_by_and_given_other_keys"),
        Row("M6", "end sessions of the window", by=("sessions.revoke",), only_when="identities are mixed up",
            story="playbooks/tenant_isolation/test_layers.py::test_mixed_up_identities_sign_everybody_out_tenant_by_tenant_on_two_words"),
        Row("T2", "leak ledger", by=("evidence.leak_ledger", "row_security.integrity")),
        Row("X1", "open 2.4", task="Carry out §2.4 data breach"),
        Row("M7", "hotfix at service and database, as the application role", by=("row_security.audit", "row_security.prove", "tenancy.tests")),
        Row("R1", "canary matrix 0 of N for an hour", by=("tenancy.matrix",)),
        Row("R2", "reopen endpoint by endpoint, writes last", by=("endpoints.reopen", "write_gate.reopen_region")),
        Row("C1", "letters to owners and viewers", asks="Send the letter isolation-owners"),
        Row("P1", "contract tests, canaries, privacy post-mortem", follow_up="Add contract tests of tenancy"),
    ),
    "prompt_injection": (
        Row("M1", "export session, retrieval, tools, memory, raw outputs", by=("evidence.export_session",)),
        Row("M2", "quarantine session", by=("agents.quarantine",)),
        Row("T1", "attempt or executed; list side effects", by=("evidence.examine_session",)),
        Row("T2", "hunt payload", by=("search.hunt",)),
        Row("T3", "outbound check", by=("egress.calls",)),
        Row("M3", "revoke session tool tokens", by=("agents.revoke_tokens",)),
        Row("M4", "egress deny, stop auto-render", by=("egress.deny", "rendering.stop")),
        Row("M5", "quarantine source items", by=("search.keep_out",)),
        Row("M6", "strict profile", by=("agents.hold_strictly",)),
        Row("M7", "undo reversible side effects", by=("agents.undo_call",)),
        Row("M8", "fix validation, allow-lists", task="Patch the tools"),
        Row("X1", "open 2.4", task="Carry out §2.4 data breach"),
        Row("R1", "replay suite, benign suite", by=("agents.replay",)),
        Row("R2", "lift quarantine", by=("agents.release",), asks="Let these sessions go on?"),
        Row("P1", "red-team tests, templates, Critic rules", follow_up="Add red-team tests"),
    ),
    "llm_provider_outage": (
        Row("T1", "classify errors", by=("models.calls",)),
        Row("T2", "probe the primary from another network", by=("models.probe",)),
        Row("T3", "probe the secondary", by=("models.survey",)),
        Row("T4", "split tenants", by=("models.split",)),
        Row("M1", "backoff, caps, breaker", by=("models.back_off",)),
        Row("M2", "degrade who may not move", by=("models.degrade",)),
        Row("M3", "fail over, ramp", by=("models.shift", "models.served")),
        Row("M4", "block high-PSU tools, batch, autonomy", by=("flags.switch_off",)),
        Row("M5", "checkpoint long runs", by=("agents.runs",), only_when="a run is long",
            story="playbooks/llm_provider_outage/test_long_runs.py::test_long_runs_rest_at_a_checkpoint_and_go_on_when_everything_is_back"),
        Row("M6", "cached answers under policy", by=("retriever.serve_cached",)),
        Row("R1", "primary healthy", by=("models.watch",)),
        Row("R2", "canary back", by=("models.watch", "models.shift")),
        Row("R3", "restore tools, batch, runs", by=("flags.restore", "models.restore_modes")),
        Row("P1", "policy, probes, parity evals, credits", follow_up="Update Tool Specs"),
    ),
    "cache_poisoning": (
        Row("T1", "stale, poisoned, mis-keyed or synthesis", by=("retriever.library", "retriever.answers", "caches.census")),
        Row("M1", "sample, keys, headers, embeddings", by=("evidence.cache", "evidence.knowledge")),
        Row("M2", "the cache off for the domain", by=("retriever.cag_off", "retriever.coalesce")),
        Row("M3", "quarantine", by=("retriever.quarantine",)),
        Row("M4", "invalidate", by=("retriever.bump_namespace", "caches.invalidate")),
        Row("M5", "refetch with pin, by two paths", by=("retriever.refetch",)),
        Row("M6", "shadow index, golden queries, swap", by=("retriever.build_index", "retriever.swap_index")),
        Row("R1", "hits correct, and a sample that people judge", asks="How many of"),
        Row("R2", "the cache back, a share at a time", by=("retriever.cag_on",)),
        Row("C1", "correction to those who relied on it", asks="Send the letter", only_when="people agree to the letter",
            story="playbooks/cache_poisoning/test_people.py::test_those_who_were_misled_get_a_letter_that_legal_and_the_commander_agreed_to"),
    ),
    "model_drift": (
        Row("M1", "stop rollouts and publishes", by=("releases.pause",)),
        Row("M2", "keep failing samples, versions, documents", by=("evidence.answers", "evidence.snapshot")),
        Row("T1", "slice analysis, at least two candidate causes", by=("answers.judged", "releases.list", "releases.offers")),
        Row("T2", "fixed suites on what serves and on the blessed triple", by=("evals.suites", "evals.run")),
        Row("M3", "roll the triple back as a unit", by=("registry.roll_back",)),
        Row("M4", "restore the guard chain", by=("registry.restore_guards",), only_when="nothing but the guard chain differs",
            story="playbooks/model_drift/test_causes.py::test_a_guard_chain_alone_is_restored_without_a_question"),
        Row("M5", "invalidate tainted cache tags", task="Invalidate the cached answers that are tagged with"),
        Row("M6", "clear sticky routes", by=("releases.clear_sticky",)),
        Row("M7", "pin a snapshot, or fail over", by=("releases.pin",), only_when="the provider has moved its model and no snapshot is known",
            story="playbooks/model_drift/test_causes.py::test_a_moved_model_without_a_known_snapshot_is_failed_over_by_its_playbook"),
        Row("R1", "evals pass, live as usual", resolved=True),
        Row("R2", "resume the canary with soak", by=("answers.watch",), only_when="a rollout was stopped, or a fix was blessed",
            story="playbooks/model_drift/test_rollouts.py::test_an_innocent_rollout_goes_on_when_everything_passes"),
        Row("P1", "Model Card, eval cases, retrain plan, ablation", follow_up="Update the Model Card"),
    ),
}  # fmt: skip
