"""Evidence on the practice platform, with a manifest in a ledger of its own."""

from datetime import datetime, timedelta
from pathlib import Path

from activities.action import Call
from activities.evidence.folder import Folder
from activities.evidence.gcs import Gcs, Lock
from activities.evidence.s3 import S3, SignatureV4
from activities.evidence.store import EvidenceStore, Kept, Shelf
from activities.kit.http import HttpClient
from activities.ledger.custody import Custody
from activities.ledger.ledger import Ledger
from tests.activities.kit.stage import PATIENCE, InProcess, Stage

TRANSCRIPT = b'{"turn": 1, "text": "what was said, which nobody outside Security reads"}'


def ledger(tmp: Path) -> Ledger:
    book = Ledger(f"sqlite:///{tmp}/ledger.db")
    book.migrate()
    return book


def stores(shelf: Shelf, book: Ledger) -> tuple[EvidenceStore, Custody]:
    return EvidenceStore(shelf, book), Custody(book)


def gcs(played: Stage, bucket: str = "evidence", lock: Lock = Lock.RETENTION) -> Gcs:
    return Gcs(played.client("/gcs"), bucket, lock)


def s3(played: Stage, bucket: str = "evidence") -> S3:
    http = HttpClient(
        "http://practice/s3",
        {},
        timeout=PATIENCE,
        transport=InProcess(played.app),
        auth=SignatureV4("practice", "practice-token", "us-east-1"),
    )
    return S3(http, bucket)


def folder(tmp: Path) -> Folder:
    return Folder(tmp / "evidence")


def a_year(call: Call, days: int = 366) -> datetime:
    return call.at + timedelta(days=days)


async def kept(store: EvidenceStore, call: Call, content: bytes = TRANSCRIPT, name: str = "session/s-17", days: int = 366) -> Kept:
    return await store.keep(call, name, content, held_until=a_year(call, days))
