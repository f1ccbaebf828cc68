"""Evidence in a local folder. It is not write-once: who administers the machine can change and remove what lies there."""

import asyncio
import os
from datetime import datetime
from functools import partial
from pathlib import Path

from activities.action import Call, NotYet
from activities.evidence.store import Placed
from activities.kit.create_once import once

NOT_WRITE_ONCE = "not write-once: who administers the machine can change and remove it"


class Folder:
    """A folder of files that are written once, by us. `root` should lie where this worker may write and not delete."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def put(self, call: Call, path: str, content: bytes, held_until: datetime) -> Placed:
        """Raises `NotYet` when what was read back is not what was written."""
        file = self.root / path
        there = await once(call, str(file), partial(asyncio.to_thread, _read, file), partial(asyncio.to_thread, _write, file, content))
        if there.found != content:
            raise NotYet(f"{file} does not hold what was written")
        return Placed(
            location=str(file), write_once=False, protection=NOT_WRITE_ONCE, held_until=held_until, adopted=there.adopted
        )  # fmt: skip

    async def get(self, call: Call, prefix: str) -> bytes | None:
        return await asyncio.to_thread(self._first, prefix)

    def _first(self, prefix: str) -> bytes | None:
        folder, _, name = prefix.rpartition("/")
        found = sorted((self.root / folder).glob(f"{name}*")) if (self.root / folder).is_dir() else []
        return next((one.read_bytes() for one in found if not one.name.endswith(".part")), None)


def _write(path: Path, content: bytes) -> None:
    """A file that a killed worker left half written never gets the name. Whoever has it by name cannot write to it by mistake."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    unfinished.write_bytes(content)
    unfinished.chmod(0o444)
    unfinished.rename(path)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
