"""Builds the API reference from the docstrings: `python docs/build_reference.py build/docs`."""

import importlib
import os
import sys
import warnings

os.environ["PDOC_ALLOW_EXEC"] = "1"

from pdoc.__main__ import cli

PACKAGE = "cdk_fargate_sagemaker"


def main() -> None:
    package = importlib.import_module(PACKAGE)
    areas = [name for name in sorted(os.listdir(package.__path__[0])) if name[0] not in "_." and "." not in name]
    for area in areas:
        module = importlib.import_module(f"{PACKAGE}.{area}")
        # A name that is imported lazily is in its module once somebody asked for it, and pdoc does not ask.
        for name in module.__all__:
            getattr(module, name)
    # A public name that has no page is an error.
    warnings.simplefilter("error", UserWarning)
    cli(["--docformat", "google", "--output-directory", sys.argv[1], PACKAGE, f"!{PACKAGE}[.]_"])


if __name__ == "__main__":
    main()
