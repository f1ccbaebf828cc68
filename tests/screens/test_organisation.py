"""How an organisation speaks: what stands in its file is what is used, and what cannot be used is refused with its key and the fix."""

import tomllib
from pathlib import Path

import pytest

from activities.action import Refused
from activities.organisation.communications import Communications
from activities.organisation.organisation import Organisation

EXAMPLE = Path(__file__).parents[2] / "organisation.example.toml"
UNCOMMENTED = ("[links]", "[links.dashboards]", "[links.runbooks]", "[contacts]", "[oncall]", "[templates]")


def organisation(tmp: Path, text: str) -> Organisation:
    (tmp / "organisation.toml").write_text(text)
    return Organisation(tmp / "organisation.toml")


def test_without_a_word_the_standard_holds(tmp_path: Path) -> None:
    assert organisation(tmp_path, "").read_communications() == Communications()


def test_the_example_can_be_used_as_it_stands_with_its_comments_taken_away(tmp_path: Path) -> None:
    """Every section of links, contacts, schedules and words."""
    lines, taken = EXAMPLE.read_text().splitlines(), list[str]()
    inside = False
    for line in lines:
        bare = line.removeprefix("# ").partition("  #")[0].strip()
        inside = bare in UNCOMMENTED or (inside and bool(line.strip()) and line.startswith("#"))
        taken += [bare] if inside and ("=" in bare or bare in UNCOMMENTED) else []
    book = organisation(tmp_path, "\n".join(taken))
    assert set(tomllib.loads("\n".join(taken))) == {"links", "contacts", "oncall", "templates"}
    said = book.read_communications()
    assert said.links.bridge and said.links.bridge_number and said.links.dashboards and said.contacts.support_channel
    assert said.links.runbooks_of("2.2") and len(said.links.runbooks_of("2.9")) == 1
    assert said.own("identified@1").startswith("{at} UTC") and not said.own("monitoring@1")
    assert book.read_on_call()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[links]\nbridge = "meet me"', r"links\.bridge"),
        ('[links]\nbrige = "https://x.example"', r"links\.brige"),
        ('[contacts]\nsupport_channel = 7', r"contacts\.support_channel"),
        ('[templates]\nidentified = "{at} {next} {cause}"', r"templates\.identified: \{cause\} is no placeholder .* it takes"),
        ('[templates]\nidentified = "{services} {next}"', r"templates\.identified: it has to say \{at\}; add it"),
        ('[templates]\nmonitoring = "{at} {next} No data affected"', r"templates\.monitoring: .* may not say no data affected; say what"),
        ('[templates]\nidentified = "{at!r} {next}"', r"templates\.identified: .* nothing but its name"),
        ('[templates]\nidentified = "{at} {next"', r"templates\.identified: "),
        ('[templates]\nidentify = "x"', r"templates\.identify: there is no template called so; there are investigating"),
        ('[templates]\nsupport = "We are on it"', r"templates\.support: it has to say \{link\}"),
        ('[templates]\nroom-status = "x"', r"templates\.room-status: there is no template"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_with_its_key_and_the_fix(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        organisation(tmp_path, text).read_communications()
