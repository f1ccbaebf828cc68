"""The stores, and what lies in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from practice.library.likeness import paraphrased
from practice.world.state import State

CORPUS, MEMORY, MAIL, TICKETS, TOOLS = "corpus", "memory", "mail", "tickets", "tools"
BEGINS_WITH = {
    CORPUS: ("refunds are paid within 14 days of a return", "our data centres are in the european union", "a contract ends with the month"),
    MEMORY: ("the user prefers short answers", "the user asked for the invoice of march", "the user works in the purchasing department"),
    MAIL: ("please find the invoice attached", "could we move the meeting to thursday", "thank you for the quick answer"),
    TICKETS: ("the export of invoices takes too long", "login fails with single sign-on", "a colleague needs access to the dashboard"),
    TOOLS: ("search: finds documents of the tenant", "tickets: opens and closes tickets", "browser: reads a web page"),
}
"""What there is on an ordinary day: nothing in it is to blame."""


@dataclass
class Document:
    """One text. `tenant`: whose it is; empty: the platform's own. `at`: when it came."""

    id: str
    text: str
    tenant: str = ""
    session: str = ""
    at: float | None = None  # None: since ever

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass
class Store:
    """`coverage`: the share of its documents that a search reaches, the oldest first; `readable`: whether it answers at all."""

    documents: list[Document]
    readable: bool = True
    coverage: float = 1.0

    def reached(self) -> list[Document]:
        return self.documents[: int(len(self.documents) * self.coverage)]


def _opening() -> dict[str, Store]:
    return {name: Store([Document(f"{name}-{n}", text) for n, text in enumerate(texts, 1)]) for name, texts in BEGINS_WITH.items()}


@dataclass
class Library:
    stores: dict[str, Store] = field(default_factory=_opening)

    def plant(self, store: str, text: str, at: float, *, id: str = "", tenant: str = "", session: str = "", twin: bool = False) -> Document:
        """Put a text into a store; `twin`: the same in other words."""
        documents = self.stores[store].documents
        made = Document(id or f"{store}-{len(documents) + 1}", paraphrased(text) if twin else text, tenant, session, at)
        documents.append(made)
        return made


def library(state: State) -> Library:
    return state.part(Library)
