from pathlib import Path

from aws_cdk import SymlinkFollowMode
from aws_cdk import aws_lambda as lambda_

_PACKAGED = Path(__file__).parent / "_lambda"
_REPOSITORY = Path(__file__).parents[2] / "lambda"


def function_code(name: str) -> lambda_.Code:
    """The code of the function `name`: from the wheel, or from `lambda/` in the repository.

    In the repository, a package that constructs and tools use too is a symbolic link to its one source; the asset has a
    copy.
    """
    root = _PACKAGED if _PACKAGED.is_dir() else _REPOSITORY
    return lambda_.Code.from_asset(
        str(root / name), exclude=["__pycache__", "*.pyc"], follow_symlinks=SymlinkFollowMode.ALWAYS
    )
