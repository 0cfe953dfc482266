"""The estimates' package is of the standard library alone; estimates themselves are tested with review-threshold."""

import ast
import sys
from pathlib import Path

import pytest
import review_estimates
from review_estimates import ReviewedPost, ReviewTally


def test_they_need_the_standard_library_alone():
    for path in Path(review_estimates.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names, path.name


def test_counts_become_posts_that_are_alike():
    tally = ReviewTally.of(
        [
            {"flagged:0.975:1:stored": 10, "flagged:0.975:1:violation": 4, "sample:0.025:33.3333:stored": 2},
            {"flagged:0.975:1:violation": 1, "flagged:0.975:1:unsure": 1, "sample:0.025:33.3333:fine": 2},
            {"pair:violation:fine": 2, "pair:fine:fine": 1, "flagged:0.525:1:fine": -1},
            {"pair:violation:fine": -1},
        ]
    )

    def row(verdict: str | None, count: int, **of: object) -> ReviewedPost:
        chosen = {"probability": 0.975, "flagged": True, "weight": 1.0, "received": 0.0, **of}
        return ReviewedPost(verdict=verdict, count=count, **chosen)

    sample = {"probability": 0.025, "flagged": False, "weight": 33.3333}
    assert sorted(tally.posts, key=str) == sorted(
        [row("violation", 5), row("unsure", 1), row(None, 4), row("fine", 2, **sample)], key=str
    )
    assert tally.pairs == {("violation", "fine"): 1, ("fine", "fine"): 1}


@pytest.mark.parametrize("name", ["flagged:0.5:1:bad", "other:0.5:1:fine", "pair:fine:bad", "flagged"])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="is no name of a count: `flagged:0"):
        ReviewTally.of([{name: 1}])
