"""What keeps an attack on agents contained: whose documents are touched, what counts as no, when a session goes on."""

from tests.mutants.mutant import Mutant

PLAYBOOK, STORIES = "workflows/playbooks/prompt_injection/", "tests/playbooks/prompt_injection/"

ATTACKS = (
    Mutant(
        "a tenant's own document is kept out unasked",
        "workflows/playbooks/prompt_injection/sources.py",
        'ours, theirs = [id for id, owner in new.items() if not owner], [id for id, owner in new.items() if owner]',
        'ours, theirs = list[str](new), list[str]()',
        (STORIES + "test_people.py::test_a_tenants_own_document_is_kept_out_only_when_security_agrees",),
    ),
    Mutant(
        "what nobody can say of outbound calls counts as no",
        PLAYBOOK + "findings.py",
        "return Answer.UNKNOWN if unknown else Answer.NO",
        "return Answer.NO",
        (STORIES + "test_extent.py::test_where_nobody_can_say_what_left_it_counts_as_yes",),
    ),
    Mutant(
        "a fix that refuses innocent requests is good",
        PLAYBOOK + "recovery.py",
        "return counts.summary if few or counts.bypassed or refused else",
        "return counts.summary if few or counts.bypassed else",
        (STORIES + "test_people.py::test_a_fix_that_refuses_innocent_requests_is_none_and_people_take_over",),
    ),
    Mutant(
        "a fix that variants get through is good",
        PLAYBOOK + "recovery.py",
        "return counts.summary if few or counts.bypassed or refused else",
        "return counts.summary if few or refused else",
        (STORIES + "test_people.py::test_a_fix_that_some_variants_get_through_lets_nobody_go_on",),
    ),
)  # fmt: skip
