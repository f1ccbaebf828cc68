"""Which systems there are, what they need, and which client each port uses. A new system is found by being there, in `activities/<name>/`."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from pydantic import create_model

import activities
from activities.action import Refused, StandsOn
from activities.everything import verbs
from activities.ledger.ledger import Ledger
from activities.organisation.organisation import Organisation, meant
from activities.systems import ClientInfo, Port, Product, SystemInfo, noted, provides, taken
from worker.settings import Settings

OURS = (Organisation, Ledger)  # the worker makes them itself
# Folders of systems without which nobody is reached, or nothing is kept.
CARRY_US = ("paging", "chat", "mail", "evidence", "identity", "ledger", "freeze")
GSM = "gsm:"


@cache
def systems() -> dict[str, SystemInfo]:
    """Every SYSTEM by the name of its folder."""
    folders = [found.name for found in pkgutil.iter_modules(activities.__path__) if found.ispkg]
    modules = {name: f"activities.{name}.system" for name in folders if importlib.util.find_spec(f"activities.{name}.system")}
    return {name: importlib.import_module(module).SYSTEM for name, module in modules.items()}


def clients() -> tuple[ClientInfo[Any], ...]:
    """Every client, those that were not chosen too."""
    named = [one for info in systems().values() for one in info.clients]
    return tuple(client for one in named for client in (one.clients if isinstance(one, Port) else (one,)))


def ports() -> dict[str, Port[Any]]:
    return {one.name: one for info in systems().values() for one in info.clients if isinstance(one, Port)}


def users() -> dict[Product, list[str]]:
    """Every client and port, with the systems that stand on it, as their verbs name them."""
    uses: dict[Product, list[str]] = {one: [] for info in systems().values() for one in info.clients}
    for cls in verbs():
        own = next((info.clients for info in systems().values() if cls in info.built), None)
        kinds = () if cls in OURS else taken(cls, systems().values()).values()
        name = next(verb.__action__.system for verb in vars(cls).values() if hasattr(verb, "__action__"))
        for one, named in uses.items():
            used = any(provides(one, kind) for kind in kinds) if own is None else one in own or one.kind in kinds
            if used and name not in named:
                named.append(name)
    return uses


def chosen(organisation: Organisation) -> Mapping[str, ClientInfo[Any]]:
    """The client of each port that `[policy.systems]` names. Raises `Refused` when it names one that there is not, or cannot be read."""
    named = organisation.read_policy().systems if organisation.path.exists() else {}
    return {port: _client(organisation, port, client) for port, client in named.items()}


def _client(organisation: Organisation, port: str, client: str) -> ClientInfo[Any]:
    among = {one.name: one for one in ports()[port].clients} if port in ports() else {}
    if client in among:
        return among[client]
    said, word, known = (f"client {client!r}", client, list(among)) if among else ("such choice", port, list(ports()))
    other = meant(word, known) or f"; there are {', '.join(known)}"
    raise Refused(f"{organisation.path}: policy.systems.{port}: there is no {said}{other}")


def complete(settings: Settings) -> Any:
    """The same settings with those of all clients, as one object: what is not given is read from the environment and the settings file."""
    full = settings_class()
    return settings if isinstance(settings, full) else full(**settings.model_dump(exclude_unset=True))


@cache
def settings_class() -> Any:
    models = dict.fromkeys(client.settings for client in clients())
    return create_model("AllSettings", __base__=(Settings, *models))


def practice(url: str, token: str) -> dict[str, str]:
    """The settings by which every client speaks to a practice platform at `url`. `token`: a reference to its token."""
    fields = [field for client in clients() for field in client.settings.model_fields.items()]
    said = {name: noted(of, "practice") for name, of in fields if noted(of, "practice")}
    return {name: value.replace("{url}", url).replace("{token}", token) for name, value in said.items()}


def stands_on(settings: Any) -> StandsOn:
    """What this installation itself lives by (INV-9), from its own settings: no step of any incident may take it away.

    `settings`: those of all clients and the worker.
    """
    addresses = [settings.ledger_url, settings.holders_url, f"grpc://{settings.temporal_address}"]
    references = list[str]()
    for name, info in systems().items():
        for client in (one for each in info.clients for one in (each.clients if isinstance(each, Port) else (each,))):
            fields = client.settings.model_fields
            addresses += [getattr(settings, field) for field in fields if name in CARRY_US and field.endswith("_url")]
            references += [getattr(settings, field) for field, of in fields.items() if noted(of, "secret")]
    hosts = {host for one in addresses if one and (host := urlsplit(one).hostname)}
    secrets = {one.split("/secrets/")[1].split("/")[0].casefold() for one in references if one.startswith(GSM) and "/secrets/" in one}
    return StandsOn(frozenset(hosts), frozenset(secrets))
