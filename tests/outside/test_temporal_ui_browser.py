"""A person at the real Temporal UI, in headless Chromium: find the incident, read the question, send the code, see the next step run.

The pictures of the README are taken on the way; `PICTURES=1` writes them to docs/pictures.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import FloatRect, Locator, Page, Response, async_playwright
from playwright.async_api import TimeoutError as NotYetThere

from tests.stage.real_server import RealServer, Running, real_server
from tests.stage.running import until
from workflows.incident import QuestionState
from workflows.people.messages import MESSAGES

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE = 20_000.0  # milliseconds
WIDE, HIGH = 1500, 1300
TALL = 30_000  # a window in which a whole timeline is in view
LIST = FloatRect(x=256, y=48, width=WIDE - 256, height=290)  # what the pictures show: the UI without its menu
PAGE = FloatRect(x=256, y=48, width=WIDE - 256, height=1200)
DIALOG = FloatRect(x=(WIDE - 600) / 2, y=(HIGH - 640) / 2, width=600, height=640)
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
COLUMNS = ("IncidentSeverity", "IncidentPhase", "IncidentState", "Playbook")
CALM = 20.0  # where nothing is timed, pages and posts need not hurry
CLICKS = 3  # with a JSON object the first one is lost: leaving the editor moves the button

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")]


@dataclass
class Window:
    """The Temporal UI, with one pair of hands."""

    page: Page
    url: str

    async def waiting_incidents(self) -> Locator:
        """The list of what waits for an answer, with our search attributes as columns."""
        await self.page.goto(f"{self.url}/namespaces/default/workflows?query=Waiting%3Dtrue", wait_until="domcontentloaded")
        await self.page.get_by_test_id("workflows-summary-table-configuration-button").click()
        for column in COLUMNS:
            await self.page.get_by_test_id(f"orderable-list-item-{column}-add-button").click()
        for column in ("Run ID", "Type", "End"):
            await self.page.get_by_test_id(f"orderable-list-item-{column}-remove-button").click()
        await self.page.get_by_test_id("drawer-close-button").click()
        await self.page.get_by_text("Configure Workflows Table").wait_for(state="hidden")
        return self.page.locator("table tbody tr")

    async def tab(self, name: str) -> None:
        """Open one of the tabs of a workflow."""
        await self.page.locator("[role=tab]:visible", has_text=name).first.click()

    async def details(self) -> Locator:
        """The current details, as they are now."""
        await self.tab("Timeline")
        await self.tab("User Metadata")
        return self.page.frame_locator("#user-metadata-current-details").locator("body")

    async def signal(self, name: str, given: Any, picture: bool = False) -> None:
        """More Actions → Send a Signal → the name → paste → Submit, until the dialog is gone."""
        await self.page.get_by_role("button", name="More Actions").click()
        await self.page.locator("[role=menuitem]:visible", has_text="Send a Signal").click()
        dialog = self.page.locator("dialog:visible")
        await dialog.get_by_test_id("signal-select-button").click()
        await dialog.locator("[role=option]:visible").filter(has_text=MESSAGES[name]).click()
        await dialog.locator("[contenteditable=true]:visible").click()
        await self.page.keyboard.press("ControlOrMeta+A")  # the form keeps what was sent last
        await self.page.keyboard.insert_text(json.dumps(given))
        if picture:
            await self.picture("signal", DIALOG)
        await self._submit(dialog, f"/signal/{name}")
        try:
            await dialog.wait_for(state="hidden", timeout=1500)
        except NotYetThere:  # UI 2.54: the second signal from one page is sent, and its dialog stays
            await self.page.reload(wait_until="domcontentloaded")

    async def _submit(self, dialog: Locator, address: str) -> None:
        answers: list[Response] = []
        self.page.on("response", lambda answer: answers.append(answer) if address in answer.url else None)

        async def answered() -> bool:
            return answers != []

        for _ in range(CLICKS):
            with suppress(NotYetThere):  # disabled or gone: on its way
                await dialog.get_by_role("button", name="Submit").click(timeout=5000)
            with suppress(AssertionError):
                await until(answered, "the signal to be sent", patience=3)
                break
        assert [answer.ok for answer in answers] == [True]

    async def reads_on_the_timeline(self, wanted: str) -> None:
        """Run the timeline query in the Queries tab until its end shows these words."""
        again = self.page.get_by_role("button", name="Refresh Query")
        if await again.is_visible():
            await again.click()
        else:
            await self.tab("Queries")
            await self.page.get_by_test_id("query-select-button").click()
            await self.page.locator("[role=option]:visible", has_text="timeline").click()
            await self.page.get_by_role("button", name="Run Query").click()
        answer = self.page.locator(".cm-content:visible").last

        async def shown() -> bool:
            return wanted in " ".join((await answer.inner_text()).split())

        await self.page.set_viewport_size({"width": WIDE, "height": TALL})  # the viewer draws only what is in view
        try:
            await until(shown, f"{wanted!r} on the page")
        finally:
            await self.page.set_viewport_size({"width": WIDE, "height": HIGH})

    async def picture(self, name: str, part: FloatRect) -> None:
        """Take a picture for the README."""
        if not os.environ.get("PICTURES"):
            return
        await self.page.screenshot(path=PICTURES / f"temporal-ui-{name}.png", clip=part)


@asynccontextmanager
async def _window(url: str) -> AsyncIterator[Window]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = await browser.new_page(viewport={"width": WIDE, "height": HIGH}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE)
        yield Window(page, url)
        await browser.close()


async def _refused(incident: Running, window: Window, nth: int, why: str) -> None:
    """The refusal is on the timeline, and the page shows it."""

    async def noted() -> str:
        found = await incident.refusals()
        return found[nth - 1] if len(found) >= nth else ""

    said = await until(noted, f"refusal {nth}: {why}")
    assert why in said, said
    await window.reads_on_the_timeline(why)


async def _read_the_question(stage: RealServer, incident: Running, window: Window) -> int:
    """Everything that a decision needs is on the page."""
    await incident.question("retrieval only")
    question = await incident.question("over from aurora to borealis")
    body = await window.details()
    await body.get_by_text(f"Question {question.number}:").wait_for()
    shown = " ".join((await body.inner_text()).split())
    status = await incident.status()
    assert status.next_update_due is not None
    for wanted in (
        "Commander: nobody yet", "Phase: Mitigation", "In force: backed off: client-policy",
        f"Next update due: {status.next_update_due:%Y-%m-%d}", question.asks,
        f"Effect: {question.effect.split('; then ')[0]}", f"Undo: {question.inverse}",
        f'data "{question.number}-XXXX-XXXX"',
        "signal approve (or decline)", "Send a Signal",
    ):  # fmt: skip
        assert wanted in shown, f"{wanted!r} is missing in: {shown}"
    return question.number


async def test_a_person_finds_the_incident_and_approves_in_the_temporal_ui(tmp_path: Path) -> None:
    """Found by its search attribute, read, answered with a code: the failover runs."""
    async with real_server(tmp_path) as stage, _window(stage.ui_url) as window:
        await stage.break_the_provider()
        incident = await stage.declare("inc-20261123-llm-chat", {"service": "chat"})
        await incident.question("over from aurora to borealis")
        rows = await window.waiting_incidents()
        row = rows.filter(has_text=incident.id)
        await row.get_by_text("mitigation").wait_for()
        assert await rows.count() == 1
        await window.picture("list", LIST)
        await row.get_by_role("link", name=incident.id).click()
        await window.page.wait_for_url("**/timeline")

        number = await _read_the_question(stage, incident, window)
        await window.picture("question", PAGE)
        code = await stage.code("dana", number)
        await window.signal("approve", code, picture=True)

        async def shifted() -> bool:
            return any(line.startswith("done: models.shift") for line in await incident.timeline())

        await until(shifted, "the failover that was approved")
        await window.tab("Timeline")
        await window.page.get_by_text("models.shift").first.wait_for()
        await window.picture("approved", PAGE)
        body = await window.details()
        await body.get_by_text("Commander: dana").wait_for()
        given = (await incident.status()).questions[number - 1].answers
        assert [(each.verdict, each.by, each.verified) for each in given] == [("approve", "dana", True)]


async def test_a_wrong_answer_in_the_temporal_ui_is_refused_and_noted(tmp_path: Path) -> None:
    """No such question, a wrong code, a used one, the code of somebody who has lost the role: each with its reason, and nothing runs."""
    async with real_server(tmp_path, pace=CALM) as stage, _window(stage.ui_url) as window:
        await window.page.set_viewport_size({"width": 1200, "height": 800})
        await stage.break_the_provider()
        incident = await stage.declare("inc-20261123-llm-chat", {"service": "chat"})
        degrade = (await incident.question("retrieval only")).number
        failover = (await incident.question("over from aurora to borealis")).number
        await window.page.goto(f"{stage.ui_url}/namespaces/default/workflows/{incident.id}", wait_until="domcontentloaded")
        await window.page.wait_for_url("**/timeline")
        await window.tab("Queries")  # where nothing moves while one types

        await window.signal("approve", {"question": 99, "by": "dana", "reason": "looks right"})
        await _refused(incident, window, 1, "there is no question 99; questions 1 to ")
        await window.signal("approve", f"{failover}-AAAA-AAAA")
        await _refused(incident, window, 2, f"the code fits nobody on the roster for question {failover} of {incident.id}")
        used = await stage.code("dana", failover)
        await window.signal("decline", used)

        async def declined() -> bool:
            return (await incident.status()).questions[failover - 1].state is QuestionState.DECLINED

        await until(declined, "the no that was sent")
        await window.signal("approve", used)
        await _refused(incident, window, 3, "this code was used already, for decline")
        lost = await stage.code("lee", degrade)
        stage.reassign({"lee": "finance"})
        await window.signal("approve", lost)
        await _refused(incident, window, 4, "lee is not Ops Lead or Incident Commander")

        await (await window.details()).get_by_text("refused: approve: lee is not Ops Lead").first.wait_for()
        acted = [line for line in await incident.timeline() if line.startswith(("done: models.shift", "done: models.degrade"))]
        assert acted == []
