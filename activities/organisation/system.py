"""The organisation's own decisions, and who is on duty."""

from activities.organisation.organisation import Organisation
from activities.organisation.rota import Rota
from activities.paging.system import PAGERDUTY
from activities.systems import SystemInfo

SYSTEM = SystemInfo(
    {
        Organisation: lambda build: build.part(Organisation),
        Rota: lambda build: Rota(build.part(Organisation), build.client(PAGERDUTY)),
    },
    (PAGERDUTY,),
)
