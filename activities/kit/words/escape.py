"""Text from outside, as it may stand in each channel: it is read, and never does anything."""

import re

# Terminal escapes, control characters, and the marks that turn text around: an alert must not draw on the commander's screen.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udfff]"
)
MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")
MENTION = re.compile(r"@(?=\w)")
LINK = re.compile(r"(?i)\b(https?|ftp)(?=://)|\bwww(?=\.)")
APART = "\u200b"  # a space that nobody sees: it keeps a mention and a link from being one


def visible(text: object) -> str:
    """Only what a reader sees; lines and tabs are kept."""
    return UNSEEN.sub("", ESCAPES.sub("", str(text)))


def line(text: object, longest: int = 0) -> str:
    """One line, nothing that moves the cursor or turns the reading direction. `longest`: characters; what is more is cut off (0: nothing)."""
    said = " ".join(visible(text).split())
    return said if not longest or len(said) <= longest else f"{said[: longest - 1]}…"


terminal = line


def slack(text: object) -> str:
    """For Slack: no `<!channel>`, no `<@U1>`, no `<https://evil.invalid|approve>`."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown(text: object) -> str:
    """For Markdown (GitHub's): no marks, no HTML, no mention, no link that nobody wrote."""
    said = MARKS.sub(r"\\\1", visible(text).replace("&", "&amp;"))
    return LINK.sub(lambda found: found[0][0] + APART + found[0][1:], MENTION.sub(f"@{APART}", said))
