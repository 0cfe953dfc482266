"""The packages that constructs share with functions and tools: one source each, in need of nothing but Python."""

import ast
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from cdk_fargate_sagemaker._function_code import function_code

PROJECT = Path(__file__).parents[2]
LIBRARY = PROJECT / "constructs" / "cdk_fargate_sagemaker"
COPIES = {
    "scaling_decisions": ("lambda/target_tuner", "tools/fargate_capacity"),
    "floor_decisions": ("lambda/forecast_floor", "tools/fargate_capacity"),
    "review_estimates": ("lambda/review_measures", "tools/review_threshold"),
}


@pytest.mark.parametrize("name", COPIES)
def test_it_is_importable_where_neither_node_nor_aws_cdk_is_installed(name: str) -> None:
    program = f"""
import importlib.util, shutil, sys
sys.path.insert(0, {str(LIBRARY.parent)!r})
assert importlib.util.find_spec("aws_cdk") is None
assert shutil.which("node") is None
import cdk_fargate_sagemaker.{name}
"""
    # Without site-packages.
    subprocess.run([sys.executable, "-I", "-S", "-c", program], env={"PATH": ""}, check=True)


@pytest.mark.parametrize("name", COPIES)
def test_it_imports_the_standard_library_and_itself_alone(name: str) -> None:
    modules = list((LIBRARY / name).rglob("*.py"))
    assert modules
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                # A copy has no package above it.
                assert node.level <= 1, path.name
                names = [] if node.level else [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names, path.name


@pytest.mark.parametrize(("name", "folder"), [(name, folder) for name in COPIES for folder in COPIES[name]])
def test_the_repository_has_one_source_of_it(name: str, folder: str) -> None:
    assert (PROJECT / folder / name).is_symlink()
    assert (PROJECT / folder / name).samefile(LIBRARY / name)


@pytest.mark.parametrize(
    ("function", "name"), [("target_tuner", "scaling_decisions"), ("review_measures", "review_estimates")]
)
def test_the_function_gets_a_copy_of_it(tmp_path: Path, function: str, name: str) -> None:
    app = cdk.App(outdir=str(tmp_path))
    lambda_.Function(
        cdk.Stack(app, "Stack"),
        "Function",
        code=function_code(function),
        handler=f"{function}.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
    )
    app.synth()
    (copy,) = tmp_path.glob(f"asset.*/{name}")
    assert not copy.is_symlink()
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
        path.name: path.read_bytes() for path in (LIBRARY / name).iterdir() if path.is_file()
    }
