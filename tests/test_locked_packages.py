"""Every package that is installed anywhere is pinned by content."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[1]
_PIN = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", flags=re.MULTILINE)
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$", flags=re.MULTILINE)
_CONTINUED = re.compile(r"\s*\\\n\s*")
_INSTALL = re.compile(r"""pip(?:",)? (?:"?install"?|download)\b[^\n&|;]*""")


def committed(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [PROJECT / line for line in listed.stdout.split()]


LOCKED = [path for path in committed("*requirements*.txt") if path.is_file()]


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def pins(path: Path) -> dict[str, str]:
    return dict(_PIN.findall(path.read_text(encoding="utf-8")))


def test_the_locked_files_are_found() -> None:
    assert {"requirements.txt", "container/training/requirements-cpu.txt"} <= {name(path) for path in LOCKED}


BUILT = ".github/workflows/wheels.yml"


@pytest.mark.parametrize("path", LOCKED, ids=name)
def test_each_package_of_a_locked_file_has_a_hash(path: Path) -> None:
    blocks = re.split(r"^(?=\w)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert {block.split()[0] for block in blocks if not (_PIN.match(block) and _HASH.search(block))} == set()
    assert len(blocks) == len(pins(path))


@pytest.mark.parametrize("path", LOCKED, ids=name)
def test_a_locked_file_names_no_place_to_install_from(path: Path) -> None:
    """Each machine has its own; the hash says whether what it gives is right."""
    assert not re.search(r"https?:|--index-url|--extra-index-url|--find-links", path.read_text(encoding="utf-8"))


def installs() -> Iterator[tuple[str, str]]:
    """Each `pip install` and `pip download` of what builds and tests, with the file that it is in."""
    for path in committed("Makefile", ".ci/run", ".github/*", "*Dockerfile*"):
        text = _CONTINUED.sub(" ", path.read_text(encoding="utf-8")).replace('", "', " ")
        for line in text.splitlines():
            if not line.lstrip().startswith("#"):
                yield from ((name(path), command) for command in _INSTALL.findall(line))


def test_pip_installs_by_hash_or_from_this_folder() -> None:
    found = list(installs())
    assert len(found) >= 10
    unhashed = [
        (where, command)
        for where, command in found
        if "--require-hashes" not in command.split() and not (where == BUILT and "dist/" in command)
    ]
    # The project's own packages, from their folders and without dependencies.
    assert [where for where, command in unhashed if "--no-deps" not in command or "--editable ." not in command] == []


def test_a_release_tries_its_wheels_beside_the_newest_in_a_job_that_holds_nothing() -> None:
    """As a team installs them, and thus without hashes: what is installed there must not reach what is released."""
    jobs = yaml.safe_load((PROJECT / BUILT).read_text(encoding="utf-8"))["jobs"]
    trying = {
        name
        for name, job in jobs.items()
        for step in job["steps"]
        if re.search(r"pip install .*dist/", step.get("run", ""))
    }
    assert trying == {"test"}
    test = jobs["test"]
    assert not {"permissions", "environment", "secrets"} & test.keys()
    assert all("upload-artifact" not in step.get("uses", "") and "secrets." not in str(step) for step in test["steps"])


def test_the_training_images_files_differ_by_their_torch_alone() -> None:
    cpu, gpu = (pins(PROJECT / f"container/training/requirements-{built_for}.txt") for built_for in ("cpu", "gpu"))
    assert (cpu.pop("torch"), gpu.pop("torch")) == ("2.13.0+cpu", "2.13.0")
    # Of another platform: the file for GPUs is for all.
    others = {"colorama", "httpx2-jsfetch"}
    of_nvidia = {package for package in gpu if package.startswith(("nvidia-", "cuda-")) or package == "triton"}
    assert len(of_nvidia) > 10
    assert {package: version for package, version in gpu.items() if package not in of_nvidia | others} == cpu


@pytest.mark.parametrize("path", committed("container/*Dockerfile*"), ids=name)
def test_a_published_image_starts_from_content_or_the_page_says_why_not(path: Path) -> None:
    (base,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE) == ["${BASE_IMAGE}"] * 2
    repository = base.partition(":")[0]
    page = (PROJECT / "docs" / "run-the-images.md").read_text(encoding="utf-8")
    named_by_tag = re.compile(rf"^- `{re.escape(repository)}` is named by its tag[.:]", flags=re.MULTILINE)
    assert re.search(r"@sha256:[0-9a-f]{64}$", base) or named_by_tag.search(page)
