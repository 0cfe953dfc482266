from pathlib import Path

from aws_cdk import aws_lambda as lambda_

_PACKAGED = Path(__file__).parent / "_lambda"
_REPOSITORY = Path(__file__).parents[2] / "lambda"


def function_code(name: str) -> lambda_.Code:
    """The code of the function `name`: out of the wheel where that carries it, else out of the repository's `lambda/`."""
    root = _PACKAGED if _PACKAGED.is_dir() else _REPOSITORY
    return lambda_.Code.from_asset(str(root / name), exclude=["__pycache__", "*.pyc"])
