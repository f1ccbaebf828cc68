"""A world with its secrets behind a real gRPC server, for the official client, and the systems that stand on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcAsyncIOTransport

from activities.credentials.inventory import Inventory
from activities.credentials.issuers import Issuers, KeyRevocations, Surveys
from activities.credentials.issuing.github_tokens import GitHubTokens
from activities.credentials.issuing.google_keys import GoogleKeys
from activities.credentials.issuing.openai_admin import OpenAiAdmin
from activities.credentials.issuing.own import OwnIssuer
from activities.credentials.orders import Credential, CredentialOf, Exposure, MintReplacement, RevokeKey, TryKey
from activities.credentials.plane import CredentialsPlane
from activities.credentials.replacements import Replacements
from activities.credentials.verifiers import Forgetting, NegativeTests
from activities.secrets.google import GoogleSecrets
from activities.secrets.store import Disabling, Secrets
from practice.credentials.cast import credentials
from practice.credentials.model import Credentials, Key
from practice.stores.secret_manager import secret_manager
from tests.activities.kit.stage import INCIDENT, FollowingClock, Stage, attempt, stage

WAITS = 0.5  # seconds that the client waits for an answer


class Vaulted:
    """Everything of credentials, over one world."""

    def __init__(self, played: Stage, store: GoogleSecrets) -> None:
        self.stage, self.store, clock = played, store, FollowingClock()
        plane = CredentialsPlane(played.client("/credentials"))
        bare = {"Accept": "application/json"}
        self.issuers = Issuers(
            {
                "own": OwnIssuer(played.client("/credentials")),
                "openai": OpenAiAdmin(played.client("/openai"), played.client("/openai", **bare)),
                "github": GitHubTokens(played.client("/github"), played.client("/github", **bare)),
                "google": GoogleKeys(played.client("/iam")),
            }
        )
        self.inventory, self.surveys = Inventory(plane), Surveys(self.issuers, store)
        self.revocations, self.tests = KeyRevocations(self.issuers), NegativeTests(self.issuers, plane, store)
        self.forgetting, self.replacements = Forgetting(plane, store), Replacements(self.issuers, store, clock)
        self.secrets, self.disabling = Secrets(store), Disabling(store)

    @property
    def there(self) -> Credentials:
        """As it is now: the state is another after each write."""
        return credentials(self.stage.world.state, self.stage.world.clock.now())

    def living(self, issuer: str, label: str = "") -> list[Key]:
        """Keys that let somebody in, under a label."""
        return [one for one in self.there.keys.values() if one.issuer == issuer and one.revoked is None and label in one.label]

    async def credential(self, name: str) -> Credential:
        known = await attempt(Inventory.find, self.inventory, CredentialOf(credential=name), self.stage.call())
        return known.credential  # type: ignore[no-any-return]

    async def revoking(self, name: str, **more: Any) -> RevokeKey:
        one = await self.credential(name)
        return RevokeKey(credential=name, key=one.ref, exposure=Exposure.CONFIRMED, was_alive=True, **more)

    async def trying(self, name: str, version: int | None) -> TryKey:
        one = await self.credential(name)
        return TryKey(credential=name, key=one.ref, verifiers=one.verifiers, secret=one.secret, version=version, was_alive=True)

    async def minting(self, name: str) -> MintReplacement:
        one = await self.credential(name)
        return MintReplacement(
            credential=name, old=one.ref, secret=one.secret, label=label(name), scopes=one.needed, lasting=timedelta(days=30),
            at=self.stage.call().at,
        )  # fmt: skip


def label(name: str) -> str:
    return f"{INCIDENT}/{name}"


@asynccontextmanager
async def vaulted() -> AsyncIterator[Vaulted]:
    played = stage()
    async with secret_manager(played.world) as address, grpc.aio.insecure_channel(address) as channel:
        client = SecretManagerServiceAsyncClient(transport=SecretManagerServiceGrpcAsyncIOTransport(channel=channel))
        yield Vaulted(played, GoogleSecrets(client, "acme", timeout=WAITS))
