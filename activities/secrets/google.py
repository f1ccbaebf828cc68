"""Google Secret Manager by its official asynchronous client (gRPC). Its own retries are off: what came of a write is looked at first."""

from collections.abc import Awaitable
from typing import Any, TypeVar

import google_crc32c

from activities.action import Call, NotYet, Refused
from activities.kit.fence import refuse_when_late
from activities.kit.http import Conflict
from activities.kit.words.redact import redact
from activities.secrets.hidden import Hidden
from activities.secrets.store import SecretVersion, VersionState

T = TypeVar("T")
Client = Any  # google.cloud.secretmanager_v1.SecretManagerServiceAsyncClient: half a second to import, for those who use it
STATES = {"ENABLED": VersionState.ENABLED, "DISABLED": VersionState.DISABLED, "DESTROYED": VersionState.DESTROYED}
REFUSALS = {"INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED", "FAILED_PRECONDITION", "UNIMPLEMENTED"}


class GoogleSecrets:
    def __init__(self, client: Client | None, project: str, *, timeout: float = 4.0, missing: str = "") -> None:
        """`missing`: why it is not configured."""
        self._client, self._project, self._timeout, self._missing = client, project, timeout, missing

    async def versions(self, call: Call, secret: str) -> list[SecretVersion]:
        """Every page of them."""
        found = await self._asked(self._listed(call, secret))
        return [
            SecretVersion(number=_number(one.name), state=STATES.get(one.state.name, VersionState.UNKNOWN), etag=one.etag) for one in found
        ]

    async def value(self, call: Call, secret: str, version: int) -> Hidden | None:
        """None when it is disabled or destroyed. Raises `NotYet` when it was damaged on its way."""
        try:
            said = await self._there.access_secret_version(request={"name": self._version(secret, version)}, **self._more(call))
        except _errors() as broke:
            if _code(broke) == "FAILED_PRECONDITION":
                return None
            raise _outcome(broke) from None
        if said.payload.data_crc32c and google_crc32c.value(said.payload.data) != said.payload.data_crc32c:
            raise NotYet("what Secret Manager gave does not match its checksum")
        return Hidden(said.payload.data.decode(errors="surrogateescape"))  # what is no text is no key of ours, and no error that shows it

    async def add(self, call: Call, secret: str, value: Hidden) -> int:
        refuse_when_late()
        raw = value.reveal().encode()
        payload = {"data": raw, "data_crc32c": google_crc32c.value(raw)}
        request = {"parent": self._secret(secret), "payload": payload}
        return _number((await self._asked(self._there.add_secret_version(request=request, **self._more(call)))).name)

    async def disable(self, call: Call, secret: str, version: SecretVersion) -> None:
        refuse_when_late()
        request = {"name": self._version(secret, version.number), "etag": version.etag}
        try:
            await self._asked(self._there.disable_secret_version(request=request, **self._more(call)))
        except Conflict as stale:
            raise NotYet(f"it was changed meanwhile; we look again: {stale}") from None

    async def _listed(self, call: Call, secret: str) -> list[Any]:
        """A later page may fail as well as the first."""
        pager = await self._there.list_secret_versions(request={"parent": self._secret(secret)}, **self._more(call))
        return [one async for one in pager]

    @property
    def _there(self) -> Client:
        if self._client is None:
            raise Refused(self._missing)
        return self._client

    async def _asked(self, under_way: Awaitable[T]) -> T:
        try:
            return await under_way
        except _errors() as broke:
            raise _outcome(broke) from None  # its cause holds the request, and with it the payload

    def _secret(self, secret: str) -> str:
        return f"projects/{self._project}/secrets/{secret}"

    def _version(self, secret: str, version: int) -> str:
        return f"{self._secret(secret)}/versions/{version}"

    def _more(self, call: Call) -> dict[str, Any]:
        stamps = (("x-incident-id", call.incident_id), ("x-workflow-time", call.at.isoformat()), ("idempotency-key", call.key))
        return {"retry": None, "timeout": self._timeout, "metadata": stamps}


def _number(name: str) -> int:
    return int(name.rsplit("/", 1)[-1])


class Unreached(Exception):
    """Whether it was done is not known."""


def _errors() -> type[Exception]:
    from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415 - as above

    found: type[Exception] = GoogleAPICallError
    return found


def _code(broke: Any) -> str:
    return broke.grpc_status_code.name if broke.grpc_status_code else ""


def _outcome(broke: Any) -> Exception:
    code = _code(broke)
    said = f"Secret Manager: {code or broke.code} {redact(str(broke.message))[:300]}"
    if code == "FAILED_PRECONDITION" and "etag" in str(broke.message):
        return Conflict(said)
    if code == "RESOURCE_EXHAUSTED":
        return NotYet(said)
    return Refused(said) if code in REFUSALS else Unreached(said)
