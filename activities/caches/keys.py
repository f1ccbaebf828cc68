"""The keys of cached answers: `cag:{tenant}:{domain}:v{version}:model:{model}:{question}`; and what is meant by a part of them."""

from typing import Any

from activities.action import Refused, Value
from activities.kit.words.glob import ANY, joined, literal

SEPARATOR = ":"
PARTS = 7


class Entries(Value):
    """Which entries are meant. What is left out is any. `prompt` and `document` stand in the entry, not in its key."""

    tenant: str = ""
    domain: str = ""
    model: str = ""
    prompt: str = ""
    document: str = ""  # that they cite
    version: str = ""  # of that document, by hash; empty: any

    def __str__(self) -> str:
        named = {"tenant": self.tenant, "domain": self.domain, "model": self.model, "prompt": self.prompt, "citing": self.document}
        said = [f"{what} {name}" for what, name in named.items() if name]
        return f"the entries of {', '.join(said)}" if said else "every entry"

    @property
    def narrow(self) -> bool:
        """Whether a tenant or a domain is named: nothing wider is ever removed by its key."""
        return bool(self.tenant or self.domain)

    @property
    def by_content(self) -> bool:
        """Whether an entry must be read to know if it is meant."""
        return bool(self.prompt or self.document)

    def pattern(self, prefix: str) -> str:
        """As Redis matches it. Raises `Refused` for a name that would be two parts of a key."""
        for name in (self.tenant, self.domain, self.model):
            if SEPARATOR in name:
                raise Refused(f"{name!r} holds a colon: it cannot be one part of a key")
        tenant, domain, model = (literal(name) if name else ANY for name in (self.tenant, self.domain, self.model))
        return joined(SEPARATOR, literal(prefix), tenant, domain, "v*", "model", model, ANY)

    def named_by(self, key: str) -> bool:
        """Whether this very key is meant: a pattern alone may match across the parts of a key."""
        parts = key.split(SEPARATOR)
        if len(parts) != PARTS:
            return False
        wanted = ((self.tenant, parts[1]), (self.domain, parts[2]), (self.model, parts[5]))
        return all(not name or name == part for name, part in wanted)

    def holds(self, entry: dict[str, Any]) -> bool:
        """Whether an entry with a key that is meant is meant itself."""
        if self.prompt and entry.get("prompt") != self.prompt:
            return False
        cited = [one for one in entry.get("documents", ()) if isinstance(one, dict)]
        return not self.document or any(
            one.get("id") == self.document and (not self.version or one.get("hash") == self.version) for one in cited
        )
