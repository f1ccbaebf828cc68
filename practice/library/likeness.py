"""How like two texts are: by what they say, not by their letters. Words that mean the same here count as one; order counts for nothing."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from functools import lru_cache

MEANINGS = (
    ("ignore", "disregard", "forget", "skip", "override"),
    ("previous", "prior", "earlier", "before", "preceding", "former"),
    ("instruction", "rule", "guideline", "direction", "order", "command"),
    ("send", "forward", "mail", "transmit", "post", "upload", "deliver"),
    ("customer", "client", "account", "user"),
    ("list", "table", "record", "export", "dump"),
    ("secret", "password", "key", "token", "credential"),
    ("show", "reveal", "print", "display", "output", "disclose"),
    ("hidden", "concealed", "invisible", "unseen"),
    ("system", "developer", "root"),
    ("address", "mailbox", "inbox"),
    ("every", "all", "each", "whole", "entire"),
    ("file", "document", "attachment"),
    ("now", "immediately", "once"),
)
"""Words of one row mean the same."""
WORD = re.compile(r"[a-z0-9][a-z0-9.@-]*")
EMPTY = frozenset(
    WORD.findall(
        "a an and any are as at be by do for from have i in is it its me my of on or our so that the their them this to us we you your"
    )
)
UNSEEN = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad]")
_MEANING = {word: row[0] for row in MEANINGS for word in row}


def likeness(one: str, other: str) -> float:
    """From 0 to 1: how much of `other` is said somewhere in `one`, which may be longer."""
    here, there = said(one), said(other)
    size = max(len(there), 1)
    parts = [here[n : n + size] for n in range(0, max(len(here) - size // 2, 1), max(size // 4, 1))]
    return max(_alike(Counter(part), Counter(there)) for part in parts)


def _alike(here: Counter[str], there: Counter[str]) -> float:
    together = sum(n * there[word] for word, n in here.items())
    lengths = math.sqrt(sum(n * n for n in here.values())) * math.sqrt(sum(n * n for n in there.values()))
    return together / lengths if lengths else 0.0


@lru_cache(maxsize=4096)
def said(text: str) -> tuple[str, ...]:
    """What a text says: its words, each as what it means."""
    plain = UNSEEN.sub("", unicodedata.normalize("NFKC", text)).casefold()
    words = (_stem(word.strip(".-")) for word in WORD.findall(plain))
    return tuple(_MEANING.get(word, word) for word in words if word and word not in EMPTY)


def paraphrased(text: str) -> str:
    """The same in other words, where there are others: a twin that no hash finds."""
    return " ".join(_other(word) for word in text.split())


def _other(word: str) -> str:
    stem = _stem(word.casefold().strip(".,;:!-"))
    row = next((row for row in MEANINGS if stem in row), None)
    return row[(row.index(stem) + 1) % len(row)] if row else word


def _stem(word: str) -> str:
    """Without the ending of a plural or of a past: as much as these texts need."""
    for ending in ("ies", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            found = word.removesuffix(ending) + ("y" if ending == "ies" else "")
            return next((one for one in (found, f"{found}e", word) if one in _MEANING), found)
    return word
