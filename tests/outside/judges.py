"""`make judge`: let programs that we did not write judge our faces, each in a virtual environment of its own under `.judge/`.

Not part of CI. Writes `docs/judges.md`: what was run, in which version, and what it said.
"""

import asyncio
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from practice.http.openapi import documents
from practice.world.stage import served
from tests.outside.judge_litellm import LITELLM, judged_by_litellm
from tests.outside.judge_mlflow import MLFLOW, judged_by_mlflow

ROOT = Path(__file__).parents[2]
SCHEMATHESIS = "4.32.5"
EXAMPLES = 50
CONFIG = """\
parameters = { "path.service" = "api", "path.feed" = "routing-rules", "path.alias" = "chat", "path.route" = "chat" }

[auth.openapi.bearer]
bearer = "practice-token"

[checks]
positive_data_acceptance.expected-statuses = [200, 400, 401, 403, 404, 409, 412, 422, 429, 503, 504]
missing_required_header.expected-statuses = [400, 428]
"""
"""A fuzzer does not know an etag, an epoch, a service or a tenant that exists: to be refused for that is right."""
WHY = {
    "positive_data_acceptance": "a valid request may name a service, tenant, etag or epoch that is not there",
    "missing_required_header": "a missing `If-Match` is 428, a missing `X-Tenant` 400",
}


@dataclass
class Verdict:
    """What a judge said of one thing."""

    judged: str
    command: str
    passed: bool
    said: str


def installed(name: str, *packages: str) -> Path:
    """The `bin` of the judge's own virtual environment, made when it is not there."""
    place = ROOT / ".judge" / name
    python = place / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=True)
    return place / "bin"


async def fuzzed(bin_folder: Path, document: str, folder: Path) -> Verdict:
    """Fuzz one face with schemathesis, against a world of its own."""
    face, config = document.removesuffix(".json"), folder / "schemathesis.toml"
    config.write_text(CONFIG)
    options = ["-w", "1", "-n", str(EXAMPLES), "--generation-deterministic", "--no-color", "--checks", "all", "--mode", "all"]
    async with served() as stage:
        command = ["--config-file", str(config), "run", str(ROOT / "docs/api" / document), "--url", f"{stage.url}/{face}", *options]
        judge = await asyncio.create_subprocess_exec(
            str(bin_folder / "st"), *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await judge.communicate()
    text = said.decode().replace(stage.url, "http://127.0.0.1:PORT").replace(str(ROOT) + "/", "")
    shown = f"st run docs/api/{document} --url http://127.0.0.1:PORT/{face} {' '.join(options)}"
    return Verdict(f"`/{face}`, by its OpenAPI document", shown, judge.returncode == 0, text)


async def by_mlflow(folder: Path) -> Verdict:
    """The real MLflow server: our clients on it, and our face beside it."""
    wrong = await judged_by_mlflow(installed("mlflow", f"mlflow=={MLFLOW}"), folder)
    said = "= SUMMARY =\n" + ("\n".join(wrong) or "our clients work on it, and our face answers the same questions in the same way")
    return Verdict(f"`/mlflow`, and our clients, by MLflow {MLFLOW}", "mlflow server --workers 1", not wrong, said)


async def by_litellm() -> Verdict:
    """The OpenAPI document of the LiteLLM proxy: every request of our client, and every field of our face."""
    wrong = await judged_by_litellm(installed("litellm", f"litellm[proxy]=={LITELLM}"))
    said = "= SUMMARY =\n" + ("\n".join(wrong) or "every request of our client fits, and our face knows no field more")
    return Verdict(
        f"`/litellm`, and our client, by the document of LiteLLM {LITELLM}",
        "python -c 'litellm.proxy.proxy_server.app.openapi()'",
        not wrong,
        said,
    )


def report(verdicts: list[Verdict]) -> str:
    """`docs/judges.md`."""
    lines = [
        "# Judges",
        "",
        "Written by `make judge` (not part of CI): programs that we did not write judge our practice faces.",
        "",
        f"* Python {platform.python_version()}, schemathesis {SCHEMATHESIS}, {datetime.now(UTC):%Y-%m-%d}",
        *(f"* Check `{check}`: {why}." for check, why in WHY.items()),
        "",
        "| judged | verdict |",
        "|---|---|",
        *(f"| {one.judged} | {'no failure' if one.passed else 'FAILURES'} |" for one in verdicts),
    ]
    for one in verdicts:
        lines += ["", f"## {one.judged}", "", "```", f"$ {one.command}", summary(one.said), "```"]
    return "\n".join(lines) + "\n"


def summary(said: str) -> str:
    """The judge's last words: what was tested, and how it ended. Times are left out."""
    last = said[said.rfind("= SUMMARY =") :].splitlines()[1:]
    return "\n".join(line.rstrip() for line in last if line.strip() and "Seed" not in line and not line.startswith("="))


def by_celery(runs: int = 20) -> Verdict:
    """Seeded runs on a real Celery and a real Valkey: every job is counted by its id."""
    said = subprocess.run([sys.executable, "-m", "tests.stores.census", str(runs)], cwd=ROOT, capture_output=True, text=True, check=False)
    shown = f"python -m tests.stores.census {runs}"
    return Verdict(f"queues, by Celery: the census of {runs} seeded runs", shown, said.returncode == 0, said.stdout + said.stderr[-2000:])


async def main() -> int:
    judge = installed("schemathesis", f"schemathesis=={SCHEMATHESIS}")
    with tempfile.TemporaryDirectory() as folder:
        verdicts = [await fuzzed(judge, document, Path(folder)) for document in documents()]
        verdicts += [await by_mlflow(Path(folder)), await by_litellm()]
    verdicts.append(by_celery())
    for one in verdicts:
        print(one.said if not one.passed else f"{one.judged}: no failure")
    (ROOT / "docs/judges.md").write_text(report(verdicts))
    return 0 if all(one.passed for one in verdicts) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
