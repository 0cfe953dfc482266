"""Draws each state machine of a cloud assembly into the pages that show it. `make docs` runs it after `cdk synth`.

A picture stands behind `<!-- state machine: NAME -->`.
"""

import re
import sys
from pathlib import Path

from cloud_assembly import state_machines

from cdk_review.state_diagram import mermaid

PICTURE = re.compile(r"(?P<marker><!-- state machine: (?P<name>\S+) -->\n)(?:```mermaid\n.*?```\n)?", re.DOTALL)


def main(assembly: Path, pages: list[Path]) -> None:
    definitions = state_machines(assembly)

    def drawn(match: re.Match[str]) -> str:
        if match["name"] not in definitions:
            sys.exit(
                f"{match['name']}: no such state machine in {assembly}, which has {', '.join(sorted(definitions))}"
            )
        return f"{match['marker']}```mermaid\n{mermaid(definitions[match['name']])}```\n"

    for page in pages:
        text = page.read_text(encoding="utf-8")
        page.write_text(PICTURE.sub(drawn, text), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sorted(Path(__file__).parent.glob("*.md")))
