"""The legal clocks: a workflow of ours per incident, and the table that Legal keeps."""

from temporalio.client import Client

from activities.clocks.clocks import Clocks
from activities.identity.codes import Codes
from activities.organisation.organisation import Organisation
from activities.systems import Build, SystemInfo


def _clocks(build: Build) -> Clocks:
    return Clocks(
        build.part(Organisation), build.part(Client), build.part(Codes), build.settings.queues[0], build.settings.task_patience
    )  # fmt: skip


SYSTEM = SystemInfo(built={Clocks: _clocks})
