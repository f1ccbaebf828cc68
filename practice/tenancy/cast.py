"""What there is when the world begins: six endpoints on four surfaces, four canary tenants, and signed-in users."""

from __future__ import annotations

from collections.abc import Iterable

from practice.tenancy.model import Auth, AuthSession, Canary, Endpoint, Offline, Tenancy
from practice.world.cast import REGIONS
from practice.world.state import State, Tenant

USERS = 2  # signed-in users of each tenant, beside one service account


def endpoints() -> dict[str, Endpoint]:
    """The first two share their code: what one of them forgets, the other forgets too."""
    return {
        one.name: one
        for one in (
            Endpoint("documents.get", "documents", "documents"),
            Endpoint("documents.export", "documents", "documents"),
            Endpoint("documents.put", "documents", "documents-write", writes=True),
            Endpoint("reports.list", "reports", "reports", pooled=True),
            Endpoint("answers.get", "answers", "answers", domain="contracts"),
            Endpoint("files.get", "files", "files", cdn=True),
        )
    }


def canaries() -> dict[str, Canary]:
    """Two in each region: one alone could not read another."""
    found = [Canary(f"canary-{short}-{n}", region) for short, region in REGIONS.items() for n in (1, 2)]
    return {one.name: one for one in found}


def signed_in(tenants: Iterable[str], at: float) -> Auth:
    """Each tenant's users have signed in an hour ago, and one service account works for it."""
    made = [AuthSession(f"s-{tenant}-{n}", f"user-{n}", tenant, at - 3600.0) for tenant in tenants for n in range(1, USERS + 1)]
    made += [AuthSession(f"s-{tenant}-svc", "svc", tenant, at - 3600.0, service_account=True) for tenant in tenants]
    return Auth({one.id: one for one in made})


def tenancy(state: State, now: float) -> Tenancy:
    """The tenancy of a world: made when it is first asked for."""
    there = state.part(Tenancy)
    if not there.endpoints:
        there.endpoints, there.canaries = endpoints(), canaries()
        there.surfaces = {one.surface: Offline() for one in there.endpoints.values()}
        there.auth = signed_in([*state.tenants, *there.canaries], now)
    return there


def region_of(tenant: Tenant) -> str:
    return REGIONS[tenant.residency]
