"""Watches over advisories: workflows of ours, which read OSV."""

from temporalio.client import Client

from activities.advisories.osv import Osv
from activities.systems import Build, SystemInfo
from activities.watches.watches import Watches


def _watches(build: Build) -> Watches:
    return Watches(build.part(Client), build.part(Osv), build.settings.queues, build.settings.task_patience)


SYSTEM = SystemInfo(built={Watches: _watches})
