"""Where evidence is kept. Which product is chosen by `[policy.systems] evidence` in organisation.toml."""

import asyncio
import tempfile
from pathlib import Path
from typing import cast

from pydantic import Field

from activities.action import Refused
from activities.evidence.folder import NOT_WRITE_ONCE, Folder
from activities.evidence.gcs import Gcs, Lock, refuse_unlockable
from activities.evidence.s3 import S3, SignatureV4
from activities.evidence.store import EvidenceStore, Shelf
from activities.ledger.ledger import Ledger
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting


class FolderSettings(ClientSettings):
    evidence: Path = Field(default=Path(".incident/evidence"), description="a folder; it is not write-once")


class GcsSettings(ClientSettings):
    gcs_url: str = setting("https://storage.googleapis.com", practice="{url}/gcs")
    gcs_token: str = secret("or adc: Google's Application Default Credentials, which renew themselves")
    gcs_bucket: str = setting(about="where evidence is kept", needed=True, example="acme-evidence", practice="evidence")
    gcs_lock: Lock = Field(
        default=Lock.RETENTION, description="retention: write-once, the bucket needs object retention; hold: who has the right can end it"
    )


class S3Settings(ClientSettings):
    s3_url: str = setting(about="the endpoint", needed=True, example="https://s3.eu-central-1.amazonaws.com", practice="{url}/s3")
    s3_bucket: str = setting(
        about="where evidence is kept; its Object Lock must be on", needed=True, example="acme-evidence", practice="evidence"
    )
    s3_region: str = setting("us-east-1")
    s3_key_id: str = setting(about="the id of the access key", needed=True, example="AKIAIOSFODNN7EXAMPLE", practice="practice")
    s3_secret_key: str = secret()


def _store(opening: Opening, shelf: Shelf) -> EvidenceStore:
    return EvidenceStore(shelf, opening.build.parts.get(Ledger))


def _folder(opening: Opening) -> EvidenceStore:
    return _store(opening, Folder(Path(opening.settings.evidence)))


def _gcs(opening: Opening) -> EvidenceStore:
    return _store(opening, Gcs(opening.http("gcs"), opening.settings.gcs_bucket, opening.settings.gcs_lock))


def _s3(opening: Opening) -> EvidenceStore:
    given = opening.settings
    secret_key = "" if opening.missing else opening.secret("s3_secret_key")
    signature = SignatureV4(given.s3_key_id, secret_key, given.s3_region)
    return _store(opening, S3(opening.http("s3", auth=signature), given.s3_bucket))


async def _probe_folder(store: EvidenceStore, look: Look) -> Seen:
    folder = Path(look.settings.evidence)

    def write() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"doctor")

    await asyncio.to_thread(write)
    return Seen(f"evidence goes to {folder}; it is {NOT_WRITE_ONCE}", may_write=True)


async def _probe_gcs(store: EvidenceStore, look: Look) -> Seen:
    gcs = cast("Gcs", store.shelf)
    refuse_unlockable(await gcs.locks(look.call), gcs)
    lacking = await gcs.may_keep(look.call)
    kept = "write-once" if gcs.lock is Lock.RETENTION else "held, not write-once: who may change objects there can end a hold"
    said = f"evidence goes to gs://{gcs.bucket}, {kept}"
    return Seen(said + (f"; missing: {', '.join(lacking)}" if lacking else ""), may_write=not lacking)


async def _probe_s3(store: EvidenceStore, look: Look) -> Seen:
    s3 = cast("S3", store.shelf)
    if not await s3.locks(look.call):
        raise Refused(f"the Object Lock of s3://{s3.bucket} is off: it can be turned on only by those who own the bucket")
    return Seen(f"evidence goes to s3://{s3.bucket}, write-once; not probed whether we may write")


FOLDER = ClientInfo("folder", EvidenceStore, FolderSettings, _probe_folder, _folder)
GCS = ClientInfo("gcs", EvidenceStore, GcsSettings, _probe_gcs, _gcs)
AMAZON_S3 = ClientInfo("s3", EvidenceStore, S3Settings, _probe_s3, _s3)
SYSTEM = SystemInfo(Port("evidence", EvidenceStore, (FOLDER, GCS, AMAZON_S3)))
