"""Whether a body comes from who has the key: its HMAC-SHA256, counted over all of it while only its beginning is kept."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect

LONGEST_READ = 25 << 20  # bytes; GitHub sends no more. What is longer is not read to its end, and counts as unsigned


class Signature:
    """The HMAC of what has come so far. `said`: what the header says, with its prefix."""

    def __init__(self, key: str, said: str, prefix: str) -> None:
        self._mac, self._said, self._prefix = hmac.new(key.encode(), digestmod=hashlib.sha256), said, prefix

    def add(self, chunk: bytes) -> None:
        self._mac.update(chunk)

    @property
    def good(self) -> bool:
        return hmac.compare_digest((self._prefix + self._mac.hexdigest()).encode(), self._said.strip().encode())


async def kept_of(chunks: AsyncIterator[bytes], longest: int, within: float, signature: Signature | None = None) -> tuple[bytes, bool]:
    """The beginning of a body, and whether something is missing. With a signature the whole of it is read, and no more kept."""
    kept, seen = bytearray(), 0
    try:
        async with asyncio.timeout(within):
            async for chunk in chunks:
                seen += len(chunk)
                kept += chunk[: max(0, longest - len(kept))]
                if signature is not None:
                    signature.add(chunk)
                if seen > (LONGEST_READ if signature is not None else longest):
                    break
    except (TimeoutError, ClientDisconnect):
        return bytes(kept), True
    return bytes(kept), seen > longest
