"""The status page that customers read. A post counts when the public page shows it."""

from datetime import datetime
from typing import ClassVar, Literal

from activities.action import Call, Effect, NotYet, Order, Refused, Risk, Role, System, Value, action
from activities.status_page.statuspage import JSON, Statuspage
from activities.texts import wording

State = Literal["investigating", "identified", "monitoring", "resolved"]
_PAGE = "https://api.statuspage.io/v1/pages/$STATUSPAGE_PAGE/incidents"
_TOKEN = "Authorization: OAuth $STATUSPAGE_TOKEN"  # noqa: S105 - a reference: the person's own shell fills it in
_KEYS_KEPT = 50


class Publish(Order):
    """Tell customers. `body` is `wording.render(template, fields)`, and `fields` come from `wording.public`.

    An approval covers services, state, title, template and the organisation's own text for it (`own`): every later update that says the
    same with another time, or on the second host, is covered, a word of one's own is not. `nth` counts the updates of the incident. A
    `holding` text says nothing new and uses the template of that name. `at`: when it was to be said, for what is back-filled; the page
    then shows that time and wakes nobody.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"nth", "body", "fields", "host", "at"})

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

    def target(self) -> str:
        """The status page, on whichever host: one approval is for both."""
        return "status page"

    def effect(self) -> str:
        return f"the public status page says {self.state} for {wording.listing(self.services)}: “{self.body}”"

    def inverse(self) -> str:
        """What is published can be followed, not unsaid."""
        return "publish a correcting update; messages that subscribers have received cannot be unsent"

    def by_hand(self) -> tuple[str, ...]:
        """The first post, or a further update; `$STATUSPAGE_INCIDENT` is the id that the list shows."""
        said: JSON = {"status": self.state, "body": self.body}
        mark = {"metadata": {"orchestrator": {"key": self.incident_id}}}
        if self.nth <= 1:
            return (wording.curl("POST", _PAGE, _TOKEN, body={"incident": {"name": self.title, **said, **mark}}),)
        return (
            wording.curl("GET", f"{_PAGE}/unresolved", _TOKEN),
            wording.curl("PATCH", f"{_PAGE}/$STATUSPAGE_INCIDENT", _TOKEN, body={"incident": said}),
        )


class PageOf(Order):
    """What does the public see of an incident?"""

    incident_id: str

    def target(self) -> str:
        return "status page"

    def effect(self) -> str:
        return f"read what the public page says about {self.incident_id}"


class PublicUpdate(Value):
    """One update as the public sees it."""

    state: str
    body: str
    at: datetime


class Published(Value):
    """What the public sees of an incident, newest update first. `at`: of the newest. Nothing published: empty id, empty state, None."""

    id: str = ""
    state: str = ""
    updates: tuple[PublicUpdate, ...] = ()
    at: datetime | None = None


class StatusPage(System):
    """The page that customers read, and a second host for when it is down. Neither may depend on what we run (spec §6)."""

    def __init__(self, statuspage: Statuspage, second: Statuspage | None = None) -> None:
        self._statuspage = statuspage
        self._second = second

    @action("status_page.publish", risk=Risk.C2, asks=(Role.COMMS_LEAD, Role.INCIDENT_COMMANDER))
    async def publish(self, order: Publish, call: Call) -> Effect:
        """Publish it once. Refused: not the wording that was approved, or no second host. NotYet: the public page does not show it (yet)."""
        _check_wording(order)
        page = self._page(order)
        ours = await _ours(page, call, order.incident_id)
        adopted = ours is not None and _carries(ours, order, call)
        # After a lost reply the page shows our own text: that is no state before it.
        before: JSON = {"id": ours["id"], "state": ours["status"]} if ours and not adopted else {}
        if ours is None:
            ours = await page.create(call, {"name": order.title, **_said(order, call, ())})
        elif not adopted:
            ours = await page.update(call, ours["id"], _said(order, call, _keys(ours)))
        seen = await page.public_incident(call, ours["id"])
        if seen is None or not _shows(seen, order):
            raise NotYet(f"the public page does not show the {order.state} text")
        if order.at is None and seen["status"] != order.state:
            raise NotYet(f"the public page does not say {order.state}")
        if order.at is not None:
            await _set_time(page, call, seen, order, order.at)
        return Effect(
            target=order.target(),
            summary=f"the public page says {order.state} for {wording.listing(order.services)}"
            + (f", as of {order.at:%H:%M} UTC" if order.at else ""),
            proven_by="the public page, read without credentials, shows this state and this text",
            adopted=adopted,
            before=before,
            after={"id": ours["id"], "state": order.state, "body": order.body, "url": str(seen.get("shortlink") or "")},
        )

    @action("status_page.on_page")
    async def on_page(self, order: PageOf, call: Call) -> Published:
        """What an outsider sees. Never raises for an incident that is not on the page."""
        ours = await _ours(self._statuspage, call, order.incident_id)
        seen = await self._statuspage.public_incident(call, ours["id"]) if ours else None
        if seen is None:
            return Published()
        updates = tuple(
            PublicUpdate(state=update["status"], body=update["body"], at=update["created_at"]) for update in seen["incident_updates"]
        )
        return Published(id=seen["id"], state=seen["status"], updates=updates, at=updates[0].at if updates else None)

    def _page(self, order: Publish) -> Statuspage:
        if order.host == "status page":
            return self._statuspage
        if self._second is None:
            raise Refused("no second status host is configured (INCIDENT_STATUSPAGE_FALLBACK_URL)")
        return self._second


async def _ours(page: Statuspage, call: Call, incident_id: str) -> JSON | None:
    listed = await page.incidents(call)
    return next((incident for incident in listed if _mark(incident).get("key") == incident_id), None)


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
    template = wording.template(order.template, order.own)
    if order.state not in template.states:
        raise Refused(f"wording {order.template} does not speak for the state {order.state}")
    if order.body != wording.render(order.template, order.fields, order.own):
        raise Refused(f"the text is not wording {order.template} filled with its fields")
    if order.fields.get("services", wording.listing(order.services)) != wording.listing(order.services):
        raise Refused("the text names other services than the order")
    if order.holding and not order.template.startswith("holding@"):
        raise Refused(f"wording {order.template} is no holding statement")
    if words := wording.banned(f"{order.title}\n{order.body}"):
        raise Refused(f"a public text may not say {', '.join(words)}")


def _said(order: Publish, call: Call, keys: tuple[str, ...]) -> JSON:
    # Statuspage has no keys for updates, so that the incident's metadata keeps those of its latest ones.
    mark = {"key": order.incident_id, "updates": [*keys, call.key][-_KEYS_KEPT:]}
    quiet = {"deliver_notifications": False} if order.at else {}  # what is back-filled is for the record: it wakes no subscriber
    return {"status": order.state, "body": order.body, "metadata": {"orchestrator": mark}, **quiet}


def _mark(incident: JSON) -> JSON:
    return dict((incident.get("metadata") or {}).get("orchestrator") or {})


def _keys(incident: JSON) -> tuple[str, ...]:
    return tuple(_mark(incident).get("updates") or ())


def _carries(incident: JSON, order: Publish, call: Call) -> bool:
    """True when an earlier try of this very call has arrived. The text alone proves nothing: two updates may read the same."""
    return call.key in _keys(incident) and _shows(incident, order)


def _shows(incident: JSON, order: Publish) -> bool:
    return any(update["status"] == order.state and update["body"] == order.body for update in incident["incident_updates"])
