"""The organisation of the stories: its people, its services, its policy, and the settings that point to the practice platform."""

import uuid
from pathlib import Path
from typing import Any

from worker.systems import practice, settings_class

ORGANISATION = """
[policy]
mode = "live"
plan_ahead = false
least_wait_for_people = 0
standing_signed = false
{policy}

[people.dana]
roles = ["incident_commander"]
email = "dana@example.com"
slack = "U_DANA"
pager = "P_DANA"
[people.lee]
roles = ["ops_lead"]
email = "lee@example.com"
slack = "U_LEE"
pager = "P_LEE"
[people.noor]
roles = ["comms_lead"]
email = "noor@example.com"
slack = "U_NOOR"
pager = "P_NOOR"
[people.ravi]
roles = ["ai_ml_lead"]
email = "ravi@example.com"
slack = "U_RAVI"
pager = "P_RAVI"
[people.kim]
roles = ["deputy"]
email = "kim@example.com"
slack = "U_KIM"
pager = "P_KIM"
[people.pat]
roles = ["duty_executive"]
email = "pat@example.com"
slack = "U_PAT"
pager = "P_PAT"

[services.api]
platform = "cloud_run"
project = "acme"
regions = ["eu-west", "us-east"]
repository = "acme/api"
[services.orchestrator]
platform = "kubernetes"
regions = ["eu-west", "us-east"]
repository = "acme/orchestrator"

[policy.standing."models.shift"]
expires_at = 2099-01-01T00:00:00Z
why = "failover to an equal provider at a like price"

# On a server that skips time a skip must not look like a dead worker: nothing technical runs out within a story.
[policy.patience.read]
each_try = 900
tries = 7
longest_pause = 5
heartbeat = 900
[policy.patience.change]
each_try = 900
tries = 7
longest_pause = 5
heartbeat = 900
[policy.patience.rollout]
each_try = 900
tries = 7
longest_pause = 5
heartbeat = 900
[policy.patience.watch]
each_try = 14400
tries = 9
heartbeat = 3600
[policy.patience.record]
each_try = 900
tries = 0
longest_pause = 10
heartbeat = 900
"""
# Further people, for stories in which Security, Finance or Legal have a word: `policy=brisk(more=OTHERS)`.
OTHERS = "".join(
    f"""
[people.{name}]
roles = ["{role}"]
email = "{name}@example.com"
slack = "U_{name.upper()}"
pager = "P_{name.upper()}"
"""
    for name, role in (("sam", "security_lead"), ("fay", "finance"), ("lou", "legal"))
)
ROLES = {
    "incident_commander": "dana", "ops_lead": "lee", "comms_lead": "noor", "ai_ml_lead": "ravi", "deputy": "kim", "duty_executive": "pat",
    "security_lead": "sam", "finance": "fay", "legal": "lou",
    "db_lead": "max",
}  # fmt: skip


# The same story in less policy time: the numbers are smaller, the rules are the spec's.
BRISK = """
mitigated_window = "PT1M"
[policy.stability]
window = "PT5M"
[policy.provider_outage]
log_window = "PT2M"
ramp = [0.5, 1.0]
ramp_step = "PT1M"
healthy_for = "PT2M"
flap_lock = "PT3M"
returns_apart = "PT10M"
rest_before_restoring = "PT30S"
resting = "PT0S"
{outage}
[policy.provider_outage.canary]
p_bad = 0.2
alpha = 0.05
tick = "PT15S"
min_dwell = "PT30S"
bake = "PT30S"
max_dwell = "PT5M"
trials_to_decide = 40
probes_per_second = 0.4
least_weight = 0.25
most_first_weight = 0.25
growth = 4.0
back_off = "PT3M"
hold = "PT10M"
{more}
"""


def brisk(outage: str = "", more: str = "", top: str = "") -> str:
    """A brisk policy: `outage` are further numbers of the playbook, `more` are whole tables, `top` are keys of the policy itself."""
    changed = {line.partition("=")[0].strip() for line in (top + "\n" + outage).splitlines() if line}
    kept = "\n".join(line for line in BRISK.splitlines() if line.partition("=")[0].strip() not in changed)
    return f"{top}\n" + kept.format(outage=outage, more=more)


def stage_settings(url: str, tmp: Path, organisation: Path) -> Any:
    """The settings of the worker and of all clients; these speak to the practice platform."""
    token = tmp / "token"
    token.write_text("practice-token")
    secret = tmp / "codes"
    secret.write_text("0123456789abcdef0123456789abcdef")
    return settings_class()(
        **practice(url, f"file:{token}") | {"codes_secret": f"file:{secret}"}, rollout_patience=2.0, evidence=tmp / "evidence",
        queue=f"drill-{uuid.uuid4().hex[:8]}", sticky_timeout=900, ledger_url=f"sqlite:///{tmp / 'ledger.db'}", organisation=organisation,
    )  # fmt: skip
