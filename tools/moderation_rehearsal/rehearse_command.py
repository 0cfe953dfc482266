"""The command line of a rehearsal."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import typer
from labelled_posts import FileLayout
from rich.console import Console
from rich.markup import escape

from cdk_rehearsal.processes.peak_memory import PeakMemory
from cdk_rehearsal.processes.run_lock import RunLock
from cdk_rehearsal.processes.temporary_folder import TemporaryFolder
from cdk_rehearsal.step_failure import InvalidInputError, StepError
from moderation_rehearsal.display import Display
from moderation_rehearsal.posts_file import read_posts, write_posts_file
from moderation_rehearsal.rehearsal import Rehearsal, RehearsalSettings
from moderation_rehearsal.sample_posts import Post, generate_posts

_INTERRUPTED = 130
_INVALID = 2
_FULL = (errno.ENOSPC, errno.EDQUOT)
_ROOM_BYTES = 1 << 20
_ARRIVING = 150
_ARRIVING_SEED = 2001


def rehearse(
    app_dir: Annotated[Path, typer.Option(help="The folder of cdk.json.", exists=True, file_okay=False)] = Path(),
    env: Annotated[str, typer.Option(help="The app's environment, given to it as context.")] = "dev",
    context: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE given to the app as context, as `cdk -c` does; repeatable.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(help="KEY=VALUE of context with which to deploy again at the end; repeatable. Skipped without."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Your own posts: .csv, .tsv or .jsonl with text and label; .gz too.")
    ] = None,
    data_format: Annotated[
        Literal["csv", "tsv", "jsonl"] | None, typer.Option(help="The format of --data, where its name does not say.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="The encoding of --data, as cp932, euc_jp or latin-1.")] = "utf-8",
    text_column: Annotated[
        str, typer.Option(help="The column of --data with the posts; its number from 1 where there is no header.")
    ] = "text",
    label_column: Annotated[str, typer.Option(help="The column of --data with the labels, likewise.")] = "label",
    positive: Annotated[
        list[str] | None,
        typer.Option(help="The label of violations in --data; every other is fine. Repeatable. Default: 1, and 0 is."),
    ] = None,
    write_posts: Annotated[
        Path | None, typer.Option(help="Write the posts of --data there, .jsonl, as a deployed system reads them.")
    ] = None,
    engine: Annotated[
        Literal["process", "docker"], typer.Option(help="Run the images' programs as processes or in containers.")
    ] = "process",
    posts: Annotated[int, typer.Option(help="How many sample posts to make, without --data.", min=100)] = 3000,
    held_out: Annotated[int, typer.Option(help="How many posts to keep aside and moderate.", min=1)] = 200,
    clients: Annotated[int, typer.Option(help="How many send posts at the same time.", min=1, max=64)] = 4,
    releases: Annotated[
        Literal["all", "first"],
        typer.Option(help="Leave out all releases after the first, for posts too few to judge a model by."),
    ] = "all",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running until Ctrl-C, which ends all of it with exit status 0.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Where to write the report; WORK_FOLDER/report.json by default.")
    ] = None,
    work_folder: Annotated[
        Path | None, typer.Option(help="Where logs and files go; APP_DIR/build/rehearsal by default.")
    ] = None,
) -> None:
    """Deploys the app's stacks onto an embedded AWS, releases models, moderates posts and scales the service.

    Exit status: 0 passed, 1 a step failed, 2 invalid input, 130 interrupted before it had passed.
    """
    console = Console(highlight=False)
    folder = (work_folder or app_dir / "build" / "rehearsal").absolute()
    try:
        layout = _layout(
            format=data_format,
            encoding=encoding,
            text_column=text_column,
            label_column=label_column,
            positive=tuple(positive or ()),
        )
        settings = RehearsalSettings(
            app_folder=app_dir.absolute(),
            environment=env,
            context=_context("--context", context or []),
            changes=_context("--change", change or []),
            engine=engine,
            work_folder=folder,
            posts=(team := _posts(data, posts, layout, write_posts)),
            arriving=_arriving(data, team),
            held_out=held_out,
            clients=clients,
            releases=releases,
            destroy=not keep,
            docker=os.environ.get("CDK_DOCKER", "docker"),
        )
        with RunLock(folder), TemporaryFolder(folder):
            status = _run(settings, console, report_path=report or folder / "report.json", keep=keep)
    except InvalidInputError as error:
        console.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        status = _INVALID
    except OSError as error:
        if error.errno not in _FULL:
            raise
        console.print(f"[bold red]{escape(_full(folder))}[/]", soft_wrap=True)
        status = _INVALID
    raise typer.Exit(status)


def _full(folder: Path) -> str:
    return f"the work folder {folder} is full: make room on its disk, or give another --work-folder"


def _context(option: str, entries: list[str]) -> tuple[str, ...]:
    for entry in entries:
        if not entry.partition("=")[0] or "=" not in entry:
            raise InvalidInputError(f"{option}: got {entry!r}, allowed: KEY=VALUE, as {option} service.max_tasks=12")
    return tuple(entries)


def _layout(**options: Any) -> FileLayout:
    try:
        return FileLayout(**options)
    except ValueError as fault:
        raise InvalidInputError(f"--data: {fault}") from None


def _posts(data: Path | None, count: int, layout: FileLayout, written: Path | None) -> list[Post]:
    if data is None:
        if layout != FileLayout() or written is not None:
            raise InvalidInputError("an option says how a file of posts lies, and there is none: give it with --data")
        return generate_posts(count)
    posts = read_posts(data, layout)
    if written is not None:
        write_posts_file(posts, written)
    return posts


def _arriving(data: Path | None, posts: list[Post]) -> list[Post]:
    """Sample posts of another seed; of a user's own kind there are no others."""
    known = {post.text for post in posts}
    return [] if data else [post for post in generate_posts(_ARRIVING, _ARRIVING_SEED) if post.text not in known]


def _run(settings: RehearsalSettings, console: Console, *, report_path: Path, keep: bool) -> int:
    display = Display(console)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    started = time.monotonic()
    rehearsal = Rehearsal(settings, display)
    report = rehearsal.report
    status = 1
    try:
        with PeakMemory() as memory:
            try:
                rehearsal.run()
                status = 0
            finally:
                report.seconds_in_all = round(time.monotonic() - started, 2)
        report.peak_memory_mib = round(memory.peak_mib, 1)
        if keep:
            _close(rehearsal, report_path, display)
            _wait_for_interrupt(rehearsal, display)
    except StepError as error:
        where = f"; see {error.log}" if error.log else ""
        if shutil.disk_usage(settings.work_folder).free < _ROOM_BYTES:
            # Whatever the program made of it that met it first.
            where += f"; {_full(settings.work_folder)}"
        report.errors.append(str(error))
        display.failure(f"step {report.failed_step} failed: {error}{where}")
    except KeyboardInterrupt:
        if not report.passed:
            report.errors.append("interrupted")
            display.failure(f"interrupted at step {report.failed_step}")
            status = _INTERRUPTED
    finally:
        # From here on a second Ctrl-C would only leave behind what the first one is ending.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        rehearsal.stop()
        if report.peak_memory_mib is None:
            report.peak_memory_mib = round(memory.peak_mib, 1)
    if not keep or not report.passed:
        _close(rehearsal, report_path, display)
    return status


def _close(rehearsal: Rehearsal, report_path: Path, display: Display) -> None:
    rehearsal.report.received(rehearsal.slack.messages)
    rehearsal.report.write(report_path)
    display.table(rehearsal.report)
    display.console.print(f"report: {report_path}", soft_wrap=True)


def _wait_for_interrupt(rehearsal: Rehearsal, display: Display) -> None:
    aws = rehearsal.aws
    workflow = rehearsal.outputs.release_workflow_arn
    display.console.print(
        f"""
still running; Ctrl-C ends it
  embedded AWS  {aws.endpoint_url} (AWS_ENDPOINT_URL; any credentials; region {aws.region})
  ML API        http://localhost:{rehearsal.api_port}
  workflow      {workflow}

  curl -d '{{"text": "…"}}' -H 'Content-Type: application/json' http://localhost:{rehearsal.api_port}/v1/moderations
  aws --endpoint-url {aws.endpoint_url} stepfunctions start-execution --state-machine-arn {workflow}
""",
        soft_wrap=True,
        markup=False,
    )
    shown = 0
    while aws.running:
        for message in rehearsal.slack.messages[shown:]:
            display.note(f"Slack: {message}")
        shown = len(rehearsal.slack.messages)
        time.sleep(0.5)
    rehearsal.report.failed_step = "keep"
    raise StepError("the embedded AWS ended", log=aws.log)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)  # its tracebacks would show secrets
    app.command()(rehearse)
    app()
