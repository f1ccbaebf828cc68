"""The evidence store: content goes in whole, inside one activity; only its place and its hash come out (spec §8 S-EVID, INV-14).

An object is named by the incident and the hash of what it holds, so that the same content is kept once, and is found again by its hash
without any index. What is kept stands in the manifest of its incident, with its custody: who took it, and who has looked at it.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import ParamSpec, Protocol

from activities.action import Call, NotYet, Refused, Value
from activities.ledger.custody import Custody, ManifestLine
from activities.ledger.database import Database

P = ParamSpec("P")
log = logging.getLogger(__name__)
LONGEST_NAME = 120  # characters of an asset, or of an incident, in the name of an object
SHA256 = re.compile(r"[0-9a-f]{64}")
THE_LEDGER_ANSWERS_WITHIN = 2.0  # seconds


class Placed(Value):
    """Where content lies, and what keeps it there. `write_once`: nobody, whatever their rights, can change or remove it before `held_until`."""

    location: str
    write_once: bool
    protection: str  # the same in words, for people
    held_until: datetime
    adopted: bool = False


class Kept(Placed):
    """A piece of evidence, as it was read back. `listed`: the manifest has it; it is on the incident's own record in any case."""

    asset: str
    sha256: str
    bytes: int
    listed: bool = True

    @property
    def summary(self) -> str:
        unlisted = "" if self.listed else "; the manifest could not be written"
        return f"{self.asset}: {self.bytes} bytes, sha256 {self.sha256[:16]}…, {self.protection}{unlisted}"


class Shelf(Protocol):
    """What one product of the port does: it keeps bytes under a path, and gives them back."""

    async def put(self, call: Call, path: str, content: bytes, held_until: datetime) -> Placed:
        """There, once, and read back. The same again is adopted. Raises `NotYet` when it does not hold what was written."""

    async def get(self, call: Call, prefix: str) -> bytes | None:
        """The content of the first object whose path begins so; None when there surely is none."""


class EvidenceStore:
    """Where evidence is kept: the port. Other systems take it in their constructor, and write straight to it.

    `manifest`: where the lines are kept; None for a look from outside, which keeps nothing.
    """

    def __init__(self, shelf: Shelf, manifest: Database | None) -> None:
        self.shelf = shelf
        self._custody = Custody(manifest) if manifest is not None else None

    async def keep(self, call: Call, name: str, content: bytes, *, held_until: datetime) -> Kept:
        """Keep this content of an asset (`session/s-17`), for so long at least. Kept once, however often it is tried.

        Raises `Refused` when the store does not take it, `NotYet` when it does not show it.
        """
        digest, until = hashlib.sha256(content).hexdigest(), held_until.replace(microsecond=0)
        placed = await self.shelf.put(call, f"{_part(call.incident_id)}/{digest}-{_part(name)}", content, until)
        line = ManifestLine(
            incident_id=call.incident_id, asset=name, at=call.at, collector=whose(call), sha256=digest, bytes=len(content),
            **placed.model_dump(exclude={"adopted"}),
        )  # fmt: skip
        return Kept(asset=name, sha256=digest, bytes=len(content), listed=await self._listed(line), **placed.model_dump())

    async def read(self, call: Call, sha256: str, *, by: str = "") -> bytes:
        """What was kept under this hash for this incident; that it was looked at is noted. `by`: the person who looks.

        Raises `Refused` when it is not there, or altered; for a person also `NotYet` when nobody can note it.
        """
        if not SHA256.fullmatch(sha256):
            raise Refused("evidence is named by its sha256: 64 hexadecimal digits")
        content = await self.shelf.get(call, f"{_part(call.incident_id)}/{sha256}-")
        if content is None:
            raise Refused(f"the evidence store has nothing with the hash {sha256[:16]}… for {call.incident_id}")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Refused(f"the evidence {sha256[:16]}… was altered: what the store holds has another hash")
        custody, who = self._custody, by or whose(call)
        noted = custody is not None and await self._never_failing(custody.looked, call.incident_id, sha256, who, call.at)
        if by and not noted:
            raise NotYet(f"it cannot be noted that {by} looks at it: the ledger does not answer")
        return content

    async def manifest(self, call: Call) -> tuple[ManifestLine, ...]:
        """What was kept for this incident. Raises `NotYet` when the record does not answer."""
        if self._custody is None:
            raise NotYet("nobody keeps a manifest here")
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._custody.lines, call.incident_id), THE_LEDGER_ANSWERS_WITHIN)
        except Exception as away:
            raise NotYet(f"the manifest of {call.incident_id} cannot be read: {type(away).__name__}") from away

    async def _listed(self, line: ManifestLine) -> bool:
        return self._custody is not None and await self._never_failing(self._custody.took, line)

    async def _never_failing(self, write: Callable[P, None], *what: P.args, **more: P.kwargs) -> bool:
        """Evidence must not be lost, nor wait long, because our record is away."""
        try:
            await asyncio.wait_for(asyncio.to_thread(write, *what, **more), THE_LEDGER_ANSWERS_WITHIN)
        except Exception:
            log.exception("the manifest did not take a line; the evidence itself is kept")
            return False
        return True


def whose(call: Call) -> str:
    """Who acts: our verb, and those who said yes to it."""
    verb = "/".join(call.key.split("/")[1:2]) or call.key
    return f"automation ({verb})" + (f", approved by {', '.join(call.grant.by)}" if call.grant is not None else "")


def _part(name: str) -> str:
    """A part of a path that leads nowhere else, whatever the name holds."""
    return re.sub(r"[^A-Za-z0-9_.-]|\.(?=\.)", "_", name).lstrip(".")[:LONGEST_NAME] or "_"
