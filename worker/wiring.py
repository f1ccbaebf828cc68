"""Settings → doors → clients → systems → the activities that a worker serves. Constructor injection, in one place."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client

from activities.action import Refused, System
from activities.capacity.autoscaler import Autoscalers
from activities.capacity.scaling import Scaling
from activities.chat.slack import Slack
from activities.chat.war_room import WarRoom
from activities.deploys.cloud_run import CloudRun
from activities.deploys.deploys import Deploys, Platform
from activities.deploys.google_auth import ADC, GoogleAuth
from activities.deploys.kubernetes import Kubernetes
from activities.edge.edge import Edge
from activities.edge.gateway import Gateways
from activities.edge.probe import EdgeProbe
from activities.edge.regions import Regions
from activities.evidence.evidence import Evidence
from activities.feeds.feeds import Feeds
from activities.flags.flagd import Flagd
from activities.flags.flags import Flags, FlagStore
from activities.flags.unleash import Unleash
from activities.freeze.branch_lock import BranchLocks
from activities.freeze.freezes import Freezes
from activities.identity.codes import Codes, Identities
from activities.kit.clock import Clock, RealClock
from activities.kit.http import Bearer, HttpClient
from activities.kit.rest import RestClient
from activities.ledger.ledger import Ledger
from activities.metrics.prometheus import Prometheus
from activities.metrics.telemetry import Telemetry
from activities.models.client_policy import ClientPolicies
from activities.models.model_gateway import ModelGateway
from activities.models.models import Models
from activities.models.modes import TenantModes
from activities.organisation.organisation import Organisation
from activities.organisation.rota import Rota
from activities.paging.pager import Pager
from activities.paging.pagerduty import PagerDuty
from activities.platform.change_feed import ChangeFeed
from activities.platform.control_plane import ControlPlane
from activities.product.app_plane import AppPlane
from activities.status_page.status_page import StatusPage
from activities.status_page.statuspage import Statuspage
from activities.tickets.github import GitHub, Repositories
from activities.tickets.tickets import Tickets
from activities.write_gate.write_gate import WriteGates
from worker.converter import data_converter
from worker.credentials import resolve
from worker.settings import Settings


@dataclass(frozen=True)
class Fleet:
    """Every system a worker can act on."""

    systems: tuple[System, ...]
    ledger: Ledger

    @property
    def activities(self) -> Sequence[Callable[..., Any]]:
        """The bound verbs, as Temporal wants them."""
        return [
            verb
            for system in self.systems
            for name in dir(type(system))
            if hasattr(getattr(type(system), name), "__action__")
            for verb in [getattr(system, name)]
        ]


async def wire_pager(settings: Settings, stack: AsyncExitStack) -> Pager:
    """Only what pages people: the reconciler's, in the alert receiver. Raises `NoCredential`."""
    slack, pagerduty = await _paging(settings, stack)
    return Pager(pagerduty, slack, Codes(_secret(settings, "codes_secret").encode()))


async def _paging(settings: Settings, stack: AsyncExitStack) -> tuple[Slack, PagerDuty]:
    async def door(url: str, **headers: str) -> HttpClient:
        return await stack.enter_async_context(HttpClient(url, headers, timeout=settings.client_timeout))

    slack = Slack(await door(settings.slack_url, Authorization=f"Bearer {_secret(settings, 'slack_token')}"))
    pagerduty = PagerDuty(
        await door(settings.pagerduty_events_url),
        await door(
            settings.pagerduty_url,
            Authorization=f"Token token={_secret(settings, 'pagerduty_token')}",
            Accept="application/vnd.pagerduty+json;version=2",
        ),
        routing_key=_secret(settings, "pagerduty_routing_key"),
        requester=settings.pagerduty_requester,
        sender=settings.pagerduty_from,
    )
    return slack, pagerduty


def _secret(settings: Settings, name: str) -> str:
    return resolve(getattr(settings, name), f"INCIDENT_{name.upper()}")


async def wire(settings: Settings, stack: AsyncExitStack, clock: Clock | None = None) -> Fleet:
    """Open every door that the settings name. The doors close with the stack. Raises `NoCredential`."""
    clock = clock or RealClock()

    async def door(url: str, **headers: str) -> HttpClient:
        return await stack.enter_async_context(HttpClient(url, headers, timeout=settings.client_timeout))

    def cluster(region: str) -> HttpClient:
        opened = HttpClient(settings.kubernetes_url.replace("{region}", region), {}, timeout=settings.client_timeout, auth=cluster_token)
        stack.push_async_callback(opened.close)
        return opened

    def secret(name: str) -> str:
        return _secret(settings, name)

    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    organisation = Organisation(settings.organisation)
    codes = Codes(secret("codes_secret").encode())
    at_gateway = await door(settings.model_gateway_url, Authorization=f"Bearer {secret('model_gateway_token')}")
    gateway = ModelGateway(at_gateway)
    app = AppPlane(await door(settings.app_url, Authorization=f"Bearer {secret('app_token')}"))
    prometheus = await _metrics_store(settings, stack)
    slack, pagerduty = await _paging(settings, stack)
    statuspage = Statuspage(
        await door(settings.statuspage_url, Authorization=f"OAuth {secret('statuspage_token')}"),
        await door(settings.statuspage_public_url),
        settings.statuspage_page,
    )
    second = Statuspage(
        await door(settings.statuspage_fallback_url, Authorization=f"OAuth {secret('statuspage_fallback_token')}"),
        await door(settings.statuspage_fallback_public_url),
        settings.statuspage_fallback_page,
    ) if settings.statuspage_fallback_url else None  # fmt: skip
    at_github = await door(settings.github_url, Authorization=f"Bearer {secret('github_token')}")
    # A freeze is a workflow. Nothing is connected before the first message: systems are wired before there is a server to speak to.
    temporal = await Client.connect(
        settings.temporal_address, namespace=settings.temporal_namespace, data_converter=data_converter, lazy=True
    )
    as_google = settings.cloud_run_token == ADC
    cloud_run = CloudRun(
        await stack.enter_async_context(HttpClient(settings.cloud_run_url, {}, timeout=settings.client_timeout, auth=GoogleAuth()))
        if as_google
        else await door(settings.cloud_run_url, Authorization=f"Bearer {secret('cloud_run_token')}")
    )
    edge = EdgeProbe(await door(settings.edge_url))
    cluster_token = GoogleAuth() if settings.kubernetes_token == ADC else Bearer(lambda: secret("kubernetes_token"))
    kubernetes = Kubernetes(cluster)
    platforms: dict[str, Platform] = {"cloud_run": cloud_run, "kubernetes": kubernetes}
    deploys = Deploys(platforms, edge, prometheus, patience=settings.rollout_patience)
    plane = ControlPlane(await door(settings.platform_url, Authorization=f"Bearer {secret('platform_token')}"))
    flags: FlagStore = Flagd(settings.flagd_file) if _chosen(organisation, "flags") == "flagd" else Unleash(
        await door(settings.unleash_url, Authorization=secret("unleash_token")),
        await door(settings.unleash_url, Authorization=secret("unleash_client_token")),
        project=settings.unleash_project, environment=settings.unleash_environment,
    )  # fmt: skip
    systems: tuple[System, ...] = (
        organisation, ledger, Identities(organisation, codes), Models(gateway, prometheus, clock), TenantModes(gateway, app),
        ClientPolicies(RestClient(at_gateway), gateway), Flags(flags, app),
        Telemetry(prometheus), Evidence(settings.evidence, prometheus),
        Pager(pagerduty, slack, codes), Rota(organisation, pagerduty), WarRoom(slack), StatusPage(statuspage, second),
        Tickets(GitHub(at_github, settings.github_repository)), deploys, BranchLocks(Repositories(at_github)),
        Freezes(temporal, codes, settings.queues[0], settings.task_patience),
        Edge(plane, edge), Regions(plane, edge, prometheus, clock), Gateways(plane, prometheus, clock), Autoscalers(plane, prometheus),
        WriteGates(plane, edge, prometheus, clock),
        Feeds(plane, prometheus), ChangeFeed(plane), Scaling(kubernetes),
    )  # fmt: skip
    for system in systems:
        if system is not ledger:
            system.book = ledger
    return Fleet(systems, ledger)


def _chosen(organisation: Organisation, system: str) -> str:
    """The client that `organisation.toml` names for a system; empty where it names none, or cannot be read."""
    try:
        return organisation.read_policy().systems.get(system, "")
    except Refused:
        return ""


async def telemetry(settings: Settings, stack: AsyncExitStack) -> Telemetry:
    """The metrics alone, for whoever only reads them. The door closes with the stack. Raises `NoCredential`."""
    return Telemetry(await _metrics_store(settings, stack))


async def _metrics_store(settings: Settings, stack: AsyncExitStack) -> Prometheus:
    bearer = resolve(settings.prometheus_token, "INCIDENT_PROMETHEUS_TOKEN")
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    opened = await stack.enter_async_context(HttpClient(settings.prometheus_url, headers, timeout=settings.client_timeout))
    return Prometheus(opened, ui=settings.prometheus_url)
