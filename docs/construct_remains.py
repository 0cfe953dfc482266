"""Says what `cdk destroy` leaves of each public construct. `make docs` writes it into the page on taking things away.

Read from the deletion policies of the least use of each (tests/constructs/minimal), by default and with
`removal_policy=RemovalPolicy.DESTROY`.
"""

import argparse
import inspect
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import aws_cdk as cdk
from construct_uses import USES, use

from cdk_review.standing_cost import kept_resources

TABLE = re.compile(r"(?P<marker><!-- what each construct leaves -->\n)(?:\|.*\n|Nothing .*\n|\n(?=Nothing ))*")
WORDS = {
    "AWS::DynamoDB::Table": "table",
    "AWS::KMS::Key": "key",
    "AWS::Logs::LogGroup": "log group",
    "AWS::S3::Bucket": "bucket",
    "AWS::SQS::Queue": "queue",
    "AWS::SecretsManager::Secret": "secret",
}


def remains(name: str, **given: Any) -> tuple[str, float]:
    """What is left of one use of a construct, in words, and dollars per month beside what it stores."""
    made = use(name, **given)
    kept = list(kept_resources("", made.own | made.of_stack))
    counted = Counter(WORDS[found.type] for found in kept)
    words = (f"{number} {word}s" if number > 1 else word for word, number in sorted(counted.items()))
    return ", ".join(words), sum(found.month for found in kept)


def table() -> str:
    lines, nothing = [], []
    for name in USES:
        left, month = remains(name)
        if not left:
            nothing.append(f"`{name}`")
            continue
        takes = "removal_policy" in inspect.signature(type(use(name).construct).__init__).parameters
        destroyed = remains(name, removal_policy=cdk.RemovalPolicy.DESTROY)[0] if takes else left
        lines.append(f"| `{name}` | {left} | {month:.2f} | {destroyed or 'nothing'} |\n")
    head = "| construct | leaves by default | $ per month beside storage | with `DESTROY` |\n|---|---|---:|---|\n"
    return f"{head}{''.join(lines)}\nNothing is left of {', '.join(nothing)}.\n"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="a page that gets the table, behind its marker")
    given = parser.parse_args(arguments)
    written = table()
    print(written, end="")
    if given.page:
        text = given.page.read_text(encoding="utf-8")
        given.page.write_text(TABLE.sub(lambda match: match["marker"] + written, text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
