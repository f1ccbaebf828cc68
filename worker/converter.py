"""How we speak to Temporal: the data converter (pydantic, and tolerant of what people type), and the client. Worker, clients and tests alike."""

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter

from activities.organisation.catalogue import Catalogue
from activities.organisation.communications import Communications
from activities.organisation.people import Roster
from activities.organisation.policy import Policy
from worker.settings import Settings

# What every incident reads alike and nobody changes in place: a worker keeps it once, however many incidents are parked there.
ALIKE: tuple[type, ...] = (Policy, Roster, Communications, Catalogue)


@lru_cache(maxsize=64)
def _once(payload: bytes, alike: int) -> Any:
    return PydanticPayloadConverter().from_payloads([Payload.FromString(payload)], [ALIKE[alike]])[0]


class TolerantConverter(PydanticPayloadConverter):
    """Where no type is asked for (our doors), a payload that cannot be read stays a `RawValue`.

    Otherwise Temporal would drop a signal with broken JSON without a trace, and could not start a workflow that was given some.
    """

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        if type_hints is not None and len(type_hints) == 1 and type_hints[0] in ALIKE:
            return [_once(payloads[0].SerializeToString(), ALIKE.index(type_hints[0]))]
        if type_hints is not None:
            return super().from_payloads(payloads, type_hints)
        return [self._read(payload) for payload in payloads]

    def _read(self, payload: Payload) -> Any:
        try:
            return super().from_payloads([payload], None)[0]
        except Exception:
            return RawValue(payload)


data_converter = dataclasses.replace(pydantic_data_converter, payload_converter_class=TolerantConverter)


async def connect(settings: Settings, *, identity: str | None = None, lazy: bool = False) -> Client:
    """A client that speaks as the worker does. Raises `RuntimeError` when the server cannot be reached; not before it is used, if `lazy`."""
    return await Client.connect(
        settings.temporal_address, namespace=settings.temporal_namespace, data_converter=data_converter, identity=identity, lazy=lazy
    )
