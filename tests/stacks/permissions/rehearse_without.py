"""Rehearses with one statement less.

    python -m tests.stacks.permissions.rehearse_without "model/ReleaseRoleDefaultPolicy8DBFA809 iam:PassRole" …

Says of each named statement at which step the rehearsal stopped and which permission was missing. It takes a minute or
two a statement, which is why it is no test: `test_statements.py` judges the recording instead.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.stacks.permissions.deployment import about

ROOT = Path(__file__).parents[3]
_DROP = "--drop"


def main() -> None:
    if sys.argv[1] == _DROP:
        drop(Path(sys.argv[2]), sys.argv[3])
        return
    failed = [name for name in sys.argv[1:] if not is_missed(name)]
    sys.exit(f"not missed: {failed}" if failed else 0)


def is_missed(name: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder)
        for entry in ROOT.iterdir():
            if entry.name not in ("cdk.json", "build", "cdk.out"):
                (app / entry.name).symlink_to(entry)
        settings = json.loads((ROOT / "cdk.json").read_text())
        dropping = f"PYTHONPATH={ROOT} python {Path(__file__)} {_DROP} $CDK_OUTDIR {json.dumps(name)}"
        settings["app"] = f"({settings['app']}) && {dropping}"
        (app / "cdk.json").write_text(json.dumps(settings))
        report = app / "report.json"
        subprocess.run(
            ["cdk-rehearse", "--app-dir", folder, "--report", str(report)], check=False, stdout=subprocess.DEVNULL
        )
        found = json.loads(report.read_text())
    step, denied = found["failed_step"], found["denied_permissions"]
    missing = ", ".join(sorted({f"{each['action']} of {each['caller'].rpartition('/')[2]}" for each in denied}))
    print(f"{name}: {f'stopped at {step}' if step else 'PASSED'}; missing: {missing or 'nothing'}", flush=True)
    return step is not None and bool(denied)


def drop(assembly: Path, name: str) -> None:
    stack, _, rest = name.partition("/")
    logical_id, _, topic = rest.partition(" ")
    path = next(assembly.glob(f"*-{stack}.template.json"))
    template = json.loads(path.read_text())
    resource = template["Resources"][logical_id]
    properties = resource["Properties"]
    if resource["Type"] == "AWS::Lambda::Permission":
        # Somebody else's, so that what depends on it can still be made.
        properties["Principal"] = "config.amazonaws.com"
    else:
        document = next(
            properties[kind]
            for kind in ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument")
            if kind in properties
        )
        kept = [statement for statement in document["Statement"] if about(statement) != topic]
        if len(kept) == len(document["Statement"]):
            sys.exit(f"{name}: there is no such statement")
        document["Statement"] = kept
    path.write_text(json.dumps(template))


if __name__ == "__main__":
    main()
