"""The words of the edge: its products, and what a person types on each."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator

from activities.kit.words.shell import Command, Var, Word, gcloud

Product = Literal["waf", "cloud armor"]
CLOUD_ARMOR: Product = "cloud armor"
BASE, TOKEN = Var("WAF_URL"), Var("WAF_TOKEN")
POLICY, PROJECT = Var("CLOUD_ARMOR_POLICY"), Var("CLOUD_ARMOR_PROJECT")
KEY_HEADER = "x-key-id"  # in which callers name the key that they use; the key itself stands elsewhere


def _network(given: str) -> str:
    """As it is compared. What is none stays as it is: it is refused where it would be used."""
    try:
        return str(ip_network(given, strict=False))
    except ValueError:
        return given


Network = Annotated[str, AfterValidator(_network)]  # an address is a network of one
MOST_ADDRESSES = 10  # of one rule: Cloud Armor takes no more


def rules(verb: str, priority: int, *more: Word) -> Command:
    """`gcloud compute security-policies rules …`"""
    named: tuple[Word, ...] = (("--security-policy=", POLICY), ("--project=", PROJECT))
    return gcloud("compute", "security-policies", "rules", verb, str(priority), *named, *more)


def product(systems: dict[str, str]) -> Product:
    """As `[policy.systems] waf` says. One that nobody knows is refused where an order is carried out."""
    return CLOUD_ARMOR if systems.get("waf") == CLOUD_ARMOR else "waf"
