"""Slack's answer to a method that it does not have."""

from __future__ import annotations

from practice.faces.slack.base import FACE, method, no
from practice.http.face import Call, Refusal, Reply


@FACE.reads("unknown_method", method("{method}"), "POST", otherwise=True)
@FACE.reads("unknown_method.get", method("{method}"), otherwise=True)
def unknown(call: Call) -> Reply:
    raise Refusal(no("unknown_method", req_method=call.path["method"]))
