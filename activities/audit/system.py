"""Who logs accesses to data: `[policy.systems] audit` chooses."""

from activities.access.system import ProjectSettings, policies
from activities.audit.google import GoogleAudit
from activities.audit.level import AuditLog, AuditOf
from activities.audit.own import OwnAuditLog
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting


class GoogleAuditSettings(ProjectSettings):
    cloud_logging_url: str = setting("https://logging.googleapis.com", practice="{url}/logging")
    cloud_logging_token: str = secret("or adc")


class OwnAuditSettings(ClientSettings):
    audit_url: str = setting(needed=True, example="https://audit.example.com", practice="{url}/audit")
    audit_token: str = secret()
    audit_scope: str = setting("acme", "the scope that is read for a look from outside")


def _google(opening: Opening) -> GoogleAudit:
    return GoogleAudit(policies(opening), opening.http("cloud_logging"))


async def _probe_google(audit: GoogleAudit, look: Look) -> Seen:
    of = AuditOf(scope=look.settings.resource_manager_project)
    since = await audit.since(look.call, of)
    rolled = f"; the oldest entry is of {since:%Y-%m-%d %H:%M} UTC" if since else "; there is no entry of an access"
    return Seen(f"{of.scope}: {(await audit.read(look.call, of)).value}{rolled}")


async def _probe_own(audit: OwnAuditLog, look: Look) -> Seen:
    of = AuditOf(scope=look.settings.audit_scope, store="own")
    return Seen(f"{of.scope}: {(await audit.read(look.call, of)).value}")


GOOGLE = ClientInfo("google audit", GoogleAudit, GoogleAuditSettings, _probe_google, _google)
OWN = ClientInfo("audit log", OwnAuditLog, OwnAuditSettings, _probe_own)
SYSTEM = SystemInfo(Port("audit", AuditLog, (GOOGLE, OWN)))
