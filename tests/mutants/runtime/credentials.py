"""What keeps a stolen key from living on, a replacement from being made twice, and a secret from getting out."""

from tests.mutants.mutant import Mutant

REPLACEMENTS, ISSUERS, VERIFIERS = (f"activities/credentials/{name}.py" for name in ("replacements", "issuers", "verifiers"))
OWN, STORE, REDEPLOY = "activities/credentials/issuing/own.py", "activities/secrets/store.py", "activities/deploys/redeploy.py"
ORDERS, DEPLOYS, APPROVALS = "activities/credentials/orders.py", "activities/deploys/deploys.py", "workflows/people/approvals.py"
REVOKING, EXPOSURE = "workflows/playbooks/secret_compromise/revoking.py", "workflows/playbooks/secret_compromise/exposure.py"
FINDINGS = "workflows/playbooks/secret_compromise/findings.py"
MINT, REVOKE = "tests/activities/credentials/test_mint.py::", "tests/activities/credentials/test_revoke.py::"
ORDER, FAILS = "tests/playbooks/secret_compromise/test_order.py::", "tests/playbooks/secret_compromise/test_if_it_fails.py::"
PEOPLE = "tests/playbooks/secret_compromise/test_people.py::"

CREDENTIALS = (
    Mutant(
        "a key that nobody has lives on beside its replacement",
        REPLACEMENTS,
        "        await self._without_orphans(call, order)\n        made",
        "        made",
        (MINT + "test_whoever_dies_between_issuer_and_store_leaves_a_key_that_nobody_has_and_it_goes",),
    ),
    Mutant(
        "a second replacement that came late is left",
        REPLACEMENTS,
        "        for key in found.surplus:\n            await issuer.revoke(call, key)",
        "        for key in ():\n            await issuer.revoke(call, key)",
        (MINT + "test_a_late_second_one_is_revoked_when_it_is_seen",),
    ),
    Mutant(
        "without labels a key is revoked on a guess",
        REPLACEMENTS,
        "        if orphans and not issuer.labels:",
        "        if orphans and issuer.labels is None:",
        (MINT + "test_without_labels_a_key_that_is_not_in_the_store_may_be_somebody_elses",),
    ),
    Mutant(
        "a value whose answer was lost is added once more",
        STORE,
        "        number = await holding(store, call, secret, same)\n        if number is None:\n            raise\n        return number",
        "        return await store.add(call, secret, value)",
        (MINT + "test_whatever_breaks_there_is_one_that_somebody_could_use",),
    ),
    Mutant(
        "what was never listed counts as revoked",
        ISSUERS,
        "        if seen.alive is None and not order.was_alive:",
        "        if seen.alive is None and order.was_alive:",
        (REVOKE + "test_a_key_that_its_issuer_has_never_listed_is_not_called_revoked",),
    ),
    Mutant(
        "an issuer's word is believed, and the key is not shown",
        VERIFIERS,
        "            taken = await issuer.lets_in(call, value) if value is not None else None",
        "            taken = None",
        (REVOKE + "test_an_issuer_that_says_revoked_and_lets_it_in_is_not_believed",),
    ),
    Mutant(
        "a verifier that does not answer has refused",
        ORDERS,
        "        return bool(self.refused) and not self.accepted and not self.unknown",
        "        return bool(self.refused) and not self.accepted",
        (REVOKE + "test_a_verifier_that_does_not_answer_is_unknown_and_no_refusal",),
    ),
    Mutant(
        "a refusal of our own token is taken for one of the key",
        OWN,
        "        if said.status_code == UNAUTHORISED and _by_the_issuer(said):",
        "        if said.status_code == UNAUTHORISED:",
        (REVOKE + "test_our_own_token_that_is_refused_says_nothing_of_the_key",),
    ),
    Mutant(
        "an outage by revoking is a narrow step",
        ORDERS,
        "    return Risk.C1 if order.exposure.revoke_first and not order.stops else Risk.C2",
        "    return Risk.C1 if order.exposure.revoke_first else Risk.C2",
        (REVOKE + "test_what_is_surely_stolen_is_narrow_and_what_stops_a_service_is_not",),
    ),
    Mutant(
        "a standing policy covers a suspicion",
        ORDERS,
        "        return self.exposure.revoke_first\n",
        "        return True\n",
        (REVOKE + "test_what_is_surely_stolen_is_narrow_and_what_stops_a_service_is_not",),
    ),
    Mutant(
        "traffic that is pinned to the old version counts as served by the new one",
        REDEPLOY,
        'if {one.partition(":")[2] for one in found} != {str(order.version)}:',
        "if revision is None:",
        ("tests/activities/deploys/test_redeploy.py::test_traffic_that_is_pinned_elsewhere_is_said_and_never_called_done",),
    ),
    Mutant(
        "a rollback brings a disabled version back",
        DEPLOYS,
        "if one.state is not VersionState.ENABLED}",
        "if one.state is VersionState.DESTROYED}",
        ("tests/activities/credentials/test_later_rollback.py::test_a_revision_that_needs_a_disabled_version_is_no_target",),
    ),
    Mutant(
        "whose key it is approves its own",
        APPROVALS,
        'if answer.verdict == "approve" and who in self.barred:',
        'if answer.verdict == "approved" and who in self.barred:',
        (PEOPLE + "test_whose_key_it_is_may_say_no_and_not_yes",),
    ),
    Mutant(
        "a suspicion is revoked first",
        REVOKING,
        "        if item.exposure.revoke_first:",
        "        if item.exposure:",
        (ORDER + "test_what_is_only_suspected_is_replaced_everywhere_before_it_is_revoked",),
    ),
    Mutant(
        "the overlap has no end",
        REVOKING,
        'revoke_first is not sure, over, f"{item.id} to be replaced"',
        'revoke_first is not sure, None, f"{item.id} to be replaced"',
        (ORDER + "test_at_the_end_of_the_overlap_it_is_revoked_whatever_stands_still",),
    ),
    Mutant(
        "a line is done although the old key is let in",
        FINDINGS,
        "        return bool(self.vouched) or (self.dead and self.replaced and kept)",
        "        return bool(self.vouched) or (self.revoked_at is not None and self.replaced)",
        (FAILS + "test_a_verifier_that_does_not_forget_is_waited_for_and_the_line_stays_open",),
    ),
    Mutant(
        "a consumer that nobody has listed is forgotten",
        EXPOSURE,
        "name for name in (*one.users, *uses) if name in services",
        "name for name in one.consumers if name in services",
        (FAILS + "test_a_consumer_that_nobody_has_listed_is_found_by_its_use_and_served_too",),
    ),
)
