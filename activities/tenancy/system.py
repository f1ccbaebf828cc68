"""What our product says of its tenancy, and its doors as canary tenants meet them."""

from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, Unused, secret, setting
from activities.tenancy.canaries import CanaryDoor
from activities.tenancy.plane import MapOf, TenancyMap, TenancyPlane


class TenancySettings(ClientSettings):
    tenancy_url: str = setting(needed=True, example="https://tenancy.example.com", practice="{url}/tenancy")
    tenancy_token: str = secret()


class CanarySettings(ClientSettings):
    canaries_url: str = setting(
        about="the product's own door, with the sign-in of the canary tenants", needed=True, example="https://www.example.com/api",
        practice="{url}/canary",
    )  # fmt: skip
    canaries_token: str = secret("by which the canary tenants sign in; it opens nobody else's account")


def _service(look: Look) -> str:
    service = next(iter(look.catalogue.services), "")
    if not service:
        raise Unused("organisation.toml names no service")
    return service


async def _probe(plane: TenancyPlane, look: Look) -> Seen:
    known = TenancyMap.model_validate(await plane.look(look.call, MapOf(service=_service(look))))
    return Seen(f"knows {len(known.endpoints)} endpoints and {len(known.canaries)} canary tenants")


async def _probe_canaries(door: CanaryDoor, look: Look) -> Seen:
    service = look.catalogue.services[_service(look)]
    seen = await door.read(look.call, service.name, service.regions[0], "canary", "documents.get", "canary")
    return Seen(f"the product answers a canary tenant with {seen.status or 'nothing'}")


SYSTEM = SystemInfo(
    ClientInfo("tenancy", TenancyPlane, TenancySettings, _probe), ClientInfo("canaries", CanaryDoor, CanarySettings, _probe_canaries)
)
