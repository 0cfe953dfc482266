"""`uvx cdk-fargate-sagemaker-tools`, or `pipx run` of it: lists the commands."""

from __future__ import annotations

from importlib.metadata import entry_points

from cdk_fargate_sagemaker_tools import __version__

DISTRIBUTION = "cdk-fargate-sagemaker-tools"


def main() -> None:
    """Prints the version and the commands, one per line."""
    scripts = entry_points(group="console_scripts")
    names = sorted(script.name for script in scripts if script.dist is not None and script.dist.name == DISTRIBUTION)
    print(f"{DISTRIBUTION} {__version__}")
    for name in names:
        if name != DISTRIBUTION:
            print(f"  {name} --help")
    print(f"Without installing: uvx --from {DISTRIBUTION} COMMAND, or pipx run --spec {DISTRIBUTION} COMMAND.")


if __name__ == "__main__":
    main()
