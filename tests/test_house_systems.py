"""House rules of the systems. A new one is in these tests by being there; what it lacks is named."""

import ast
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from temporalio.client import Client

from activities.action import Action, Call, Refused
from activities.everything import verbs
from activities.flags.flags import Flag, Flags
from activities.kit.clock import Clock
from activities.kit.create_once import CreateOnce
from activities.kit.setting import Look as LookAt
from activities.kit.setting import Setting
from activities.ledger.ledger import Ledger
from activities.organisation.organisation import Organisation
from activities.systems import ClientInfo, noted, provides, taken
from practice.http.app import build as practice_app
from practice.world.world import World
from starters.cli import doctor
from starters.gameday.scorecard import OUR_OWN
from tests.activities.kit.rows.created import CREATED
from tests.activities.kit.rows.operated import OPERATED
from tests.activities.kit.rows.settings import SETTINGS
from tests.stage.organisation import ORGANISATION, stage_settings
from tests.test_house import ROOT, files
from worker.settings_example import example
from worker.systems import clients, ports, settings_class, systems, users
from worker.wiring import building, wire

SPEAKERS = {"httpx", "grpc", "redis", "psycopg", "kubernetes"}  # whoever imports one of these speaks to something outside
VARIABLE = re.compile(r"""["'$]([A-Z][A-Z_]*_(?:URL|TOKEN|FILE|PROJECT|ENVIRONMENT))\b""")
GIVEN = {Clock, Organisation, Ledger}  # what the worker itself has one of


@pytest.mark.parametrize("cls", verbs(), ids=lambda cls: cls.__name__)
def test_a_system_has_everything_that_it_is_made_of(cls: type) -> None:
    """And doctor and the list of capabilities know what it stands on."""
    if cls in GIVEN or any(cls in info.built for info in systems().values()):
        return
    products = [one for info in systems().values() for one in info.clients]
    found = {
        name: [one.name for one in products if provides(one, kind)]
        for name, kind in taken(cls, systems().values()).items()
        if kind not in GIVEN
    }
    assert all(found.values()), f"declare its client in the SYSTEM of its folder, activities/<name>/system.py: {found}"
    assert all(len(one) == 1 for one in found.values()), f"several clients are of this type: let `built` say which: {found}"


def test_a_workflow_of_ours_is_no_target_of_a_game_day() -> None:
    """What changes only a workflow of ours is in no log of the practice platform: the scorecard would count it as lost."""
    by_workflow = [cls for cls in verbs() if Client in get_type_hints(cls.__init__).values()]
    writing = {said.name.partition(".")[0] for cls in by_workflow for verb in vars(cls).values() if (said := _action(verb)) and said.writes}
    assert {"clocks", "freezes", "watches"} <= writing <= OUR_OWN


def _action(verb: object) -> Action | None:
    return getattr(verb, "__action__", None)


def test_what_stands_on_what_is_known() -> None:
    """As the list of capabilities says it."""
    uses = {one.name: set(names) for one, names in users().items()}
    assert uses["flags"] == {"flags"} and uses["kubernetes"] == {"deploys", "scaling"} and {"evidence", "mail"} <= uses["evidence"]
    assert uses["model gateway"] == {"models"} and "models" not in uses["platform"] and "models" in uses["prometheus"]


def test_clients_have_names_of_their_own() -> None:
    names = [client.name for client in clients()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("client", clients(), ids=lambda client: client.name)
def test_every_client_can_be_practised_on(client: ClientInfo[Any], tmp_path: Path) -> None:
    """Each address has a face; a second client of the same kind may do without one, as may what is no address."""
    routes = [route.path for route in practice_app(World(seed=7, state=tmp_path)).routes]  # type: ignore[attr-defined]
    addresses = {name: of for name, of in client.settings.model_fields.items() if name.endswith("_url")}
    like_it = [one for one in clients() if one.probe is client.probe and one is not client]
    for name, of in addresses.items():
        face = str(noted(of, "practice")).removeprefix("{url}")
        assert face or like_it, f"{name}: say where the practice platform has its face: setting(practice=…)"
        assert not face or any(str(path).startswith(face) for path in routes), f"{name}: the practice platform has nothing at {face}"


def test_every_setting_has_a_row_in_the_contract_table() -> None:
    rows = " ".join([*SETTINGS, *CREATED, *OPERATED]).casefold()
    source = "".join(path.read_text() for path in (ROOT / "tests/activities/kit/rows").rglob("*.py"))
    assert not [cls.__name__ for cls in verbs() if issubclass(cls, Setting) and not re.search(rf"\b{cls.__name__}\b", source)]
    own = [path.stem for path in (ROOT / "tests/activities").rglob("test_*.py")]  # what keeps nothing by a setting has a file of its own
    known = f"{rows} {' '.join(own)}"
    assert not [client.name for port in ports().values() for client in port.clients if client.name not in known]


def test_every_kind_of_thing_that_exists_once_has_a_row_in_the_contract_table() -> None:
    assert verbs(), "imports every system"
    kinds = {cls.__name__ for cls in CreateOnce.__subclasses__() if cls.__module__.startswith("activities.")}
    assert kinds and not kinds - {row.kind for row in CREATED.values()}


def test_the_example_of_settings_is_what_the_systems_declare() -> None:
    written = (ROOT / "deploy/settings.example.env").read_text()
    assert written == example(), "python -m worker.settings_example > deploy/settings.example.env"


def test_printed_commands_use_the_names_of_settings() -> None:
    """`$UNLEASH_URL` is what `INCIDENT_UNLEASH_URL` says: nobody has to look a variable up."""
    known = {name.upper() for client in clients() for name in client.settings.model_fields}
    used = {name for path in files("activities") if "kit" not in path.parts for name in VARIABLE.findall(path.read_text())}
    assert not used - known - {"UPDATE_FEATURE_ENVIRONMENT"}, "that one is a permission of Unleash's"


def imported(path: Path) -> Iterator[tuple[str, set[str]]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            yield from ((alias.name, set()) for alias in node.names)


def speaks(path: Path) -> bool:
    """Whether a module speaks to something outside: it is a client, or opens one."""
    named = list(imported(path))
    outside = any(
        module.partition(".")[0] in SPEAKERS or (module == "activities.kit.http" and "HttpClient" in names) for module, names in named
    )
    return outside or path.name == "system.py"


def test_only_the_worker_opens_clients() -> None:
    """Workflows and commands import a system's orders and verbs. Whoever declares verbs is no client, whatever it is typed with."""
    declaring = {cls.__module__ for cls in verbs()}
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files("activities")}
    closed = {module for module, path in named.items() if speaks(path) and module not in declaring}
    assert "activities.flags.unleash" in closed and "activities.flags.system" in closed
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files("workflows", "starters")
        for module, names in imported(path)
        if module in closed or any(f"{module}.{name}" in closed for name in names)
    ]
    assert not wrong


async def test_what_is_not_configured_says_which_setting_is_missing(tmp_path: Path) -> None:
    """Its verbs are served all the same: a verb that no worker serves would wait for ever."""
    codes = tmp_path / "codes"
    codes.write_text("0123456789abcdef")
    bare = settings_class()(
        ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}", organisation=tmp_path / "none.toml", codes_secret=f"file:{codes}"
    )
    look, call = LookAt[Flag](of=Flag(flag="batch.enabled")), Call(incident_id="inc", key="key", at=datetime.now(UTC))
    async with AsyncExitStack() as stack:
        (flags,) = (one for one in (await wire(bare, stack)).systems if isinstance(one, Flags))
        with pytest.raises(Refused, match=r"not configured: INCIDENT_UNLEASH_URL is not set"):
            await flags.read(look, call)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('systems = { flags = "flagdd" }', "policy.systems.flags: there is no client 'flagdd'; did you mean flagd?"),
        ('systems = { flag = "flagd" }', "policy.systems.flag: there is no such choice; did you mean flags?"),
    ],
)
async def test_a_wrong_choice_says_what_was_meant_and_nothing_is_used_instead(line: str, said: str, tmp_path: Path) -> None:
    organisation = tmp_path / "organisation.toml"
    organisation.write_text(ORGANISATION.format(policy=line))
    settings = stage_settings("http://127.0.0.1:9", tmp_path, organisation)
    check = doctor._organisation(settings)
    assert check.state == "broken" and said in check.said
    async with AsyncExitStack() as stack:
        build = building(settings, stack)
        assert said in build.missing(ports()["flags"])
