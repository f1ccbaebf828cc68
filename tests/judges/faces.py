"""Schemathesis fuzzes the practice faces that have an OpenAPI document, each against a world of its own."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from practice.http.openapi import documents
from practice.world.stage import served
from tests.judges.verdicts import FAILURES, NO_FAILURE, ROOT, Judge, Verdict, installed

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
        printed, _ = await judge.communicate()
    text = printed.decode().replace(stage.url, "http://127.0.0.1:PORT").replace(str(ROOT) + "/", "")
    shown = f"st run docs/api/{document} --url http://127.0.0.1:PORT/{face} {' '.join(options)}"
    outcome = FAILURES if judge.returncode else NO_FAILURE
    said = "\n".join([*(f"check {check} is let off: {why}" for check, why in WHY.items()), summary(text)])
    return Verdict(f"`/{face}`, by its OpenAPI document", shown, said, outcome)


def summary(said: str) -> str:
    """The judge's last words: what was tested, and how it ended. Times are left out."""
    last = said[said.rfind("= SUMMARY =") :].splitlines()[1:]
    return "\n".join(line.rstrip() for line in last if line.strip() and "Seed" not in line and not line.startswith("="))


async def run(folder: Path) -> Sequence[Verdict]:
    judge = installed("schemathesis", f"schemathesis=={SCHEMATHESIS}")
    return [await fuzzed(judge, document, folder) for document in documents()]


JUDGE = Judge("faces", run)
