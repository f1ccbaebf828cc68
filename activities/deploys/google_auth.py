"""Google's credentials on requests: found as Google's own tools find them (Application Default Credentials), renewed when they run out."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx

ADC = "adc"
"""What a setting says instead of a reference, to use these."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class GoogleAuth(httpx.Auth):
    """A bearer token that is never older than its hour. Nothing is looked up before the first request."""

    def __init__(self, credentials: Any = None) -> None:
        self._credentials = credentials
        self._one_at_a_time = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Put the token on the request. Raises Google's own error when there are no credentials or they cannot be renewed."""
        async with self._one_at_a_time:
            if self._credentials is None or not self._credentials.valid:
                self._credentials = await asyncio.to_thread(_renewed, self._credentials)
        request.headers["Authorization"] = f"Bearer {self._credentials.token}"
        yield request


def _renewed(credentials: Any) -> Any:
    import google.auth  # noqa: PLC0415 - a quarter of a second, for those who use it
    from google.auth.transport.requests import Request  # noqa: PLC0415

    found = credentials or google.auth.default(scopes=[SCOPE])[0]
    found.refresh(Request())
    return found
