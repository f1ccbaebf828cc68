"""`/slack/api/<method>`: Slack's Web API (api.slack.com/methods), method by method in the files beside this one."""

from __future__ import annotations

from practice.faces.slack import base as slack_base
from practice.faces.slack import channels as slack_channels
from practice.faces.slack import messages as slack_messages
from practice.faces.slack import reading as slack_reading
from practice.faces.slack.base import method, no
from practice.http.face import Call, Refusal, Reply

FACE = slack_base.FACE
METHODS = (slack_channels, slack_messages, slack_reading)  # importing them declares their routes


# Last of all, so that it takes only what no method has taken.
@FACE.reads("unknown_method", method("{method}"), "POST")
@FACE.reads("unknown_method.get", method("{method}"))
def unknown(call: Call) -> Reply:
    raise Refusal(no("unknown_method", req_method=call.path["method"]))
