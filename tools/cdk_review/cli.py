"""The command `cdk-review`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from fargate_capacity.input_error import InputError

if TYPE_CHECKING:
    from cdk_review.assembly import Stack
    from cdk_review.findings import Finding
    from cdk_review.policy import Policy
    from cdk_review.review import Review
    from cdk_review.traffic_replay import TrafficReplay

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

FAILED = 2
MOST_SHOWN = 20


@app.command()
def review(
    base: Annotated[Path | None, typer.Argument(metavar="BASE", help="The cloud assembly before the change.")] = None,
    head: Annotated[Path | None, typer.Argument(metavar="HEAD", help="The cloud assembly after it.")] = None,
    git: Annotated[
        str | None,
        typer.Option(
            metavar="REFERENCE",
            help="Synthesise both sides: the working tree, and the commit at which it left this branch.",
        ),
    ] = None,
    app_folder: Annotated[Path, typer.Option(help="With --git, the folder of the CDK app.")] = Path(),
    output: Annotated[Path, typer.Option(help="The folder that is written.")] = Path("review"),
    fail_on: Annotated[
        str,
        typer.Option(
            help="What ends the command with status 2, separated by commas: replacement, alarm-loosened, "
            "permission-widened, cost>10%, a kind of flag, or a severity (which means that one and worse)."
        ),
    ] = "",
    skew: Annotated[
        float, typer.Option(min=1.0, max=3.0, help="The hottest task's CPU by the average of all tasks.")
    ] = 1.15,
    lint: Annotated[
        bool,
        typer.Option(help="Report new findings of cfn-lint, if it is installed, in changed templates."),
    ] = True,
    pictures: Annotated[
        bool, typer.Option(help="Draw the dashboards that differ, before and after, at 1 day and at 4 weeks.")
    ] = True,
    trace: Annotated[
        Path | None,
        typer.Option(help="Traffic to replay against both settings, in any format that `fargate-capacity` reads."),
    ] = None,
    service: Annotated[str | None, typer.Option(help="With --trace, the service where there are several.")] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="With --trace, an assumption of the model, as cpu_ms=40; may be repeated."
        ),
    ] = None,
    observed: Annotated[
        Path | None,
        typer.Option(help="With --trace, CloudWatch's metrics, as `fargate-capacity fetch` writes them."),
    ] = None,
    latency_limit_ms: Annotated[
        float | None, typer.Option(help="With --trace, the mean latency above which requests count as breached.")
    ] = None,
) -> None:
    """Report what a change replaces, loosens, widens and costs, from two cloud assemblies."""
    from cdk_review.git_sides import git_sides
    from cdk_review.policy import parse_policy

    policy = parse_policy(fail_on)
    given = {"service": service, "assume": assume, "observed": observed, "latency-limit-ms": latency_limit_ms}
    alone = [f"--{name}" for name, value in given.items() if value is not None]
    if trace is None and alone:
        raise InputError(f"got {', '.join(alone)} without --trace; allowed: with it; name a file of traffic")
    with ExitStack() as open_sides:
        if git is not None:
            if base is not None:
                raise InputError(f"got {base} beside --git; allowed: two cloud assemblies, or --git alone")
            say = partial(typer.echo, err=True)
            sides = open_sides.enter_context(git_sides(git, folder=app_folder, say=say))
            base, head = sides.base, sides.head
        if base is None or head is None:
            raise InputError("got no two sides; allowed: BASE HEAD, or --git REFERENCE as --git origin/main")
        judged = _judged(base, head, skew=skew, lint=lint)
        if trace is not None:
            from cdk_review.traffic_replay import replay_both

            replayed = replay_both(
                base,
                head,
                trace=trace,
                service=service,
                assume=assume or (),
                observed=observed,
                latency_limit_ms=latency_limit_ms,
            )
            judged = _with_replay(judged, replayed)
        if pictures:
            judged = _drawn(judged, base, head, output)
        failures = _reported(judged, output=output, policy=policy)
    for line in failures:
        typer.echo(f"cdk-review: fails on {line}", err=True)
    if failures:
        raise typer.Exit(FAILED)


def _judged(base: Path, head: Path, *, skew: float, lint: bool) -> Review:
    from concurrent.futures import ThreadPoolExecutor

    from cdk_review.assembly import read_assembly
    from cdk_review.findings import finding_flags, reported
    from cdk_review.flag import worst_first
    from cdk_review.review import review as judge

    before, after = read_assembly(base), read_assembly(head)
    old, new = reported(base), reported(head)
    # cfn-lint takes longer than all checks together, so it runs in parallel.
    with ThreadPoolExecutor(max_workers=1) as beside:
        linting = beside.submit(_linted, before, after) if lint else None
        judged = judge(before, after, skew=skew)
    if linting is not None:
        linted_before, linted_after = linting.result()
        old, new = old | linted_before, new | linted_after
    found = finding_flags(old, new, judged.stacks)
    return replace(judged, flags=tuple(worst_first([*judged.flags, *found])))


def _with_replay(judged: Review, replayed: TrafficReplay) -> Review:
    from cdk_review.flag import worst_first
    from cdk_review.traffic_replay import replay_flags

    flags = worst_first([*judged.flags, *replay_flags(replayed)])
    return replace(judged, replay=replayed, flags=tuple(flags))


def _reported(judged: Review, *, output: Path, policy: Policy) -> list[str]:
    from cdk_review.report import write_review

    for path in write_review(judged, output):
        typer.echo(f"wrote {path}")
    for flag in judged.flags[:MOST_SHOWN]:
        typer.echo(f"{flag.severity}: {flag.kind}: {flag.sentence}")
    if len(judged.flags) > MOST_SHOWN:
        typer.echo(f"and {len(judged.flags) - MOST_SHOWN} more")
    if not judged.flags:
        typer.echo("nothing to flag")
    return policy.failures(judged.flags, cost_rise_percent=judged.cost.rise_percent)


def _drawn(judged: Review, base: Path, head: Path, output: Path) -> Review:
    """Adds pictures of the dashboards; deletes those of an earlier review."""
    from cdk_review.judges.dashboards import TYPE
    from cdk_review.report import PICTURES

    for old in (output / PICTURES).glob("*.png"):
        old.unlink()
    if not any(change.type == TYPE for stack in judged.stacks for change in stack.changes):
        return judged
    # The drawing modules take most of a second to import.
    from cdk_review.pictures import draw_pictures

    left_out: list[str] = []
    say = partial(typer.echo, err=True)
    drawn = draw_pictures(
        judged.stacks,
        base=base,
        head=head,
        output=output,
        left_out=left_out,
        say=lambda name: say(f"drawing {name}"),
    )
    return replace(judged, pictures=drawn, left_out=(*judged.left_out, *dict.fromkeys(left_out)))


def _linted(before: dict[str, Stack], after: dict[str, Stack]) -> tuple[set[Finding], set[Finding]]:
    """cfn-lint's findings in the differing templates, per side; none if it is not installed."""
    from cdk_review.findings import linted

    changed = [path for path in after if path not in before or before[path].template != after[path].template]
    with TemporaryDirectory(prefix="cdk-review-lint-") as folder:
        new = linted((after[path].as_written for path in changed), Path(folder)) or set()
        if not new:
            # Usually there is no finding after the change; then the side before need not be checked.
            return set(), new
        old = linted((before[path].as_written for path in changed if path in before), Path(folder)) or set()
    return old, new


def main() -> None:
    """Runs the command. An error that a user can correct is one line on standard error, with exit status 1."""
    try:
        app()
    except InputError as error:
        typer.echo(f"cdk-review: {error}", err=True)
        sys.exit(1)
