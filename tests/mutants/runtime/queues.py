"""What is never done to queues, jobs and workers."""

from tests.mutants.mutant import Mutant

HOLDING, PARKING, WORKERS = "activities/queues/holding.py", "activities/queues/parking.py", "activities/queues/workers.py"
POOLS, CELERY, TENANTS = "activities/capacity/pools.py", "activities/queues/celery.py", "activities/queues/tenants.py"
RELIEF, BACKLOG, CAUSES = (f"workflows/playbooks/queue_backlog/{name}.py" for name in ("relief", "backlog", "causes"))
OF_QUEUES, OF_CELERY = "tests/activities/queues/test_queues.py::", "tests/activities/queues/test_celery.py::"
LOST, OPERATION = "tests/activities/queues/test_lost_commands.py::", "activities/kit/operation.py"
TOLD = "tests/playbooks/queue_backlog/"

QUEUES = (
    Mutant(
        "a critical queue is paused",
        HOLDING,
        "if isinstance(order, Change) and to.share < 1 and not now.deferrable:",
        "if isinstance(order, Change) and to.share > 1 and not now.deferrable:",
        (
            OF_QUEUES + "test_only_what_may_wait_is_paused_and_only_by_its_very_name",
            OF_QUEUES + "test_a_queue_of_no_known_class_is_not_paused",
        ),
    ),
    Mutant(
        "a wait beyond the visibility timeout is set",
        HOLDING,
        "to.backoff_seconds >= now.visibility_seconds:",
        "to.backoff_seconds < 0:",
        (OF_QUEUES + "test_a_wait_beyond_the_visibility_timeout_is_refused",),
    ),
    Mutant(
        "workers are scaled into a dependency that is full",
        POOLS,
        "if full is not None and full[1] >= order.numbers.saturation:",
        "if full is not None and full[1] < 0:",
        (OF_QUEUES + "test_nothing_is_scaled_into_a_dependency_that_is_full",),
    ),
    Mutant(
        "the playbook wants more workers although there is no room",
        RELIEF,
        "if why := self.no_room(seen):",
        'if why := "":',
        (TOLD + "test_causes.py::test_nothing_is_scaled_into_a_dependency_that_is_full",),
    ),
    Mutant(
        "a job is parked as poison without a copy",
        PARKING,
        'if order.of.bin != "whole" and not to.evidence and not to.nothing:',
        'if order.of.bin == "nothing":',
        (OF_QUEUES + "test_poison_was_begun_five_times_and_a_copy_is_kept",),
    ),
    Mutant(
        "to let jobs expire takes one person",
        PARKING,
        "        return Risk.C3\n",
        "        return Risk.C2\n",
        (OF_QUEUES + "test_to_park_few_is_narrow_a_whole_queue_broad_and_to_let_expire_takes_two",),
    ),
    Mutant(
        "jobs go back unasked",
        PARKING,
        "    if isinstance(order, Restore):\n        return Risk.C2\n",
        "    if isinstance(order, Restore):\n        return Risk.C1\n",
        (OF_QUEUES + "test_to_park_few_is_narrow_a_whole_queue_broad_and_to_let_expire_takes_two",),
    ),
    Mutant(
        "a worker is restarted before its stacks are kept",
        WORKERS,
        "if not order.stacks:",
        "if order.worker == '':",
        (OF_QUEUES + "test_no_worker_is_restarted_without_its_stacks_nor_twice",),
    ),
    Mutant(
        "a limit of a tenant is raised",
        TENANTS,
        "if value.met(now.value.each[name]) and not value.same(now.value.each[name])]",
        "if False and not value.same(now.value.each[name])]",
        (OF_QUEUES + "test_no_limit_is_raised_and_a_pattern_is_no_tenant",),
    ),
    Mutant(
        "a worker of Celery that does not answer counts as paused",
        CELERY,
        "if missing := sorted(set(self._expected) - set(consumed)):",
        "if missing := sorted(set() - set(consumed)):",
        (OF_CELERY + "test_a_worker_that_is_expected_and_does_not_answer_is_unknown",),
    ),
    Mutant(
        "what looks like half of a pause of ours counts as ours, whoever did it",
        CELERY,
        "if kept.share is None or kept.heard:",
        "if kept.share is None:",
        (LOST + "test_a_worker_that_somebody_else_has_paused_or_resumed_is_theirs",),
    ),
    Mutant(
        "half of a pause of ours counts as somebody else's",
        HOLDING,
        "return now.on_its_way == (before.share, self.share)",
        "return False",
        (LOST + "test_a_pause_that_only_some_workers_have_heard_is_ours_and_is_continued",),
    ),
    Mutant(
        "a shutdown that nobody heard is not sent again",
        OPERATION,
        "if now.at is At.UNHEARD:",
        "if now.at is At.FAILED:",
        (LOST + "test_a_shutdown_that_was_lost_is_sent_again_to_the_same_boot_and_to_no_other",),
    ),
    Mutant(
        "a step back that broke off half way is a conflict",
        "activities/kit/setting/system.py",
        "return at if at >= 0 else next(half, 0)",
        "return max(0, at)",
        ("tests/activities/kit/test_settings.py::test_a_write_of_ours_that_broke_off_half_way_is_continued",),
    ),
    Mutant(
        "a pause that workers have forgotten is not told again",
        BACKLOG,
        "if not order.met(now):",
        "if order.met(now) and False:",
        (TOLD + "test_if_it_fails.py::test_workers_that_were_restarted_past_us_are_told_again_to_pause",),
    ),
    Mutant(
        "jobs of a retry storm are taken for poison",
        CAUSES,
        "or many < numbers.poison_share * queue.begun(2):",
        "or many < 0:",
        (TOLD + "test_causes.py::test_a_retry_storm_is_eased_and_no_job_is_taken_for_poison",),
    ),
)
