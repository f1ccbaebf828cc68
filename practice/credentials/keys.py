"""What happens to keys: made, revoked, used. Whoever revokes a key that is in use stops those who use it."""

from __future__ import annotations

import hashlib

from practice.credentials.cast import MARK, PREFIX
from practice.credentials.model import Credentials, Key, Verifier
from practice.services.fleet import Fleet


def make(there: Credentials, number: int, issuer: str, subject: str, label: str, scopes: list[str], now: float) -> Key:
    """A new key. Its value is shown once."""
    id = f"{issuer}-{number}"
    secret = f"{PREFIX.get(issuer, 'own-')}{MARK}{hashlib.sha256(f'{issuer}/{number}/{now}'.encode()).hexdigest()[:24]}"
    there.keys[id] = found = Key(id, issuer, subject, secret, now, label, list(scopes))
    return found


def revoke(there: Credentials, fleet: Fleet, key: Key, now: float) -> None:
    """Dead at its issuer. What its verifiers have learnt of it lasts as long as their caches."""
    if key.revoked is not None:
        return
    for verifier in there.verifiers.values():
        if verifier.caches and _checked_by(there, verifier, key):
            verifier.known[key.id] = now + verifier.caches
    key.revoked = now
    fall_silent(there, fleet)


def fall_silent(there: Credentials, fleet: Fleet) -> None:
    """Which pinned versions hold a key that lets nobody in any more."""
    fleet.dead_secrets = [
        f"{secret}:{number}"
        for secret, versions in there.store.items()
        for number, version in versions.items()
        if (key := there.by_value(version.value)) is not None and not there.lets_in(key)
    ]


def taken_by(there: Credentials, verifier: Verifier, key: Key | None, now: float) -> bool:
    """Whether a verifier lets somebody in by a key: by what it remembers, or by its issuer's word."""
    if key is None:
        return False
    return there.lets_in(key) or verifier.known.get(key.id, 0.0) > now


def in_use(fleet: Fleet, there: Credentials) -> list[tuple[Key, list[str]]]:
    """The keys by which services serve now, in any region, and which services these are."""
    by_pin: dict[str, list[str]] = {}
    for service in fleet.services.values():
        serving = {name for region in service.places for name in service.serving(region)}
        for pin in {pin for name in serving for pin in service.revisions[name].needs()}:
            by_pin.setdefault(pin, []).append(service.name)
    found: dict[str, tuple[Key, list[str]]] = {}
    keys = {key.value: key for key in there.keys.values()}
    for pin, services in by_pin.items():
        secret, _, number = pin.partition(":")
        version = there.store.get(secret, {}).get(int(number))
        if version is not None and (key := keys.get(version.value)) is not None:
            known = found.setdefault(key.id, (key, []))[1]
            known += [name for name in services if name not in known]
    return list(found.values())


def users(fleet: Fleet, there: Credentials, key: Key) -> list[str]:
    """The services that serve by a key now."""
    return next((services for one, services in in_use(fleet, there) if one is key), [])


def _checked_by(there: Credentials, verifier: Verifier, key: Key) -> bool:
    return any(verifier.name in one.verifiers and key.id == one.key for one in there.inventory.values())
