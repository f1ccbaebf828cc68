"""Any setting, changed on a person's word: `incident do INCIDENT flags.switch_off flag=tools.high_psu on=false`.

A setting is called by the wire name of the verb that changes it. The fields are those of its resource and of its value; what is not given
of the value stays as it is in force.
"""

import inspect
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from activities.action import Measure
from activities.everything import measures
from activities.kit.setting import Change, Reading, Setting
from activities.organisation.organisation import meant
from activities.organisation.policy import Policy
from workflows.errors import NotAccepted


class SettingRequest:
    """A change of one setting that a person asks for. Raises `NotAccepted` where a field is wrong, missing or unknown."""

    def __init__(self, name: str, fields: Mapping[str, str], service: str, policy: Policy) -> None:
        self.measure: Measure[Any]
        self.setting: type[Setting[Any, Any, Any]]
        self.measure, self.setting = measures()[name]
        self._name = name
        order = inspect.get_annotations(inspect.unwrap(self.measure.impose))["order"].model_fields
        self._value = order["wanted"].annotation
        of, given = order["of"].annotation, {key: _read(text) for key, text in fields.items()}
        known = {**of.model_fields, **self._value.model_fields}
        for key in given:
            if key not in known:
                raise NotAccepted(f"{name} has no field {key}{meant(key, known)}; it has {', '.join(known)}")
        usual = {"service": service, "store": policy.systems.get(name.partition(".")[0])}
        said = {key: value for key, value in {**usual, **given}.items() if key in of.model_fields and value}
        self.of = self._valid(of, said)
        self._given = {key: value for key, value in given.items() if key in self._value.model_fields}
        if not self._given:
            raise NotAccepted(f"say what {self.of} is set to: {' '.join(f'{key}=…' for key in self._value.model_fields)}")

    def order(self, now: Reading[Any], why: str) -> Change[Any, Any]:
        """The order. `now`: what is in force."""
        return self.setting.order(self.of, self._valid(self._value, {**now.value.model_dump(), **self._given}), why=why)

    def _valid(self, model: type[BaseModel], said: dict[str, Any]) -> Any:
        try:
            return model.model_validate(said)
        except ValidationError as wrong:
            first = wrong.errors()[0]
            raise NotAccepted(f"{self._name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _read(text: str) -> Any:
    """A number, true, false or JSON as what it is; anything else as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
