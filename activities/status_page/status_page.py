"""The status page that customers read. A post counts when the public page shows it."""

from datetime import datetime, timedelta
from typing import ClassVar, Literal

from activities.action import Call, Effect, NotYet, Order, Refused, Risk, Role, System, action
from activities.kit.create_once import SOON, CreateOnce
from activities.kit.words.escape import line
from activities.kit.words.shell import Var, curl
from activities.status_page.statuspage import JSON, Statuspage
from activities.texts import templates, wording

State = Literal["investigating", "identified", "monitoring", "resolved"]
LONGEST_TITLE = 255  # characters
LOOKS_BACK = timedelta(days=30)
_INCIDENTS = ("https://api.statuspage.io/v1/pages/", Var("STATUSPAGE_PAGE"), "/incidents")
_TOKEN = ("Authorization: OAuth ", Var("STATUSPAGE_TOKEN"))
_KEYS_KEPT = 50


class Publish(Order, target="status page"):  # on whichever host: one approval is for both
    """Tell customers. `body` is `templates.render(template, fields)`, and `fields` come from `wording.public`.

    An approval covers services, state, title, template and the organisation's own text for it (`own`): every later update that says the
    same with another time, or on the second host, is covered, a word of one's own is not. `nth` counts the updates of the incident. A
    `holding` text says nothing new and uses the template of that name. `at`: when it was to be said, for what is back-filled; the page
    then shows that time and wakes nobody. `page_incident`: the id that an earlier post on this host returned.
    """

    undone = "publish a correcting update; messages that subscribers have received cannot be unsent"
    volatile: ClassVar[frozenset[str]] = frozenset({"nth", "body", "fields", "host", "at", "page_incident"})

    incident_id: str
    services: tuple[str, ...]
    state: State
    title: str
    body: str
    nth: int
    holding: bool = False
    template: str
    fields: dict[str, str]
    own: str = ""
    host: Literal["status page", "second status page"] = "status page"
    at: datetime | None = None
    page_incident: str = ""

    def effect(self) -> str:
        return f"the public status page says {self.state} for {wording.listing(self.services)}: “{self.body}”"

    def by_hand(self) -> tuple[str, ...]:
        """The first post, or a further update; `$STATUSPAGE_INCIDENT` is the id that the list shows."""
        update: JSON = {"status": self.state, "body": self.body}
        mark = {"metadata": {"orchestrator": {"key": self.incident_id}}}
        if self.nth <= 1:
            return (curl("POST", _INCIDENTS, _TOKEN, body={"incident": {"name": self.title, **update, **mark}}),)
        return (
            curl("GET", (*_INCIDENTS, "/unresolved"), _TOKEN),
            curl("PATCH", (*_INCIDENTS, "/", Var("STATUSPAGE_INCIDENT")), _TOKEN, body={"incident": update}),
        )


class StatusPage(System):
    """The page that customers read, and a second host for when it is down. Neither may depend on what we run (spec §6)."""

    def __init__(self, statuspage: Statuspage, second: Statuspage | None = None) -> None:
        self._statuspage = statuspage
        self._second = second

    @action("status_page.publish", risk=Risk.C2, asks=(Role.COMMS_LEAD, Role.INCIDENT_COMMANDER), on_suspicion=True)
    async def publish(self, order: Publish, call: Call) -> Effect:
        """Publish it once. Refused: not the wording that was approved, or no second host. NotYet: the public page does not show it (yet)."""
        _check_wording(order)
        page = self._statuspage if order.host == "status page" else self._second
        if page is None:
            raise Refused("no second status host is configured (INCIDENT_STATUSPAGE_FALLBACK_URL)")
        posts = Posts(page)
        there = await posts.once(call, order)
        if order.at is not None:
            await _set_time(page, call, there.found, order, order.at)
        as_of = f", as of {order.at:%H:%M} UTC" if order.at else ""
        return order.done(
            "the public page, read without credentials, shows this state and this text",
            f"the public page says {order.state} for {wording.listing(order.services)}{as_of}",
            adopted=there.adopted,
            before=posts.before,
            after={"id": there.found["id"], "state": order.state, "body": order.body, "url": str(there.found.get("shortlink") or "")},
        )


class Posts(CreateOnce[Publish, JSON]):
    """One post on one page: an incident with its first update, or a further update of our incident. Found by the call's key.

    Statuspage has no keys for updates, so that the incident's metadata keeps those of its latest ones. The text alone proves nothing: two
    updates may read the same.
    """

    def __init__(self, page: Statuspage) -> None:
        self._page = page
        self._earlier: JSON | None = None  # the incident as it was before our post
        self.before: JSON = {}

    async def find(self, call: Call, order: Publish) -> JSON | None:
        """The public's view of our incident, when it carries this call's key."""
        ours = await self._incident(call, order)
        if ours is not None and call.key in _keys(ours) and _shows(ours, order):
            return await self.fetch(call, order, ours["id"])
        self._earlier = ours
        self.before = {"id": ours["id"], "state": ours["status"]} if ours else {}
        return None

    async def make(self, call: Call, order: Publish) -> str:
        if self._earlier is None:
            return await self._page.create(call, {"name": order.title[:LONGEST_TITLE], **_fields(order, call, ())})
        await self._page.update(call, self._earlier["id"], _fields(order, call, _keys(self._earlier)))
        return str(self._earlier["id"])

    async def fetch(self, call: Call, order: Publish, id: str) -> JSON:
        seen = await self._page.public_incident(call, id)
        if seen is None:
            raise NotYet(f"the public page does not show the {order.state} text", after=SOON)
        return seen

    def missing(self, order: Publish, found: JSON) -> str:
        if not _shows(found, order):
            return f"the public page does not show the {order.state} text"
        return "" if order.at is not None or found["status"] == order.state else f"the public page does not say {order.state}"

    async def _incident(self, call: Call, order: Publish) -> JSON | None:
        """By the id that an earlier post returned; else, for as long ago as an incident can have begun, by our key."""
        if order.page_incident and (known := await self._page.incident(call, order.page_incident)):
            return known
        async for listed in self._page.incidents(call):
            if _metadata(listed).get("key") == order.incident_id:
                return listed
            if datetime.fromisoformat(str(listed["created_at"])) < call.at - LOOKS_BACK:
                break
        return None


async def _set_time(page: Statuspage, call: Call, seen: JSON, order: Publish, at: datetime) -> None:
    """Give a back-filled update the time at which it was to be said. NotYet: the public page does not show it."""
    update = next(update for update in seen["incident_updates"] if update["status"] == order.state and update["body"] == order.body)
    if _shown_at(update) != at.replace(microsecond=0):
        await page.set_time(call, seen["id"], update["id"], at)
        again = await page.public_incident(call, seen["id"])
        shown = next((each for each in again["incident_updates"] if each["id"] == update["id"]), None) if again else None
        if shown is None or _shown_at(shown) != at.replace(microsecond=0):
            raise NotYet(f"the public page does not show the time {at:%H:%M} UTC")


def _shown_at(update: JSON) -> datetime:
    return datetime.fromisoformat(str(update.get("display_at") or update["created_at"])).replace(microsecond=0)


def _check_wording(order: Publish) -> None:
    """What was approved is a template: the body must be that template, filled with what its patterns let in, and nothing else."""
    template = templates.template(order.template, order.own)
    if order.state not in template.states:
        raise Refused(f"wording {order.template} does not speak for the state {order.state}")
    if order.body != templates.render(order.template, order.fields, order.own):
        raise Refused(f"the text is not wording {order.template} filled with its fields")
    if order.fields.get("services", wording.listing(order.services)) != wording.listing(order.services):
        raise Refused("the text names other services than the order")
    if order.holding and not order.template.startswith("holding@"):
        raise Refused(f"wording {order.template} is no holding statement")
    if order.title != line(order.title) or {"<", ">"} & set(order.title):
        raise Refused("a public title is one line of plain text")
    if words := templates.banned(f"{order.title}\n{order.body}"):
        raise Refused(f"a public text may not say {', '.join(words)}")


def _fields(order: Publish, call: Call, keys: tuple[str, ...]) -> JSON:
    mark = {"key": order.incident_id, "updates": [*keys, call.key][-_KEYS_KEPT:]}
    quiet = {"deliver_notifications": False} if order.at else {}  # what is back-filled is for the record: it wakes no subscriber
    return {"status": order.state, "body": order.body, "metadata": {"orchestrator": mark}, **quiet}


def _metadata(incident: JSON) -> JSON:
    return dict((incident.get("metadata") or {}).get("orchestrator") or {})


def _keys(incident: JSON) -> tuple[str, ...]:
    return tuple(_metadata(incident).get("updates") or ())


def _shows(incident: JSON, order: Publish) -> bool:
    return any(update["status"] == order.state and update["body"] == order.body for update in incident["incident_updates"])
