"""The docs as one site: built from this checkout, each link leads somewhere, the search finds pages and API."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.build_site import dead_links

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "docs"
    built = subprocess.run(
        [sys.executable, str(PROJECT / "docs" / "build_site.py"), str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def _found(site: Path, question: str) -> list[str]:
    """The addresses that the page's own search finds, best first."""
    search = (site / "search.js").read_text(encoding="utf-8")
    ask = f"console.log(JSON.stringify(found({json.dumps(question)})))"
    (site.parent / "asked.js").write_text(f"{search}\n{ask}", encoding="utf-8")
    answer = subprocess.run(["node", str(site.parent / "asked.js")], capture_output=True, text=True, check=True)
    return [entry["url"] for entry in json.loads(answer.stdout)]


def test_every_page_and_package_is_on_the_site(site: Path) -> None:
    pages = {path.stem for path in (PROJECT / "docs").glob("*.md")} | {"index", "contributing", "security", "changelog"}
    assert pages <= {path.stem for path in site.glob("*.html")}
    assert (site / "reference" / "cdk_fargate_sagemaker" / "sagemaker.html").exists()


def test_the_search_finds_pages_and_api(site: Path) -> None:
    assert "roll-back-at-3-am.html#the-endpoint-is-gone" in _found(site, "endpoint gone")
    assert _found(site, "SpikeScaling fargate")[0] == "reference/cdk_fargate_sagemaker/fargate.html#SpikeScaling"
    assert _found(site, "no such words anywhere zzz") == []


def test_the_site_stands_alone(site: Path) -> None:
    page = (site / "release-a-model.html").read_text(encoding="utf-8")
    assert 'src="images/moderation-dev-endpoint.png"' in page
    assert "/blob/main/lambda/release_ledger/rollback_decision.py" in page
    links = re.findall(r'href="([^"]*)"', page)
    assert [link for link in links if "://" not in link and ".md" in link] == []


@pytest.mark.parametrize(
    "link", ["missing.html", "there.html#missing", "#missing", "images/missing.png"], ids=lambda link: link
)
def test_a_dead_link_is_found(link: str, tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text('<h1 id="here">There</h1>', encoding="utf-8")
    attribute = "src" if link.endswith("png") else "href"
    (tmp_path / "page.html").write_text(
        f'<a {attribute}="{link}"></a><a href="there.html#here"></a><a href="https://example.com/missing"></a>',
        encoding="utf-8",
    )
    assert list(dead_links(tmp_path)) == [f"page.html → {link}"]
