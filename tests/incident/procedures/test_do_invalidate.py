"""`incident do invalidate`: a person has entries of the cache removed; counted and kept before, and never more than is named."""

from pathlib import Path

import pytest

from tests.playbooks.cache_poisoning.poisoned import entries, poisoned
from tests.stores.caches import server
from workflows.errors import NotAccepted
from workflows.procedures.invalidation import entries_of


async def test_entries_of_one_domain_are_removed_on_a_persons_word(tmp_path: Path) -> None:
    async with poisoned(tmp_path, domain="product", seconds=60) as (stage, incident):
        await incident.commanded()
        assert entries(server(), "contracts") and entries(server(), "billing")
        said = await incident.say(
            "do", {"by": "lee", "procedure": "invalidate", "fields": {"domain": "contracts", "model": "aurora-large-4"}}
        )
        assert "invalidate has begun" in said
        await incident.hears("keys removed (proven by")
        done = [row.verb for row in incident.book() if row.outcome == "done"]
        assert done.index("evidence.cache") < done.index("caches.invalidate") and entries(server(), "billing")
        assert ("procedure", "invalidate the entries of domain contracts, model aurora-large-4") in [
            (one.kind, one.text) for one in stage.fleet.ledger.timeline(incident.id)
        ]
        await incident.verified("stand_down", "dana", reason="a drill")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "say whose entries: tenant=NAME or domain=NAME"),
        ({"model": "aurora"}, "Everything at once is a task for a person: flush-cache"),
        ({"tenants": "acme"}, r"has no field tenants; did you mean tenant\?"),
    ],
)
def test_what_is_too_wide_or_means_nothing_is_not_accepted(fields: dict[str, str], why: str) -> None:
    with pytest.raises(NotAccepted, match=why):
        entries_of(fields)
