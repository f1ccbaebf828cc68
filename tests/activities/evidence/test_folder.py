"""Evidence in a local folder: kept by its hash, and honest about what it is not."""

from pathlib import Path

import pytest

from activities.action import NotYet
from tests.activities.evidence.stage import folder, kept, ledger, stores
from tests.activities.kit.stage import refused, stage


async def test_a_folder_says_that_it_is_not_write_once(tmp_path: Path) -> None:
    store, custody = stores(folder(tmp_path), ledger(tmp_path))
    there = await kept(store, stage().call())
    assert not there.write_once and "not write-once" in there.summary
    assert [line.write_once for line in custody.lines("inc-20261123-chat")] == [False]
    assert Path(there.location).stat().st_mode & 0o222 == 0, "nobody writes to it by mistake"


async def test_what_somebody_altered_is_not_given_out_and_not_adopted(tmp_path: Path) -> None:
    call, (store, _) = stage().call(), stores(folder(tmp_path), ledger(tmp_path))
    there = await kept(store, call)
    Path(there.location).chmod(0o644)
    Path(there.location).write_bytes(b"something milder")
    assert "was altered" in await refused(lambda: store.read(call, there.sha256))
    with pytest.raises(NotYet, match="does not hold what was written"):
        await kept(store, call)


async def test_a_file_that_was_left_half_written_is_none(tmp_path: Path) -> None:
    call, (store, _) = stage().call(), stores(folder(tmp_path), ledger(tmp_path))
    there = await kept(store, call)
    whole = Path(there.location)
    whole.rename(whole.with_name(f"{whole.name}.77.part"))
    assert "has nothing" in await refused(lambda: store.read(call, there.sha256))
    assert not (await kept(store, call)).adopted
