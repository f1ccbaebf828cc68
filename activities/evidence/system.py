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
    await asyncio.to_thread(_write_into, folder)
    return Seen(f"{folder} can be written to", may_write=True)


def _write_into(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"doctor")


SYSTEM = SystemInfo(ClientInfo("evidence", Path, EvidenceSettings, _probe, lambda opening: Path(opening.settings.evidence)))
