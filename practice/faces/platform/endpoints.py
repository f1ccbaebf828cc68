"""The doors to tenants' data at the gateway: endpoints one by one, and whole surfaces of the product."""

from __future__ import annotations

from practice.faces.platform.base import FACE, named, of_service, service_of
from practice.http.face import Call
from practice.http.resource import held
from practice.tenancy.cast import tenancy
from practice.tenancy.model import Admission, Endpoint, Offline


def endpoint_of(call: Call) -> Endpoint:
    service_of(call)
    found = tenancy(call.state, call.now).endpoints.get(call.path["endpoint"])
    if found is None:
        raise call.refuse(404, f"there is no endpoint {call.path['endpoint']}")
    return found


held(FACE, "endpoints", of_service("endpoints/{endpoint}"), Admission, endpoint_of, "admission", services=named)


class _Surface:
    """A surface where `held` looks for it."""

    def __init__(self, call: Call) -> None:
        service_of(call)
        self.__dict__["_surfaces"], self.__dict__["_name"] = tenancy(call.state, call.now).surfaces, call.path["surface"]
        if self._name not in self._surfaces:
            raise call.refuse(404, f"there is no surface {self._name}")

    _surfaces: dict[str, Offline]
    _name: str

    @property
    def state(self) -> Offline:
        return self._surfaces[self._name]

    @state.setter
    def state(self, wanted: Offline) -> None:
        self._surfaces[self._name] = wanted


held(FACE, "surfaces", of_service("surfaces/{surface}"), Offline, _Surface, "state", services=named)
