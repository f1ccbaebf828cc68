"""What keeps a rule of the edge from hitting others, a list of accounts from being everybody, and a stranger from posting alerts."""

from tests.mutants.mutant import Mutant

RULES, TRAFFIC, LISTS, ARMOR = (f"activities/waf/{name}.py" for name in ("rules", "traffic", "allow_lists", "cloud_armor"))
ACCOUNTS, KEYCLOAK = "activities/sign_in/accounts.py", "activities/sign_in/keycloak.py"
SIGNED, MAPPING = "starters/alerts/sources/signed.py", "starters/alerts/sources/mapping.py"
EDGE, SIGN_IN = "tests/activities/waf/test_edge.py::", "tests/activities/sign_in/test_sign_in.py::"
SOURCES = "tests/alerts/sources/"

EDGES = (
    Mutant(
        "a rule that hits others is enforced unasked",
        RULES,
        "(wanted.at == ENFORCED and wanted.narrow and wanted.spares)",
        "(wanted.at == ENFORCED and wanted.narrow)",
        (EDGE + "test_where_others_come_by_the_same_address_people_are_asked_with_the_number",),
    ),
    Mutant(
        "it is not counted again before it is enforced",
        RULES,
        "        if not now.spares(to.counting):\n",
        "        if not now.spares(to.counting) and to.at != ENFORCED:\n",
        (EDGE + "test_what_was_harmless_in_preview_is_counted_again_before_it_is_enforced",),
    ),
    Mutant(
        "a log that is not kept has seen nobody",
        TRAFFIC,
        "others=others if log.kept else None",
        "others=others",
        (EDGE + "test_a_log_that_is_not_kept_says_nothing_and_never_nobody",),
    ),
    Mutant(
        "a whole network is taken off as if it were one address",
        LISTS,
        "if isinstance(order, Change) and not order.wanted.wide and not all(",
        "if isinstance(order, Change) and order.wanted.wide and not all(",
        (EDGE + "test_a_whole_network_on_an_allow_list_is_for_people",),
    ),
    Mutant(
        "a rule of somebody else's is taken for ours",
        ARMOR,
        'or expression(made) != rule["match"]["expr"]["expression"]',
        "",
        (EDGE + "test_a_rule_that_somebody_else_made_is_not_written_over",),
    ),
    Mutant(
        "a list of accounts may be as long as it likes",
        ACCOUNTS,
        "    if len(order.accounts) > order.at_most:",
        "    if len(order.accounts) > 10 * order.at_most:",
        (SIGN_IN + "test_everybody_is_never_on_the_list",),
    ),
    Mutant(
        "a realm that keeps no events has none",
        KEYCLOAK,
        "                    unread.append(tenant)\n                    continue\n",
        "                    continue\n",
        (SIGN_IN + "test_a_realm_that_keeps_no_events_is_unknown_and_never_unharmed",),
    ),
    Mutant(
        "only what is kept of a body is looked at for its signature",
        SIGNED,
        "                    signature.add(chunk)",
        "                    signature.add(chunk[:longest])",
        (SOURCES + "test_signed.py::test_an_event_of_two_megabytes_is_verified_whole_said_and_its_beginning_kept",),
    ),
    Mutant(
        "what nobody has described fires",
        MAPPING,
        "    if named and action not in named:",
        "    if named and not action:",
        (SOURCES + "test_mappings.py::test_what_is_not_described_is_kept_and_said",),
    ),
)
