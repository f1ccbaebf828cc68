"""Events as GitHub words them (docs.github.com/webhooks), of a repository that is ours. No value of a secret is in any of them."""

import hashlib
import hmac
import json
from typing import Any

REPOSITORY = {"id": 1, "full_name": "acme/api", "private": True, "html_url": "https://github.com/acme/api"}
KEY = "a-key-of-the-webhook"  # no secret: it is only used here


def secret(action: str = "created", **alert: Any) -> dict[str, Any]:
    told = {
        "number": 42, "created_at": "2026-11-30T10:00:00Z", "updated_at": "2026-11-30T10:00:00Z", "state": "open",
        "secret_type": "openai_api_key", "secret_type_display_name": "OpenAI API Key", "validity": "active",
        "html_url": "https://github.com/acme/api/security/secret-scanning/42", "push_protection_bypassed": False,
        "resolution": None, "resolved_at": None, **alert,
    }  # fmt: skip
    return {"action": action, "alert": told, "repository": REPOSITORY, "sender": {"login": "github", "type": "User"}}


def dependabot(action: str = "created", *, severity: str = "high", scope: str = "runtime", withdrawn: str | None = None) -> dict[str, Any]:
    package = {"ecosystem": "pip", "name": "httpkit"}
    advisory = {
        "ghsa_id": "GHSA-q2x7-8rv6-6q7h", "cve_id": "CVE-2026-1111", "summary": "httpkit follows redirects", "severity": severity,
        "published_at": "2026-11-29T10:00:00Z", "withdrawn_at": withdrawn,
    }  # fmt: skip
    alert = {
        "number": 7, "state": "open", "dependency": {"package": package, "manifest_path": "requirements/run.txt", "scope": scope},
        "security_advisory": advisory, "security_vulnerability": {"package": package, "severity": severity},
        "created_at": "2026-11-30T09:00:00Z", "dismissed_at": None, "fixed_at": None,
    }  # fmt: skip
    return {"action": action, "alert": alert, "repository": REPOSITORY, "sender": {"login": "dependabot[bot]"}}


def advisory(action: str = "published", *, withdrawn: str | None = None, severity: str = "high") -> dict[str, Any]:
    told = {
        "ghsa_id": "GHSA-aaaa-bbbb-cccc", "cve_id": None, "summary": "an export names other tenants", "description": "…", "severity": severity,
        "state": "published", "published_at": "2026-11-30T08:00:00Z", "withdrawn_at": withdrawn,
        "vulnerabilities": [{"package": {"ecosystem": "pip", "name": "acme"}, "vulnerable_version_range": "< 2", "patched_versions": "2"}],
    }  # fmt: skip
    return {"action": action, "repository_advisory": told, "repository": REPOSITORY, "sender": {"login": "lee"}}


def of_the_world(action: str = "published") -> dict[str, Any]:
    told = {"ghsa_id": "GHSA-zzzz-zzzz-zzzz", "summary": "s", "severity": "critical", "published_at": "2026-11-30T07:00:00Z"}
    return {"action": action, "security_advisory": {**told, "withdrawn_at": "2026-11-30T09:00:00Z" if action == "withdrawn" else None}}


def signed(body: bytes, key: str = KEY) -> str:
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def as_sent(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()
