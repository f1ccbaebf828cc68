"""`incident evidence`: the manifest on the screen, and a piece of evidence in a person's hands, which stands on the manifest."""

import asyncio
from pathlib import Path

import pytest

from activities.evidence.folder import Folder
from activities.evidence.store import EvidenceStore, Kept
from activities.ledger.ledger import Ledger
from tests.activities.evidence.stage import TRANSCRIPT, kept
from tests.activities.kit.stage import stage
from tests.screens import situations
from tests.screens.test_cli import Incident, incident, ledger  # noqa: F401 - the same command, on the same record


def took(book: Ledger, tmp_path: Path) -> Kept:
    """The evidence store that the settings name by default is a folder here."""
    call = stage().call(incident_id=situations.ASKING, key=f"{situations.ASKING}/agents.export/s-17/1")
    return asyncio.run(kept(EvidenceStore(Folder(tmp_path / "evidence"), book), call))


def test_the_manifest_says_what_was_kept_where_and_who_has_handled_it(incident: Incident, ledger: Ledger, tmp_path: Path) -> None:  # noqa: F811
    assert "nothing is on the manifest" in incident("evidence").out
    piece = took(ledger, tmp_path)
    seen = incident("evidence").out
    for fact in ("session/s-17, 73 bytes", piece.sha256, piece.location, "not write-once", "taken 2", "automation (agents.export)"):
        assert fact in seen, fact
    assert "1 pieces of evidence; 1 of them are not write-once" in seen and TRANSCRIPT.decode() not in seen
    (line,) = incident("evidence", "--json").told["evidence"]
    assert (line["asset"], line["sha256"], line["write_once"]) == ("session/s-17", piece.sha256, False)


def test_who_takes_a_piece_in_hand_stands_on_the_manifest(
    incident: Incident, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    piece, file = took(ledger, tmp_path), tmp_path / "out"
    monkeypatch.setenv("INCIDENT_EVIDENCE", str(tmp_path / "evidence"))
    assert "--output" in incident("evidence", "--fetch", piece.sha256).err
    assert incident("evidence", "--fetch", piece.sha256, "-o", str(file), "--as", "lee").code == 0
    assert file.read_bytes() == TRANSCRIPT
    (line,) = incident("evidence", "--json").told["evidence"]
    assert [(one["act"], one["who"]) for one in line["custody"]][1] == ("looked at", "lee (self-declared)")
    assert "is there already" in incident("evidence", "--fetch", piece.sha256, "-o", str(file), "--as", "lee").err
    assert "has nothing" in incident("evidence", "--fetch", "0" * 64, "-o", str(tmp_path / "none"), "--as", "lee").err
