"""Can every configured system be reached with what is configured? One harmless reading each, for `incident doctor`. Nothing is changed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import httpx
from temporalio.exceptions import ApplicationError

from activities.action import Call
from activities.chat.slack import Slack
from activities.deploys.cloud_run import CloudRun
from activities.deploys.google_auth import ADC, GoogleAuth
from activities.deploys.kubernetes import Kubernetes
from activities.edge.probe import EdgeProbe
from activities.kit.http import Bearer, HttpClient
from activities.metrics.prometheus import Prometheus
from activities.models.model_gateway import ModelGateway
from activities.organisation.catalogue import Catalogue, Deployed
from activities.paging.pagerduty import PagerDuty
from activities.platform.control_plane import ControlPlane
from activities.product.app_plane import AppPlane
from activities.status_page.statuspage import Statuspage
from activities.tickets.github import Repositories
from worker.credentials import NoCredential, resolve
from worker.settings import Settings

WITHIN = 8.0  # seconds for one system


class Probed(NamedTuple):
    """One system: reached or not, or not configured (None), and what it said."""

    system: str
    reached: bool | None
    said: str
    setting: str  # what to look at when it is not right


Probe = Callable[["_Doors", Call], Awaitable[str]]


class _Doors:
    """Opens doors with the settings' own credentials."""

    def __init__(self, settings: Settings, catalogue: Catalogue, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.catalogue = catalogue
        self._stack = stack

    async def door(self, url: str, auth: httpx.Auth | None = None, **headers: str) -> HttpClient:
        return await self._stack.enter_async_context(HttpClient(url, headers, timeout=self.settings.client_timeout, auth=auth))

    def secret(self, name: str) -> str:
        found = resolve(getattr(self.settings, name), f"INCIDENT_{name.upper()}")
        if not found:
            raise NoCredential(
                f"INCIDENT_{name.upper()} is not set: it takes a reference, env:NAME, file:/path or gsm:projects/…/versions/7"
            )
        return found

    def on(self, platform: str) -> list[Deployed]:
        return [service for service in self.catalogue.services.values() if service.platform == platform]


async def probe_all(settings: Settings, catalogue: Catalogue) -> list[Probed]:
    """Every system, side by side. Never raises: what goes wrong is what a probe says."""
    call = Call(incident_id="doctor", key="doctor", at=datetime.now(UTC))
    async with AsyncExitStack() as stack:
        doors = _Doors(settings, catalogue, stack)
        return list(await asyncio.gather(*(_probed(doors, call, *one) for one in _probes(settings, catalogue))))


def _probes(settings: Settings, catalogue: Catalogue) -> list[tuple[str, str, str, Probe]]:
    """Name, the setting that says where it is, why it is not configured (empty: it is), and how to look."""

    def url(name: str) -> str:
        return "" if getattr(settings, name) else f"INCIDENT_{name.upper()} is not set"

    on = {service.platform for service in catalogue.services.values()}
    return [
        ("model gateway", "model_gateway", url("model_gateway_url"), _model_gateway),
        ("our product", "app", url("app_url"), _app),
        ("unleash", "unleash", url("unleash_url"), _unleash),
        ("prometheus", "prometheus", url("prometheus_url"), _prometheus),
        ("statuspage", "statuspage", url("statuspage_token"), _statuspage),
        ("public status page", "statuspage_public", url("statuspage_public_url"), _public_page),
        ("second status page", "statuspage_fallback", url("statuspage_fallback_url"), _second_page),
        ("slack", "slack", url("slack_token"), _slack),
        ("pagerduty", "pagerduty", url("pagerduty_token"), _pagerduty),
        ("github", "github", url("github_token"), _github),
        ("cloud run", "cloud_run", url("cloud_run_token") if "cloud_run" in on else "no service runs there", _cloud_run),
        ("kubernetes", "kubernetes", url("kubernetes_url") if "kubernetes" in on else "no service runs there", _kubernetes),
        ("platform", "platform", url("platform_url"), _platform),
        ("edge", "edge", url("edge_url") or ("" if catalogue.services else "no service is named"), _edge),
    ]


async def _probed(doors: _Doors, call: Call, system: str, setting: str, missing: str, probe: Probe) -> Probed:
    reach = partial(Probed, system, setting=f"INCIDENT_{setting.upper()}_…")
    if missing:
        return reach(reached=None, said=missing)
    try:
        return reach(reached=True, said=await asyncio.wait_for(probe(doors, call), WITHIN))
    except NoCredential as unreadable:
        return reach(reached=False, said=str(unreadable))
    except TimeoutError:
        return reach(reached=False, said=f"no answer within {WITHIN:g} s")
    except ApplicationError as no:
        return reach(reached=False, said=no.message)
    except Exception as broke:  # a vendor's library may raise anything; doctor goes on to the next one
        return reach(reached=False, said=f"{type(broke).__name__}: {broke}"[:300])


async def _model_gateway(doors: _Doors, call: Call) -> str:
    door = await doors.door(doors.settings.model_gateway_url, Authorization=f"Bearer {doors.secret('model_gateway_token')}")
    return f"knows {len(await ModelGateway(door).providers(call))} providers"


async def _app(doors: _Doors, call: Call) -> str:
    door = await doors.door(doors.settings.app_url, Authorization=f"Bearer {doors.secret('app_token')}")
    return f"batch {'runs' if await AppPlane(door).running(call, 'batch') else 'does not run'}"


async def _unleash(doors: _Doors, call: Call) -> str:
    door = await doors.door(doors.settings.unleash_url, Authorization=doors.secret("unleash_client_token"))
    return f"{len((await door.read(call, '/api/client/features')).json()['features'])} flags"


async def _prometheus(doors: _Doors, call: Call) -> str:
    as_bearer = Bearer(lambda: doors.secret("prometheus_token")) if doors.settings.prometheus_token else None
    door = await doors.door(doors.settings.prometheus_url, auth=as_bearer)
    found = await Prometheus(door).query(call, "count(service_requests_total)", call.at)
    if not found:
        raise ApplicationError("answers, but has no service_requests_total: no playbook could see whether anybody is hit")
    return f"answers, with {found[0].value:g} series of service_requests_total"


async def _statuspage(doors: _Doors, call: Call) -> str:
    settings = doors.settings
    door = await doors.door(settings.statuspage_url, Authorization=f"OAuth {doors.secret('statuspage_token')}")
    return await _incidents(Statuspage(door, door, settings.statuspage_page), call, settings.statuspage_page)


async def _second_page(doors: _Doors, call: Call) -> str:
    settings = doors.settings
    door = await doors.door(settings.statuspage_fallback_url, Authorization=f"OAuth {doors.secret('statuspage_fallback_token')}")
    return await _incidents(Statuspage(door, door, settings.statuspage_fallback_page), call, settings.statuspage_fallback_page)


async def _incidents(page: Statuspage, call: Call, name: str) -> str:
    return f"{len([one async for one in page.incidents(call)])} incidents on page {name}"


async def _public_page(doors: _Doors, call: Call) -> str:
    door = await doors.door(doors.settings.statuspage_public_url)
    return f"customers read {len((await door.read(call, '/api/v2/incidents.json')).json()['incidents'])} incidents"


async def _slack(doors: _Doors, call: Call) -> str:
    door = await doors.door(doors.settings.slack_url, Authorization=f"Bearer {doors.secret('slack_token')}")
    return f"we are {(await Slack(door).whoami(call))['user_id']}"


async def _pagerduty(doors: _Doors, call: Call) -> str:
    settings, token = doors.settings, doors.secret("pagerduty_token")
    rest = await doors.door(settings.pagerduty_url, Authorization=f"Token token={token}", Accept="application/vnd.pagerduty+json;version=2")
    events = await doors.door(settings.pagerduty_events_url)
    key = doors.secret("pagerduty_routing_key")
    pager = PagerDuty(events, rest, routing_key=key, requester=settings.pagerduty_requester, sender=settings.pagerduty_from)
    user = await pager.user(call, settings.pagerduty_requester)
    if user is None:
        raise ApplicationError(f"INCIDENT_PAGERDUTY_REQUESTER is {settings.pagerduty_requester!r}: no user has this id")
    return f"pages in the name of {user.get('name')}; the routing key is set, and only a real page would prove it"


async def _github(doors: _Doors, call: Call) -> str:
    settings = doors.settings
    door = await doors.door(settings.github_url, Authorization=f"Bearer {doors.secret('github_token')}")
    if not settings.github_repository:
        raise ApplicationError("INCIDENT_GITHUB_REPOSITORY is not set: tickets have nowhere to go")
    await door.read(call, f"/repos/{settings.github_repository}/issues", state="all", per_page=1)
    locked = [service for service in doors.catalogue.services.values() if service.repository]
    for service in locked:
        await Repositories(door).branch(call, service.repository, service.branch)
    return f"tickets in {settings.github_repository}; {len(locked)} branches that a freeze can lock"


async def _cloud_run(doors: _Doors, call: Call) -> str:
    settings = doors.settings
    as_google = GoogleAuth() if settings.cloud_run_token == ADC else None
    run = CloudRun(await doors.door(settings.cloud_run_url, auth=as_google or Bearer(lambda: doors.secret("cloud_run_token"))))
    for service in doors.on("cloud_run"):
        await run.regions(call, service)
    return f"{', '.join(service.name for service in doors.on('cloud_run'))} read in every region"


async def _kubernetes(doors: _Doors, call: Call) -> str:
    settings = doors.settings
    auth = GoogleAuth() if settings.kubernetes_token == ADC else Bearer(lambda: doors.secret("kubernetes_token"))
    regions = {region for service in doors.on("kubernetes") for region in service.regions}
    opened = {region: await doors.door(settings.kubernetes_url.replace("{region}", region), auth=auth) for region in regions}
    for service in doors.on("kubernetes"):
        await Kubernetes(opened.__getitem__).regions(call, service)
    return f"{', '.join(service.name for service in doors.on('kubernetes'))} read in {', '.join(sorted(regions))}"


async def _platform(doors: _Doors, call: Call) -> str:
    door = await doors.door(doors.settings.platform_url, Authorization=f"Bearer {doors.secret('platform_token')}")
    seen = await ControlPlane(door).changes(call, call.at - timedelta(days=1), call.at)
    return f"its change feed tells {len(seen['changes'])} changes of the last day"


async def _edge(doors: _Doors, call: Call) -> str:
    door, service = await doors.door(doors.settings.edge_url), next(iter(doors.catalogue.services))
    met = await EdgeProbe(door).health(call, service)
    return f"{service} answers a customer with {met.status}"
