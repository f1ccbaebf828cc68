"""Where users sign in: `[policy.systems] sessions` in organisation.toml chooses."""

from activities.sessions.auth import AuthService
from activities.sessions.auth0 import Auth0
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


class Auth0Settings(ClientSettings):
    auth0_url: str = setting(
        about="of the tenant at Auth0; our tenants are its organisations", needed=True, example="https://acme.eu.auth0.com",
        practice="{url}/auth0",
    )  # fmt: skip
    auth0_token: str = secret("of the Management API: read:organization_members, read and delete of sessions and refresh_tokens")
    auth0_organisation: str = setting("canary-eu-1", "an organisation that is read for a look from outside")


async def _probe(auth: AuthService, look: Look) -> Seen:
    tenant = look.settings.auth_tenant
    return Seen(f"{len(await auth.alive(look.call, tenant))} sessions of {tenant} are alive")


async def _probe_keycloak(keycloak: Keycloak, look: Look) -> Seen:
    realm = await keycloak.realm(look.call, look.settings.keycloak_realm)
    return Seen(f"realm {realm['realm']} is {'enabled' if realm['enabled'] else 'disabled'}")


async def _probe_auth0(auth0: Auth0, look: Look) -> Seen:
    organisation = await auth0.organisation(look.call, look.settings.auth0_organisation)
    return Seen(f"knows the organisation {organisation['name']}")


def _auth(opening: Opening) -> AuthService:
    return AuthService(opening.http("auth"))


def _keycloak(opening: Opening) -> Keycloak:
    return Keycloak(opening.http("keycloak"))


AUTH = ClientInfo("auth", AuthService, AuthSettings, _probe, _auth)
KEYCLOAK = ClientInfo("keycloak", Keycloak, KeycloakSettings, _probe_keycloak, _keycloak)
AUTH0 = ClientInfo("auth0", Auth0, Auth0Settings, _probe_auth0)
SYSTEM = SystemInfo(Port("sessions", SessionStore, (AUTH, KEYCLOAK, AUTH0)))
