"""Credentials by reference: the configuration says where a secret is, never what it is."""

import os
from pathlib import Path


class NoCredential(Exception):
    """A secret that cannot be read; the message names the setting and the fix, never the value."""


def resolve(reference: str, setting: str) -> str:
    """The secret behind `env:NAME`, `file:/path` or `gsm:projects/P/secrets/S/versions/N`. An empty reference gives an empty secret.

    Versions of Secret Manager are pinned by number: `latest` would make a rollback ambiguous (spec §1 G9). Raises `NoCredential`.
    """
    scheme, _, where = reference.partition(":")
    if not reference:
        return ""
    match scheme:
        case "env":
            if where not in os.environ:
                raise NoCredential(f"{setting} points to the environment variable {where}, which is not set: export {where}=…")
            return os.environ[where].strip()
        case "file":
            try:
                return Path(where).read_text().strip()
            except OSError as wrong:
                raise NoCredential(f"{setting} points to the file {where}, which cannot be read: {wrong.strerror}") from None
        case "gsm":
            return _from_secret_manager(where, setting)
        case _:
            raise NoCredential(f"{setting} must be a reference, not a secret: env:NAME, file:/path or gsm:projects/…/versions/7")


def _from_secret_manager(where: str, setting: str) -> str:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient  # noqa: PLC0415 - a quarter of a second, for those who use it

    if where.rsplit("/", 1)[-1] == "latest":
        raise NoCredential(f"{setting}: pin the secret's version by number instead of latest")
    try:
        return SecretManagerServiceClient().access_secret_version(name=where).payload.data.decode().strip()
    except Exception as wrong:
        raise NoCredential(f"{setting}: Secret Manager does not give {where}: {type(wrong).__name__}: {wrong}") from None
