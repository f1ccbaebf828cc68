"""Where users sign in: `[policy.systems] sessions` in organisation.toml chooses."""

from activities.sessions.auth import AuthService
from activities.sessions.keycloak import Keycloak
from activities.sessions.sessions import SessionStore
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting


class AuthSettings(ClientSettings):
    auth_url: str = setting(about="sign-in of our own product", needed=True, example="https://auth.example.com", practice="{url}/auth")
    auth_token: str = secret("of an administrator of sign-in")
    auth_tenant: str = setting("canary-eu-1", "a tenant whose sessions are counted for a look from outside")


class KeycloakSettings(ClientSettings):
    keycloak_url: str = setting(
        about="a realm for each tenant, called as the tenant is", needed=True, example="https://sso.example.com", practice="{url}/keycloak"
    )
    keycloak_token: str = secret("of a service account with manage-users in the realms")
    keycloak_realm: str = setting("canary-eu-1", "a realm that is read for a look from outside")


async def _probe(auth: AuthService, look: Look) -> Seen:
    tenant = look.settings.auth_tenant
    return Seen(f"{len(await auth.alive(look.call, tenant))} sessions of {tenant} are alive")


async def _probe_keycloak(keycloak: Keycloak, look: Look) -> Seen:
    realm = await keycloak.realm(look.call, look.settings.keycloak_realm)
    return Seen(f"realm {realm['realm']} is {'enabled' if realm['enabled'] else 'disabled'}")


def _auth(opening: Opening) -> AuthService:
    return AuthService(opening.http("auth"))


def _keycloak(opening: Opening) -> Keycloak:
    return Keycloak(opening.http("keycloak"))


AUTH = ClientInfo("auth", AuthService, AuthSettings, _probe, _auth)
KEYCLOAK = ClientInfo("keycloak", Keycloak, KeycloakSettings, _probe_keycloak, _keycloak)
SYSTEM = SystemInfo(Port("sessions", SessionStore, (AUTH, KEYCLOAK)))
