"""Alertmanager's webhook, version 4 (prometheus.io/docs/alerting/latest/configuration/#webhook_config): a body in, reports out."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from activities.kit.words.redact import redact_fields
from starters.alerts.cases import Report, Unreadable, first_lines, one_line

SOURCE = "alertmanager"
MOST_LABELS = 64


class Posted(BaseModel):
    """The body. Fields that we do not need may come and go with its versions."""

    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    alerts: Annotated[list[Any], Field(min_length=1)]
    truncatedAlerts: int = 0  # noqa: N815 - the wire's name


class PostedAlert(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: Annotated[AwareDatetime, Field(gt=datetime(1970, 1, 2, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]  # noqa: N815
    fingerprint: str = ""


def read(raw: bytes) -> tuple[list[Report], list[str]]:
    """The alerts of a body, and a sentence about each that cannot be read. Raises `Unreadable` if the body is no webhook of version 4."""
    try:
        posted = Posted.model_validate(json.loads(raw, parse_constant=_no_number))
    except RecursionError:
        raise Unreadable("the JSON is nested too deep") from None
    except ValidationError as wrong:
        raise Unreadable(f"this is no Alertmanager webhook of version 4: {_reason(wrong)}") from None
    except ValueError as wrong:
        raise Unreadable(f"the body is not JSON: {wrong}") from None
    found: list[Report] = []
    strange = [f"{posted.truncatedAlerts} alerts were cut off by Alertmanager (max_alerts)"] if posted.truncatedAlerts > 0 else []
    for nth, one in enumerate(posted.alerts):
        try:
            found.append(_report(PostedAlert.model_validate(one)))
        except ValidationError as wrong:
            strange.append(f"alert {nth + 1}: {_reason(wrong)}")
        except RecursionError:
            strange.append(f"alert {nth + 1}: nested too deep")
    return found, strange


def _report(alert: PostedAlert) -> Report:
    """With its trace ids as labels: rules write them as annotations because as labels they would make a series of each."""
    said = (alert.annotations.get("summary"), alert.annotations.get("description"), alert.labels.get("alertname"), "an unnamed alert")
    traced = {name: alert.annotations[name] for name in ("trace_id", "trace_ids") if alert.annotations.get(name)}
    kept = [*list(alert.labels.items())[:MOST_LABELS], *traced.items()]
    return Report(
        status=alert.status,
        labels=redact_fields({one_line(name, 100): one_line(value, 300) for name, value in kept}),
        summary=one_line(next(filter(None, said)), 200),
        starts_at=alert.startsAt,
        # Without its secrets: the same when it is read again from what was kept.
        fingerprint=alert.fingerprint or json.dumps(redact_fields(alert.labels), sort_keys=True),
        text=first_lines("\n".join(filter(None, said[:2]))),
    )


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _reason(wrong: ValidationError) -> str:
    first = wrong.errors(include_url=False, include_input=False)[0]
    return one_line(f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}", 200)
