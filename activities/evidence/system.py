"""Exports of what the metrics said: a folder."""

import asyncio
import tempfile
from pathlib import Path

from pydantic import Field

from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo


class EvidenceSettings(ClientSettings):
    evidence: Path = Field(
        default=Path(".incident/evidence"), description="a folder; in a deployment a volume that is backed up and written once"
    )


async def _probe(folder: Path, look: Look) -> Seen:
    def write() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"doctor")

    await asyncio.to_thread(write)
    return Seen(f"{folder} can be written to", may_write=True)


SYSTEM = SystemInfo(ClientInfo("evidence", Path, EvidenceSettings, _probe, lambda opening: Path(opening.settings.evidence)))
