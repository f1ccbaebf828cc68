"""The rows of sign-in: a second factor, limits of attempts; in our own sign-in and in Keycloak."""

from activities.sign_in.auth import OwnSignIn
from activities.sign_in.factors import SecondFactors
from activities.sign_in.keycloak import KeycloakSignIn
from activities.sign_in.limits import SignInLimits
from activities.sign_in.port import SignInStore
from activities.sign_in.words import Attempts, AttemptsOf, FactorOf, SecondFactor
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage

TENANT = "canary-eu-1"


def store(played: Stage, name: str) -> SignInStore:
    return OwnSignIn(played.client("/auth")) if name == "sign-in" else KeycloakSignIn(played.client("/keycloak"))


def factors(name: str) -> Practised:
    own = name == "sign-in"

    def make(played: Stage, clock: LandingClock) -> SecondFactors:
        return SecondFactors(store(played, name))

    return Practised(
        make, FactorOf(tenant=TENANT, store=name), SecondFactor(asked=True), None, "auth.step_up.put" if own else "keycloak.realm.update",
        "" if own else "keycloak.realm", fenced=own, author="lee" if own else "somebody", by_curl=own,
    )  # fmt: skip


def limits(name: str) -> Practised:
    own = name == "sign-in"

    def make(played: Stage, clock: LandingClock) -> SignInLimits:
        return SignInLimits(store(played, name))

    wanted = Attempts(per_account=5, per_address=60) if own else Attempts(per_account=5)
    return Practised(
        make, AttemptsOf(tenant=TENANT, store=name), wanted, Attempts(per_account=9), "auth.limits.put" if own else "keycloak.realm.update",
        "" if own else "keycloak.realm", fenced=own, author="lee" if own else "somebody", by_curl=own,
    )  # fmt: skip


SIGN_IN = {
    "second factor in our own sign-in": factors("sign-in"),
    "second factor in keycloak sign-in": factors("keycloak sign-in"),
    "attempts in our own sign-in": limits("sign-in"),
    "attempts in keycloak sign-in": limits("keycloak sign-in"),
}
