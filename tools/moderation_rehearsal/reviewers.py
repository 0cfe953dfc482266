"""Reviewers who decide on every waiting post: one in a real browser, and one who sends the same calls."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.local_sign_in import LocalSignIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

REVIEWERS = ("hana", "ken")
_PATIENCE_MS = 30_000
_TIMEOUT_SECONDS = 30.0
_AT_ONCE = 10
_KEYS = {1: "1", 0: "2"}
_VERDICTS = {1: "violation", 0: "fine"}
# Another post than before, or no waiting post; undefined while the page is loading.
_NEXT = """(before) => {
  const shown = (id) => !document.getElementById(id).hidden;
  if (shown("alert")) return { alert: document.getElementById("alert").textContent };
  const text = document.getElementById("text").textContent;
  if (shown("details") && text !== before) return { text };
  return shown("again") ? { text: null } : undefined;
}"""

Label = Callable[[str], int]


def chromium() -> str | None:
    """Debian's browser, if it and its driver are installed."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return None
    return shutil.which("chromium")


def review_by_page(
    port: int,
    sign_in: LocalSignIn,
    browser: str,
    label: Label,
    on_decision: Callable[[int], None],
    *,
    reviewer: str,
    most: int,
) -> int:
    """Reviews up to `most` posts on the page by keys, with the label that `label` returns.

    Returns the number of decisions.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = launched.new_page(locale="ja-JP", extra_http_headers={sign_in.header_name: sign_in.header(reviewer)})
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(f"http://127.0.0.1:{port}/review")
        decisions = 0
        text = _next(page, None)
        while decisions < most and (text is not None or (text := _look_again(page)) is not None):
            page.keyboard.press(_KEYS[label(text)])
            decisions += 1
            on_decision(decisions)
            text = _next(page, text)
        launched.close()
    return decisions


def _next(page: Page, before: str | None) -> str | None:
    found = page.wait_for_function(_NEXT, arg=before).json_value()
    if "alert" in found:
        raise StepError(f"the reviewers' page says: {found['alert']}")
    text: str | None = found["text"]
    return text


def _look_again(page: Page) -> str | None:
    with page.expect_response("**/v1/reviews/take") as answer:
        page.locator("#again").click()
    return _next(page, None) if answer.value.json()["posts"] else None


def review_by_api(
    port: int,
    sign_in: LocalSignIn,
    label: Label,
    on_decision: Callable[[int], None],
    *,
    reviewer: str,
    most: int,
) -> int:
    """As `review_by_page`, but by the page's calls."""
    decisions = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    headers = {
        sign_in.header_name: sign_in.header(reviewer),
        "Origin": f"http://127.0.0.1:{port}",
        "Content-Type": "application/json",
    }

    def ask(path: str, body: dict[str, object]) -> Any:
        try:
            connection.request("POST", f"/v1/reviews/{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise StepError(f"the review API does not answer: {error or type(error).__name__}") from error
        if answer.status != 200:
            raise StepError(f"the review API answered {answer.status}: {content.decode(errors='replace')[:300]}")
        return json.loads(content)

    with contextlib.closing(connection):
        while decisions < most and (posts := ask("take", {"count": min(_AT_ONCE, most - decisions)})["posts"]):
            for post in posts:
                ask(f"{post['post']}/decide", {"lease": post["lease"], "verdict": _VERDICTS[label(post["text"])]})
                decisions += 1
                on_decision(decisions)
    return decisions
