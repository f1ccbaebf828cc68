"""Requests that would succeed: of issuers of keys, of those who check them, and of the secret store."""

from practice.credentials.cast import GATEWAY
from practice.world.stage import Stage
from tests.practice.examples import Example

OURS, OPENAI, GITHUB = "/credentials/v1", "/openai/v1/organization/projects/proj_main", "/github/orgs/acme/personal-access-tokens"
GOOGLE = "/iam/v1/projects/acme/serviceAccounts/deployer@acme.iam.gserviceaccount.com/keys"
SECRETS = "/secretmanager/v1/projects/acme/secrets"


async def credential_examples(stage: Stage) -> dict[str, Example]:
    """The writing routes of this room. A verifier believes in a key that is revoked, and can forget it; an account is there that can be deleted."""
    await stage.must("POST", f"{OURS}/keys/kid-2/revoke")
    account = (await stage.must("POST", f"{OPENAI}/service_accounts", {"name": "there"}))["id"]
    return {
        "credentials.keys.make": Example(
            "POST", f"{OURS}/keys", {"subject": "export", "label": "new", "scopes": ["read"], "lasting_seconds": 60.0}
        ),
        "credentials.keys.revoke": Example("POST", f"{OURS}/keys/exp-1/revoke"),
        "credentials.verifiers.forget": Example("POST", f"{OURS}/verifiers/{GATEWAY}/forget"),
        "github.personal_access_tokens.revoke": Example("POST", f"{GITHUB}/21", {"action": "revoke"}),
        "iam.serviceAccounts.keys.create": Example("POST", GOOGLE),
        "iam.serviceAccounts.keys.delete": Example("DELETE", f"{GOOGLE}/gk-1"),
        "openai.api_keys.delete": Example("DELETE", f"{OPENAI}/api_keys/key_1"),
        "openai.service_accounts.create": Example("POST", f"{OPENAI}/service_accounts", {"name": "new"}),
        "openai.service_accounts.delete": Example("DELETE", f"{OPENAI}/service_accounts/{account}"),
        "secretmanager.versions.add": Example("POST", f"{SECRETS}/EXPORT_TOKEN:addVersion", {"payload": {"data": "bmV3"}}),
        "secretmanager.versions.disable": Example("POST", f"{SECRETS}/EXPORT_TOKEN/versions/1:disable", {}),
        "secretmanager.versions.enable": Example("POST", f"{SECRETS}/DATABASE_URL/versions/2:enable", {}),
        "secretmanager.versions.destroy": Example("POST", f"{SECRETS}/SIGNING_KEY/versions/1:destroy", {}),
    }
