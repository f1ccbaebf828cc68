"""Where secrets are kept: Google Secret Manager."""

from typing import Literal

from activities.action import Refused
from activities.secrets.google import GoogleSecrets
from activities.secrets.store import SecretStore
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, setting

ADDRESS = "secretmanager.googleapis.com"


class SecretManagerSettings(ClientSettings):
    secret_manager_project: str = setting(about="the project that holds the secrets", needed=True, example="acme-production")
    secret_manager_address: str = setting(ADDRESS, "host, or host:port")
    secret_manager_tls: Literal["tls", "none"] = setting("tls", "tls, with Application Default Credentials; or none")
    secret_manager_probe: str = setting("incident-doctor", "a secret whose versions are listed for a look from outside")


def _open(opening: Opening) -> GoogleSecrets:
    given = opening.settings
    if opening.missing:
        return GoogleSecrets(None, "", missing=opening.missing)
    import grpc  # noqa: PLC0415 - a quarter of a second, for those who use it
    from google.api_core.client_options import ClientOptions  # noqa: PLC0415
    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient as Client  # noqa: PLC0415
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (  # noqa: PLC0415
        SecretManagerServiceGrpcAsyncIOTransport as Transport,
    )

    if given.secret_manager_tls == "none":  # noqa: S105 - no secret
        channel = grpc.aio.insecure_channel(given.secret_manager_address)
        opening.build.stack.push_async_callback(channel.close)
        client = Client(transport=Transport(channel=channel))
    else:
        client = Client(client_options=ClientOptions(api_endpoint=given.secret_manager_address))
    return GoogleSecrets(client, given.secret_manager_project, timeout=given.client_timeout)


async def _probe(store: GoogleSecrets, look: Look) -> Seen:
    named = look.settings.secret_manager_probe
    try:
        found = await store.versions(look.call, named)
    except Refused as no:
        if "NOT_FOUND" not in no.message:
            raise
        return Seen(f"it answers; there is no secret {named} in {look.settings.secret_manager_project}")
    return Seen(f"the secret {named} has {len(found)} versions")


CLIENT = ClientInfo("secret manager", GoogleSecrets, SecretManagerSettings, _probe, _open)
STORE: Port[SecretStore] = Port("secrets", SecretStore, (CLIENT,))  # type: ignore[type-abstract]  # the port
SYSTEM = SystemInfo(STORE)
