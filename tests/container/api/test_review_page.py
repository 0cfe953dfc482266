"""The reviewers' page, in a real browser."""

import re
import shutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright

from tests.container.api.conftest import Api, Balancer, Runtime

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH: apt-get install chromium")
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def api(start_reviews: Callable[..., Api], shared_runtime: Runtime) -> Any:
    return start_reviews(shared_runtime.url)


@pytest.fixture
def open_page(browser: Browser, api: Any, balancer: Balancer) -> Iterator[Callable[..., Page]]:
    """Open the page as a reviewer: `open_page("ken", locale="ja-JP", color_scheme="dark")`."""
    contexts = []
    faults: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        faults.append("a dialog")
        dialog.dismiss()

    def open_(subject: str = "hana", *, path: str = "/review", **options: Any) -> Page:
        context = browser.new_context(
            extra_http_headers={"x-amzn-oidc-data": balancer.header(subject)},
            **{"locale": "en-GB", "timezone_id": "Asia/Tokyo", **options},
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text else None)
        page.on("dialog", dismiss)
        page.goto(f"{api.url}{path}")
        return page

    expect.set_options(timeout=PATIENCE_MS)
    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def fill(store: Any, review_post: Callable[..., Any], *posts: tuple[str, float | None]) -> None:
    for text, probability in posts:
        store.keep(review_post(text, probability))


def heading(page: Page) -> Any:
    return page.locator("#current-name")


def verdicts(store: Any, post: str) -> list[str]:
    return [entry["verdict"] for entry in store.history(post)]


def key_of(api_module: Callable[[str], ModuleType], text: str) -> str:
    return str(api_module("reviews.post").post_key(text))


def test_a_reviewer_decides_by_keyboard_alone(
    open_page: Callable[..., Page],
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
) -> None:
    store = review_store()
    fill(store, review_post, ("first", 0.93), ("second", 0.8), ("third", 0.7))
    page = open_page()
    expect(heading(page)).to_have_text("93% likely a violation · 1 of 3")
    expect(page.locator("#text")).to_have_text("first")
    page.keyboard.press("1")
    expect(page.locator("#text")).to_have_text("second")
    expect(page.get_by_role("status")).to_have_text("Violation recorded. 80% likely a violation · 1 of 2")
    expect(page.locator("#current")).to_be_focused()
    page.keyboard.press("r")
    page.keyboard.type("1 2 3 z")
    page.keyboard.press("Enter")
    expect(page.locator("#current")).to_be_focused()
    page.keyboard.press("f")
    expect(page.locator("#text")).to_have_text("third")
    page.keyboard.press("z")
    expect(page.locator("#text")).to_have_text("second")
    page.keyboard.press("3")
    expect(page.locator("#text")).to_have_text("third")
    page.keyboard.press("u")
    expect(heading(page)).to_have_text("Nothing waits for you. Well done.")
    assert verdicts(store, key_of(api_module, "first")) == ["violation"]
    assert verdicts(store, key_of(api_module, "second")) == ["fine", "undone", "unsure"]
    assert store.history(key_of(api_module, "second"))[0]["reason"] == "1 2 3 z"
    expect(page.locator("#day-numbers")).to_have_text("3 by you · 3 by all · 0 waiting")


def test_the_tab_key_reaches_everything_and_shows_where_it_is(
    open_page: Callable[..., Page], review_store: Callable[..., Any], review_post: Callable[..., Any]
) -> None:
    fill(review_store(), review_post, ("first", 0.9), ("second", 0.8))
    page = open_page()
    expect(page.locator("#text")).to_have_text("first")
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText.trim() || document.activeElement.id"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert [name.partition("\n")[0] for name in reached][:6] == [
        "Keys",
        "日本語",
        "Violation1",
        "Fine2",
        "Unsure3",
        "reason",
    ]
    assert "".join(reached).count("first") == 1
    page.get_by_role("button", name="Fine").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_have_text("second")


def test_keys_can_be_turned_off(
    open_page: Callable[..., Page], review_store: Callable[..., Any], review_post: Callable[..., Any]
) -> None:
    fill(review_store(), review_post, ("first", 0.9), ("second", 0.8))
    page = open_page()
    expect(page.locator("#text")).to_have_text("first")
    page.get_by_role("button", name="Keys").click()
    page.keyboard.press("1")
    page.reload()
    expect(page.locator("#text")).to_have_text("first")
    expect(page.get_by_role("button", name="Keys")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("1")
    page.get_by_role("button", name="Keys").click()
    page.keyboard.press("1")
    expect(page.locator("#text")).to_have_text("second")


def test_a_double_click_decides_one_post(
    open_page: Callable[..., Page],
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
) -> None:
    store = review_store()
    fill(store, review_post, ("first", 0.9), ("second", 0.8), ("third", 0.7))
    page = open_page()
    expect(page.locator("#text")).to_have_text("first")
    page.get_by_role("button", name="Violation").dblclick(delay=50)
    expect(page.locator("#text")).to_have_text("second")
    expect(page.locator("#day-numbers")).to_have_text("1 by you · 1 by all · 2 waiting")
    page.get_by_role("button", name="Undo").dblclick(delay=50)
    expect(page.locator("#text")).to_have_text("first")
    expect(page.locator("#day-numbers")).to_have_text("0 by you · 0 by all · 3 waiting")
    assert verdicts(store, key_of(api_module, "first")) == ["violation", "undone"]
    assert verdicts(store, key_of(api_module, "second")) == []


def test_an_answer_that_is_lost_is_asked_for_again_and_decides_once(
    open_page: Callable[..., Page],
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
) -> None:
    store = review_store()
    fill(store, review_post, ("first", 0.9), ("second", 0.8))
    page = open_page()
    expect(page.locator("#text")).to_have_text("first")
    lost: list[int] = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/decide", lose)
    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_contain_text("Your decision is not recorded yet: try again.")
    page.keyboard.press("1")
    expect(page.locator("#text")).to_have_text("second")
    expect(page.locator("#alert")).to_be_hidden()
    assert lost == [200]
    assert verdicts(store, key_of(api_module, "first")) == ["violation"]


HOSTILE = [
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    '"><svg onload=alert(3)>&lt;b&gt;{{7*7}}${7*7}`alert(4)`',
    "</p></section><style>*{display:none}</style><iframe srcdoc='<script>parent.alert(5)</script>'>",
    "javascript:alert(6) \u202etxet desrever\u202c \u2066isolated\u2069",
    "line one\nline two\t tab\n\n  indented",
    "長い" * 3000,
]


def test_a_posts_text_is_text(
    open_page: Callable[..., Page], review_store: Callable[..., Any], review_post: Callable[..., Any]
) -> None:
    fill(review_store(), review_post, *[(text, 0.9 - place / 10) for place, text in enumerate(HOSTILE)])
    page = open_page()
    for text in HOSTILE:
        expect(page.locator("#text")).to_have_text(re.compile("."))
        expect(page.locator("#text")).to_have_js_property("textContent", text)
        assert page.locator("#text *, #list img, #list script, #list svg, #list iframe, section style").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("3")
    expect(heading(page)).to_have_text("Nothing waits for you. Well done.")
    assert page.locator("body").is_visible()


def test_the_page_may_load_and_do_nothing_but_its_own(
    open_page: Callable[..., Page], review_store: Callable[..., Any], review_post: Callable[..., Any], api: Any
) -> None:
    fill(review_store(), review_post, ("first", 0.9))
    page = open_page()
    expect(page.locator("#text")).to_have_text("first")
    policy = page.request.get(f"{api.url}/review").headers["content-security-policy"]
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert (
        page.evaluate("try { document.body.innerHTML = '<b>a</b>'; 'done' } catch (fault) { fault.name }")
        == "TypeError"
    )
    loaded = page.evaluate("performance.getEntriesByType('resource').map((one) => new URL(one.name).origin)")
    assert set(loaded) == {api.url}


def test_two_reviewers_never_see_the_same_post_and_are_told_when_time_ran_out(
    open_page: Callable[..., Page],
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
) -> None:
    store = review_store()
    fill(store, review_post, *[(f"post {number}", 0.9 - number / 100) for number in range(12)])
    hana = open_page("hana")
    expect(hana.locator("#list li")).to_have_count(10)
    ken = open_page("ken")
    expect(ken.locator("#list li")).to_have_count(2)
    assert not set(hana.locator("#list .line").all_inner_texts()) & set(ken.locator("#list .line").all_inner_texts())
    # Long after: others have taken hers over.
    late = review_store(clock=lambda: 4_000_000_000.0)
    (taken, *_) = late.take(reviewer="mei", count=10)
    assert taken.text == "post 0"
    hana.keyboard.press("1")
    expect(hana.get_by_role("alert")).to_have_text(
        "Another reviewer has this post, or your time for it has ended. Here are your posts now."
    )
    assert verdicts(store, key_of(api_module, "post 0")) == []


def test_japanese_for_japanese_browsers_and_for_whoever_chooses_it(
    open_page: Callable[..., Page], review_store: Callable[..., Any], review_post: Callable[..., Any]
) -> None:
    fill(review_store(), review_post, ("夜泣きがつらいです。", 0.93))
    page = open_page(locale="ja-JP")
    expect(heading(page)).to_have_text("違反の可能性 93% · 1件中1件目")
    assert page.evaluate("[document.documentElement.lang, document.title]") == ["ja", "投稿の審査"]
    page.get_by_role("button", name="English").click()
    expect(heading(page)).to_have_text("93% likely a violation · 1 of 1")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.reload()
    expect(heading(page)).to_have_text("93% likely a violation · 1 of 1")


def test_a_screen_reader_is_told_what_everything_is(
    open_page: Callable[..., Page], review_store: Callable[..., Any], review_post: Callable[..., Any]
) -> None:
    fill(review_store(), review_post, ("first", 0.9), ("second", None))
    page = open_page()
    expect(page.locator("#text")).to_have_text("second")
    expect(page.locator("body")).to_match_aria_snapshot("""
      - banner:
        - heading "Review" [level=1]
        - group "Today":
          - text: Today
          - progressbar "Today"
          - text: 0 by you · 0 by all · 2 waiting
        - button "Keys" [pressed]
        - button "日本語"
      - status
      - main:
        - region "Not scored · 1 of 2":
          - heading "Not scored · 1 of 2" [level=2]
          - paragraph: second
          - paragraph: /Received/
          - group "Not scored · 1 of 2":
            - button "Violation"
            - button "Fine"
            - button "Unsure"
          - text: Reason, if you like
          - textbox "Reason, if you like"
        - navigation "Yours to judge":
          - heading "Yours to judge" [level=2]
          - button "Undo" [disabled]
          - list:
            - listitem:
              - button "– second"
            - listitem:
              - button "90% first"
          - paragraph: /1 violation · 2 fine/
    """)
    assert page.locator("#list [aria-current=true]").inner_text().endswith("second")


CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const part = (value) => value / 255 <= .03928 ? value / 255 / 12.92 : ((value / 255 + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const texts = "h1, h2, #text, #about, .day span, button:not([disabled]), .hint, .reason span, li span";
  return [...document.querySelectorAll(texts)]
    .filter((element) => element.innerText && element.getClientRects().length)
    .map((element) => {
      const both = [rgb(getComputedStyle(element).color), ground(element)].map(light).sort((one, two) => two - one);
      return [element.innerText, (both[0] + .05) / (both[1] + .05)];
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(
    open_page: Callable[..., Page], review_store: Callable[..., Any], review_post: Callable[..., Any], scheme: str
) -> None:
    fill(review_store(), review_post, ("first", 0.9), ("second", 0.8))
    page = open_page(color_scheme=scheme)
    expect(page.locator("#text")).to_have_text("first")
    contrasts = dict(page.evaluate(CONTRAST))
    assert len(contrasts) > 10
    # WCAG 2.2, 1.4.3 (AA).
    assert {text: contrast for text, contrast in contrasts.items() if contrast < 4.5} == {}
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 28)"
    assert dark is (scheme == "dark")


@pytest.mark.parametrize("locale", ["en-GB", "ja-JP"])
def test_a_narrow_screen_needs_no_scrolling_sideways(
    open_page: Callable[..., Page], review_store: Callable[..., Any], review_post: Callable[..., Any], locale: str
) -> None:
    fill(review_store(), review_post, ("a" * 400, 0.9), ("夜泣きがつらいです。" * 20, 0.8))
    page = open_page(locale=locale, viewport={"width": 360, "height": 740}, has_touch=True)
    expect(page.locator("#list li")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for button in page.locator(".verdicts button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["height"] >= 44
    page.locator(".verdicts .fine").tap()
    expect(page.locator("#list li")).to_have_count(1)


def test_the_service_may_restart_under_an_open_page(
    open_page: Callable[..., Page],
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api: Any,
    api_module: Callable[[str], ModuleType],
    start_reviews: Callable[..., Api],
    shared_runtime: Runtime,
) -> None:
    store = review_store()
    fill(store, review_post, ("first", 0.9), ("second", 0.8))
    page = open_page()
    expect(page.locator("#day-numbers")).to_have_text("0 by you · 0 by all · 2 waiting")
    api.kill()
    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_contain_text("Your decision is not recorded yet: try again.")
    expect(page.locator("#text")).to_have_text("first")
    start_reviews(shared_runtime.url, PORT=str(api.port))
    page.keyboard.press("1")
    expect(page.locator("#text")).to_have_text("second")
    expect(page.locator("#alert")).to_be_hidden()
    assert verdicts(store, key_of(api_module, "first")) == ["violation"]
    page.keyboard.press("z")
    expect(page.locator("#text")).to_have_text("first")
