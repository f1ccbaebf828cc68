"""Delivers alert notifications, in order, again and again until the receiver has taken them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.2, 5.0


class Webhook:
    """A queue of Alertmanager webhook bodies in front of one receiver."""

    def __init__(self, receiver: str, token: str) -> None:
        self._receiver = receiver
        self._token = token
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def post(self, body: dict[str, Any]) -> None:
        """Queue a notification; returns at once."""
        self._queue.put_nowait(body)

    async def deliver_all(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(headers=headers, timeout=10.0, trust_env=False) as client:
            while True:
                await self._deliver(client, await self._queue.get())

    async def _deliver(self, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        """As Alertmanager: 5xx, 429 and lost connections are tried again, other refusals are final."""
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                status = (await client.post(self._receiver, json=body)).status_code
                if status < 400:
                    return
                if status < 500 and status != 429:
                    log.warning("the receiver refused a notification with %s", status)
                    return
            except httpx.HTTPError as error:
                log.info("the receiver cannot be reached: %r", error)
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT_SECONDS, wait * 2)
