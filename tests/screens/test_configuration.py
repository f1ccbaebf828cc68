"""The organisation's file: every key is known or refused with what was meant, and the example holds all of them with their defaults.

`python -m tests.screens.test_configuration` writes the policy part of the example anew, from the models and the comments beside them.
"""

import ast
import inspect
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from activities.action import Refused
from activities.organisation.catalogue import Blocked, Deployed
from activities.organisation.communications import DASHBOARDS, Contacts, Links
from activities.organisation.organisation import SECTIONS, Organisation
from activities.organisation.people import Person
from activities.organisation.policy import Policy, StandingAuthorisation
from activities.organisation.rhythm import RHYTHMS
from activities.organisation.routing import AlertRoute, AlertSource

EXAMPLE = Path(__file__).parents[2] / "organisation.example.toml"
BEGIN, END = "[policy]\n", "# A standing policy"
SETS = re.compile(r'\[[\w."-]+\]|("[^"]+"|[\w.-]+) = ')  # a line of TOML, and no sentence
SECRET = re.compile(r"(token|secret|password|credential|key)$")


# -- the example ----------------------------------------------------------------------------------------------------------------------


def comments(model: type[BaseModel]) -> dict[str, str]:
    """What stands beside each key in the source."""
    source = inspect.getsource(model).splitlines()
    (kind,) = ast.parse("\n".join(source)).body
    assert isinstance(kind, ast.ClassDef)
    found = {}
    for node in kind.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = source[node.lineno - 1 : node.end_lineno]
            before = source[node.lineno - 2].strip()
            beside = next((line.partition("  # ")[2] for line in lines if "  # " in line), "")
            found[node.target.id] = beside or (before[2:] if before.startswith("# ") else "")
    return found


def value(given: Any) -> str:
    if given is None:
        return '"never"'
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, timedelta):
        return json.dumps(TypeAdapter(timedelta).dump_python(given, mode="json"))
    if isinstance(given, dict):
        return "{ " + ", ".join(f"{name(key)} = {value(one)}" for key, one in given.items()) + " }" if given else "{}"
    if isinstance(given, BaseModel):
        return value({key: getattr(given, key) for key in type(given).model_fields})
    if isinstance(given, tuple):
        return "[" + ", ".join(map(value, given)) + "]"
    return json.dumps(given.value if isinstance(given, Enum) else given, ensure_ascii=False)


def name(key: Any) -> str:
    return str(key.value if isinstance(key, Enum) else key)


def section(path: str, given: BaseModel, about: str = "") -> Iterator[str]:
    """One section with every key, commented out; then the sections below it."""
    said = comments(type(given))
    plain: list[tuple[str, Any]] = []
    below: list[tuple[str, Any]] = []
    for key in type(given).model_fields:
        one = getattr(given, key)
        tables = isinstance(one, dict) and one and all(isinstance(v, BaseModel) for v in one.values())
        (below if isinstance(one, BaseModel) or tables else plain).append((key, one))
    yield f"[{path}]" if path == "policy" else f"\n# [{path}]" + (f"  # {about}" if about else "")
    for key, one in plain:
        if key != "standing":
            line = f"# {key} = {value(one)}"
            yield f"{line:32}  # {said[key].replace('None', 'never')}" if said.get(key) else line
    for key, one in below:
        first = (type(one).__doc__ or "").partition("\n")[0] if isinstance(one, BaseModel) else said.get(key, "")
        if isinstance(one, BaseModel):
            yield from section(f"{path}.{key}", one, first)
        else:
            for which, table in one.items():
                yield from section(f"{path}.{key}.{name(which)}", table, "")


def rendered() -> str:
    """The policy part of the example."""
    return "\n".join(section("policy", Policy())) + "\n\n"


def uncommented() -> dict[str, Any]:
    """The example as if every key in it were set. Sentences stay what they are."""
    lines = []
    for line in EXAMPLE.read_text().splitlines():
        bare = line.removeprefix("# ")
        lines.append(bare if SETS.match(bare) else line)
    return tomllib.loads("\n".join(lines))


def test_the_policy_part_of_the_example_is_what_the_models_say() -> None:
    text = EXAMPLE.read_text()
    assert text[text.index(BEGIN) : text.index(END)] == rendered(), "python -m tests.screens.test_configuration writes it anew"


def test_every_key_of_the_policy_stands_there_with_its_default() -> None:
    told = uncommented()["policy"]
    told.pop("standing")
    assert Policy.model_validate(told) == Policy()
    assert set(told) == set(Policy.model_fields) - {"standing"}
    assert set(told["rhythms"]) == {str(severity) for severity in RHYTHMS}


def test_every_other_section_shows_every_key(tmp_path: Path) -> None:
    told = uncommented()
    assert set(told) == set(SECTIONS)
    assert set(told["links"]) == set(Links.model_fields) and set(told["contacts"]) == set(Contacts.model_fields)
    assert set(told["policy"]["standing"]["status_page.publish"]) == set(StandingAuthorisation.model_fields)
    people, services = told["people"].values(), told["services"].values()
    assert {key for one in people for key in one} == set(Person.model_fields) - {"id"}
    assert {key for one in services for key in one} == set(Deployed.model_fields) - {"name"}
    assert set(told["blocked"]) == set(Blocked.model_fields)
    assert {key for one in told["routes"].values() for key in one} == set(AlertRoute.model_fields)
    assert {key for one in told["sources"].values() for key in one} == set(AlertSource.model_fields)
    assert set(DASHBOARDS) == set(told["links"]["dashboards"])
    assert told["templates"] and told["oncall"]


def test_the_example_is_valid_as_it_is_and_with_everything_set(tmp_path: Path) -> None:
    Organisation(EXAMPLE).read_whole()
    assert Organisation(EXAMPLE).read_policy() == Policy()
    lines = [
        line.removeprefix("# ") if (line.startswith("# ") and SETS.match(line[2:])) else line for line in EXAMPLE.read_text().splitlines()
    ]
    (tmp_path / "all.toml").write_text("\n".join(lines))
    Organisation(tmp_path / "all.toml").read_whole()


def test_no_credential_has_a_place_in_it() -> None:
    """They come by reference, in the settings: env:, file: or gsm: (worker/settings.py)."""
    assert not [line for line in EXAMPLE.read_text().splitlines() if " = " in line and SECRET.search(line.partition(" = ")[0])]


# -- what is wrong with a file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[plicy]\npace = 1", "plicy: there is no such section; did you mean [policy]?"),
        ("pace = 1", "pace: there is no such section; did you mean [policy] pace?"),
        ("[provider_outage]\nramp = [1.0]", "did you mean [policy] provider_outage?"),
        ("[weather]\nrain = 1", "weather: there is no such section; known: [policy], [people], [services]"),
        ("people = 1", "[people] is a section, not a value"),
        ("[policy]\nobserve-only = true", "policy.observe-only: there is no such key; did you mean observe_only?"),
        ("[policy.provider_outage.canary]\ntikc = 1", "policy.provider_outage.canary.tikc: there is no such key; did you mean tick?"),
        ("[policy.rhythms.1]\nrom = 5", "policy.rhythms.1.rom: there is no such key; did you mean room?"),
        ("[policy]\nmode = 'lief'", "policy.mode: Input should be 'shadow' or 'live' (got 'lief'); did you mean live?"),
        ("[people.dana]\nroles = ['incident_comander']", "people.dana.roles.0"),
        ("[people.dana]\nroles = ['incident_comander']", "did you mean incident_commander?"),
        ("[services.api]\nplatform = 'cloud_run'\nregions = []\nrepositry = 'a/b'", "services.api.repositry: there is no such key; did you"),
        ("[links]\ndashbords = []", "links.dashbords: there is no such key; did you mean dashboards?"),
        ("[contacts]\nslack = 'x'", "contacts.slack: there is no such key; known here: support_channel"),
        ("[oncall]\nops = 'P1'", "oncall.ops"),
    ],
)  # fmt: skip
def test_a_key_that_nobody_knows_is_refused_with_what_was_meant(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "organisation.toml").write_text(text)
    with pytest.raises(Refused) as refused:
        Organisation(tmp_path / "organisation.toml").read_whole()
    assert said in refused.value.message
    assert "organisation.example.toml" in refused.value.message


def test_a_severity_or_a_class_that_is_not_named_keeps_the_specs_numbers() -> None:
    policy = Policy.model_validate({"rhythms": {"1": {"room": "PT5M", "holding": "never"}}, "approval_valid": {"2": "PT5M"}})
    assert policy.rhythm(1).room == timedelta(minutes=5) and policy.rhythm(1).holding is None
    assert policy.rhythm(1).public == RHYTHMS[1].public and policy.rhythm(2) == RHYTHMS[2]
    assert len(policy.approval_valid) == 3
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def main() -> None:
    """Write the policy part of the example anew."""
    text = EXAMPLE.read_text()
    EXAMPLE.write_text(text[: text.index(BEGIN)] + rendered() + text[text.index(END) :])


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
