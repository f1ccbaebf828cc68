"""Words for a person: one line, nothing that draws on their screen; durations as people say them. Light: no SDK, no database."""

import re
from datetime import timedelta

# Terminal escapes, control characters, and the marks that turn text around: an alert must not draw on the commander's screen.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udfff]")


def plain(said: object) -> str:
    """Text from outside as it may stand on a screen: one line, nothing that moves the cursor or turns the reading direction."""
    return re.sub(r"\s+", " ", UNSEEN.sub("", ESCAPES.sub("", str(said)))).strip()


def span(duration: timedelta) -> str:
    """A duration as people say it: `15m44s`, `3h05m`, `2d04h`."""
    seconds = max(int(duration.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"
    return f"{seconds // 86400}d{seconds % 86400 // 3600:02}h"


def ago(duration: timedelta) -> str:
    """An age: `just now`, `12s old`."""
    return "just now" if duration < timedelta(seconds=1) else f"{span(duration)} old"


def clock(duration: timedelta) -> str:
    seconds = max(int(duration.total_seconds()), 0)
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
