"""What there is when the world begins: seven credentials of four issuers, one that nobody uses, and one that is a customer's."""

from __future__ import annotations

import hashlib
import json

from practice.credentials.model import (
    CI,
    CLOUD,
    DATA,
    DISABLED,
    GITHUB,
    GOOGLE,
    LLM,
    OBSERVABILITY,
    OPENAI,
    OWN,
    SIGNING,
    Credentials,
    Key,
    Listed,
    Verifier,
    Version,
)
from practice.services.fleet import Fleet
from practice.world.state import State

YEAR = 365 * 86_400.0
PREFIX = {OPENAI: "sk-proj-", GITHUB: "github_pat_", GOOGLE: "gsa-", OWN: "own-"}
MARK = "PLANTED"  # in every value of this world: wherever it is found outside the store and the issuers, a secret got out
GATEWAY = "api gateway"


def value(issuer: str, id: str) -> str:
    """The secret itself. It looks like none of this earth, and can be searched for."""
    return f"{PREFIX.get(issuer, 'own-')}{MARK}{hashlib.sha256(f'{issuer}/{id}'.encode()).hexdigest()[:24]}"


def _listed(services: list[str]) -> list[Listed]:
    return [
        Listed("llm-main", OPENAI, "key_1", "proj_main", LLM, "OPENAI_API_KEY", ["model.read", "model.request", "api.admin"],
               ["model.read", "model.request"], services[-1:], owner="ravi"),
        Listed("signing", OWN, "kid-2", "sign-in", SIGNING, "SIGNING_KEY", ["sign"], ["sign"], services, [GATEWAY], owner="kim"),
        Listed("database", OWN, "db-3", "app", DATA, "DATABASE_URL", ["read", "write", "owner"], ["read", "write"], services,
               owner="max", personal_data=True),
        Listed("deployer", GOOGLE, "gk-1", "deployer@acme.iam.gserviceaccount.com", CLOUD, "DEPLOYER_KEY", ["run.admin"], ["run.developer"],
               [], reaches=["llm-main", "signing", "database", "export"], owner="lee"),
        Listed("ci-token", GITHUB, "21", "acme", CI, "", ["contents:write"], ["contents:read"], [], reaches=["deployer"], owner="lee"),
        Listed("export", OWN, "exp-1", "export", OBSERVABILITY, "EXPORT_TOKEN", ["read"], ["read"], [], owner="noor"),
        Listed("webhook-acme", "customer", "hook-1", "acme", CI, customer="tenant-01", owner=""),
    ]  # fmt: skip


def made(fleet: Fleet, now: float) -> Credentials:
    services = list(fleet.services)
    there = Credentials(born=now)
    there.inventory = {one.id: one for one in _listed(services)}
    there.verifiers = {GATEWAY: Verifier(GATEWAY, caches=600.0)}
    for one in there.inventory.values():
        if one.customer:
            continue
        key = Key(one.key, one.issuer, one.subject, value(one.issuer, one.key), now - YEAR, one.id, list(one.scopes))
        if one.issuer == GOOGLE:  # a whole file
            key.value = json.dumps({"type": "service_account", "private_key_id": key.id, "private_key": key.value})
        there.keys[key.id] = key
    there.store = {
        "OPENAI_API_KEY": {1: Version(there.keys["key_1"].value, now - YEAR)},
        "SIGNING_KEY": {1: _old("kid-1", now), 2: Version(there.keys["kid-2"].value, now - YEAR)},
        "DATABASE_URL": {1: _old("db-1", now), 2: _old("db-2", now), 3: Version(there.keys["db-3"].value, now - YEAR)},
        "DEPLOYER_KEY": {1: Version(there.keys["gk-1"].value, now - YEAR)},
        "EXPORT_TOKEN": {1: Version(there.keys["exp-1"].value, now - YEAR)},
    }
    return there


def _old(key: str, now: float) -> Version:
    """Of a key that is no more. It is enabled still where nobody has tidied up: an older revision may name it."""
    return Version(value(OWN, key), now - 2 * YEAR, "ENABLED" if key == "kid-1" else DISABLED)


def credentials(state: State, now: float) -> Credentials:
    """The credentials of a world: made when they are first asked for."""
    there = state.part(Credentials)
    if not there.inventory:
        fresh = made(state.fleet, now)
        there.keys, there.store, there.inventory = fresh.keys, fresh.store, fresh.inventory
        there.verifiers, there.born = fresh.verifiers, fresh.born
    return there
