import importlib.util
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/owner/repository"
GITHUB = {
    "GITHUB_REF_NAME": "v1.2.3",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "owner/repository",
}


@pytest.fixture(scope="module")
def release_check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_check", PROJECT / "tools" / "release_check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel(folder: Path, name: str, *, version: str = "1.2.3", homepage: str = REPOSITORY) -> None:
    with zipfile.ZipFile(folder / f"{name}.whl", "w") as file:
        lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", f"Project-URL: Homepage, {homepage}"]
        file.writestr(f"{name}.dist-info/METADATA", "\n".join(lines))


def test_two_wheels_of_the_tag_and_the_repository_pass(release_check: ModuleType, tmp_path: Path) -> None:
    wheel(tmp_path, "one")
    wheel(tmp_path, "two")
    assert release_check.faults(tmp_path, GITHUB) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": "1.2.2"}, "two.whl: got version 1.2.2, allowed: the tag's, 1.2.3"),
        ({"homepage": "https://github.com/a/b"}, f"allowed: {REPOSITORY}"),
    ],
)
def test_another_version_or_repository_is_refused_in_one_line(
    release_check: ModuleType, tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    wheel(tmp_path, "one")
    wheel(tmp_path, "two", **changed)
    (line,) = release_check.faults(tmp_path, GITHUB)
    assert said in line


def test_one_wheel_is_no_release(release_check: ModuleType, tmp_path: Path) -> None:
    wheel(tmp_path, "one")
    (line,) = release_check.faults(tmp_path, GITHUB)
    assert "got 1 wheels, allowed: 2" in line
