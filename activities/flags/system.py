"""The product's feature flags. Which product keeps them is chosen by `[policy.systems] flags` in organisation.toml."""

from pathlib import Path

from activities.flags.flagd import Flagd
from activities.flags.flags import FlagStore
from activities.flags.unleash import Unleash
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting


class UnleashSettings(ClientSettings):
    unleash_url: str = setting(needed=True, example="https://unleash.example.com", practice="{url}/unleash")
    unleash_project: str = setting("default")
    unleash_environment: str = setting("production")
    unleash_token: str = secret()
    unleash_client_token: str = secret("for the client API, which takes no admin token; it is bound to an environment")


class FlagdSettings(ClientSettings):
    flagd_file: str = setting(about="the flag file that flagd reads", needed=True, example="/etc/flagd/flags.json")


def _unleash(opening: Opening) -> Unleash:
    return Unleash(
        opening.http("unleash", scheme=""),
        opening.http("unleash", scheme="", token="unleash_client_token"),  # noqa: S106 - the name of a setting
        project=opening.settings.unleash_project,
        environment=opening.settings.unleash_environment,
    )


async def _probe_unleash(unleash: Unleash, look: Look) -> Seen:
    said, may = f"tells applications {len(await unleash.told(look.call))} flags", await unleash.may_switch(look.call)
    return Seen(
        said if may is not None else f"{said}; not probed whether we may write: this Unleash tells nothing of our token", may_write=may
    )


def _flagd(opening: Opening) -> Flagd:
    return Flagd(Path(opening.settings.flagd_file or "(INCIDENT_FLAGD_FILE is not set)"))  # which no file is called


async def _probe_flagd(flagd: Flagd, look: Look) -> Seen:
    why = await flagd.unwritable()
    return Seen(why or f"{look.settings.flagd_file} can be replaced", may_write=not why)


UNLEASH = ClientInfo("unleash", Unleash, UnleashSettings, _probe_unleash, _unleash)
FLAGD = ClientInfo("flagd", Flagd, FlagdSettings, _probe_flagd, _flagd)
SYSTEM = SystemInfo(Port("flags", FlagStore, (UNLEASH, FLAGD)))
