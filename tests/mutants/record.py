"""What the ledger sees of tampering."""

from tests.mutants.mutant import Mutant

LEDGER, ENTRY, KEPT = "activities/ledger/ledger.py", "activities/ledger/entry.py", "tests/ledger/test_ledger.py::"
BEHIND = KEPT + "test_an_edit_behind_our_back_is_found"

RECORD = (
    Mutant(
        "the chain: an entry may have another text than its hash",
        ENTRY,
        "return self.previous == previous and self == self.sealed(previous)",
        "return self.previous == previous",
        (BEHIND,),
    ),
    Mutant(
        "the chain: an entry may stand behind any other",
        ENTRY,
        "return self.previous == previous and self == self.sealed(previous)",
        "return self == self.sealed(self.previous)",
        (KEPT + "test_a_forger_who_seals_another_text_anew_breaks_the_chain_at_the_next_entry",),
    ),
    Mutant(
        "the chain: a number may be missing",
        LEDGER,
        "if entry.number != expected or not entry",
        "if not entry",
        (KEPT + "test_a_forger_who_leaves_an_entry_out_and_chains_the_rest_anew_is_found_by_the_numbers",),
    ),
    Mutant(
        "the chain: its end may be missing",
        LEDGER,
        "broken_at=expected if len(kept) < promised else None",
        "broken_at=None",
        (BEHIND,),
    ),
    Mutant(
        "what is told is kept although it does not match its own hash",
        LEDGER,
        "if not entry.intact(entry.previous) or kept.get(entry.number, entry.hash) != entry.hash:",
        "if kept.get(entry.number, entry.hash) != entry.hash:",
        (KEPT + "test_an_entry_that_does_not_match_its_own_hash_is_refused",),
    ),
    Mutant(
        "what is told is kept although another history is on record",
        LEDGER,
        "if not entry.intact(entry.previous) or kept.get(entry.number, entry.hash) != entry.hash:",
        "if not entry.intact(entry.previous):",
        (KEPT + "test_another_hash_for_a_known_number_is_refused_and_nothing_of_the_order_is_kept",),
    ),
)
