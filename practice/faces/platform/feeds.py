"""Feeds: artefacts that a generator makes and services read. They can be paused, and pinned to a version."""

from __future__ import annotations

from pydantic import Field

from practice.faces.platform.base import FACE
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.resource import Resource
from practice.services.fleet import Feed
from practice.world.state import JSON


class FeedSetting(Ask):
    """Whether the generator runs, and which version is read; null: the newest."""

    running: bool
    pinned: int | None = Field(ge=1)


class FeedShown(Shown):
    """A feed. `read` is the version that services read, `last_good` the newest that is not bad."""

    name: str
    services: list[str]
    running: bool
    pinned: int | None
    version: int
    read: int
    last_good: int
    period_seconds: float
    made_at: str

    def settable(self) -> JSON:
        return {"running": self.running, "pinned": self.pinned}


def _feed(call: Call) -> Feed:
    found = call.state.fleet.feeds.get(call.path["feed"])
    if found is None:
        raise call.refuse(404, f"there is no feed {call.path['feed']}")
    return found


def _shown(call: Call) -> FeedShown:
    feed = _feed(call)
    return FeedShown(
        name=feed.name,
        services=feed.services,
        running=feed.running,
        pinned=feed.pinned,
        version=feed.version,
        read=feed.read,
        last_good=feed.last_good,
        period_seconds=feed.period_seconds,
        made_at=call.world.clock.stamp(feed.made_at),
    )


def _set(call: Call, wanted: FeedSetting) -> None:
    feed = _feed(call)
    if wanted.pinned is not None and wanted.pinned > feed.version:
        raise call.invalid(f"{feed.name} has no version {wanted.pinned}: the newest is {feed.version}")
    feed.running, feed.pinned = wanted.running, wanted.pinned


FEED = Resource(FACE, "feeds", "/platform/v1/feeds/{feed}", FeedShown, _shown, services=lambda call: _feed(call).services)
FEED.takes(FeedSetting, _set)
_Read = FEED.shown


class Feeds(Shown):
    feeds: list[_Read]  # type: ignore[valid-type]  # the model is made from FeedShown


class Reader(Query):
    service: str | None = None  # only the feeds that it reads


@FACE.reads("feeds.list", "/platform/v1/feeds", models=RouteModels(query=Reader, shows=Feeds))
def list_feeds(call: Call) -> Reply:
    """All feeds, or those that one service reads."""
    service = call.asked(Reader).service
    names = [feed.name for feed in call.state.fleet.feeds.values() if not service or service in feed.services]
    return Reply({"feeds": [FEED.body(call.at(feed=name)) for name in names]})
