"""`python -m starters` is `incident`."""

import sys

from starters.cli import terminal
from worker.process import leave

LIGHT = ("severity", "quicksheet")  # they must answer at once, and need neither the SDK nor a database


def main() -> None:
    if sys.argv[1:2] and sys.argv[1] in LIGHT:
        from starters.screens.sheets import app  # noqa: PLC0415
    else:
        from starters.cli.cli import app  # noqa: PLC0415
    leave(terminal.run(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
