"""Each protection of the kit is switched off, one at a time: the table must name it. A protection that nothing misses is none."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from activities.kit import fence
from activities.kit.setting import write
from activities.kit.setting.orders import SettingValue
from activities.kit.setting.system import Setting
from tests.activities.kit.cells import CELLS
from tests.activities.kit.once import ONCE, ONCE_CELLS, Board, Posts, Runs
from tests.activities.kit.rows.probe import Vendor
from tests.activities.kit.rows.settings import PROBES

Off = Callable[[pytest.MonkeyPatch], None]


def no_compare(patch: pytest.MonkeyPatch) -> None:
    """Whatever is there is written over."""
    patch.setattr(write, "refuse_conflict", lambda *_: None)


def no_version(patch: pytest.MonkeyPatch) -> None:
    """The version that was read is not sent; the newest is."""
    original = Vendor.write

    def any_version(self: Vendor, value: dict[str, Any], **how: Any) -> None:
        original(self, value, **{**how, "version": str(self.version)})

    patch.setattr(Vendor, "write", any_version)
    patch.setattr(write, "is_newer", lambda *_: False)


def no_epoch(patch: pytest.MonkeyPatch) -> None:
    """Every write takes the next epoch, whatever the order was decided by."""
    patch.setattr(write, "epoch_of", lambda _order, now: (now.epoch or 0) + 1)
    patch.setattr(write, "is_newer", lambda *_: False)


def no_read_back(patch: pytest.MonkeyPatch) -> None:
    """200 OK is believed."""
    patch.setattr(write, "shows", lambda *_: True)


def no_lateness(patch: pytest.MonkeyPatch) -> None:
    """A process writes whatever the time is."""
    patch.setattr(fence, "refuse_when_late", lambda: None)


def no_look_again(patch: pytest.MonkeyPatch) -> None:
    """After a lift nobody looks again."""

    async def nothing(*_: Any) -> str:
        return ""

    patch.setattr(Setting, "_look_again", nothing)


def no_adoption(patch: pytest.MonkeyPatch) -> None:
    """What is there already is done once more."""
    original = write.bring_about

    async def always(system: Any, call: Any, order: Any, to: SettingValue, since: Any = None) -> Any:
        now = await system.look_at(call, order.of)
        if to.same(now.value):
            system.vendor.set({**now.value.model_dump(), "mode": "written again"}, by=call.incident_id, key=call.key + "'")
            system.vendor.set(now.value.model_dump(), by=call.incident_id, key=call.key + "''")
        return await original(system, call, order, to, since)

    patch.setattr("activities.kit.setting.system.bring_about", always)


# What is switched off → the rows, and the cells that must fail there, on the way there or back.
SETTINGS_WITHOUT: dict[str, tuple[Off, set[tuple[str, str, str]]]] = {
    "compare": (no_compare, {
        ("probe with an epoch", "changed by somebody else", "back"), ("probe with a version", "changed by somebody else", "back"),
        ("probe with neither", "changed by somebody else", "back"), ("probe with neither", "changed by somebody else", "there"),
    }),
    "version": (no_version, {("probe with a version", "changed by somebody else", "there"), ("probe with a version", "late zombie", "there")}),
    "epoch": (no_epoch, {("probe with an epoch", "changed by somebody else", "there"), ("probe with an epoch", "late zombie", "there")}),
    "read-back": (no_read_back, {(row, "200 OK, nothing changed", way) for row in PROBES for way in ("there", "back")}),
    "lateness": (no_lateness, {(row, "late process", way) for row in PROBES for way in ("there", "back")}),
    "look again": (no_look_again, {("probe with neither", "late first write", "back")}),
    "adoption": (no_adoption, {(row, "done by somebody else", "there") for row in PROBES}),
}  # fmt: skip


@pytest.mark.parametrize("off", SETTINGS_WITHOUT)
async def test_what_a_setting_is_without_it(off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    switch, expected = SETTINGS_WITHOUT[off]
    switch(monkeypatch)
    failed = {(row, cell, way) for row in PROBES for cell in CELLS for way in ("there", "back") if not await holds(row, cell, way)}
    assert expected <= failed, f"nothing notices that it is gone: {sorted(expected - failed)}"


async def holds(row: str, cell: str, way: str) -> bool:
    try:
        await CELLS[cell](await PROBES[row](), way)
    except Exception:
        return False
    return True


def no_key(patch: pytest.MonkeyPatch) -> None:
    """Nothing carries our key, so that ours is never found."""
    original = Board.post
    patch.setattr(Board, "post", lambda self, text, key: original(self, text, f"{key}/{len(self.posts)}"))


def no_look_before(patch: pytest.MonkeyPatch) -> None:
    """It is made without looking whether it is there."""

    async def nothing(*_: Any) -> None:
        return None

    patch.setattr(Posts, "find", nothing)
    patch.setattr(Runs, "find", nothing)


def no_second_look(patch: pytest.MonkeyPatch) -> None:
    """A listing is believed at once, also after an unknown outcome."""
    patch.setattr(Posts, "shows_within", timedelta(0))


def no_fetch(patch: pytest.MonkeyPatch) -> None:
    """What was made is not fetched: the vendor's answer is believed."""

    async def as_ordered(_self: Any, _call: Any, order: Any, id: Any) -> dict[str, Any]:
        return {"id": id, "text": order.text}

    patch.setattr(Posts, "fetch", as_ordered)


def no_lateness_of_things(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("activities.kit.create_once.refuse_when_late", lambda: None)
    patch.setattr("activities.kit.operation.refuse_when_late", lambda: None)


BOTH = ("created once", "operation")
THINGS_WITHOUT: dict[str, tuple[Off, set[tuple[str, str]]]] = {
    "key": (no_key, {(row, "once: commit_then_drop") for row in ONCE}),
    "adoption": (no_look_before, {(row, cell) for row in BOTH for cell in ("once: commit_then_drop", "made by somebody else")}),
    "second look": (no_second_look, {("created once", "a listing that lags")}),
    "read-back": (no_fetch, {("created once", cell) for cell in ("200 OK, nothing there", "half made")}),
    "lateness": (no_lateness_of_things, {(row, "late process") for row in ONCE}),
}


@pytest.mark.parametrize("off", THINGS_WITHOUT)
async def test_what_exists_once_without_it(off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    switch, expected = THINGS_WITHOUT[off]
    switch(monkeypatch)
    failed = set()
    for row in ONCE:
        for cell in ONCE_CELLS:
            try:
                await ONCE_CELLS[cell](ONCE[row]())
            except Exception:
                failed.add((row, cell))
    assert expected <= failed, f"nothing notices that it is gone: {sorted(expected - failed)}"
