import importlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.tools.cdk_review.shop import shop, write_assembly

PAGE = Path(__file__).parents[2] / "docs" / "review-a-change.md"


@pytest.fixture
def show_review(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(PAGE.parent)
    return importlib.import_module("show_review")


def test_the_page_has_the_kinds_as_they_are(show_review: ModuleType) -> None:
    assert f"<!-- review: kinds -->\n{show_review.kinds()}\n<!-- end -->" in PAGE.read_text(encoding="utf-8")


def test_a_page_gets_the_report_in_place_of_the_old_one(show_review: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "above\n<!-- review: kinds -->\nold\n<!-- end -->\nbetween\n<!-- review: report -->\nold\n<!-- end -->\nbelow\n"
    )
    template = shop()
    template["Resources"]["Spike"]["Properties"]["Threshold"] = 85
    base, head = write_assembly(tmp_path / "a", {"shop": shop()}), write_assembly(tmp_path / "b", {"shop": template})

    show_review.main(base, head, page)
    first = page.read_text()
    show_review.main(base, head, page)

    assert page.read_text() == first
    assert "old" not in first.split()
    assert "does so at 85 instead of 80" in first
    assert [line for line in first.splitlines() if line in ("above", "between", "below")] == [
        "above",
        "between",
        "below",
    ]
