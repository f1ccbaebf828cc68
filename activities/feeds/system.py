"""The data feeds of a service."""

from activities.feeds.feeds import Feeds
from activities.metrics.system import PROMETHEUS
from activities.platform.system import PLATFORM
from activities.systems import SystemInfo

SYSTEM = SystemInfo({Feeds: lambda build: Feeds(build.client(PLATFORM), build.client(PROMETHEUS))}, (PLATFORM, PROMETHEUS))
