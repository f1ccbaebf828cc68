"""Entries of the cache of answers, removed on a person's word: `incident do invalidate tenant=acme domain=billing` (seed §1.4).

The seed's `cag:*:model:*` is what `model=` names, within a tenant or a domain. What is removed is kept as evidence before.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from activities.action import Grant
from activities.caches.caches import Caches
from activities.caches.evidence import CacheEvidence
from activities.caches.keys import Entries
from activities.caches.orders import CacheExport, CensusOf, Invalidation
from activities.organisation.organisation import meant
from workflows.engine.verbs import Verbs
from workflows.errors import NotAccepted


def entries_of(fields: Mapping[str, Any]) -> Entries:
    """Which entries a person means. Raises `NotAccepted` for a field that there is not, and where neither a domain nor a tenant is named."""
    for key in fields:
        if key not in Entries.model_fields:
            raise NotAccepted(f"invalidate has no field {key}{meant(key, Entries.model_fields)}; it has {', '.join(Entries.model_fields)}")
    try:
        entries = Entries.model_validate({key: str(value) for key, value in fields.items()})
    except ValidationError as wrong:
        raise NotAccepted(f"invalidate: {wrong.errors()[0]['msg']}") from None
    if not entries.narrow:
        raise NotAccepted("say whose entries: tenant=NAME or domain=NAME. Everything at once is a task for a person: flush-cache")
    return entries


async def invalidate(verbs: Verbs, entries: Entries, why: str, by: str) -> None:
    """Counted, kept, removed, and looked at again."""
    numbers = verbs.policy.cache_poisoning.cache
    await verbs.do(Caches.census, CensusOf(entries=entries))
    kept = await verbs.do(CacheEvidence.keep, CacheExport(incident_id=verbs.incident_id, entries=entries, sample=numbers.sample))
    order = Invalidation(entries=entries, evidence=str(kept.after.get("sha256", "assumed")), why=why, numbers=numbers)
    under: Grant | None = verbs.ordered(Caches.invalidate, order, by)
    await verbs.propose(Caches.invalidate, order, under=under)
