"""Legal clocks: that none is forgotten, ended by automation, counted late or answered by the wrong person."""

from tests.mutants.mutant import Mutant

LIFE, MESSAGES, NOTICES, COUNTING = (
    "tests/clocks/test_lifetime.py::", "tests/clocks/test_messages.py::", "tests/clocks/test_notices.py::", "tests/clocks/test_calculation.py::",
)  # fmt: skip
ASSESSING, ALARMS, HEARING, LEGAL = (
    "workflows/clocks/assessing.py", "workflows/clocks/alarms.py", "workflows/clocks/hearing.py", "workflows/clocks/legal_clocks.py",
)  # fmt: skip
CALCULATION, PREDICATES = "activities/clocks/calculation.py", "activities/clocks/predicates.py"

CLOCKS = (
    Mutant(
        "clocks: a report of automation may say no",
        HEARING,
        "for name, value in said.stated().items() if value is True}",
        "for name, value in said.stated().items()}",
        (MESSAGES + "test_a_report_can_only_make_clocks_run",),
    ),
    Mutant(
        "clocks: a seal is not checked",
        LEGAL,
        "            raise NotAccepted(f\"{name}: the seal is not one of our workers'\")",
        "            pass",
        (MESSAGES + "test_only_a_worker_of_ours_can_report_without_a_name",),
    ),
    Mutant(
        "clocks: a message that was taken counts again",
        HEARING,
        "if request.key and request.key in record.done:",
        "if not request.key and request.key in record.done:",
        (MESSAGES + "test_a_report_whose_reply_was_lost_counts_once",),
    ),
    Mutant(
        "clocks: anybody decides",
        HEARING,
        "        if role is None:\n            whose",
        "        if False:\n            whose",
        (MESSAGES + "test_only_legal_decides",),
    ),
    Mutant(
        "clocks: a decision takes no code",
        HEARING,
        "        check_verified(f\"the message to {need.what}\", need.risk, identity, book.policy, ask)\n",
        "",
        (MESSAGES + "test_where_policy_wants_it_every_decision_takes_a_code",),
    ),
    Mutant(
        "clocks: one no is enough for what two decide",
        ASSESSING,
        "no = len(answers) > 1 and",
        "no = len(answers) > 0 or",
        (LIFE + "test_sec_counts_four_federal_business_days_from_what_two_people_have_determined",),
    ),
    Mutant(
        "clocks: alarms follow the later start",
        ASSESSING,
        "return (confirmed[-1].at if confirmed else earliest), earliest",
        "return (confirmed[-1].at if confirmed else earliest), (confirmed[-1].at if confirmed else earliest)",
        (LIFE + "test_legal_may_move_a_start_and_the_alarms_follow_the_earlier_one",),
    ),
    Mutant(
        "clocks: what is missed rings once",
        ALARMS,
        "alarm.stage.overdue_at = now + table.alarms.missed_again",
        "alarm.stage.overdue_at = None",
        (LIFE + "test_72_hours_run_over_a_weekend_with_every_alarm_and_are_missed_aloud",),
    ),
    Mutant(
        "clocks: executives are not told",
        ALARMS,
        "if share >= numbers.executives_from:",
        "if share > 1:",
        (LIFE + "test_72_hours_run_over_a_weekend_with_every_alarm_and_are_missed_aloud",),
    ),
    Mutant(
        "clocks: what could not be told counts as told",
        ALARMS,
        "        if len(failed) == len(people):\n",
        "        if False:\n",
        (LIFE + "test_an_alarm_that_reached_nobody_is_sent_again",),
    ),
    Mutant(
        "clocks: a cancelled workflow ends",
        LEGAL,
        "                if self._all_over():\n                    raise\n",
        "                raise\n",
        (LIFE + "test_cancelled_they_run_all_the_same",),
    ),
    Mutant(
        "clocks: a delay lets the old deadline be missed",
        "activities/clocks/clock.py",
        "return max(stage.deadline, self.delay.until)",
        "return stage.deadline",
        (LIFE + "test_a_delay_needs_a_reference_and_ends",),
    ),
    Mutant(
        "clocks: an old signature is good for a new text",
        HEARING,
        "if one.digest == digest}",
        "if one.digest}",
        (NOTICES + "test_a_signature_is_for_exactly_one_text_and_one_list_of_recipients",),
    ),
    Mutant(
        "clocks: recipients are no part of what is signed",
        "activities/clocks/drafts.py",
        '"to": list(clock.row.recipients), ',
        "",
        (NOTICES + "test_another_recipient_is_another_draft",),
    ),
    Mutant(
        "clocks: hours are extended over a weekend",
        CALCULATION,
        "    return Deadline(begins + rule.n * HOUR,",
        "    return Deadline(begins + (rule.n + 24 * (begins.weekday() > 3)) * HOUR,",
        (COUNTING + "test_72_hours_over_a_weekend_are_72_hours",),
    ),
    Mutant(
        "clocks: the day of the event counts",
        CALCULATION,
        "        left, last = n, day\n",
        "        left, last = n, day - DAY\n",
        (COUNTING + "test_sec_counts_federal_business_days",),
    ),
    Mutant(
        "clocks: unknown is no",
        PREDICATES,
        "return False if False in answers else None if None in answers else True",
        "return False if False in answers or None in answers else True",
        ("tests/clocks/test_table.py::test_nis2_significance_is_computed",),
    ),
    Mutant(
        "clocks: an exposure starts none",
        "workflows/engine/state.py",
        "            self.exposed(decided, malicious=facts.active_adversary is True)\n",
        "",
        ("tests/clocks/test_incidents.py::test_clocks_outlive_their_incident",),
    ),
    Mutant(
        "clocks: a report that failed is not tried again",
        "workflows/clocks/reporting.py",
        "            self._by_people(out.why, order)\n            return False\n",
        "            self._by_people(out.why, order)\n            self._told += 1\n            return False\n",
        ("tests/clocks/test_incidents.py::test_clocks_that_cannot_be_started_are_a_page_and_a_task_until_they_run",),
    ),
)  # fmt: skip
