"""Flags in flagd's file, judged by the real OpenFeature provider that reads what we wrote. Every setting's rules are in the contract table."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType

from activities.action import NotYet, Refused
from activities.flags.flagd import Flagd
from activities.flags.flags import Flag, FlagReading, Flags, Switch, switch_off
from activities.kit.http import Conflict
from activities.kit.setting import Change
from activities.organisation.policy import Policy
from activities.product.app_plane import AppPlane
from tests.activities.conftest import MakeCall, MakeClient

HINTS = "chat.hints"
TEXT = """{
    "$schema": "https://flagd.dev/schema/v0/flags.json",
    "flags": {
        "chat.hints": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on", "metadata": {"owner": "caf\\u00e9"}},
        "oddly.named": {
            "defaultVariant" : "an" , "state": "ENABLED", "variants": {"aus": false, "an": true}, "targeting": {}
        },
        "'; touch ours; '": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
        "disabled": {"state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"},
        "code": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": null},
        "targeted": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
                     "targeting": {"if": [{"==": [{"var": "tenant"}, "acme"]}, "on", null]}},
        "colour": {"state": "ENABLED", "variants": {"red": "f00", "blue": "00f"}, "defaultVariant": "red"}
    },
    "metadata": {"flagSetId": "production", "limit": 12345678901234567890123}
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "flags.json"
    path.write_text(TEXT)
    path.chmod(0o640)
    return path


@pytest.fixture
def provider(file: Path) -> Iterator[Any]:
    """An application's own flag client: the vendor's provider on the same file."""
    api.set_provider_and_wait(FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(file), deadline_ms=50), "app")
    yield api.get_client("app")
    api.clear_providers()


def flags_in(file: Path, client: MakeClient) -> Flags:
    return Flags(Flagd(file), AppPlane(client("/app")))


def order(flag: str = HINTS) -> Change[Flag, Switch]:
    return Flags.order(Flag(flag=flag, store="flagd"), Switch(on=False))


def sees(provider: Any, flag: str, wanted: bool) -> bool:
    """Whether the application is told so, after it had time to look at the file again. Its own default is the other value."""
    deadline = time.monotonic() + 10
    while provider.get_boolean_value(flag, not wanted) is not wanted and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(provider.get_boolean_value(flag, not wanted) is wanted)


@pytest.mark.parametrize("flag", [HINTS, "oddly.named"])
async def test_the_real_provider_reads_what_we_wrote_and_the_file_comes_back_byte_for_byte(
    file: Path, provider: Any, door: MakeClient, call: MakeCall, flag: str
) -> None:
    flags = flags_in(file, door)
    off = order(flag).given(await flags.read(order(flag).look(), call()))
    assert sees(provider, flag, True)
    effect = await flags.change(off, call())
    assert (effect.before, effect.after, effect.adopted) == ({"on": True}, {"on": False}, False)
    assert sees(provider, flag, False)
    assert len(file.read_text()) - len(TEXT) == 1  # `off` for `on`, `aus` for `an`: nothing else was touched
    await flags.restore(off.undo(), call(key="back"))
    assert sees(provider, flag, True)
    assert file.read_text() == TEXT and file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ("no.such", "there is no flag"),
        ("disabled", "default in its own code"),
        ("code", "no default variant"),
        ("targeted", "targeting rules"),
        ("colour", "no switch"),
    ],
)
async def test_a_flag_on_which_the_file_does_not_decide_is_refused(file: Path, call: MakeCall, flag: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        await Flagd(file).read(call(), flag)


async def test_a_disabled_flag_is_not_off(provider: Any) -> None:
    """Why DISABLED is refused: the vendor's own provider then answers whatever the application's code says."""
    assert provider.get_boolean_value("disabled", True) is True and provider.get_boolean_value("disabled", False) is False


async def test_whoever_changed_the_file_since_it_was_read_wins(file: Path, call: MakeCall) -> None:
    store = Flagd(file)
    read = await store.read(call(), HINTS)
    await store.write(call(), "oddly.named", await store.read(call(), "oddly.named"), on=False)
    with pytest.raises(Conflict):
        await store.write(call(), HINTS, read, on=False)


async def test_a_file_that_is_being_written_in_place_or_locked_is_waited_for(file: Path, call: MakeCall) -> None:
    store = Flagd(file, lock_wait=0)
    read = await store.read(call(), HINTS)
    holder = await asyncio.create_subprocess_exec(
        "flock", f"{file}.lock", "cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdin and holder.stdout
    holder.stdin.write(b"held")
    await holder.stdout.readexactly(4)
    with pytest.raises(NotYet, match="locked"):
        await store.write(call(), HINTS, read, on=False)
    holder.stdin.close()
    await holder.wait()
    file.write_text(TEXT[:200])
    with pytest.raises(NotYet, match="not JSON"):
        await store.read(call(), HINTS)


async def test_a_folder_that_may_not_be_written_to_is_said_beforehand_and_leaves_no_trace(file: Path, call: MakeCall) -> None:
    store = Flagd(file)
    read = await store.read(call(), HINTS)
    assert await store.unwritable() == ""
    os.link(file, file.with_name("other"))
    with pytest.raises(Refused, match="hard links"):
        await store.write(call(), HINTS, read, on=False)
    assert file.read_text() == TEXT and {p.name for p in file.parent.iterdir()} == {"flags.json", "flags.json.lock", "other"}


def test_many_writers_lose_no_change(file: Path, call: MakeCall) -> None:
    made = call()

    def switch(_: int) -> bool:
        async def once() -> bool:
            store = Flagd(file)
            read: FlagReading = await store.read(made, HINTS)
            try:
                await store.write(made, HINTS, read, on=not read.value.on)
            except Conflict:
                return False
            return True

        return asyncio.run(once())

    with ThreadPoolExecutor(8) as many:
        written = sum(many.map(switch, range(80)))
    assert json.loads(file.read_text())["flags"][HINTS]["defaultVariant"] == ("off" if written % 2 else "on")


@pytest.mark.parametrize("flag", [HINTS, "oddly.named", "'; touch ours; '"])
async def test_by_hand_does_the_same(file: Path, provider: Any, call: MakeCall, flag: str) -> None:
    for wanted in (False, True):
        lines = Flag(flag=flag, store="flagd").write_by_hand(Switch(on=wanted))
        shell = await asyncio.create_subprocess_exec(
            "bash", "-euc", "\n".join(lines), env={**os.environ, "FLAGD_FILE": str(file)}, cwd=file.parent
        )
        assert await shell.wait() == 0
        assert (await Flagd(file).read(call(), flag)).value.on is wanted and sees(provider, flag, wanted)
    assert not (file.parent / "ours").exists() and file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("flag", ["disabled", "targeted", "no.such"])
async def test_by_hand_refuses_what_the_file_does_not_decide(file: Path, flag: str) -> None:
    lines = Flag(flag=flag, store="flagd").write_by_hand(Switch(on=False))
    shell = await asyncio.create_subprocess_exec(
        "bash", "-euc", "\n".join(lines), env={**os.environ, "FLAGD_FILE": str(file)}, stderr=asyncio.subprocess.DEVNULL
    )
    assert await shell.wait() != 0 and file.read_text() == TEXT


def test_a_store_that_nobody_knows_does_not_fail_a_playbook() -> None:
    """The verb refuses it, in the worker's words; the order itself must be makeable inside a workflow."""
    assert switch_off(HINTS, "", Policy(systems={"flags": "flagdd"})).of.store == "unleash"
    assert switch_off(HINTS, "", Policy(systems={"flags": "flagd"})).of.store == "flagd"
