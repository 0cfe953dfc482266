"""The command line of a rehearsal: its own options, and those of the project's story."""

from __future__ import annotations

import errno
import inspect
import os
import shutil
import signal
import sys
import time
import typing
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape

from cdk_rehearsal.display import Display
from cdk_rehearsal.emulator_package import require_emulator
from cdk_rehearsal.processes.peak_memory import PeakMemory
from cdk_rehearsal.processes.run_lock import RunLock
from cdk_rehearsal.processes.temporary_folder import TemporaryFolder
from cdk_rehearsal.project import Project
from cdk_rehearsal.rehearsal import Rehearsal, RehearsalSettings
from cdk_rehearsal.step_failure import InvalidInputError, StepError
from cdk_rehearsal.story import Story

_INTERRUPTED = 130
_INVALID = 2
_FULL = (errno.ENOSPC, errno.EDQUOT)
_ROOM_BYTES = 1 << 20
_APP_DIR = "--app-dir"


def rehearse(
    app_dir: Annotated[Path, typer.Option(help="The folder of cdk.json.", exists=True, file_okay=False)] = Path(),
    env: Annotated[
        str | None,
        typer.Option(help="The app's environment, passed to it as context. Default: cdk.json's.", show_default=False),
    ] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE given to the app as context, as `cdk -c` does; repeatable.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(help="KEY=VALUE of context for a second deployment at the end; repeatable."),
    ] = None,
    engine: Annotated[
        Literal["process", "docker"], typer.Option(help="Run the images' programs as processes or in containers.")
    ] = "process",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running until Ctrl-C, which ends all of it with exit status 0.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Where to write the report; WORK_FOLDER/report.json by default.")
    ] = None,
    work_folder: Annotated[
        Path | None, typer.Option(help="Where logs and files go; APP_DIR/build/rehearsal by default.")
    ] = None,
    **of_the_story: Any,
) -> None:
    """Deploys a CDK app onto an embedded AWS on this machine, judges its permissions, deploys it again and destroys it.

    A project can drive its deployed system in between by a story, which `rehearsal` in its cdk.json names.

    Exit status: 0 passed, 1 a step failed, 2 invalid input, 130 interrupted before it had passed.
    """
    console = Console(highlight=False)
    folder = (work_folder or app_dir / "build" / "rehearsal").absolute()
    try:
        project = Project.read(app_dir.absolute())
        settings = RehearsalSettings(
            app_folder=app_dir.absolute(),
            environment=env,
            reported_environment=project.environment,
            context=_context("--context", context or []),
            changes=_context("--change", change or []),
            engine=engine,
            work_folder=folder,
            destroy=not keep,
            docker=os.environ.get("CDK_DOCKER", "docker"),
        )
        story = project.story(**of_the_story)
        require_emulator()
        with RunLock(folder), TemporaryFolder(folder):
            status = _run(settings, story, console, report_path=report or folder / "report.json", keep=keep)
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


def _run(settings: RehearsalSettings, story: Story, console: Console, *, report_path: Path, keep: bool) -> int:
    display = Display(console)
    signal.signal(signal.SIGINT, _interrupt)  # a shell that starts this in the background may have it ignored
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    started = time.monotonic()
    rehearsal = Rehearsal(settings, display, story)
    report = rehearsal.report
    status = 1
    shown = True
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
            _wait_for_interrupt(rehearsal, story)
    except StepError as error:
        where = f"; see {error.log}" if error.log else ""
        if shutil.disk_usage(settings.work_folder).free < _ROOM_BYTES:
            # Whatever exception the interrupted code raised.
            where += f"; {_full(settings.work_folder)}"
        report.errors.append(str(error))
        display.failure(f"step {report.failed_step} failed: {error}{where}")
    except InvalidInputError as error:
        # Nothing was deployed, so there is nothing to report.
        shown = False
        report.errors.append(str(error))
        display.failure(str(error))
        status = _INVALID
    except KeyboardInterrupt:
        if not report.passed:
            report.errors.append("interrupted")
            display.failure(f"interrupted at step {report.failed_step}")
            status = _INTERRUPTED
    finally:
        # From here on a second Ctrl-C would only interrupt the clean-up of the first.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        rehearsal.stop()
        if report.peak_memory_mib is None:
            report.peak_memory_mib = round(memory.peak_mib, 1)
    if not shown:
        report.write(report_path)
    elif not keep or not report.passed:
        _close(rehearsal, report_path, display)
    return status


def _close(rehearsal: Rehearsal, report_path: Path, display: Display) -> None:
    rehearsal.complete_report()
    rehearsal.report.write(report_path)
    display.table(rehearsal.report)
    display.console.print(f"report: {report_path}", soft_wrap=True)


def _wait_for_interrupt(rehearsal: Rehearsal, story: Story) -> None:
    aws = rehearsal.aws
    lines = [
        "",
        "still running; Ctrl-C ends it",
        f"  embedded AWS  {aws.endpoint_url} (AWS_ENDPOINT_URL; any credentials; region {aws.region})",
        *story.kept_lines(),
        "",
    ]
    rehearsal.display.console.print("\n".join(lines), soft_wrap=True, markup=False)
    while aws.running:
        story.while_kept()
        time.sleep(0.5)
    rehearsal.report.failed_step = "keep"
    raise StepError("the embedded AWS ended", log=aws.log)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def command_of(story: type[Story]) -> Callable[..., None]:
    """`rehearse` with the story's options after its own.

    Raises:
        InvalidInputError: an option of the story is one of `cdk-rehearse` itself, or has no annotation.
    """
    own = _parameters(rehearse)
    more = _parameters(story.__init__) if "__init__" in vars(story) else []
    names = {parameter.name for parameter in own}
    for parameter in more:
        if parameter.name in names:
            raise InvalidInputError(
                f"the story {story.__name__} has the option {parameter.name}, which is cdk-rehearse's own: rename it"
            )
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or parameter.annotation is inspect.Parameter.empty:
            raise InvalidInputError(
                f"the story {story.__name__} takes {parameter.name}; it has to be a keyword argument with an "
                "annotation, as `*, orders: Annotated[int, typer.Option(help=…)] = 10`"
            )

    def command(**options: Any) -> None:
        rehearse(**options)

    signature = inspect.Signature([*own, *more])
    vars(command)["__signature__"] = signature
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}
    command.__doc__ = rehearse.__doc__
    return command


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters with resolved annotations, as keyword-only; without `self` and `**more`."""
    hints = typing.get_type_hints(function, include_extras=True)
    return [
        parameter.replace(annotation=hints.get(parameter.name, inspect.Parameter.empty))
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]


def _app_folder(arguments: list[str]) -> Path:
    """The folder of --app-dir, read before the options of the project's story are known."""
    for index, word in enumerate(arguments):
        if word == _APP_DIR and index + 1 < len(arguments):
            return Path(arguments[index + 1])
        if word.startswith(f"{_APP_DIR}="):
            return Path(word.removeprefix(f"{_APP_DIR}="))
    return Path()


def _story_of(arguments: list[str]) -> type[Story]:
    """The project's story; none if there is no project, for example for --help only. A wrong entry is refused."""
    folder = _app_folder(arguments).absolute()
    if not (folder / "cdk.json").is_file():
        return Story
    return Project.read(folder).story


def main() -> None:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)  # its tracebacks would show secrets
    try:
        command = command_of(_story_of(sys.argv[1:]))
    except InvalidInputError as error:
        Console(highlight=False).print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        sys.exit(_INVALID)
    app.command()(command)
    app()
