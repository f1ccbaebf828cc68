"""Whether a read by one tenant gets another's object, by which leak, and what ends each of them."""

from __future__ import annotations

from practice.knowledge.library import Knowledge, Namespace
from practice.tenancy.model import CACHE, CDN, DATABASE, POOL, SESSION_WINDOW, SESSIONS, AuthSession, Endpoint, Leak, Tenancy
from practice.world.state import State


def begin(state: State, there: Tenancy, kind: str, endpoints: list[str], at: float) -> None:
    """From now on it leaks so."""
    if not endpoints:
        endpoints = [one.name for one in there.endpoints.values() if _usual(kind, one)]
    leak = Leak(kind, endpoints, at)
    if kind == CACHE:
        leak.kept = _cached(state, there.endpoints[endpoints[0]]).version
    if kind == CDN:
        leak.kept = there.endpoints[endpoints[0]].generation.number
    if kind == SESSIONS:
        _mix_up(there, at)
    there.leaks.append(leak)


def _usual(kind: str, endpoint: Endpoint) -> bool:
    """Where a leak of this kind is, unless somebody says where."""
    return {
        DATABASE: endpoint.name == "documents.get", POOL: endpoint.pooled, CACHE: bool(endpoint.domain), CDN: endpoint.cdn,
        SESSIONS: not endpoint.writes,
    }[kind]  # fmt: skip


def _mix_up(there: Tenancy, at: float) -> None:
    """Everybody's sessions of the last two minutes belong to somebody else; everybody has just signed in again."""
    for session in there.auth.sessions.values():
        if not session.service_account:
            session.issued, session.mixed = at - SESSION_WINDOW / 2, True


def _cached(state: State, endpoint: Endpoint) -> Namespace:
    return state.part(Knowledge).domains[endpoint.domain].namespace


def open_(there: Tenancy, endpoint: Endpoint) -> bool:
    """Whether anything gets through to it."""
    return endpoint.admission.admitted > 0 and not there.surfaces[endpoint.surface].offline


def leaks(state: State, there: Tenancy, leak: Leak, endpoint: Endpoint) -> bool:
    """Whether this one still lets an endpoint's data cross."""
    fix = there.fix
    if endpoint.name not in leak.endpoints:
        return False
    if leak.kind == DATABASE:
        return not (fix.service or fix.database) or endpoint.name in fix.still
    if leak.kind == POOL:
        return not fix.database
    if leak.kind == CACHE:
        domain = state.part(Knowledge).domains[endpoint.domain]
        return domain.cag.share > 0 and not (fix.service and domain.namespace.version > leak.kept)
    if leak.kind == CDN:
        return not endpoint.bypass.on and not (fix.service and endpoint.generation.number > leak.kept)
    return any(one.mixed and there.auth.alive(one) for one in there.auth.sessions.values())


def crosses(state: State, there: Tenancy, endpoint: Endpoint, viewer: str, owner: str, region: str) -> Leak | None:
    """By which leak a viewer gets an owner's object now. A pooled connection gives it only to whoever comes right after its owner."""
    for leak in there.leaks:
        if not leaks(state, there, leak, endpoint):
            continue
        if leak.kind == POOL and there.pool.get(region) != owner:
            continue
        if leak.kind == SESSIONS and not _mixed(there, viewer):
            continue
        return leak
    return None


def _mixed(there: Tenancy, tenant: str) -> bool:
    return any(one.tenant == tenant and one.mixed and there.auth.alive(one) for one in there.auth.sessions.values())


def signed_in_as(there: Tenancy, tenant: str) -> str:
    """Whom the product takes a tenant's user for: somebody else, where sessions are mixed up."""
    if not _mixed(there, tenant):
        return tenant
    names = sorted(there.canaries)
    return names[(names.index(tenant) + 1) % len(names)] if tenant in names else tenant


def session_of(there: Tenancy, tenant: str) -> AuthSession | None:
    """The newest session of a tenant's user, alive or dead."""
    mine = [one for one in there.auth.sessions.values() if one.tenant == tenant and not one.service_account]
    return max(mine, key=lambda one: one.issued, default=None)
