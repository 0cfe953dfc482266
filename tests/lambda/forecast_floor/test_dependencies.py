import ast
import sys
from pathlib import Path

import floor_decisions


def test_the_forecast_needs_the_standard_library_alone():
    for path in Path(floor_decisions.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names, path.name
