"""Each name of somebody else's image stands in a dated table, with the page that documents it."""

import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "run-the-images.md"
FOLDERS = ("benchmarks", "constructs", "container", "docs", "examples", "lambda", "stacks", "tests", "tools")
READ = {".py", ".md", ".sh", ".yaml", ".yml", ".json"}

_REGISTRY = r"(?:public\.ecr\.aws|docker\.io|ghcr\.io|gcr\.io|quay\.io|nvcr\.io|mcr\.microsoft\.com|registry\.k8s\.io)"
_NAMES = (
    re.compile(r"from_registry\(\s*[\"']([^\"']+)[\"']"),
    re.compile(rf"\b({_REGISTRY}/[\w./-]+(?::[\w.-]*\w)?)"),
    # Docker Hub's, by their first word: whatever else has a colon is no image.
    re.compile(
        r"(?<![\w./-])((?:nginxinc/|nvidia/)?(?:nginx|nginx-unprivileged|httpd|python|node|cuda|debian|ubuntu|alpine|busybox)"
        r":\d[\w.-]*\w)"
    ),
)
_BASES = re.compile(r"^(?:FROM|ARG BASE_IMAGE=)\s*(\S+)", flags=re.MULTILINE)
_STAGES = re.compile(r"^FROM\s+\S+\s+AS\s+(\S+)", flags=re.MULTILINE | re.IGNORECASE)
_ROW = re.compile(r"^\| `([^`]+)` \| [^|]+ \| (https://\S+) \|$", flags=re.MULTILINE)
_HEADING = "### Names of other people's images"


def table() -> dict[str, str]:
    """The documented names, each with its page."""
    section = PAGE.read_text(encoding="utf-8").partition(_HEADING)[2].partition("\n## ")[0]
    assert re.search(r"looked up on \d{1,2} [A-Z][a-z]+ 20\d\d", section)
    return dict(_ROW.findall(section))


def named() -> Iterator[tuple[str, str]]:
    """Each file with each image that it names. What tests only put into a template is pulled by nobody."""
    for path in (PROJECT / "README.md", *(file for folder in FOLDERS for file in (PROJECT / folder).rglob("*"))):
        where = str(path.relative_to(PROJECT))
        if path.name.startswith("Dockerfile"):
            text = path.read_text(encoding="utf-8")
            bases = set(_BASES.findall(text)) - set(_STAGES.findall(text)) - {"scratch"}
            yield from ((where, name) for name in bases if not name.startswith("${"))
        elif path.suffix in READ and not where.startswith("tests") and "build/" not in where:
            text = path.read_text(encoding="utf-8")
            yield from ((where, name) for pattern in _NAMES for name in pattern.findall(text))


def test_no_other_image_is_named() -> None:
    documented = table()
    assert {(where, name) for where, name in named() if name not in documented} == set()


def test_each_image_of_the_table_is_named_somewhere() -> None:
    page = str(PAGE.relative_to(PROJECT))
    assert set(table()) == {name for where, name in named() if where != page}


def test_a_page_is_the_registrys_own() -> None:
    """The page of a name that is well-formed and does not exist would be found nowhere."""
    for name, page in table().items():
        repository = name.partition(":")[0]
        expected = (
            f"https://gallery.ecr.aws/{repository.removeprefix('public.ecr.aws/')}"
            if repository.startswith("public.ecr.aws/")
            else f"https://hub.docker.com/r/{repository}"
            if "/" in repository
            else f"https://hub.docker.com/_/{repository}"
        )
        assert page == expected
