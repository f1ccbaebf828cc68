"""`incident doctor`: everything this product needs, checked one by one, each with the sentence that mends it."""

import asyncio
import sysconfig
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.action import Refused
from activities.clocks.table import FILE as CLOCKS_FILE
from activities.clocks.table import read_table
from activities.ledger.capabilities import Capability, Standing
from activities.ledger.database import LedgerDown
from activities.ledger.discrepancies import Discrepancies
from activities.ledger.ledger import Ledger
from activities.organisation.business_days import calendar_of, day_of
from activities.organisation.communications import DASHBOARDS
from activities.organisation.organisation import Organisation
from activities.organisation.policy import Policy
from starters import steering
from starters.alerts.reconciler import compare
from starters.screens.text import CliError, typed
from worker.playbooks import discover
from worker.probes import probe_all
from worker.settings import FILE, NoCredential, Settings, resolve
from worker.systems import chosen, clients, settings_class
from workflows.engine.record.recorder import ATTRIBUTES

WANTED = {one.name: "Bool" if one.value_type is bool else "Keyword" for one in ATTRIBUTES}
SHIPPED = Path(sysconfig.get_path("data")) / "share" / "incident-playbooks"  # what a wheel brings beside the packages
SLOW = 30.0  # milliseconds; above this the server's task dispatch is throttled or its disk is slow
TRIPS = 5
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Check(NamedTuple):
    name: str
    state: str  # good | warning | broken
    said: str
    fix: str = ""

    @property
    def mark(self) -> str:
        return {"good": "✔", "warning": "!", "broken": "✖"}[self.state]


def examine() -> list[Check]:
    """All checks, in the order in which they should be mended."""
    try:
        settings: Settings = settings_class()()
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = "INCIDENT_" + ".".join(map(str, first["loc"])).upper()
        return [Check("settings", "broken", f"{key}: {first['msg']} (got {first['input']!r})", f"set {key} right in {FILE}")]
    found = Check("settings", "good", f"read from {FILE}" if FILE.exists() else f"defaults and the environment; there is no {FILE}")
    here = [
        found,
        _organisation(settings),
        _clocks(settings),
        *_mode(settings),
        *_dashboards(settings),
        *_ledger(settings),
        _alert_token(settings),
        _alert_sources(settings),
        _restricted(settings),
    ]
    return [*here, *asyncio.run(_outside(settings))]


async def _outside(settings: Settings) -> list[Check]:
    """The Temporal server first, because nothing goes without it; then one harmless look at every product, with our own credentials."""
    return [*await _temporal(settings), *(_product(one) for one in await probe_all(settings))]


def _product(one: Capability) -> Check:
    names = [name for client in clients() if client.name == one.product for name in client.settings.model_fields]
    at = ", ".join(f"INCIDENT_{name.upper()}" for name in names)
    state, prefix, fix = {
        Standing.READY: ("good", "", ""),
        Standing.UNUSED: ("good", f"{one.standing}: ", ""),
        Standing.MISSING: ("warning", f"{one.standing}: ", f"what needs it becomes a task for a person. To set it up: {at}"),
        Standing.READ_ONLY: (
            "warning",
            f"{one.standing}: ",
            f"what changes it becomes a task for a person. To let it write: give {at} the right, or another token",
        ),
        Standing.BROKEN: ("broken", "", f"look at {at} in the settings; a token must be a reference that this machine can read"),
    }[one.standing]
    return Check(one.product, state, prefix + one.said, fix)


def _policy(settings: Settings) -> Policy:
    try:
        return Organisation(settings.organisation).read_policy()
    except Refused:
        return Policy()


def _mode(settings: Settings) -> list[Check]:
    """Whether anything is changed at all, said every time."""
    try:
        policy = Organisation(settings.organisation).read_policy()
    except Refused:
        return []
    if policy.mode == "live":
        observing = " But automation only observes: observe_only is set." if policy.observe_only else ""
        return [Check("mode", "warning" if observing else "good", f"live: what is approved is carried out.{observing}")]
    granted = f"only {', '.join(policy.write_access)} may be written to" if policy.write_access else "nothing is changed, paged or posted"
    fix = 'after a first week, and after reading `incident report --shadow`: [policy] mode = "live"'
    return [Check("mode", "warning", f"SHADOW: {granted}", fix)]


def _organisation(settings: Settings) -> Check:
    where = settings.organisation
    book = Organisation(where)
    try:
        policy = book.read_policy()
        people = book.read_roster().people
        for country in {policy.country, *(person.country for person in people.values())}:
            calendar_of(country)
        for zone in {policy.time_zone, *(person.time_zone for person in people.values())}:
            day_of(datetime.now(UTC), zone)
        book.read_whole()
        chosen(book)
    except Refused as wrong:
        # Where there is no file yet: copy the example, which a checkout has at its root and an installed wheel brings along.
        example, installed = Path("organisation.example.toml"), SHIPPED / "organisation.example.toml"
        found = example if example.exists() or not installed.exists() else installed
        fix = f"mend it there; {found} shows how it is written" if where.exists() else f"cp {found} {where}"
        return Check("organisation", "broken", wrong.message, fix)
    if not people:
        return Check("organisation", "broken", f"{where} names nobody: no question could be answered", "add a [people.NAME] section")
    return Check("organisation", "good", f"{where}: policy is valid, {len(people)} people on the roster")


def _clocks(settings: Settings) -> Check:
    """The table of legal clocks. A wrong file stops none: our defaults count until it is mended."""
    where = settings.organisation.with_name(CLOCKS_FILE)
    try:
        table = read_table(settings.organisation)
        designee = table.alarms.ceo_designee
        if designee and Organisation(settings.organisation).read_roster().person(designee) is None:
            return Check(
                "legal clocks", "broken", f"{where}: alarms.ceo_designee: {designee!r} is not on the roster", "name a person of [people]"
            )
    except Refused as wrong:
        return Check("legal clocks", "broken", wrong.message, f"mend it there; {SHIPPED / 'clocks.example.toml'} shows how it is written")
    on = sum(row.on for row in table.regimes.values())
    if not where.exists():
        said = f"{on} of {len(table.regimes)} rows are on, all by our defaults: Legal has not said yet which concern this organisation"
        return Check("legal clocks", "warning", said, f"cp clocks.example.toml {where}, and let Legal fill it in")
    return Check("legal clocks", "good", f"{where}: {on} of {len(table.regimes)} rows are on")


def _dashboards(settings: Settings) -> list[Check]:
    """The seed's six (§3). Nothing is said where the file itself is wrong: that is said already."""
    try:
        missing = Organisation(settings.organisation).read_communications().links.missing_dashboards()
    except Refused:
        return []
    if not missing:
        return [Check("dashboards", "good", f"all {len(DASHBOARDS)} are linked")]
    said = f"not linked: {', '.join(missing)}; in the war room and the post-mortem they will be missing"
    return [Check("dashboards", "warning", said, f'{settings.organisation}: [links.dashboards] "{missing[0]}" = "https://…"')]


def _ledger(settings: Settings) -> list[Check]:
    """Reachable, at the newest version, and nobody altered it."""
    try:
        ledger = Ledger(settings.ledger_url)
        now, newest = ledger.revision()
        ids = ledger.ids() if now else []
    except LedgerDown as down:
        return [Check("ledger", "broken", str(down), "start the worker (incident-worker): it makes and migrates the ledger")]
    except Exception as wrong:  # a driver that is not installed, a URL that is none
        return [Check("ledger", "broken", f"INCIDENT_LEDGER_URL: {wrong}", "sqlite:///.incident/ledger.db works everywhere")]
    if now != newest:
        return [Check("ledger", "broken", f"its tables are at version {now or 'none'}, not {newest}", "start the worker: it migrates them")]
    broken = [f"{one} at entry {chain.broken_at}" for one in ids if not (chain := ledger.verify(one)).intact]
    record = Check("record", "good", "every hash chain is intact")
    if broken:
        fix = "compare with the workflow's own timeline: incident timeline; then find out who writes to the ledger"
        record = Check("record", "broken", f"entries are missing or were altered: {', '.join(broken[:5])}", fix)
    return [Check("ledger", "good", f"{ledger.engine.url.render_as_string()}, version {now}, {len(ids)} incidents"), record]


def _alert_token(settings: Settings) -> Check:
    try:
        if resolve(settings.alert_token, "INCIDENT_ALERT_TOKEN"):
            return Check("alert token", "good", "the receiver asks for a bearer token")
    except NoCredential as missing:
        return Check("alert token", "broken", str(missing), "INCIDENT_ALERT_TOKEN=file:/path/to/token")
    if settings.alert_host in LOOPBACK:
        return Check("alert token", "good", "none is set; the receiver listens on this machine only")
    fix = "INCIDENT_ALERT_TOKEN=file:/path/to/token, and the same in Alertmanager's http_config"
    return Check("alert token", "broken", "none is set: whoever reaches the receiver may open incidents", fix)


def _alert_sources(settings: Settings) -> Check:
    """Those who sign what they send: whether their keys can be read."""
    name, fix = "alert sources", "set the reference right: env:NAME, file:/path or gsm:…"
    try:
        ours = ["github"] if resolve(settings.github_webhook_secret, "INCIDENT_GITHUB_WEBHOOK_SECRET") else []
        described = Organisation(settings.organisation).read_sources() if settings.organisation.exists() else {}
        signed = [source for source, of in described.items() if resolve(of.signed_by, f"sources.{source}.signed_by")]
    except (NoCredential, Refused) as wrong:
        return Check(name, "broken", str(wrong), fix)
    return Check(name, "good", f"signed: {', '.join([*ours, *signed]) or 'none; only Alertmanager is listened to'}")


def _restricted(settings: Settings) -> Check:
    """One namespace shows the ids and types of its workflows to whoever may look into it, whatever stands in them."""
    named = [one.name for one in discover().values() if one.card.under_code_name]
    if not named:
        return Check("restricted incidents", "good", "no playbook that is installed is restricted")
    try:
        own = settings.restricted
    except ValueError as missing:
        return Check("restricted incidents", "broken", str(missing), "write that file, or unset INCIDENT_RESTRICTED_SETTINGS")
    if own is settings:
        fix = "give them an installation of their own: INCIDENT_RESTRICTED_SETTINGS (docs/deployment.md, Restricted incidents)"
        said = f"{', '.join(named)} share the namespace and the ledger: who may look there sees that one is open, and its type"
        return Check("restricted incidents", "warning", said, fix)
    if own.temporal_namespace == settings.temporal_namespace or own.ledger_url == settings.ledger_url:
        fix = f"set INCIDENT_TEMPORAL_NAMESPACE and INCIDENT_LEDGER_URL in {settings.restricted_settings}"
        return Check("restricted incidents", "broken", "their installation has the same namespace or the same ledger as this one", fix)
    if not (own.holders_url and own.freezes_namespace):
        fix = f"set INCIDENT_HOLDERS_URL={settings.ledger_url} and INCIDENT_FREEZES_NAMESPACE={settings.temporal_namespace} in their file"
        return Check("restricted incidents", "broken", "their installation does not know what other incidents hold, nor the freezes", fix)
    return Check(
        "restricted incidents", "good", f"{', '.join(named)} have the namespace {own.temporal_namespace} and a ledger of their own"
    )


async def _temporal(settings: Settings) -> list[Check]:
    """The server, what set-up registered there, who polls, and how fast a step is dispatched."""
    try:
        client = await steering.connect(settings)
    except CliError as trouble:
        fix = "start the server (make demo starts one; temporal server start-dev), or set INCIDENT_TEMPORAL_ADDRESS"
        return [Check("temporal", "broken", trouble.sentence, fix)]
    found = [Check("temporal", "good", f"{settings.temporal_address}, namespace {settings.temporal_namespace}"), _transport(settings)]
    checks = {"search attributes": _attributes, "workers": _workers, "round trip": _round_trip, "incidents": _incidents}
    for name, check in checks.items():
        try:
            found.append(await asyncio.wait_for(check(client, settings), 15))
        except RPCError as failed:
            found.append(Check(name, "broken", f"the server refused: {failed.message}", "look at the server's log"))
        except TimeoutError:
            found.append(Check(name, "broken", "no answer within 15 s", "is a worker running? incident-worker starts one"))
    return found


def _transport(settings: Settings) -> Check:
    host = settings.temporal_address.rsplit(":", 1)[0].strip("[]")
    if host in LOOPBACK:
        return Check("transport", "good", "loopback without TLS: who can log in here can steer incidents; answers prove themselves by code")
    fix = "put TLS and an authorizer before the server (docs: Temporal, security), and keep its port from everybody else"
    return Check("transport", "warning", f"{host} is not this machine, and we connect without TLS or sign-in", fix)


async def _attributes(client: Client, settings: Settings) -> Check:
    request = ListSearchAttributesRequest(namespace=settings.temporal_namespace)
    listed = (await client.operator_service.list_search_attributes(request)).custom_attributes
    have = {name: IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").title() for name, kind in listed.items()}
    missing = [name for name, kind in WANTED.items() if have.get(name) != kind]
    if not missing:
        return Check("search attributes", "good", f"all {len(WANTED)} are registered")
    words = " ".join(f"--name {name} --type {WANTED[name]}" for name in missing)
    fix = f"temporal operator search-attribute create {words} --namespace {settings.temporal_namespace}"
    return Check("search attributes", "broken", f"not registered: {', '.join(missing)}; incidents would hang at their first step", fix)


async def _incidents(client: Client, settings: Settings) -> Check:
    """What the reconciler looks for, looked for now: open incidents that no playbook runs."""
    ledger = Ledger(settings.ledger_url)
    try:
        found, unknown = await compare(client, ledger, _policy(settings))
    except LedgerDown as down:
        return Check("incidents", "warning", f"not compared with the server: {down}", "start the worker: it makes and migrates the ledger")
    if unknown and not found:
        return Check("incidents", "warning", f"not known whether they advance: {', '.join(unknown[:5])}", "look at the server's log")
    if not found:
        return Check("incidents", "good", "every open incident has its playbook running, and it advances")
    untold = [one.incident_id for one in Discrepancies(ledger).open() if one.told_at is None]
    more = f"; nobody was paged about {', '.join(untold)}: is a receiver running? (incident-alerts)" if untold else ""
    said = "; ".join(one.text.partition(". incident")[0] for one in found[:5])
    return Check("incidents", "broken", said + more, typed("measures", found[0].incident_id, "--by-hand"))


async def _workers(client: Client, settings: Settings) -> Check:
    """Somebody must have asked for work within the last minute, on both queues, for workflows and for activities."""
    idle: list[str] = []
    pollers: set[str] = set()
    for queue in settings.queues:
        for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
            request = DescribeTaskQueueRequest(
                namespace=settings.temporal_namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
            )
            seen = (await client.workflow_service.describe_task_queue(request)).pollers
            alive = {poller.identity for poller in seen if time.time() - poller.last_access_time.seconds < 65}
            pollers |= alive
            idle += [queue] if not alive else []
    if idle:
        return Check("workers", "broken", f"nobody polls {', '.join(dict.fromkeys(idle))}: incidents there stand still", "incident-worker")
    return Check("workers", "good", f"{len(pollers)} polling {', '.join(settings.queues)}")


async def _round_trip(client: Client, settings: Settings) -> Check:
    """How long the server takes to dispatch one step: what every step of every incident pays."""
    name, queue, within = f"round-trip-{uuid.uuid4()}", settings.queues[0], timedelta(seconds=12)
    handle = await client.start_workflow("RoundTrip", TRIPS, id=name, task_queue=queue, execution_timeout=within, result_type=float)
    try:
        median = float(await asyncio.wait_for(handle.result(), within.total_seconds()))
    except Exception:
        fix = "start the worker, or look at its log: incident-worker"
        return Check("round trip", "broken", f"no worker did one step on {queue} within 12 s", fix)
    said = f"{median:.1f} ms, median of {TRIPS} steps on {queue}"
    if median <= SLOW:
        return Check("round trip", "good", said)
    fix = "start the server with the settings we ship (history.transferProcessorMaxPollRPS; SQLite WAL), or look at its disk"
    return Check("round trip", "warning", f"{said}: more than {SLOW:.0f} ms", fix)
