"""flagd's flag file (flagd.dev/reference/flag-definitions): read under a version, written under a lock by an atomic replace.

flagd and its in-process providers have no write API: the file is the source of truth, and they read it again when its time of change grows.
Only the one token that is changed is replaced in the text, so that all the rest of the file stays byte for byte as it was. A flag is *off*
when its default variant is the false one: a flag that is DISABLED leaves the decision to the default in each application's own code.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from activities.action import Call, NotYet, Refused
from activities.flags.flags import FlagReading, Switch
from activities.kit.fence import refuse_when_late
from activities.kit.http import Conflict

DECODER = json.JSONDecoder()
SPACE = re.compile(r"[ \t\n\r]*")
LARGEST = 4 * 1024 * 1024  # bytes; a flag file is some kilobytes
MILLISECOND = 1_000_000  # ns; the Python provider compares times as floats, which cannot tell less than 0.3 microseconds apart


@dataclass(frozen=True)
class _Held:
    text: str
    stat: os.stat_result

    @property
    def version(self) -> str:
        """The time is part of it: a late write must not succeed because the content has meanwhile become what it was."""
        return f"{self.stat.st_mtime_ns}-{hashlib.sha256(self.text.encode()).hexdigest()}"


class Flagd:
    """One flag file. A link is followed: what it points to is replaced, and the link stays."""

    def __init__(self, file: Path, *, lock_wait: float = 3.0) -> None:
        self._file, self._lock_wait = file, lock_wait

    async def read(self, call: Call, flag: str) -> FlagReading:
        """Raises `Refused` where the file alone does not say whether the flag is on for everybody."""
        return await asyncio.to_thread(self._read, flag)

    async def write(self, call: Call, flag: str, over: FlagReading, *, on: bool) -> None:
        """Raises `Conflict` when the file has changed since, `NotYet` while it is locked, `Refused` when it cannot be written."""
        await asyncio.to_thread(self._write, flag, on, over.store_version)

    async def shown_to_clients(self, call: Call, flag: str) -> None:
        """The file is what applications read; there is no other path to ask."""

    async def unwritable(self) -> str:
        """Why the file could not be written, found without writing; empty when nothing speaks against it."""
        return await asyncio.to_thread(self._unwritable)

    def _read(self, flag: str) -> FlagReading:
        held = _held(self._real())
        variants, default = _variants(held.text, flag)
        return FlagReading(value=Switch(on=variants[default]), store_version=held.version)

    def _write(self, flag: str, on: bool, version: str) -> None:
        path = self._real()
        try:
            with _locked(path, self._lock_wait):
                held = _held(path)
                if held.version != version:
                    raise Conflict(f"{path.name} has changed since it was read")
                new = _switched(held.text, flag, on)
                refuse_when_late()  # once more: we may have waited for the lock
                if new != held.text:
                    _replace(path, new, held.stat)
        except OSError as error:  # read-only mount, no permission, no space, a file mounted by itself (EBUSY)
            raise Refused(f"{path} cannot be replaced: {error.strerror}") from error

    def _unwritable(self) -> str:
        path = self._real()
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return f"{path.parent} is mounted read-only"
        if not os.access(path.parent, os.W_OK | os.X_OK):
            return f"{path.parent} may not be written to"
        with suppress(OSError):  # there is no /proc; and `Path.is_mount` does not know that files can be mount points too
            if str(path) in (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()):
                return f"{path} is mounted by itself, so it cannot be replaced; mount its folder"
        return ""

    def _real(self) -> Path:
        try:
            return self._file.resolve(strict=True)
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
            raise Refused(f"{self._file} cannot be read: {error}") from error


def _held(path: Path) -> _Held:
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            if stat.st_size > LARGEST:
                raise Refused(f"{path} is larger than {LARGEST} bytes")
            return _Held(file.read().decode(), stat)
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read: {error}") from error


def _variants(text: str, flag: str) -> tuple[dict[str, bool], str]:
    """The variants of a flag and the name of the default one. Refuses every flag on which the file alone does not decide."""
    found = _flags(text).get(flag)
    if not isinstance(found, dict):
        raise Refused(f"there is no flag {flag} in the file")
    variants, default = found.get("variants"), found.get("defaultVariant")
    if found.get("state") != "ENABLED":
        raise Refused(f"flag {flag} is {found.get('state')}: every application then uses the default in its own code")
    if found.get("targeting"):
        raise Refused(f"flag {flag} has targeting rules, which decide before the default variant does")
    if not isinstance(variants, dict) or sorted(map(repr, variants.values())) != ["False", "True"]:
        raise Refused(f"flag {flag} is no switch: it needs exactly one variant that is true and one that is false")
    if not isinstance(default, str) or default not in variants:
        raise Refused(f"flag {flag} has no default variant: every application uses the default in its own code")
    return cast("dict[str, bool]", variants), default


def _flags(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:  # perhaps half written: not everybody replaces the file at once
        raise NotYet(f"the flag file is not JSON: {error}") from error
    except ValueError as error:
        raise Refused(f"the flag file is ambiguous: {error}") from error
    flags = document.get("flags") if isinstance(document, dict) else None
    if not isinstance(flags, dict):
        raise Refused("the flag file has no object `flags`")
    return flags


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def _switched(text: str, flag: str, on: bool) -> str:
    variants, _ = _variants(text, flag)
    (wanted,) = (name for name, value in variants.items() if value is on)
    start = _start(text, 0)
    for key in ("flags", flag, "defaultVariant"):
        start = _member(text, start, key)
    end = DECODER.raw_decode(text, start)[1]
    return text[:start] + json.dumps(wanted, ensure_ascii=False) + text[end:]


def _member(text: str, at: int, wanted: str) -> int:
    """Where the value of a key starts in the object that starts at `at`. The text has been parsed before, so the key is there."""
    while True:
        key, at = DECODER.raw_decode(text, _start(text, at + 1))  # after the brace, or after the comma
        at = _start(text, _start(text, at) + 1)  # after the colon
        if key == wanted:
            return at
        at = _start(text, DECODER.raw_decode(text, at)[1])


def _start(text: str, at: int) -> int:
    return cast("re.Match[str]", SPACE.match(text, at)).end()


def _replace(path: Path, text: str, before: os.stat_result) -> None:
    """Replace the file at once, keeping its owner and mode, with a later time of change: readers look at nothing else."""
    if before.st_nlink > 1:
        raise Refused(f"{path} has {before.st_nlink} hard links; a replacement would reach only one of them")
    new = path.with_name(f".{path.name}.new")  # only the holder of the lock writes it
    try:
        _write_copy(new, path, text, before)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # it is replaced by now; only a power cut could still bring the old file back
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write_copy(new: Path, like: Path, text: str, before: os.stat_result) -> None:
    changed = max(time.time_ns(), before.st_mtime_ns + MILLISECOND)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fchown(file.fileno(), before.st_uid, before.st_gid)
        shutil.copystat(like, new)  # mode, access list, extended attributes
        os.utime(file.fileno(), ns=(changed, changed))
        os.fsync(file.fileno())


@contextmanager
def _locked(path: Path, wait: float) -> Iterator[None]:
    """Hold the lock beside the file; `flock(1)` takes the same one. It is never removed: whoever waits for it holds it open."""
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o664)
    try:
        until = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise NotYet(f"{path.name} is locked by somebody else") from None
            time.sleep(0.02)
        yield
    finally:
        os.close(lock)  # gives the lock back
