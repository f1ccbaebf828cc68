"""What is removed from a cache, kept out of answers, fetched, built and used again; and who says that answers are right."""

from tests.mutants.mutant import Mutant

CACHES, KEYS, GLOB = "activities/caches/caches.py", "activities/caches/keys.py", "activities/kit/words/glob.py"
QUARANTINE, INDEX, FETCH = "activities/retriever/quarantine.py", "activities/retriever/index.py", "activities/retriever/fetch.py"
RECOVERY, MENDING = "workflows/playbooks/cache_poisoning/recovery.py", "workflows/playbooks/cache_poisoning/mending.py"
CACHE, RETRIEVER = "tests/activities/caches/test_caches.py::", "tests/activities/retriever/test_retriever.py::"
TWISTS, PEOPLE = "tests/playbooks/cache_poisoning/test_twists.py::", "tests/playbooks/cache_poisoning/test_people.py::"

KNOWLEDGE = (
    Mutant(
        "entries are removed before they are kept as evidence",
        CACHES,
        "if not order.evidence:",
        "if order.evidence is None:",
        (CACHE + "test_what_is_too_wide_or_not_kept_is_refused",),
    ),
    Mutant(
        "entries are removed although no domain and no tenant is named",
        CACHES,
        "if not order.entries.narrow:",
        "if order.entries is None:",
        (CACHE + "test_what_is_too_wide_or_not_kept_is_refused",),
    ),
    Mutant(
        "a great share of all keys is removed",
        CACHES,
        "len(meant) > order.numbers.most_share * size",
        "len(meant) > 2 * size",
        (CACHE + "test_more_than_policy_allows_of_all_keys_is_refused",),
    ),
    Mutant(
        "a name is a pattern",
        GLOB,
        'return SPECIAL.sub(r"\\\\\\1", text)',
        "return text",
        (CACHE + "test_a_name_with_the_signs_of_a_pattern_matches_only_itself",),
    ),
    Mutant(
        "a tenant's own document is kept out on automation's word",
        QUARANTINE,
        "        if owners:",
        "        if not owners and to is None:",
        (RETRIEVER + "test_what_a_tenant_owns_is_a_persons_decision",),
    ),
    Mutant(
        "an index is used that has not answered the golden queries",
        INDEX,
        "if isinstance(order, Change) and not well(to.golden, to.least):",
        "if isinstance(order, Change) and to.golden is None and not to.index:",
        (RETRIEVER + "test_an_index_is_used_only_when_it_has_answered_the_golden_queries",),
    ),
    Mutant(
        "two paths that differ are fetched all the same",
        FETCH,
        'if row["hash"] != row["other_path"]), "")',
        'if row["hash"] == ""), "")',
        (RETRIEVER + "test_paths_that_differ_and_pins_that_do_not_hold_are_for_a_person",),
    ),
    Mutant(
        "a judge model alone closes it",
        RECOVERY,
        "if right < self._numbers.people_agree * n:",
        "if right < 0:",
        (PEOPLE + "test_a_judge_model_alone_does_not_close_it",),
    ),
    Mutant(
        "poison that comes back is kept out version by version for ever",
        MENDING,
        "self.rewritten |= again",
        "self.rewritten |= set()",
        (TWISTS + "test_poison_that_comes_back_from_a_live_writer_calls_for_their_key",),
    ),
)
