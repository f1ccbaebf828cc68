"""The words of sign-in: its settings, where they are in our own sign-in and in Keycloak, and what a person types."""

from typing import Any, Literal, Self

from activities.kit.rest import Json, RestResource
from activities.kit.setting import SettingValue
from activities.kit.words.shell import Command, Var, address, curl
from activities.kit.words.urls import path

AUTH, AUTH_TOKEN = Var("AUTH_URL"), Var("AUTH_TOKEN")
KEYCLOAK, KEYCLOAK_TOKEN = Var("KEYCLOAK_URL"), Var("KEYCLOAK_TOKEN")
OF = ("api", "v1", "auth")
STEP_UP_FLOW = "browser-second-factor"  # the flow of Keycloak that asks for it; whoever runs Keycloak has made it
USUAL_FLOW = "browser"
Store = Literal["sign-in", "keycloak sign-in"]
KEYCLOAK_STORE: Store = "keycloak sign-in"


def store(systems: dict[str, str]) -> Store:
    """As `[policy.systems] sign_in` says."""
    return KEYCLOAK_STORE if systems.get("sign_in") == KEYCLOAK_STORE else "sign-in"


def realm(tenant: str, *below: str) -> str:
    return path("admin", "realms", tenant, *below)


class SignInResource(RestResource):
    """A setting of one tenant. `store`: who keeps it; a person's commands depend on it."""

    base, token = AUTH, AUTH_TOKEN

    tenant: str
    store: Store = "sign-in"

    @property
    def path(self) -> str:
        return path(*OF, *self.parts())

    def target(self) -> str:
        return f"sign-in/{self.tenant}/{self.parts()[0]}"

    def in_realm(self, value: Any) -> Json:
        """The fields of a Keycloak realm that say the same."""
        raise NotImplementedError

    def read_by_hand(self) -> tuple[str, ...]:
        return (self._realm("GET"),) if self.store == KEYCLOAK_STORE else super().read_by_hand()

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        return (self._realm("PUT", self.in_realm(value)),) if self.store == KEYCLOAK_STORE else super().write_by_hand(value, prior)

    def _realm(self, method: str, body: Json | None = None) -> Command:
        return curl(method, address(KEYCLOAK, realm(self.tenant)), ("Authorization: Bearer ", KEYCLOAK_TOKEN), body=body)


class FactorOf(SignInResource, path="step-up/{tenant}", called="sign-in of {tenant}"):
    def body(self, value: Any) -> Json:
        return {"asked": value.asked}

    def in_realm(self, value: "SecondFactor") -> Json:
        return {"browserFlow": STEP_UP_FLOW if value.asked else value.flow or USUAL_FLOW}


class SecondFactor(SettingValue):
    """Whether it is asked for. `flow`: by what Keycloak signs in, where it is not."""

    asked: bool = False
    flow: str = ""

    def __str__(self) -> str:
        return "asks for a second factor" if self.asked else "asks for no second factor"

    def same(self, other: Self) -> bool:
        return self.asked == other.asked

    def effect(self, of: FactorOf) -> str:
        without = "; whoever has none must set one up first" if self.asked else ""
        return f"{of} {self}{without}"

    def back(self, of: FactorOf) -> str:
        return f"{of} {self} any more" if not self.asked else f"{of} {self}, as it did"

    def both(self, other: Self) -> Self:
        return self if self.asked else other


class AttemptsOf(SignInResource, path="limits/{tenant}", called="attempts to sign in to {tenant}"):
    def in_realm(self, value: "Attempts") -> Json:
        """Per address Keycloak has no limit: the edge has."""
        if value.per_account is None:
            return {"bruteForceProtected": False}
        return {"bruteForceProtected": True, "failureFactor": value.per_account}


class Attempts(SettingValue):
    """In a minute; None: as many as anybody likes."""

    per_account: int | None = None
    per_address: int | None = None

    def __str__(self) -> str:
        said = [f"{n} a minute {what}" for n, what in ((self.per_account, "for an account"), (self.per_address, "from an address")) if n]
        return " and ".join(said) or "unlimited"

    @property
    def felt(self) -> bool:
        return False

    def effect(self, of: AttemptsOf) -> str:
        return f"limit {of} to {self}" if self.per_account or self.per_address else f"{of} are {self}"

    def back(self, of: AttemptsOf) -> str:
        return f"{of} are {self} again"

    def met(self, now: Self) -> bool:
        return all(
            theirs is not None and theirs <= ours if ours is not None else True
            for ours, theirs in ((self.per_account, now.per_account), (self.per_address, now.per_address))
        )

    def both(self, other: Self) -> Self:
        """The tighter of each."""
        return type(self)(per_account=_least(self.per_account, other.per_account), per_address=_least(self.per_address, other.per_address))


def _least(one: int | None, other: int | None) -> int | None:
    return min((n for n in (one, other) if n is not None), default=None)
