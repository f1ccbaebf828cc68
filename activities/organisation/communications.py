"""How the organisation communicates: links, contacts and its own texts."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from activities.action import Value


def _as_links(given: object) -> object:
    """A list of addresses takes their own words for names."""
    return {str(link): link for link in given} if isinstance(given, list | tuple) else given


Link = Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"]{1,300}$")]
NamedLinks = Annotated[dict[str, Link], BeforeValidator(_as_links)]
# The seed's six (§3), and the words by which a link is known to be one of them.
DASHBOARDS = {
    "latency": ("latency",), "error rate": ("error",), "availability": ("availability", "uptime"), "token usage": ("token",),
    "cost per request": ("cost",), "model quality": ("quality", "eval"),
}  # fmt: skip


class Links(Value):
    """Where people look and meet. Section `[links]`; `runbooks` are named by a playbook's section, or `all`."""

    bridge: Link | Literal[""] = ""
    bridge_number: str = Field(default="", max_length=60)  # what is dialled where chat is down: it stands in the page's text
    status_page: Link | Literal[""] = ""  # the address that customers know
    rota: Link | Literal[""] = ""
    dashboards: NamedLinks = {}
    runbooks: NamedLinks = {}

    def missing_dashboards(self) -> tuple[str, ...]:
        """Which of the seed's six nobody has linked; a link is known by its name."""
        names = " ".join(self.dashboards).casefold()
        return tuple(wanted for wanted, words in DASHBOARDS.items() if not any(word in names for word in words))

    def runbooks_of(self, section: str) -> tuple[str, ...]:
        """The runbooks for one playbook, and those for all."""
        return tuple(f"{name}: {link}" for name, link in self.runbooks.items() if name in (section, f"§{section}", "all", link))


class Contacts(Value):
    """Who hears of an incident beside those who work on it. Section `[contacts]`; channels are Slack's, without the #."""

    support_channel: str = ""
    executives_channel: str = ""
    customers: tuple[str, ...] = ()  # who writes to customers (seed §5), as Comms knows them
    legal: tuple[str, ...] = ()  # whom to ask about breaches (seed §5)


class Communications(Value):
    links: Links = Links()
    contacts: Contacts = Contacts()
    templates: dict[str, str] = {}  # name without version → its text, e.g. `identified`; whether it may be said: `wording.unfit`

    def own(self, template: str) -> str:
        """The organisation's own text for a template such as `identified@1`; empty where the standard one holds."""
        return self.templates.get(template.partition("@")[0], "")
