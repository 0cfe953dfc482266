"""A platform team's app: the stacks of every example in one `cdk.App`, in a folder where this repository is not."""

import ast
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stacks.nag_packs import NAG_PACKS

PROJECT = Path(__file__).parents[1]
EXAMPLES = {path.stem: path for path in sorted((PROJECT / "examples").glob("*.py"))}

_PACKS = ", ".join(pack.__name__ for pack in NAG_PACKS)
# cdk-nag 3 is a plug-in of the CDK's validation; cdk-nag 2 is an aspect.
_CHECKS = {
    3: f"""
import aws_cdk as cdk
from cdk_nag import {_PACKS}


def check(app: cdk.App) -> None:
    for pack in ({_PACKS}):
        cdk.Validations.of(app).add_plugins(pack(app))
""",
    2: f"""
import aws_cdk as cdk
from cdk_nag import {_PACKS}


def check(app: cdk.App) -> None:
    for pack in ({_PACKS}):
        cdk.Aspects.of(app).add(pack(verbose=True))
""",
}
_APP = """
import aws_cdk as cdk

import checks
{imports}

app = cdk.App()
{calls}
checks.check(app)
app.synth()
"""


def write_app(folder: Path, *, cdk_nag: int = 3, more: Mapping[str, str] | None = None) -> None:
    """Writes `app.py`, a module per example, and a `cdk.json` with this project's feature flags.

    Args:
        folder: where; it is made.
        cdk_nag: the major version of the cdk-nag that checks the app.
        more: further modules by name; each has the function `add_to(app)`.
    """
    folder.mkdir(parents=True)
    modules = {name: _as_module(path.read_text()) for name, path in EXAMPLES.items()} | dict(more or {})
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    for path in (PROJECT / "examples").iterdir():
        # What the examples read: the change log, a function's code.
        if path.is_dir():
            shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.suffix != ".py":
            shutil.copy(path, folder)
    (folder / "checks.py").write_text(_CHECKS[cdk_nag])
    (folder / "app.py").write_text(
        _APP.format(
            imports="\n".join(f"import {name}" for name in modules),
            calls="\n".join(f"{name}.add_to(app)" for name in modules),
        )
    )
    (folder / "cdk.json").write_text(json.dumps({"app": "python app.py", "context": flags()}))


def flags() -> dict[str, Any]:
    """The CDK's feature flags of this project."""
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    return {name: value for name, value in context.items() if name.startswith("@aws-cdk/")}


def templates_of(assembly: Path, example: str) -> dict[str, dict[str, Any]]:
    """The templates of an example's stacks, by file."""
    stacks = _stack_ids(EXAMPLES[example].read_text())
    found = {
        path.name: json.loads(path.read_text())
        for path in assembly.rglob("*.template.json")
        if path.name.removesuffix(".template.json") in stacks
    }
    assert found.keys() == {f"{stack}.template.json" for stack in stacks}
    return found


def _as_module(source: str) -> str:
    """The example without an app of its own: the lines that add its stacks to one are a function's."""
    head, tail = _parted(source)
    lines = source.splitlines()[: head - 1]
    added = [f"    {ast.unparse(statement)}" for statement in tail if ast.unparse(statement) != "app.synth()"]
    return "\n".join([*lines, "def add_to(app: cdk.App) -> None:", *added, ""])


def _parted(source: str) -> tuple[int, list[ast.stmt]]:
    """The line with which the making of the app begins, and the statements that follow it."""
    for statement in ast.parse(source).body:
        # An example that another program imports makes its app below `if __name__ == "__main__":`.
        body = statement.body if isinstance(statement, ast.If) else [statement]
        if ast.unparse(body[0]) == "app = cdk.App()":
            following = [node for node in ast.parse(source).body if node.lineno > statement.lineno]
            return statement.lineno, [*body[1:], *following]
    raise AssertionError("the example makes no app")


def _stack_ids(source: str) -> set[str]:
    """The ids that are given to stacks of the app itself."""
    _, tail = _parted(source)
    return {
        call.args[1].value
        for statement in tail
        for call in ast.walk(statement)
        if isinstance(call, ast.Call) and len(call.args) > 1 and ast.unparse(call.args[0]) == "app"
        if isinstance(call.args[1], ast.Constant) and isinstance(call.args[1].value, str)
    }
