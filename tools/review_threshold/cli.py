"""The command `review-threshold`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from review_threshold.input_error import InputError
from review_threshold.proposal import NoThresholdError, for_load, for_precision, proposal
from review_threshold.review_estimates import Estimate, ReviewEstimates
from review_threshold.reviewed_posts import read_export

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def propose(
    export: Annotated[Path, typer.Argument(help="The folder of an export of the review table, or one of its files.")],
    precision: Annotated[
        float | None, typer.Option(help="Wanted precision: the share of violations among flagged posts.", min=0, max=1)
    ] = None,
    per_day: Annotated[
        float | None, typer.Option(help="Wanted load: the number of posts per day to review.", min=0)
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Report what to expect of this threshold.", min=0, max=1)
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Draw the curve into this file, .png or .svg.")] = None,
) -> None:
    """Propose a threshold for the flag from reviewers' decisions: for a precision, or for a reviewing load."""
    if sum(wanted is not None for wanted in (precision, per_day, threshold)) != 1:
        raise InputError("give one of --precision, --per-day and --threshold")
    if output is not None and output.suffix not in (".png", ".svg"):
        raise InputError(f"--output is {output}: give a name that ends in .png or .svg")
    estimates = ReviewEstimates(read_export(export))
    if precision is not None:
        proposed = for_precision(estimates, precision)
    elif per_day is not None:
        proposed = for_load(estimates, per_day)
    else:
        proposed = proposal(estimates, threshold or 0.0)
    kappa, pairs = estimates.agreement()
    typer.echo(f"threshold   {proposed.threshold:.3f}")
    typer.echo(f"precision   {_shown(proposed.precision, 'no post above it was judged')}")
    typer.echo(f"recall      {_shown(proposed.recall, _why_no_recall(estimates))}")
    typer.echo(f"load        {proposed.per_day:.1f} posts a day, over {estimates.days:.1f} days")
    agreement = "too few posts were judged by two" if kappa is None else f"{kappa:.2f} (Cohen's kappa), {pairs} posts"
    typer.echo(f"agreement   {agreement}")
    if output is not None:
        # The drawing modules take most of a second to import.
        from review_threshold.curve import draw_curve

        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            draw_curve(estimates, proposed.threshold, output)
        except OSError as fault:
            raise InputError(f"--output is {output}, which cannot be written: {fault.strerror}") from None
        typer.echo(f"wrote {output}")


def _shown(estimate: Estimate | None, otherwise: str) -> str:
    if estimate is None:
        return f"unknown: {otherwise}"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f}), {estimate.judged} posts judged"


def _why_no_recall(estimates: ReviewEstimates) -> str:
    if not estimates.has_sample:
        return "there is no sample of what was not flagged (REVIEW_SAMPLE_PERCENT)"
    return "a part of the posts was not judged yet, or holds no violation"


def main() -> None:
    try:
        app()
    except (InputError, NoThresholdError) as fault:
        sys.exit(str(fault))
