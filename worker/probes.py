"""Can every product be used with what is configured? One harmless look at each, for `incident doctor` and the list of capabilities."""

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta

from temporalio.exceptions import ApplicationError

from activities.action import Call, Refused
from activities.ledger import capabilities
from activities.ledger.capabilities import Capability, Standing
from activities.ledger.ledger import Ledger
from activities.organisation.catalogue import Catalogue
from activities.organisation.organisation import Organisation
from activities.systems import Build, Look, Product, Unused
from worker.settings import Settings
from worker.systems import users
from worker.wiring import building

WITHIN = 8.0  # seconds for one product
EVERY = timedelta(minutes=5)
MAY_NOT = "our credentials may not write there"
log = logging.getLogger(__name__)


async def probe_all(settings: Settings) -> list[Capability]:
    """Every product that is chosen, side by side. Never raises: what goes wrong is what a probe says."""
    call = Call(incident_id="doctor", key="doctor", at=datetime.now(UTC))
    async with AsyncExitStack() as stack:
        build = building(settings, stack)
        catalogue = Catalogue()
        with suppress(Refused):  # `incident doctor` says of the file itself what is wrong with it
            catalogue = build.part(Organisation).read_catalogue()
        look = Look(call, catalogue, build.settings)
        return list(await asyncio.gather(*(_probed(build, one, systems, look) for one, systems in users().items())))


async def keep_probing(settings: Settings, ledger: Ledger) -> None:
    """Tell the ledger what can be used, again and again."""
    while True:
        try:
            await asyncio.to_thread(capabilities.keep, ledger, await probe_all(settings))
        except Exception:  # the ledger is away, the organisation's file is being edited: the worker goes on
            log.exception("what can be used is not known; it is looked at again in %s", EVERY)
        await asyncio.sleep(EVERY.total_seconds())


async def _probed(build: Build, one: Product, systems: list[str], look: Look) -> Capability:
    client, (standing, said) = build.choose(one), await _looked_at(build, one, look)
    if standing is not Standing.UNUSED and (missing := build.missing(one)):
        standing, said = Standing.BROKEN if client.required else Standing.MISSING, missing.removeprefix("not configured: ")
    needed_by = () if client.optional else tuple(systems)
    return Capability(product=client.name, standing=standing, said=said, systems=needed_by, at=look.call.at)


async def _looked_at(build: Build, one: Product, look: Look) -> tuple[Standing, str]:
    try:
        seen = await asyncio.wait_for(build.choose(one).probe(build.client(one), look), WITHIN)
    except Unused as unused:
        return Standing.UNUSED, str(unused)
    except ValueError as wrong:
        return Standing.BROKEN, str(wrong)
    except TimeoutError:
        return Standing.BROKEN, f"no answer within {WITHIN:g} s"
    except ApplicationError as no:
        return Standing.BROKEN, no.message
    except Exception as broke:  # a vendor's library may raise anything; the others are looked at all the same
        return Standing.BROKEN, f"{type(broke).__name__}: {broke}"[:300]
    return (Standing.READ_ONLY, f"{seen.said}; {MAY_NOT}") if seen.may_write is False else (Standing.READY, seen.said)
