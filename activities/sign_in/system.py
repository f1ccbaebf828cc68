"""Sign-in: `[policy.systems] sign_in` in organisation.toml chooses; addresses and tokens are those of `activities/sessions`."""

from activities.sessions.system import AuthSettings, KeycloakSettings
from activities.sign_in.auth import OwnSignIn
from activities.sign_in.keycloak import KeycloakSignIn
from activities.sign_in.port import SignInStore
from activities.sign_in.words import FactorOf
from activities.systems import ClientInfo, Look, Opening, Port, Seen, SystemInfo


async def _probe(auth: OwnSignIn, look: Look) -> Seen:
    tenant = look.settings.auth_tenant
    return Seen(f"sign-in of {tenant} {(await auth.factor(look.call, FactorOf(tenant=tenant))).value}")


async def _probe_keycloak(keycloak: KeycloakSignIn, look: Look) -> Seen:
    tenant = look.settings.keycloak_realm
    asks = await keycloak.asks(look.call, tenant)
    return Seen(f"realm {tenant} {'asks' if asks else 'does not ask'} for a second factor")


def _auth(opening: Opening) -> OwnSignIn:
    return OwnSignIn(opening.http("auth"))


def _keycloak(opening: Opening) -> KeycloakSignIn:
    return KeycloakSignIn(opening.http("keycloak"))


AUTH = ClientInfo("sign-in", OwnSignIn, AuthSettings, _probe, _auth)
KEYCLOAK = ClientInfo("keycloak sign-in", KeycloakSignIn, KeycloakSettings, _probe_keycloak, _keycloak)
SYSTEM = SystemInfo(Port("sign_in", SignInStore, (AUTH, KEYCLOAK)))
