"""What keeps tenants apart, and who says that it does: denials, canaries, row security, sessions, and what is let in again."""

from tests.mutants.mutant import Mutant

ENDPOINTS, MATRIX, LEDGER = "activities/edge/endpoints.py", "activities/tenancy/matrix.py", "activities/tenancy/ledger.py"
POSTGRES, SESSIONS, KEYCLOAK = "activities/row_security/postgres.py", "activities/sessions/sessions.py", "activities/sessions/keycloak.py"
CONTAINMENT, RECOVERY = "workflows/playbooks/tenant_isolation/containment.py", "workflows/playbooks/tenant_isolation/recovery.py"
CANARIES, PLANTED = "tests/activities/tenancy/test_matrix.py::", "tests/activities/row_security/test_postgresql_catalogue.py::"
SIGNED_OUT = "tests/activities/sessions/test_keycloak.py::"
CONTRACT = "tests/activities/kit/test_settings.py::test_contract"
LAYERS, FAILS = "tests/playbooks/tenant_isolation/test_layers.py::", "tests/playbooks/tenant_isolation/test_if_it_fails.py::"

TENANCY = (
    Mutant(
        "a denied endpoint that still answers counts as denied",
        ENDPOINTS,
        "if (share <= 0 and through) or",
        "if (share < 0 and through) or",
        ("tests/activities/tenancy/test_endpoints.py::test_a_denial_that_the_gateway_does_not_enforce_is_none",),
    ),
    Mutant(
        "no answer to a canary counts as kept apart",
        MATRIX,
        "not self.leaks and not self.mixed and not self.unanswered",
        "not self.leaks and not self.mixed",
        (CANARIES + "test_no_answer_is_not_clean",),
    ),
    Mutant(
        "canaries try cold only",
        MATRIX,
        "if owner in (cold.owner, warm.owner):",
        "if owner == cold.owner:",
        (CANARIES + "test_each_way_to_leak_is_found_with_its_layer",),
    ),
    Mutant(
        "a log with gaps is taken for the whole",
        LEDGER,
        'if not said["complete"] and rows else ()',
        'if said["complete"] is None else ()',
        (CANARIES + "test_where_the_log_has_gaps_everybody_is_assumed",),
    ),
    Mutant(
        "a policy that calls a function is taken for sound",
        POSTGRES,
        "            return None  # what a function decides stands elsewhere",
        '            return ""',
        (PLANTED + "test_a_policy_that_calls_a_function_cannot_be_read_and_is_not_taken_for_sound",),
    ),
    Mutant(
        "an auditor who is shown nothing finds nothing wrong",
        POSTGRES,
        'if key["hidden"]:',
        'if key["hidden"] is None:',
        (PLANTED + "test_rows_that_hang_on_another_tenants_rows_are_counted",),
    ),
    Mutant(
        "nobody's turn is not tried",
        POSTGRES,
        'self._tried(application, one, ("",), order.tenants)',
        "self._tried(application, one, (), order.tenants)",
        (PLANTED + "test_every_planted_hole_is_found_by_the_audit_and_by_the_matrix",),
    ),
    Mutant(
        "service accounts are signed out as well",
        KEYCLOAK,
        'if _is_service(user) or order.user not in ("", user["username"]):',
        'if order.user not in ("", user["username"]):',
        (SIGNED_OUT + "test_a_tenant_is_signed_out_and_its_service_account_goes_on",),
    ),
    Mutant(
        "everybody is signed out by one call",
        SESSIONS,
        'order.tenant in ("*", "all")',
        'order.tenant in ("*",)',
        (SIGNED_OUT + "test_everybody_is_never_one_call_and_nothing_that_is_to_come_is_revoked",),
    ),
    Mutant(
        "a cache gets other keys before it was sampled",
        CONTAINMENT,
        "        if one.name in self._sampled and one.name not in self._bumped:\n            now = await verbs.read(Generations.read",
        "        if one.name not in self._bumped:\n            now = await verbs.read(Generations.read",
        (LAYERS + "test_a_cache_that_cannot_be_sampled_keeps_its_keys",),
    ),
    Mutant(
        "a hotfix is believed that keeps tenants from their own data",
        "activities/tenancy/plane.py",
        "return bool(self.total) and self.failed == 0 and self.broken == 0",
        "return bool(self.total) and self.failed == 0",
        (FAILS + "test_a_hotfix_that_breaks_tenants_stays_behind_denied_endpoints_and_nobody_goes_back",),
    ),
    Mutant(
        "a policy that nobody can read counts as sound",
        RECOVERY,
        "sound = audit is not None and audit.sound and not set(audit.unknown) - self._vouched",
        "sound = audit is not None and audit.sound",
        (FAILS + "test_a_policy_that_nobody_vouches_for_keeps_everything_closed",),
    ),
)
