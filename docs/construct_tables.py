"""Writes what each construct costs and leaves into their pages, by one synthesis of each. `make docs` runs it."""

from pathlib import Path

import construct_costs
import construct_remains

DOCS = Path(__file__).parent

if __name__ == "__main__":
    construct_costs.main(["--page", str(DOCS / "what-it-costs.md")])
    construct_remains.main(["--page", str(DOCS / "take-it-away.md")])
