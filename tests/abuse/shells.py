"""A shell in which every tool is a stub that only writes down what it was called with."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

TOOLS = (
    "curl", "kubectl", "gcloud", "gh", "git", "python3", "jq", "tee", "sha256sum", "sort", "uniq", "date", "cat", "xargs", "sleep",
    "incident", "redis-cli", "psql", "touch", "rm", "sed", "base64", "seq", "tr", "grep",
)  # fmt: skip
# What it was called with, NUL between the words; then something that a later command can use.
STUB = '#!/bin/sh\nprintf \'%s\\0\' "${0##*/}" "$@" > "$LOG/$RUN.$$"\necho 7\n'
UNKNOWN = 'command_not_found_handle() { printf "%s\\0" "UNKNOWN $@" > "$LOG/$RUN.$BASHPID"; }'


def stubs(folder: Path) -> Path:
    """A folder with a stub for each tool."""
    folder.mkdir()
    for name in TOOLS:
        (folder / name).write_text(STUB)
        (folder / name).chmod(0o755)
    return folder


def run(scripts: Sequence[Sequence[str]], tools: Path, empty: Path, log: Path) -> list[list[list[str]]]:
    """Run scripts one after the other in an empty folder. What each called: the words of every call, in order of the words."""
    log.mkdir()
    lines = [UNKNOWN]
    for number, script in enumerate(scripts):
        lines += [f"export RUN={number}", *script]
    file = log.with_suffix(".sh")
    file.write_text("\n".join(lines) + "\n", errors="surrogatepass")
    names = dict.fromkeys(("PROMETHEUS_URL", "MODEL_GATEWAY_URL", "PLATFORM_URL", "EDGE_URL", "SLACK_URL"), "http://x")
    environment = {"PATH": str(tools), "LOG": str(log), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": str(empty), "USER": "lee", **names}
    subprocess.run(["/bin/bash", str(file)], cwd=empty, env=environment, check=False, capture_output=True, timeout=60)
    called: list[list[list[str]]] = [[] for _ in scripts]
    for file in log.iterdir():
        called[int(file.name.partition(".")[0])].append(os.fsdecode(file.read_bytes()).split("\0")[:-1])
    return [sorted(calls) for calls in called]
