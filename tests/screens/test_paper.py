"""What a person wrote in a document that we draft is theirs: whatever they did to it, no sentence of theirs is ever lost or changed."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from starters.postmortem import numbers, paper, postmortem
from starters.screens.text import CliError
from tests.screens import situations
from tests.screens.test_postmortem import BLOCKS, PIECE, drafted, effect

DRAFT = drafted()
SENTENCE = "We are sorry, {n}."


def renewed(before: str) -> str:
    """The same document on another day: every block of ours is different by then."""
    status = situations.over().model_copy(
        update={
            "title": "another title", "outcome": "resolved, twice", "because": ("B9: another reason",), "version": 99, "room": "#other",
            "in_force": situations.asking().in_force, "follow_ups": [], "tasks": [], "questions": situations.asking().questions,
            "impact": "nobody could work", "checklist": situations.ticked().checklist,
        }
    )  # fmt: skip
    entries = [entry.model_copy(update={"text": f"again: {entry.text}", "kind": "paged"}) for entry in situations.lines()]
    other = effect().model_copy(update={"verb": "models.shift", "by_hand": ("another command",), "after": {"on": "other"}})
    return postmortem.draft(status, entries, [other], before, house=numbers.House(evidence=(PIECE,)))


def outside(document: str) -> str:
    return paper.BLOCK.sub("", document)


def test_on_another_day_every_block_is_different() -> None:
    """Or the tests below would prove nothing."""
    then, now = ({found["name"]: found["body"] for found in paper.BLOCK.finditer(d)} for d in (DRAFT, renewed(DRAFT)))
    assert list(then) == list(now) == BLOCKS
    assert not [name for name in BLOCKS if then[name] == now[name]]
    assert outside(DRAFT) == outside(renewed(DRAFT))


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
@pytest.mark.parametrize("nth", range(len(DRAFT.splitlines()) + 1))
def test_a_sentence_written_anywhere_at_all_stays(nth: int, eol: str) -> None:
    """In every section, in every block, between any two lines."""
    lines = DRAFT.splitlines()
    edited = eol.join([*lines[:nth], SENTENCE.format(n=nth), *lines[nth:]])
    again = renewed(edited)
    assert SENTENCE.format(n=nth) in again.splitlines()
    assert outside(again) == outside(edited)
    assert (eol == "\n") == ("\r" not in again)
    assert not re.search(r"(?<!\r)\n", again) or eol == "\n"


@pytest.mark.parametrize("nth", range(len(DRAFT.splitlines())))
def test_words_added_to_any_line_stay(nth: int) -> None:
    lines = DRAFT.splitlines()
    edited = "\n".join([*lines[:nth], f"{lines[nth]} I was there.", *lines[nth + 1 :]])
    assert renewed(edited).count("I was there.") == 1


@pytest.mark.parametrize("nth", range(len(DRAFT.splitlines())))
def test_a_line_that_somebody_deleted_does_not_come_back(nth: int) -> None:
    """Of a block, that block is theirs from then on; of the rest, it is gone."""
    lines = DRAFT.splitlines()
    edited = "\n".join([*lines[:nth], *lines[nth + 1 :]])
    again = renewed(edited)
    assert outside(again) == outside(edited)
    touched = next((f["name"] for f in paper.BLOCK.finditer(DRAFT) if f.start("body") <= DRAFT.index(lines[nth]) < f.end("body")), None)
    if touched and lines[nth].strip() and DRAFT.count(lines[nth]) == 1:
        assert lines[nth] not in again
        assert touched in paper.theirs(edited)


@given(st.permutations(re.split(r"(?m)^(?=## )", DRAFT)))
@settings(max_examples=60)
def test_sections_in_another_order_stay_in_that_order(sections: list[str]) -> None:
    edited = "".join(section.replace("in your words:", "in your words: we slept.") for section in sections)
    again = renewed(edited)
    assert re.findall(r"(?m)^## .*$", again) == re.findall(r"(?m)^## .*$", edited)
    assert outside(again) == outside(edited)
    assert "in your words: we slept." in again
    assert again.count("resolved, twice") == renewed(DRAFT).count("resolved, twice")


EDITS = st.lists(
    st.tuples(st.sampled_from(["insert", "delete", "append", "swap", "double", "cut"]), st.integers(0, 400), st.integers(0, 400)),
    max_size=12,
)


@given(EDITS, st.sampled_from(["\n", "\r\n"]), st.booleans())
@example([("delete", 0, 0)] * 12, "\r\n", True)
@settings(max_examples=400)
def test_whatever_people_do_to_it_every_sentence_of_theirs_stays(edits: list[tuple[str, int, int]], eol: str, twice: bool) -> None:
    lines, written = DRAFT.splitlines(), set[str]()
    for n, (what, one, other) in enumerate(edits):
        at, to, mine = one % (len(lines) + 1), other % (len(lines) + 1), SENTENCE.format(n=n)
        match what:
            case "insert":
                lines.insert(at, mine)
            case "append" if at < len(lines):
                lines[at] += f" {mine}"
            case "delete" if at < len(lines):
                written -= {said for said in written if said in lines[at]}
                del lines[at]
            case "swap" if max(at, to) < len(lines):
                lines[at], lines[to] = lines[to], lines[at]
            case "double" if at < len(lines):
                lines.insert(to, lines[at])
            case "cut":
                begin, end = sorted((at, min(to, at + 15)))
                written -= {said for said in written if any(said in line for line in lines[begin:end])}
                del lines[begin:end]
            case _:
                continue
        if what in ("insert", "append"):
            written.add(mine)
    edited = eol.join(lines)
    kept = {said for said in written if said in edited}
    again = renewed(renewed(edited)) if twice else renewed(edited)
    assert not [said for said in kept if again.count(said) < edited.count(said)]
    if paper.BLOCK.search(edited):
        assert outside(again) == outside(edited)
    else:
        assert again.startswith(edited.rstrip())


def test_trailing_spaces_and_line_ends_are_an_editors_doing_and_no_edit() -> None:
    tidied = "\r\n".join(line.rstrip() for line in DRAFT.splitlines()) + "\r\n"
    assert paper.theirs(tidied) == []
    assert renewed(tidied).replace("\r\n", "\n").strip() == "\n".join(line.rstrip() for line in renewed(DRAFT).splitlines()).strip()


def test_a_document_without_a_mark_of_ours_is_kept_whole_and_the_draft_comes_below() -> None:
    for notes in ("# Our own notes\r\nTwo lines.\r\n", "# Our own notes\nTwo lines.\n"):
        again = drafted(notes)
        assert again.startswith(notes.rstrip())
        assert ("\r\n" in notes) == ("\n" not in again.replace("\r\n", ""))
        assert again.count("## Summary") == 1
        assert drafted(again) == again


def test_it_is_written_at_once_and_never_over_somebody_who_writes(tmp_path: Path) -> None:
    there = tmp_path / "new" / "paper.md"
    assert paper.read(there) == ""
    paper.write(there, "", "first\r\n")
    assert there.read_bytes() == b"first\r\n"
    there.chmod(0o640)
    paper.write(there, "first\r\n", "second")
    assert (there.read_text(), there.stat().st_mode & 0o777) == ("second", 0o640)
    there.write_text("second, and mine")
    with pytest.raises(CliError, match="somebody wrote in"):
        paper.write(there, "second", "third")
    assert there.read_text() == "second, and mine"
    assert [path.name for path in there.parent.iterdir()] == ["paper.md"]


def test_what_is_no_text_and_what_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    strange = tmp_path / "strange.md"
    strange.write_bytes(b"caf\xe9")
    with pytest.raises(CliError, match="is not UTF-8 text; nothing was written"):
        paper.read(strange)
    with pytest.raises(CliError, match=r"cannot be (written|read)"):
        paper.write(strange / "below", "", "x")
    assert strange.read_bytes() == b"caf\xe9"


def test_a_link_to_the_document_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.md").write_text("old")
    (tmp_path / "link.md").symlink_to(tmp_path / "real.md")
    paper.write(tmp_path / "link.md", "old", "new")
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real.md").read_text() == "new"
