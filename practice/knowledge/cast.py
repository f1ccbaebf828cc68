"""What the product knows when the world begins: three domains, all true, all fresh."""

from __future__ import annotations

from collections.abc import Iterable

from practice.knowledge.library import Alias, Build, Document, Domain, Source, hashed
from practice.world.state import Tenant

OURS = {
    "billing": {
        "refunds": "Refunds are possible within 30 days.",
        "invoices": "Invoices are sent on the first working day of a month.",
        "late-fees": "There is no fee for a payment that is up to 14 days late.",
        "vat": "VAT is charged where the customer is established.",
    },
    "product": {
        "limits": "A request may hold 200 000 tokens.",
        "regions": "Data stays in the region of the workspace.",
        "sso": "Single sign-on is part of the business plan.",
        "api-keys": "An API key ends after 90 days.",
    },
}
WIKI = {"billing": "wiki", "product": "docs-site"}
AN_AGE = 90 * 86_400.0  # since when answers are made from what was there at the beginning; seconds
WITH_CONTRACTS = 6  # tenants whose own terms we answer from


def domains(tenants: Iterable[Tenant], now: float) -> dict[str, Domain]:
    """Two that are ours, and one of documents that tenants own."""
    found = {name: _domain(name, WIKI[name], "us", {(s, "us"): text for s, text in said.items()}, now) for name, said in OURS.items()}
    owners = sorted(tenant.name for tenant in tenants)[:WITH_CONTRACTS]
    terms = {("terms", owner): f"The contract of {owner} can be ended with {2 + len(owner) % 8} months' notice." for owner in owners}
    return {**found, "contracts": _domain("contracts", "uploads", "tenants", terms, now)}


def _domain(name: str, source: str, owner: str, said: dict[tuple[str, str], str], now: float) -> Domain:
    documents = [_document(name, source, subject, whose, text, now) for (subject, whose), text in said.items()]
    first = Build(f"{name}-1", now, {one.id: one.text for one in documents})
    return Domain(
        name, {source: Source(source, f"https://{source}.example.com/{name}", owner, now, added=now - AN_AGE)}, {one.id: one for one in documents},
        {first.id: first}, Alias(first.id),
    )  # fmt: skip


def _document(domain: str, source: str, subject: str, owner: str, text: str, now: float) -> Document:
    name = f"{domain}/{subject}" if owner == "us" else f"{domain}/{owner}/{subject}"
    return Document(name, source, owner, subject, text, text, text, now, now - 86_400.0, seen=hashed(text))
