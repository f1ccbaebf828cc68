"""The protections of a data breach: order, quiet, hunt, scope, claims, chat."""

from tests.mutants.mutant import Mutant

ROOM, ACTS = "workflows/playbooks/data_breach/", "activities/breach/"
STORIES, SEEN = "tests/playbooks/data_breach/", "tests/activities/breach/"
BREACH: tuple[Mutant, ...] = (
    Mutant(
        "assets are cut off before evidence is begun",
        ROOM + "playbook.py",
        "                await keeping.begun()\n",
        "",
        (STORIES + "test_order.py::test_a_copy_that_cannot_be_begun_holds_isolation_until_security_says_that_the_harm_goes_first",),
    ),
    Mutant(
        "a no of Security contains all the same",
        ROOM + "evidence.py",
        "if decision is None or not decision.granted:",
        "if decision is None:",
        (STORIES + "test_order.py::test_a_no_keeps_the_order_and_the_copy_is_tried_once_more",),
    ),
    Mutant(
        "a claim that nobody could compare is false",
        ACTS + "claims.py",
        "return False if self.compared >= self.wanted and not self.unread else None",
        "return False",
        (SEEN + "test_claims.py::test_one_that_matches_is_enough_and_none_is_false_only_when_all_were_compared",),
    ),
    Mutant(
        "a false claim is closed although somebody reads",
        ROOM + "findings.py",
        "return self.signal is Signal.CLAIM and false and looked and not self.identities and self.ongoing is False",
        "return self.signal is Signal.CLAIM and self.corroboration is not None and not self.corroboration.true",
        (STORIES + "test_claims.py::test_a_claim_that_nobody_could_compare_is_no_false_claim",),
    ),
    Mutant(
        "a class that nobody looked through counts as checked",
        ACTS + "footholds.py",
        "checked = {one.kind for one in self.classes if one.checked}",
        "checked = {one.kind for one in self.classes}",
        (SEEN + "test_footholds.py::test_every_class_is_checked_or_said_not_to_be",),
    ),
    Mutant(
        "what reads switched off counts as evicted",
        ACTS + "footholds.py",
        "if lets_in and not value.enabled:",
        "if False:",
        (SEEN + "test_footholds.py::test_what_reads_switched_off_and_lets_somebody_in_is_not_evicted",),
    ),
    Mutant(
        "a log with holes is quiet",
        ACTS + "records.py",
        "blind = bool(gaps or unseen or not order.identities)",
        "blind = bool(unseen or not order.identities)",
        (SEEN + "test_records.py::test_quiet_is_only_where_nothing_beyond_usual_was_read_and_the_log_covers_it",),
    ),
    Mutant(
        "what is older than the log counts as not read",
        ACTS + "scope.py",
        "lines += [_all_of(line, known) for line in read] if gap else read",
        "lines += read",
        (SEEN + "test_scope.py::test_where_the_log_begins_later_everything_counts_that_could_be_read",),
    ),
    Mutant(
        "the scope gets narrower by itself",
        ROOM + "scoping.py",
        "return new if known is None else known.widened(new)",
        "return new",
        (STORIES + "test_scope.py::test_the_ledger_narrows_only_when_security_and_legal_sign_it",),
    ),
    Mutant(
        "a foothold that comes back is no relapse",
        ROOM + "recovery.py",
        "if alive := await self._eviction.hunt():",
        "if alive := () and await self._eviction.hunt():",
        (STORIES + "test_scope.py::test_a_foothold_that_shows_itself_while_all_is_quiet_is_a_relapse",),
    ),
    Mutant(
        "a code that others may have read counts on",
        "workflows/people/notices.py",
        "question.read = question.sendings",
        "question.read = 0",
        (STORIES + "test_chat.py::test_a_code_that_was_sent_by_chat_counts_no_more_once_others_read_it",),
    ),
    Mutant(
        "whoever has to do with it stays in the room unseen",
        ROOM + "room.py",
        "conflicted = tuple(one for one in seen.people if one in self._breach.found.owners)",
        "conflicted = tuple[str, ...]()",
        (STORIES + "test_people.py::test_whoever_has_to_do_with_it_or_is_unknown_leaves_the_room",),
    ),
)
