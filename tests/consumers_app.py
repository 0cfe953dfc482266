"""A platform team's app: the stacks of every example at once, in a folder where this repository is not."""

import ast
import json
import re
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
import json
from pathlib import Path
from types import ModuleType

import aws_cdk as cdk

import checks
{imports}

stacks: dict[str, dict[str, object]] = {{}}


def synthesise(outdir: str, *examples: ModuleType) -> None:
    app = cdk.App(outdir=outdir)
    for example in examples:
        before = {{child.node.id for child in app.node.children}}
        example.add_to(app)
        added = {{child.node.id for child in app.node.children}} - before
        stacks[example.__name__] = {{"assembly": outdir, "ids": sorted(added)}}
    checks.check(app)
    app.synth()


{calls}
Path("stacks.json").write_text(json.dumps(stacks))
"""


def write_app(folder: Path, *, cdk_nag: int = 3, more: Mapping[str, str] | None = None) -> None:
    """Writes `app.py`, which synthesises into cdk.out, a module per example, and a `cdk.json` with the feature flags.

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
            calls="\n".join(
                f'synthesise("{_assembly(number)}", {", ".join(names)})'
                for number, names in enumerate(_without_two_of_a_name(modules))
            ),
        )
    )
    (folder / "cdk.json").write_text(json.dumps({"app": "python app.py", "context": flags()}))


def assemblies(folder: Path) -> list[Path]:
    """The cloud assemblies of an app that ran: one, and another for stacks of a name that the first has already."""
    return sorted(folder.glob("cdk.out*"))


def flags() -> dict[str, Any]:
    """The CDK's feature flags of this project."""
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    return {name: value for name, value in context.items() if name.startswith("@aws-cdk/")}


def templates_of(folder: Path, example: str) -> dict[str, dict[str, Any]]:
    """The templates of an example's stacks and stages, by file, where the app ran."""
    added = json.loads((folder / "stacks.json").read_text())[example]
    ids = [re.sub(r"[^\w.-]", "_", stack) for stack in added["ids"]]
    assembly = folder / added["assembly"]
    found = {}
    for path in assembly.rglob("*.template.json"):
        # A stage has a folder, named after it and what it is in.
        top = path.relative_to(assembly).parts[0]
        if any(top in {f"{id}.template.json", f"assembly-{id}"} or top.startswith(f"assembly-{id}-") for id in ids):
            found[path.name] = json.loads(path.read_text())
    assert len(found) >= len(ids)
    return found


def _assembly(number: int) -> str:
    return f"cdk.out.{number + 1}" if number else "cdk.out"


def _without_two_of_a_name(modules: Mapping[str, str]) -> list[list[str]]:
    """The modules in as few apps as can be: an account has one stack of a name."""
    apps: list[tuple[list[str], set[str]]] = []
    for name, text in modules.items():
        ids = _stack_ids(text)
        for names, taken in apps:
            if not taken & ids:
                names.append(name)
                taken |= ids
                break
        else:
            apps.append(([name], set(ids)))
    return [names for names, _ in apps]


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


def _stack_ids(module: str) -> set[str]:
    """The ids of what a module's function adds to the app itself."""
    (function,) = [node for node in ast.parse(module).body if getattr(node, "name", None) == "add_to"]
    return {
        call.args[1].value
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and len(call.args) > 1 and ast.unparse(call.args[0]) == "app"
        if isinstance(call.args[1], ast.Constant) and isinstance(call.args[1].value, str)
    }
