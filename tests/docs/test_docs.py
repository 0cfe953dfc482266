"""What the docs show is what runs: their programs are the example files, their links lead somewhere."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGES = [*sorted(PROJECT.glob("*.md")), PROJECT / "tools" / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
EXAMPLE = re.compile(r"<!-- example: (?P<file>\S+) -->\n(?:```(?:python|yaml)\n(?P<code>.*?)```\n)?", re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)(?P<target>[^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_are_the_files_that_are_tested(page: Path) -> None:
    for example in EXAMPLE.finditer(page.read_text(encoding="utf-8")):
        program = (PROJECT / example["file"]).read_text(encoding="utf-8")
        assert example["code"] == program, f"{example['file']} has changed; run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.finditer(page.read_text(encoding="utf-8")):
        assert (page.parent / link["target"]).exists(), link["target"]


def test_every_example_is_in_the_docs() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = {PROJECT / example["file"] for example in EXAMPLE.finditer(text)}
    assert {path for path in shown if path.parent == PROJECT / "examples"} == set((PROJECT / "examples").glob("*.py"))


def test_contributing_names_files_that_are_there() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:constructs|docs|examples|tests|tools)/[^` ]+)`", text)
    assert named
    assert [path for path in named if not (PROJECT / path).exists()] == []


READS = re.compile(r'(?:environment, |\.get\(|environment\[)"([A-Z_]+)"')


@pytest.mark.parametrize(
    ("heading", "source"),
    [("The inference image", "container/inference/serve.py"), ("The ML API", "container/api/api_settings.py")],
)
def test_every_variable_of_an_image_is_in_the_docs(heading: str, source: str) -> None:
    _, _, section = (PROJECT / "docs" / "run-the-images.md").read_text(encoding="utf-8").partition(f"## {heading}\n")
    table = "".join(re.findall(r"^\| (`[A-Z].*?) \|", section.partition("\n## ")[0], re.MULTILINE))
    read = set(READS.findall((PROJECT / source).read_text(encoding="utf-8")))
    set_by_others = {"PATH", "AWS_REGION", "AWS_DEFAULT_REGION"}
    assert set(re.findall(r"`([A-Z_]+)`", table)) == read - set_by_others
