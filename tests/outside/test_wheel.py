"""What is installed is the wheel, in an environment that has nothing else of ours: no checkout, no `practice/`, no tests."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from starters.gameday.processes import Processes
from tests.stage.organisation import ORGANISATION
from tests.stage.outages import quick
from tests.stage.real_server import PACE, RealServer, real_server

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
OURS = ("activities", "workflows", "worker", "starters")
NOBODY = {"INCIDENT_TEMPORAL_ADDRESS": "127.0.0.1:9"}  # whatever runs on this machine, nobody listens there
UNREACHED = "the Temporal server at 127.0.0.1:9 does not answer"


class Ran(NamedTuple):
    code: int
    out: str
    err: str


class Installed(NamedTuple):
    """The wheel, an environment with nothing but it and its dependencies, and an empty folder to stand in."""

    wheel: Path
    bin: Path
    empty: Path

    async def run(self, *words: str, env: Mapping[str, str] = NOBODY) -> Ran:
        """One of its programs, in the empty folder; whatever happens, it says so in sentences."""
        process = await asyncio.create_subprocess_exec(
            self.bin / words[0], *words[1:], cwd=self.empty, env=self.environment(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await process.communicate()
        said = Ran(process.returncode or 0, out.decode(), err.decode())
        assert "Traceback" not in said.out + said.err, said
        return said

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.empty), "COLUMNS": "200", "PYTHONPATH": "", **more}


def shell(*words: object) -> None:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel from what it is made of, and install it where nothing else of ours can be seen."""
    tmp = tmp_path_factory.mktemp("wheel")
    source, dist, venv, empty = (tmp / name for name in ("source", "dist", "venv", "empty"))
    empty.mkdir()
    for package in OURS:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "organisation.example.toml", "clocks.example.toml", "deploy/settings.example.env"):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "alerts", source / "alerts")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    shell(*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", dist, source)
    (wheel,) = dist.glob("*.whl")
    shell(sys.executable, "-m", "venv", "--without-pip", venv)
    shell(*pip, "--python", venv / "bin" / "python", "install", "--no-index", "--no-deps", wheel)
    # The locked dependencies, without a second download. A path that a .pth names is not searched for further ones: our editable finder is not.
    (site,) = venv.glob("lib/python3*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(wheel, venv / "bin", empty)


def test_every_module_and_every_file_beside_them_is_in_the_wheel_and_nothing_else_is(installed: Installed) -> None:
    held = {name for name in zipfile.ZipFile(installed.wheel).namelist() if ".dist-info/" not in name}
    packages = {name for name in held if ".data/" not in name}
    ours = {
        path.relative_to(ROOT).as_posix()
        for package in OURS
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packages == ours
    shared = {name.partition("/data/share/incident-playbooks/")[2] for name in held - packages}
    rules = {f"alerts/{path.name}" for path in (ROOT / "alerts").glob("*.yml")}
    assert shared == {"organisation.example.toml", "clocks.example.toml", "settings.example.env", *rules}


async def test_what_runs_comes_from_the_wheel_and_there_is_no_practice_platform(installed: Installed) -> None:
    said = await installed.run(
        "python", "-c", "import activities, importlib.util as u; print(activities.__file__, u.find_spec('practice'))"
    )
    where, practice = said.out.split()
    assert Path(where).is_relative_to(installed.bin.parent) and practice == "None", said
    day = await installed.run("python", "-m", "starters.gameday")
    assert (day.code, day.err) == (1, "")
    assert day.out.splitlines()[-1].startswith("the game day stopped: the practice platform is not installed here: clone the repository")


async def test_in_an_empty_folder_every_command_is_a_sentence_and_the_way_out(installed: Installed) -> None:
    doctor, severity, sheet, declared, plan, by_hand, worker = await asyncio.gather(
        installed.run("incident", "doctor"),
        installed.run("incident", "severity", "--unsure"),
        installed.run("incident", "quicksheet"),
        installed.run("incident", "declare", "production_outage", "--service", "api"),
        installed.run("incident", "plan", "production_outage", "--service", "api"),
        installed.run("incident", "by-hand", "inc-20261124-outage-api"),
        installed.run("incident-worker"),
    )
    example = installed.bin.parent / "share" / "incident-playbooks" / "organisation.example.toml"
    assert doctor.code == 1 and example.is_file()
    assert f"→ cp {example} organisation.toml" in doctor.out, "a fix can be typed as it stands"
    assert "INCIDENT_CODES_SECRET" in doctor.out and UNREACHED in doctor.out and "INCIDENT_TEMPORAL_ADDRESS" in doctor.out
    assert severity.code == 0 and severity.out.startswith("SEV-2")
    assert sheet.code == 0 and sheet.out
    for said in (declared, plan):
        assert (said.code, said.out, said.err.splitlines()) == (1, "", [UNREACHED, "    → incident doctor"])
    sentence, fix = by_hand.err.splitlines()
    assert (by_hand.code, by_hand.out, fix) == (1, "", "    → incident doctor") and sentence.endswith(UNREACHED)
    assert worker.code == 1 and len(worker.err.splitlines()) == 1 and worker.err.startswith("worker: "), worker


async def test_with_a_server_it_serves_declares_plans_and_says_how_to_go_on_by_hand(installed: Installed, tmp_path: Path) -> None:
    """A first installation: its own ledger, one organisation file in shadow mode, and real reads."""
    async with real_server(tmp_path, serving=False) as stage, AsyncExitStack() as stack:
        (await stage.practice.post("/practice/deploys", json={"service": "api", "error_rate": 0.4})).raise_for_status()
        organisation = ORGANISATION.replace('mode = "live"', 'mode = "shadow"').replace("plan_ahead = false", "plan_ahead = true")
        (installed.empty / "organisation.toml").write_text(organisation.format(policy=quick(top=f"pace = {PACE}")))
        env = doors(stage)
        processes = Processes(tmp_path / "installed", installed.environment(env), installed.empty)
        stack.callback(processes.stop_all)
        processes.start("worker", [str(installed.bin / "incident-worker")])
        processes.start("receiver", [str(installed.bin / "incident-alerts")])
        for name in ("worker", "receiver"):
            await asyncio.to_thread(processes.wait_for, name, partial(processes.log_says, name, f"{name} ready"))
        declared, plan = await asyncio.gather(
            installed.run("incident", "declare", "production_outage", "--service", "api", env=env),
            installed.run("incident", "plan", "production_outage", "--service", "api", env=env),
        )
        (name,) = re.findall(r"^(inc-\d{8}-outage-api) is declared$", declared.out, re.MULTILINE)
        assert plan.code == 0 and plan.out.startswith("PLAN §2.1"), plan
        listed, status, by_hand, doctor = await asyncio.gather(
            installed.run("incident", "list", env=env),
            installed.run("incident", "status", name, env=env),
            installed.run("incident", "by-hand", name, env=env),
            installed.run("incident", "doctor", env=env),
        )
        assert name in listed.out
        assert status.code == 0 and "§2.1" in status.out, status
        assert by_hand.code == 0 and by_hand.out.startswith(f"# '{name} §2.1"), by_hand
        assert doctor.code == 0, doctor
        await _one_of_its_processes_is_killed(processes, stage, name)
        assert (installed.empty / ".incident" / "ledger.db").is_file()


async def _one_of_its_processes_is_killed(processes: Processes, stage: RealServer, name: str) -> None:
    """The one that serves great incidents: another one takes its place, and does not wait for what the dead one was given."""
    children = Path(f"/proc/{processes.pids()['worker']}/task/{processes.pids()['worker']}/children").read_text().split()
    serving = {Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[-2].decode(): int(child) for child in children}
    assert sorted(serving) == sorted(stage.settings.queues), "one process for each queue"
    os.kill(serving[stage.urgent], signal.SIGKILL)
    await asyncio.to_thread(processes.wait_for, "worker", partial(processes.log_says, "worker", "it is started again"))
    handle = stage.client.get_workflow_handle(name)
    said = await handle.execute_update("note", {"text": "goes on", "by": "lee"}, rpc_timeout=timedelta(seconds=60))
    assert said == "noted", "the server has forgotten the dead one, which here it would wait for for a quarter of an hour"


def doors(stage: RealServer) -> dict[str, str]:
    """Where everything is; its ledger, its evidence and its organisation are where they are by default."""
    own = {"ledger_url", "organisation", "evidence"}
    settings = {name: value for name, value in stage.settings.model_dump().items() if name not in own} | {"alert_port": 0}
    return {f"INCIDENT_{name.upper()}": str(value) for name, value in settings.items()}
