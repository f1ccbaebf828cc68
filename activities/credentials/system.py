"""The inventory of credentials, those who check them, and their issuers. Which issuer a key has, the inventory says."""

from activities.credentials.evidence import CredentialEvidence
from activities.credentials.issuers import Issuer, Issuers, KeyRevocations, Surveys
from activities.credentials.issuing.github_tokens import GitHubTokens
from activities.credentials.issuing.google_keys import GoogleKeys
from activities.credentials.issuing.openai_admin import OpenAiAdmin
from activities.credentials.issuing.own import OwnIssuer
from activities.credentials.orders import KeyRef
from activities.credentials.plane import CredentialsPlane
from activities.credentials.replacements import Replacements
from activities.credentials.verifiers import NegativeTests
from activities.evidence.store import EvidenceStore
from activities.kit.clock import Clock
from activities.secrets.store import SecretStore
from activities.systems import Build, ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret, setting


class CredentialsSettings(ClientSettings):
    credentials_url: str = setting(
        about="the inventory of credentials, and those who check them", needed=True, example="https://credentials.example.com",
        practice="{url}/credentials",
    )  # fmt: skip
    credentials_token: str = secret()


class OwnIssuerSettings(ClientSettings):
    own_issuer_url: str = setting(
        about="the issuer of our own keys", needed=True, example="https://keys.example.com", practice="{url}/credentials"
    )
    own_issuer_token: str = secret("that may make keys and revoke them")
    own_issuer_probe: str = setting("incident-doctor", "the id of a key that is looked for, for a look from outside")


class OpenAiSettings(ClientSettings):
    openai_admin_url: str = setting("https://api.openai.com", practice="{url}/openai")
    openai_admin_token: str = secret("an admin key of the organisation")
    openai_admin_project: str = setting("", "a project whose keys are listed for a look from outside", practice="proj_main")


class GitHubTokensSettings(ClientSettings):
    github_tokens_url: str = setting("https://api.github.com", practice="{url}/github")
    github_tokens_token: str = secret("of a GitHub app that may write the organisation's personal access tokens")
    github_tokens_org: str = setting("", "the organisation whose tokens are listed for a look from outside", practice="acme")


class GoogleKeysSettings(ClientSettings):
    google_keys_url: str = setting("https://iam.googleapis.com", practice="{url}/iam")
    google_keys_token: str = secret("or adc: Google's Application Default Credentials, which renew themselves")
    google_keys_account: str = setting(
        "", "a service account whose keys are listed for a look from outside", practice="deployer@acme.iam.gserviceaccount.com"
    )


NO_TOKEN = "none"  # noqa: S105 - the name of a setting that there is not: nothing of ours is sent along


def _openai(opening: Opening) -> OpenAiAdmin:
    return OpenAiAdmin(opening.http("openai_admin"), opening.http("openai_admin", token=NO_TOKEN))


def _github(opening: Opening) -> GitHubTokens:
    return GitHubTokens(opening.http("github_tokens"), opening.http("github_tokens", token=NO_TOKEN))


async def _probe(plane: CredentialsPlane, look: Look) -> Seen:
    said = await plane.get(look.call, "/v1/inventory")
    return Seen(f"knows {len(said['credentials'])} credentials")


async def _probe_own(issuer: OwnIssuer, look: Look) -> Seen:
    seen = await issuer.seen(look.call, KeyRef(issuer="own", subject="", key=look.settings.own_issuer_probe))
    return Seen("it answers" if seen.alive is None else f"{look.settings.own_issuer_probe} is {'alive' if seen.alive else 'revoked'}")


async def _probe_openai(issuer: OpenAiAdmin, look: Look) -> Seen:
    project = look.settings.openai_admin_project
    await issuer.seen(look.call, KeyRef(issuer="openai", subject=project, key=""))
    return Seen(f"lists the keys of {project}")


async def _probe_github(issuer: GitHubTokens, look: Look) -> Seen:
    org = look.settings.github_tokens_org
    await issuer.seen(look.call, KeyRef(issuer="github", subject=org, key=""))
    return Seen(f"lists the tokens of {org}")


async def _probe_google(issuer: GoogleKeys, look: Look) -> Seen:
    account = look.settings.google_keys_account
    await issuer.seen(look.call, KeyRef(issuer="google", subject=account, key=""))
    return Seen(f"lists the keys of {account}")


PLANE = ClientInfo("credentials", CredentialsPlane, CredentialsSettings, _probe)
OWN = ClientInfo("own issuer", OwnIssuer, OwnIssuerSettings, _probe_own)
OPENAI = ClientInfo("openai admin", OpenAiAdmin, OpenAiSettings, _probe_openai, _openai)
GITHUB = ClientInfo("github tokens", GitHubTokens, GitHubTokensSettings, _probe_github, _github)
GOOGLE = ClientInfo("google keys", GoogleKeys, GoogleKeysSettings, _probe_google)


def _issuers(build: Build) -> Issuers:
    clients: dict[str, Issuer] = {
        "own": build.client(OWN), "openai": build.client(OPENAI), "github": build.client(GITHUB), "google": build.client(GOOGLE),
    }  # fmt: skip
    return Issuers(clients)


SYSTEM = SystemInfo(
    PLANE, OWN, OPENAI, GITHUB, GOOGLE,
    built={
        Surveys: lambda build: Surveys(_issuers(build), build.part(SecretStore)),  # type: ignore[type-abstract]  # the port
        CredentialEvidence: lambda build: CredentialEvidence(_issuers(build), build.part(EvidenceStore)),
        KeyRevocations: lambda build: KeyRevocations(_issuers(build)),
        NegativeTests: lambda build: NegativeTests(_issuers(build), build.part(CredentialsPlane), build.part(SecretStore)),  # type: ignore[type-abstract]
        Replacements: lambda build: Replacements(_issuers(build), build.part(SecretStore), build.part(Clock)),  # type: ignore[type-abstract]
    },
)  # fmt: skip
