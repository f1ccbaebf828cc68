"""Who answers: personal codes."""

from activities.identity.codes import Codes
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret


class CodesSettings(ClientSettings):
    codes_secret: str = secret("of 16 bytes or more: openssl rand -hex 32 makes one")


def _codes(opening: Opening) -> Codes:
    try:
        return Codes(opening.secret("codes_secret").encode())
    except ValueError as short:
        raise ValueError(f"INCIDENT_CODES_SECRET: {short}; without it no answer could be verified") from None


async def _probe(codes: Codes, look: Look) -> Seen:
    return Seen("the secret for personal codes is set")


SYSTEM = SystemInfo(ClientInfo("codes", Codes, CodesSettings, _probe, _codes, required=True))
