"""Revocations, disabled versions, verifiers that forget, and replacements, through the same cells as everything that is there once.

The secret store is behind a real gRPC server, and the official client is its client. One server is up at a time: that of the latest row.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import grpc
from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcAsyncIOTransport

from activities.action import Order
from activities.credentials.issuers import Issuers, KeyRevocations
from activities.credentials.issuing.openai_admin import OpenAiAdmin
from activities.credentials.issuing.own import OwnIssuer
from activities.credentials.orders import Exposure, ForgetKey, KeyRef, MintReplacement, RevokeKey
from activities.credentials.plane import CredentialsPlane
from activities.credentials.replacements import Replacements
from activities.credentials.verifiers import Forgetting
from activities.secrets.google import GoogleSecrets
from activities.secrets.store import DisableVersion, Disabling
from practice.credentials.cast import GATEWAY, credentials
from practice.credentials.keys import revoke
from practice.stores.secret_manager import secret_manager
from tests.activities.kit.stage import INCIDENT, FollowingClock, Stage

DATABASE = KeyRef(issuer="own", subject="app", key="db-3")
SIGNING = KeyRef(issuer="own", subject="sign-in", key="kid-2")
LLM = KeyRef(issuer="openai", subject="proj_main", key="key_1")
WAITS = 0.3  # seconds that the client waits for an answer
_UP: list[AsyncExitStack] = []
Row = tuple[Any, ...]


class _Opened:
    """The client of the server that is up by the time somebody asks."""

    def __init__(self) -> None:
        self.client: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


def _store(played: Stage) -> GoogleSecrets:
    opened = played.app.state.secrets = getattr(played.app.state, "secrets", None) or _Opened()
    return GoogleSecrets(opened, "acme", timeout=WAITS)


def _issuers(played: Stage) -> Issuers:
    bare = {"Accept": "application/json"}
    openai = OpenAiAdmin(played.client("/openai"), played.client("/openai", **bare))
    return Issuers({"own": OwnIssuer(played.client("/credentials")), "openai": openai})


def _served(order: Callable[[Stage], Order]) -> Callable[[Stage], Awaitable[Order]]:
    """The order, once the store of this world is up."""

    async def made(played: Stage) -> Order:
        while _UP:
            await _UP.pop().aclose()
        stack = AsyncExitStack()
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(await stack.enter_async_context(secret_manager(played.world))))
        played.app.state.secrets = getattr(played.app.state, "secrets", None) or _Opened()
        played.app.state.secrets.client = SecretManagerServiceAsyncClient(
            transport=SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
        )
        _UP.append(stack)
        return order(played)

    return made


def _forgetting(played: Stage) -> Order:
    """The key is revoked, and a verifier lets it in from its cache."""
    there = credentials(played.world.state, played.world.clock.now())
    revoke(there, played.world.state.fleet, there.keys[SIGNING.key], played.world.clock.now())
    return ForgetKey(credential="signing", verifier=GATEWAY, key=SIGNING, secret="SIGNING_KEY", version=2)


def _another(name: str, old: KeyRef, secret: str) -> Callable[[Stage], Order]:
    return lambda played: MintReplacement(
        credential=name,
        old=old,
        secret=secret,
        label=f"{INCIDENT}/{name}",
        scopes=("read",),
        lasting=timedelta(days=30),
        at=played.call().at,
    )


def _replacements(played: Stage) -> Replacements:
    return Replacements(_issuers(played), _store(played), FollowingClock())


def _living(played: Stage) -> int:
    """Keys under a label of ours that let somebody in."""
    there = credentials(played.world.state, played.world.clock.now())
    return sum(INCIDENT in one.label and one.revoked is None for one in there.keys.values())


CREDENTIALS: dict[str, Row] = {
    "revoked key of our own issuer": (
        "KeyRevocations", KeyRevocations.create, lambda played: KeyRevocations(_issuers(played)),
        _served(lambda played: RevokeKey(credential="database", key=DATABASE, exposure=Exposure.CONFIRMED)), "credentials.keys.revoke",
        "credentials.keys.get",
    ),
    "revoked key of openai": (
        "KeyRevocations", KeyRevocations.create, lambda played: KeyRevocations(_issuers(played)),
        _served(lambda played: RevokeKey(credential="llm-main", key=LLM, exposure=Exposure.CONFIRMED, was_alive=True)),
        "openai.api_keys.delete", "openai.api_keys.list",
    ),
    "disabled version in the secret manager": (
        "Disabling", Disabling.create, lambda played: Disabling(_store(played)),
        _served(lambda played: DisableVersion(secret="DATABASE_URL", version=3, dead=True)), "secretmanager.versions.disable",
        "secretmanager.versions.list",
    ),
    "verifier that forgets": (
        "Forgetting", Forgetting.create, lambda played: Forgetting(CredentialsPlane(played.client("/credentials")), _store(played)),
        _served(_forgetting), "credentials.verifiers.forget", "credentials.verifiers.check",
    ),
    "replacement by our own issuer": (
        "Replacements", Replacements.create, _replacements, _served(_another("database", DATABASE, "DATABASE_URL")), "credentials.keys.make",
        "credentials.keys.list", _living,
    ),
    "replacement by openai": (
        "Replacements", Replacements.create, _replacements, _served(_another("llm-main", LLM, "OPENAI_API_KEY")),
        "openai.service_accounts.create", "openai.api_keys.list", _living,
    ),
}  # fmt: skip
