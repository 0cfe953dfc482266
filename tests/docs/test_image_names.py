"""Each name of somebody else's image stands in a dated table, with the page that documents it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "run-the-images.md"
FOLDERS = ("benchmarks", "constructs", "container", "docs", "examples", "lambda", "stacks", "tests", "tools")
READ = {".py", ".md", ".sh", ".yaml", ".yml", ".json"}

_REGISTRY = (
    r"(?:public\.ecr\.aws|docker\.io|ghcr\.io|gcr\.io|quay\.io|nvcr\.io|lscr\.io|mcr\.microsoft\.com|registry\.k8s\.io"
    r"|registry\.gitlab\.com)"
)
_NAMES = (
    # A variable is no name of the table either: the name has to be readable where it is used.
    re.compile(r"from_registry\(\s*(?:name=)?[\"']?([\w$][^\s\"'),]*)"),
    re.compile(rf"\b({_REGISTRY}/[\w./-]+(?::[\w.-]*\w)?)"),
    # Docker Hub's, by their first word: whatever else has a colon is no image.
    re.compile(
        r"(?<![\w./-])((?:[a-z]+/)?(?:nginx|nginx-unprivileged|httpd|python|node|cuda|debian|ubuntu|alpine|busybox|redis|"
        r"postgres|mysql|mariadb|memcached|amazonlinux|golang|haproxy|traefik|docker)"
        r":(?:\d(?:[\w.-]*\w)?|latest|stable|slim|edge|lts)\b)"
    ),
    # Whatever has a tag, where only an image can stand.
    re.compile(r"\bdocker (?:image )?(?:run|pull)\b[^\n]*?\s([a-z][\w./-]*:[\w.-]*\w)"),
    re.compile(r"\bdocker (?:image )?pull\s+([a-z][\w./-]*(?::[\w.-]*\w)?)"),
    re.compile(r"^\s*-?\s*image:\s*[\"']?([a-z][\w./-]*:\d[\w.-]*)", flags=re.MULTILINE),
)
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", flags=re.MULTILINE | re.IGNORECASE)
_DEFAULTS = re.compile(r"^ARG\s+(\w+)=[\"']?([^\s\"']+)", flags=re.MULTILINE | re.IGNORECASE)
_COPIED = re.compile(r"^(?:COPY|ADD|RUN)\s.*?(?:--|,)from=([^\s,]+)", flags=re.MULTILINE | re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_ROW = re.compile(r"^\| `([^`]+)` \| [^|]+ \| (https://\S+) \|$", flags=re.MULTILINE)
_HEADING = "### Names of other people's images"


def table() -> dict[str, str]:
    """The documented names, each with its page."""
    section = PAGE.read_text(encoding="utf-8").partition(_HEADING)[2].partition("\n## ")[0]
    assert re.search(r"looked up on \d{1,2} [A-Z][a-z]+ 20\d\d", section)
    return dict(_ROW.findall(section))


def bases(dockerfile: str) -> set[str]:
    """The images that a Dockerfile starts from or copies from, with the defaults of its arguments."""
    defaults = dict(_DEFAULTS.findall(dockerfile))
    stages = {stage for _, stage in _FROM.findall(dockerfile)}
    names = {name for name, _ in _FROM.findall(dockerfile)} | set(_COPIED.findall(dockerfile))
    named = {_VARIABLE.sub(lambda found: defaults.get(found[1], found[0]), name) for name in names}
    return {name for name in named - stages - {"scratch"} if not name.isdecimal()}


def named() -> Iterator[tuple[str, str]]:
    """Each file with each image that it names. What tests only put into a template is pulled by nobody."""
    for path in (PROJECT / "README.md", *(file for folder in FOLDERS for file in (PROJECT / folder).rglob("*"))):
        where = str(path.relative_to(PROJECT))
        if path.name.startswith("Dockerfile"):
            text = path.read_text(encoding="utf-8")
            yield from ((where, name) for name in bases(text))
        elif path.suffix in READ and not where.startswith("tests") and "build/" not in where:
            text = path.read_text(encoding="utf-8")
            yield from ((where, name) for name in names_in(text))


def names_in(text: str) -> set[str]:
    return {name for pattern in _NAMES for name in pattern.findall(text)}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('ecs.ContainerImage.from_registry("redis")', "redis"),
        ('ecs.ContainerImage.from_registry(name="grafana/grafana")', "grafana/grafana"),
        ("ecs.ContainerImage.from_registry(IMAGE)", "IMAGE"),
        ("`docker run --rm --publish 80:80 bitnami/kafka:3.7`", "bitnami/kafka:3.7"),
        ("docker pull nginx", "nginx"),
        ("services:\n  cache:\n    image: amazon/dynamodb-local:2.5", "amazon/dynamodb-local:2.5"),
        ('IMAGE = "redis:7.2"', "redis:7.2"),
        ("the image ubuntu:latest", "ubuntu:latest"),
        ("made from python:3.", "python:3"),
        ("ghcr.io/owner/name:0.9", "ghcr.io/owner/name:0.9"),
    ],
)
def test_a_name_is_found_wherever_it_stands(text: str, name: str) -> None:
    assert name in names_in(text)


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM redis:7",
        "from --platform=linux/amd64 redis:7 as first\nFROM first",
        'ARG IMAGE="redis:7"\nFROM ${IMAGE}',
        "ARG VERSION=7\nFROM redis:$VERSION",
        "FROM scratch\nCOPY --from=redis:7 /a /a",
        "FROM scratch\nRUN --mount=type=bind,from=redis:7 ls",
    ],
)
def test_whatever_a_dockerfile_takes_from_another_image_is_found(dockerfile: str) -> None:
    assert bases(dockerfile) == {"redis:7"}


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
