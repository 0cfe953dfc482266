"""Draws the pictures of the reviewers' page, into docs/images/: the page itself, with posts made up here.

Needs Debian's chromium and a font with Japanese (fonts-noto-cjk).
"""

import json
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Route, sync_playwright

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "container" / "api" / "web"
IMAGES = PROJECT / "docs" / "images"
ORIGIN = "http://review.localhost"
FILES = {
    "/review": ("html", "text/html"),
    "/review/page.css": ("css", "text/css"),
    "/review/page.js": ("js", "text/javascript"),
}
POSTS = {
    "ja": [
        ("副業に興味のある方は、プロフィールのリンクからご連絡ください。\n簡単な作業で、1日3万円も可能です！", 0.97),
        ("そんな考え方だから子どもに嫌われるんですよ。親失格。", 0.91),
        ("【限定】このサプリを飲めば1か月で必ず痩せます。詳しくはDMで", 0.88),
        ("会ってお話ししませんか？連絡先を送ってください。", 0.83),
        ("夜泣きがつらいです。みなさんどうやって乗り越えましたか？", 0.12),
        ("うちの夫、本当にあり得ない。もう限界かもしれません。", 0.71),
        ("その病院はやめたほうがいいです。先生がひどいので。", 0.66),
    ],
    "en": [
        ("Interested in a side job? Write to me by the link in my profile.\nEasy work, 300 dollars a day!", 0.97),
        ("No wonder your children cannot stand you. You should never have become a parent.", 0.91),
        ("This supplement makes you lose weight in a month, guaranteed. Message me!", 0.88),
        ("Shall we meet and talk? Send me your number.", 0.83),
        ("She wakes up five times a night. How did you all get through this?", 0.12),
        ("My husband is unbelievable. I may have reached my limit.", 0.71),
    ],
}
PICTURES = {
    "review-page.png": ("en", "light", 1120, 520),
    "review-page-dark.png": ("ja", "dark", 1120, 520),
    "review-page-narrow.png": ("ja", "light", 360, 700),
}


def answers(language: str) -> dict[str, object]:
    """What the service would answer, by path."""
    posts = [
        {
            "post": f"{place:064x}",
            "text": text,
            "probability": probability,
            "model": "moderation-7",
            "received": f"2026-11-23T0{place}:12:00.000+00:00",
            "flagged": probability > 0.5,
            "decisions": 0,
            "lease": "5f3a9c0e1d2b4a68",
            "leased_until": 1_795_600_000,
        }
        for place, (text, probability) in enumerate(POSTS[language], start=1)
    ]
    mine = {"violation": 31, "fine": 14, "unsure": 3, "undone": 1}
    everybody = {"violation": 96, "fine": 41, "unsure": 7, "undone": 2}
    statistics = {"date": "2026-11-23", "reviewer": "hana@example.com", "everybody": everybody, "mine": mine}
    return {
        "/v1/reviews/take": {"posts": posts},
        "/v1/reviews/statistics": statistics | {"waiting": 118, "waiting_more": False},
    }


def draw(browser: Browser, name: str, language: str, scheme: str, width: int, height: int) -> None:
    answered = answers(language)

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path in FILES:
            ending, mimetype = FILES[path]
            route.fulfill(body=(PAGE / f"review_page.{ending}").read_bytes(), content_type=f"{mimetype}; charset=utf-8")
        else:
            route.fulfill(body=json.dumps(answered[path]), content_type="application/json")

    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        locale="ja-JP" if language == "ja" else "en-GB",
        timezone_id="Asia/Tokyo",
    )
    page.route("**/*", serve)
    page.goto(f"{ORIGIN}/review")
    page.locator("#list li").first.wait_for()
    page.locator("#day-numbers:not(:empty)").wait_for()
    page.screenshot(path=IMAGES / name, full_page=True, animations="disabled")
    page.close()
    print(f"{name}: {(IMAGES / name).stat().st_size} bytes")


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not on PATH: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (language, scheme, width, height) in PICTURES.items():
            draw(browser, name, language, scheme, width, height)
        browser.close()


if __name__ == "__main__":
    main()
