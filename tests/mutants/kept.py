"""What is kept, written to people, let out and called excluded: evidence, letters, outbound calls, the hunt."""

from tests.mutants.mutant import Mutant

STORE, OUTBOX, LETTER = "activities/evidence/store.py", "activities/mail/outbox.py", "activities/mail/letter.py"
MAIL, EGRESS, SEARCH, GCS = (
    "activities/mail/mail.py",
    "activities/egress/egress.py",
    "activities/search/search.py",
    "activities/evidence/gcs.py",
)
ON_MAIL, ON_EGRESS = "tests/activities/mail/test_mail.py::", "tests/activities/egress/test_egress.py::"
ON_HUNT, ON_GCS = "tests/activities/search/test_hunt.py::", "tests/activities/evidence/test_gcs.py::"

KEPT = (
    Mutant(
        "evidence that was altered is given out",
        STORE,
        "if hashlib.sha256(content).hexdigest() != sha256:",
        "if not content:",
        (ON_GCS + "test_what_somebody_else_put_in_its_place_is_never_taken_for_ours",),
    ),
    Mutant(
        "what lies in the place of evidence is taken for it",
        GCS,
        'if int(found.get("size", -1)) == len(content) and found.get("md5Hash") == md5:',
        'if int(found.get("size", -1)) == len(content):',
        (ON_GCS + "test_what_somebody_else_put_in_its_place_is_never_taken_for_ours",),
    ),
    Mutant(
        "a hold counts as write-once",
        GCS,
        "write_once=until is not None,",
        "write_once=True,",
        (ON_GCS + "test_a_hold_keeps_it_and_is_not_called_write_once",),
    ),
    Mutant(
        "a person is handed evidence that nobody notes",
        STORE,
        "if by and not noted:",
        "if by and noted is None:",
        (
            "tests/activities/evidence/test_store.py::test_without_a_ledger_evidence_is_kept_all_the_same_and_says_that_the_manifest_lacks_it",
        ),
    ),
    Mutant(
        "a message whose fate nobody knows is sent again",
        OUTBOX,
        "letters.c.state == Post.NOT_SENT.value",
        "letters.c.state.in_([Post.NOT_SENT.value, Post.SENDING.value])",
        (ON_MAIL + "test_nobody_is_written_to_twice_and_what_is_not_known_is_said",),
    ),
    Mutant(
        "another list than the one that was agreed to is written to",
        MAIL,
        "if len(listed) != order.count:",
        "if order.count < 0:",
        (ON_MAIL + "test_the_list_and_the_text_are_what_was_agreed_to_or_nobody_is_written_to",),
    ),
    Mutant(
        "a subject brings headers of its own",
        LETTER,
        "or not self.subject.isprintable()",
        "",
        (ON_MAIL + "test_nothing_in_a_subject_becomes_a_header",),
    ),
    Mutant(
        "a rule that is not enforced counts as an effect",
        EGRESS,
        'if order.wanted.denied and (said["reached"] or said["rule"] != now.rule):',
        'if order.wanted.denied and said["rule"] not in ("", now.rule):',
        (ON_EGRESS + "test_a_rule_that_the_proxy_does_not_enforce_is_no_effect",),
    ),
    Mutant(
        "what the product needs is denied on nobody's word",
        EGRESS,
        "if (await self.look_at(call, order.of)).allow_listed:",
        "if not order.of.name:",
        (ON_EGRESS + "test_what_the_product_needs_is_denied_only_on_a_persons_word",),
    ),
    Mutant(
        "nothing has left, says who could not look",
        EGRESS,
        "return Left.UNKNOWN if self.unreadable or self.more else Left.NO",
        "return Left.NO",
        (ON_EGRESS + "test_nothing_left_is_said_only_when_everybody_who_saw_calls_was_asked",),
    ),
    Mutant(
        "a store that was looked through in part is excluded",
        SEARCH,
        "whole = not self.unreadable and self.coverage >= 1.0 and",
        "whole = not self.unreadable and",
        (ON_HUNT + "test_a_store_that_cannot_be_read_or_not_in_whole_excludes_nothing",),
    ),
    Mutant(
        "a broad lift is not asked when one step is undone",
        "workflows/engine/undo.py",
        "if any(self.lifts.invoker.risk(lift, order) >= Risk.C2 for order in orders):",
        "if any(self.lifts.invoker.risk(lift, order) > Risk.C3 for order in orders):",
        ("tests/incident/protections/test_undo.py::test_a_lift_that_is_broad_is_asked_also_when_one_step_is_undone",),
    ),
)

# What keeps an attack on agents contained: whose documents are touched, what counts as no, when a session goes on.
PLAYBOOK, STORIES = "workflows/playbooks/prompt_injection/", "tests/playbooks/prompt_injection/"

ATTACKS = (
    Mutant(
        "a tenant's own document is kept out unasked",
        "activities/search/quarantine.py",
        "(wanted.owners or len(wanted.documents) > wanted.many)",
        "(len(wanted.documents) > wanted.many)",
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
