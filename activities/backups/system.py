"""The backups of our databases."""

from activities.backups.backups import BackupPlane
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class BackupsSettings(ClientSettings):
    backups_url: str = setting(
        about="the backups of databases", needed=True, example="https://backups.example.com", practice="{url}/backups"
    )
    backups_token: str = secret()


async def _probe(backups: BackupPlane, look: Look) -> Seen:
    said = await backups.get(look.call, "/v1/clusters")
    return Seen(f"keeps backups of {', '.join(said['clusters']) or 'no cluster'}")


SYSTEM = SystemInfo(ClientInfo("backups", BackupPlane, BackupsSettings, _probe))
