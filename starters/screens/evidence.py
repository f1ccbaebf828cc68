"""A piece of evidence, as it is shown: where it is, its hash, until when, and who has handled it. Never what it holds."""

from activities.ledger.custody import ManifestLine
from starters.screens.text import plain


def in_words(line: ManifestLine) -> list[str]:
    """A piece of evidence as it is shown."""
    head = f"{line.at:%Y-%m-%d %H:%M:%S} {line.asset}, {line.bytes} bytes, sha256 {line.sha256}"
    told = [f"at {line.location}", f"{line.protection}; to be kept until {line.held_until:%Y-%m-%d}"]
    told += [f"{one.act} {one.at:%Y-%m-%d %H:%M:%S} by {one.who}" for one in line.custody]
    return [plain(head), *(f"    {plain(one)}" for one in told)]
