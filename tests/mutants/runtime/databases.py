"""Who may be promoted, what a fence is believed by, and what is opened again."""

from tests.mutants.mutant import Mutant

DATABASES, JOBS, SETTINGS = "activities/databases/databases.py", "activities/databases/jobs.py", "activities/databases/settings.py"
FINDINGS, FAILOVER = "workflows/playbooks/database_failover/findings.py", "workflows/playbooks/database_failover/failover.py"
SQL = "activities/databases/postgresql/sql.py"
TWISTS, FAILS = "tests/playbooks/database_failover/test_twists.py::", "tests/playbooks/database_failover/test_if_it_fails.py::"
REAL, HAPPY = "tests/activities/databases/test_postgresql.py::", "tests/playbooks/database_failover/test_story.py::"
LEAKS = FAILS + "test_a_fence_that_cannot_be_verified_promotes_nobody_until_people_have_cut_the_network"

DATABASE = (
    Mutant("a fence is believed that lets writes through", DATABASES, "    if through:\n", "    if False:\n", (LEAKS,)),
    Mutant(
        "somebody is promoted beside another writer",
        JOBS,
        "if others := [name for name in seen.writers if name != order.node]:",
        "if others := [name for name in seen.writers if not name]:",
        (REAL + "test_nothing_is_promoted_that_is_not_fenced_known_and_alone",),
    ),
    Mutant(
        "less than was announced is promoted",
        JOBS,
        "if node.lsn < order.at_least:",
        "if node.lsn < 0:",
        (REAL + "test_nothing_is_promoted_that_is_not_fenced_known_and_alone",),
    ),
    Mutant(
        "an unknown loss is promoted",
        JOBS,
        "if node is None or node.lsn is None or order.at_least is None:",
        "order = order.model_copy(update={'at_least': order.at_least or 0})\n        if node is None or node.lsn is None:",
        (REAL + "test_nothing_is_promoted_that_is_not_fenced_known_and_alone",),
    ),
    Mutant(
        "a standby that lies is believed",
        FINDINGS,
        "if not node.paused and node.replayed is not None and node.lsn - node.replayed > numbers.unreplayed:",
        "if node.lsn < 0:",
        (
            "tests/playbooks/database_failover/test_findings.py::test_more_than_it_has_replayed_is_not_believed_although_nobody_saw_the_primary",
        ),
    ),
    Mutant(
        "another cluster's standby may take over",
        FINDINGS,
        "if node.system_id is None or node.system_id != seen.system_id:",
        "if node.system_id is None:",
        (TWISTS + "test_a_standby_of_another_cluster_is_never_promoted",),
    ),
    Mutant(
        "overload is failed over",
        FINDINGS,
        "    if busy or seen.count(primary, Vote.BUSY) >= numbers.down_votes:",
        "    if busy and not seen.nodes:",
        (TWISTS + "test_overload_sheds_and_never_fails_over",),
    ),
    Mutant(
        "too few vantage points are enough",
        FINDINGS,
        "if answered < numbers.quorum and primary not in writers:",
        "if answered < 0:",
        (FAILS + "test_too_few_vantage_points_are_asked_and_not_guessed",),
    ),
    Mutant(
        "what the platform has promoted is not seen",
        FAILOVER,
        "if now.seen.writers and now.seen.writers != (old,):",
        "if False:",
        (TWISTS + "test_what_the_platform_has_promoted_is_adopted_and_nothing_is_promoted_beside_it",),
    ),
    Mutant(
        "nobody's right to write is revoked, and sessions write on",
        SQL,
        "        self.one(END, roles=list(roles))",
        "",
        (REAL + "test_a_revoked_right_ends_sessions_that_an_altered_default_would_let_write_on",),
    ),
    Mutant(
        "more is given back than was there",
        SQL,
        "        self._all([granted(one, schema) for one in rights])",
        '        self._all([f"grant insert, update, delete, truncate on all tables in schema public to {named(one.role)}" for one in rights])',
        (REAL + "test_exactly_the_rights_that_were_there_are_given_back",),
    ),
    Mutant(
        "reads are sent to a standby that follows nobody",
        FAILOVER,
        "return pointing if set(pointing.wanted.reads_from) <= follow else self._alone(self.writer)",
        "return pointing",
        (TWISTS + "test_what_is_missing_is_lost_and_said_before_anybody_agrees",),
    ),
    Mutant(
        "the fence is lifted with the rest",
        SETTINGS,
        'FENCED = Fences.measure("fenced", sticky=True, own_end=True)',
        'FENCED = Fences.measure("fenced")',
        (FAILS + "test_standing_down_leaves_the_fence_in_somebodys_name",),
    ),
)
