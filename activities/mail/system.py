"""Mail: a server that speaks SMTP."""

from activities.mail.smtp import Smtp, Tls
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret, setting


class SmtpSettings(ClientSettings):
    smtp_address: str = setting(about="host:port", needed=True, example="smtp.example.com:587")
    smtp_from: str = setting("incidents@localhost", "the address that letters come from")
    smtp_user: str = setting(about="without one we do not sign in")
    smtp_password: str = secret(needed=False)
    smtp_tls: Tls = setting("starttls", "starttls, tls or none")


def _smtp(opening: Opening) -> Smtp:
    given = opening.settings
    user = "" if opening.missing else given.smtp_user
    return Smtp(
        given.smtp_address, given.smtp_from, user=user, password=opening.secret("smtp_password") if user else "", tls=given.smtp_tls,
        timeout=given.client_timeout, missing=opening.missing,
    )  # fmt: skip


async def _probe(smtp: Smtp, look: Look) -> Seen:
    return Seen(f"{smtp.address} answers ({await smtp.greets()}); not probed whether it takes letters from {smtp.sender}")


SYSTEM = SystemInfo(ClientInfo("smtp", Smtp, SmtpSettings, _probe, _smtp))
