"""The words of credentials: what one is, how sure it is that somebody else has it, and what is wanted of its issuer (A.10, Annex B 2.10)."""

from datetime import datetime, timedelta
from enum import StrEnum

from activities.action import Limits, Order, Risk, Value
from activities.kit.rest import RestLook
from activities.kit.words.shell import Command, Var, address, command, comment, curl, gcloud
from activities.kit.words.urls import path

PLANE, PLANE_TOKEN = Var("CREDENTIALS_URL"), Var("CREDENTIALS_TOKEN")
OPENAI, OPENAI_TOKEN = Var("OPENAI_ADMIN_URL"), Var("OPENAI_ADMIN_TOKEN")


class CredentialsLook(RestLook, target="credential/{credential}"):
    base, token = PLANE, PLANE_TOKEN

    credential: str


class CredentialOf(CredentialsLook, effect="look {credential} up in the inventory", path="inventory/{credential}"):
    """Where it is, and who uses it. `credential`: its name in the inventory, in the store, or at its issuer."""


class ReachOf(CredentialsLook, effect="find everything that whoever holds {credential} can read", path="inventory/{credential}/reach"):
    """The blast set, with what was derived and what nobody uses."""


class Exposure(StrEnum):
    """How sure it is that somebody else has it. It decides whether it is revoked first, or replaced first (INV-2)."""

    CONFIRMED = "confirmed"
    PUBLIC = "public"
    SUSPECTED = "suspected"
    HYGIENE = "hygiene"

    @property
    def revoke_first(self) -> bool:
        return self in (Exposure.CONFIRMED, Exposure.PUBLIC)


class Danger(StrEnum):
    """What it opens: the most dangerous go first."""

    IDENTITY = "identity admin"
    CLOUD = "cloud admin"
    SIGNING = "signing"
    DATA = "data store"
    CI = "ci"
    LLM = "llm provider"
    OBSERVABILITY = "observability"

    @property
    def rank(self) -> int:
        return list(Danger).index(self)


class KeyRef(Value):
    """A key by its issuer's own name of it."""

    issuer: str
    subject: str
    key: str

    def __str__(self) -> str:
        return f"{self.key} of {self.subject} at {self.issuer}"


class Credential(Value):
    """A row of the inventory. `secret`: its name in the store, empty where it is kept elsewhere; `needed`: the scopes that its users need."""

    id: str
    issuer: str
    key: str
    subject: str
    danger: Danger
    secret: str = ""
    scopes: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    consumers: tuple[str, ...] = ()
    verifiers: tuple[str, ...] = ()
    owner: str = ""
    customer: str = ""
    personal_data: bool = False
    environment: str = ""
    in_use_by: tuple[str, ...] = ()

    @property
    def ref(self) -> KeyRef:
        return KeyRef(issuer=self.issuer, subject=self.subject, key=self.key)

    @property
    def unlisted(self) -> tuple[str, ...]:
        """Services that serve by it, and stand in no list."""
        return tuple(one for one in self.in_use_by if one not in self.consumers)

    @property
    def users(self) -> tuple[str, ...]:
        """Everybody who would stand still without it."""
        return tuple(dict.fromkeys((*self.consumers, *self.in_use_by)))


class Known(Value):
    """What the inventory says of a name. None: nothing; then nobody knows what it opens."""

    credential: Credential | None


class Reach(Value):
    """Everything that could be read with it. `unread`: where nobody could look; `unknown`: what is named, and stands in no inventory."""

    credentials: tuple[Credential, ...]
    read: tuple[str, ...]
    unread: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        named = ", ".join(one.id for one in self.credentials) or "nothing else"
        gaps = f"; not checked: {', '.join(self.unread)}" if self.unread else ""
        more = f"; in no inventory: {', '.join(self.unknown)}" if self.unknown else ""
        return f"can be read with it: {named}; looked for in {', '.join(self.read) or 'no source'}{gaps}{more}"


class SurveyOf(Order, target="credential/{credential.id}", effect="ask the issuer of {credential.id} whether it is alive, and who uses it"):
    credential: Credential

    def by_hand(self) -> tuple[str, ...]:
        return seen_by_hand(self.credential.ref)


class Survey(Value):
    """A key at its issuer. `alive` None: nobody can say. `uses`: who was let in by it, and when last. `version`: of the secret that holds it.

    `mints`: its issuer makes keys by an interface; where not, a person makes the next one."""

    alive: bool | None
    uses: dict[str, datetime] = {}
    version: int | None = None
    mints: bool = False

    def used_since(self, since: datetime) -> tuple[str, ...]:
        return tuple(sorted(name for name, at in self.uses.items() if at > since))


class RevokeKey(Order, target="credential/{credential}"):
    """`stops`: services that stand still until they have another one. `exposure`: why. `replaced`: every user has another one, and it was seen.
    `was_alive`: it was seen alive at its issuer, so that it is revoked when it is not listed there any more. `secret`: its name in the store."""

    undone = "never: a revoked key is not brought back. Another one is made in its place"

    credential: str
    key: KeyRef
    exposure: Exposure
    stops: tuple[str, ...] = ()
    replaced: bool = False
    was_alive: bool = False
    secret: str = ""

    def assets(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.credential, self.secret)))

    def effect(self) -> str:
        impact = f"; {', '.join(self.stops)} stand still until they have another one" if self.stops and not self.replaced else ""
        return f"revoke {self.key} ({self.credential}) at its issuer, for good{impact}"

    def within_limits(self, limits: Limits) -> bool:
        """What two people sign beforehand is only for what is surely in wrong hands (spec §2.5.6)."""
        return self.exposure.revoke_first

    def by_hand(self) -> tuple[str, ...]:
        return (*revoke_by_hand(self.key), comment("then try it once, from a clean machine: it must be refused (401)"))


def risk_of_revoking(order: RevokeKey, _limits: Limits) -> Risk:
    """Narrow where it is surely in wrong hands, or nobody needs it any more; broad where it is an outage, or only a suspicion."""
    if order.replaced:
        return Risk.C1
    return Risk.C1 if order.exposure.revoke_first and not order.stops else Risk.C2


class TryKey(Order, target="credential/{credential}"):
    """A negative test. `secret` and `version`: where the key itself can be read for it; without, the issuer's word must do."""

    credential: str
    key: KeyRef
    verifiers: tuple[str, ...] = ()
    secret: str = ""
    version: int | None = None
    was_alive: bool = False

    def effect(self) -> str:
        places = " and ".join((self.key.issuer, *self.verifiers))
        return f"try {self.key.key} ({self.credential}) at {places}: it must be refused"

    def by_hand(self) -> tuple[str, ...]:
        return (*seen_by_hand(self.key), *(check_by_hand(one) for one in self.verifiers))


class Tried(Value):
    """What came of it. `by_value`: the key itself was shown; else only its issuer was asked. Unknown: no place that answered with yes or no."""

    refused: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    by_value: bool = False

    @property
    def dead(self) -> bool:
        """Refused everywhere, with an answer from each."""
        return bool(self.refused) and not self.accepted and not self.unknown

    @property
    def summary(self) -> str:
        said = [f"refused by {', '.join(self.refused)}"] if self.refused else []
        said += [f"still let in by {', '.join(self.accepted)}"] if self.accepted else []
        said += [f"no answer from {', '.join(self.unknown)}"] if self.unknown else []
        return "; ".join(said) + ("" if self.by_value else " (by the issuer's word: the key itself is not in our store)")


class ForgetKey(
    Order, target="verifier/{verifier}", effect="let {verifier} forget what it has learnt, so that it asks the issuer of {credential} again"
):
    undone = "nothing to undo: it learns again, from the issuer"

    credential: str
    verifier: str
    key: KeyRef
    secret: str
    version: int

    def by_hand(self) -> tuple[str, ...]:
        url = address(PLANE, path("v1", "verifiers", self.verifier, "forget"))
        return (curl("POST", url, ("Authorization: Bearer ", PLANE_TOKEN)), check_by_hand(self.verifier))


class MintReplacement(Order, target="credential/{credential}/replacement"):
    """A key under our label, at the same issuer, and its value in a new version of the secret. It never passes through us in writing."""

    undone = "revoke it: nobody has it yet"

    credential: str
    old: KeyRef
    secret: str
    label: str
    scopes: tuple[str, ...]
    lasting: timedelta
    at: datetime  # when it was decided: what issuers without labels have made since may be ours

    def effect(self) -> str:
        scopes = f"the scopes {', '.join(self.scopes)}" if self.scopes else "no scope of its own"
        return f"make another key for {self.credential}, with {scopes}, and keep it in {self.secret}"

    def by_hand(self) -> tuple[str, ...]:
        said = f"make a key for {self.old.subject} at {self.old.issuer}, called {self.label}, from a clean machine; then:"
        add = gcloud("secrets", "versions", "add", self.secret, "--data-file=-", ("--project=", Var("SECRET_MANAGER_PROJECT")))
        return (comment(said), add)


class LabelledKeys(
    Order, target="credential/{credential}/replacement", effect="count the living keys under our label for {credential}: one, and no more"
):  # fmt: skip
    """Whether a second one came, late."""

    credential: str
    old: KeyRef
    label: str

    def by_hand(self) -> tuple[str, ...]:
        return seen_by_hand(self.old)


class Labelled(Value):
    keys: tuple[str, ...]


def seen_by_hand(key: KeyRef) -> tuple[Command, ...]:
    match key.issuer:
        case "openai":
            return (_openai("GET", key, "api_keys", key.key),)
        case "github":
            return (command("gh", "api", path("orgs", key.subject, "personal-access-tokens").lstrip("/")),)
        case "google":
            return (gcloud("iam", "service-accounts", "keys", "list", f"--iam-account={key.subject}"),)
        case _:
            return (curl("GET", address(PLANE, path("v1", "keys", key.key)), ("Authorization: Bearer ", PLANE_TOKEN)),)


def revoke_by_hand(key: KeyRef) -> tuple[Command, ...]:
    match key.issuer:
        case "openai":
            said = comment("a key of a service account goes with its account: delete that instead")
            return (_openai("DELETE", key, "api_keys", key.key), said)
        case "github":
            of = path("orgs", key.subject, "personal-access-tokens", key.key).lstrip("/")
            return (command("gh", "api", "-X", "POST", of, "-f", "action=revoke"),)
        case "google":
            return (gcloud("iam", "service-accounts", "keys", "delete", key.key, f"--iam-account={key.subject}"),)
        case _:
            return (curl("POST", address(PLANE, path("v1", "keys", key.key, "revoke")), ("Authorization: Bearer ", PLANE_TOKEN)),)


def check_by_hand(verifier: str) -> Command:
    url = address(PLANE, path("v1", "verifiers", verifier, "check"))
    return curl("POST", url, ("Authorization: Bearer ", PLANE_TOKEN), ("X-Credential: ", Var("OLD_KEY")))


def _openai(method: str, key: KeyRef, *below: str) -> Command:
    url = address(OPENAI, path("v1", "organization", "projects", key.subject, *below))
    return curl(method, url, ("Authorization: Bearer ", OPENAI_TOKEN))
