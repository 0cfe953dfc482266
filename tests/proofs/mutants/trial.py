"""Runs tests on each mutant of a file: `python -m tests.proofs.mutants.trial <trial.json>` prints the outcomes as JSON.

The checkout is left alone: a fork of this process loads the mutant in place of the file. What tests import beside the
project is loaded once, before the forks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import os
import signal
import sys
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import NoReturn

import hypothesis
import pytest

PROJECT = Path(__file__).parents[3]
_SITE_PACKAGES = str(Path(pytest.__file__).parents[1])
# A mutant may loop for ever: it is caught as well.
_SLOWER, _AT_LEAST_S = 10, 20
# Modules that are loaded cannot be rewritten for asserts that explain themselves, and nobody reads what they say.
_ARGUMENTS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain")


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """`sources` are those of the mutants of `file`; `arguments` are pytest's; `at_once` is how many forks run."""

    file: str
    sources: list[str]
    arguments: list[str]
    at_once: int


def run(trial: Trial) -> list[bool]:
    """Whether each mutant is killed.

    Raises:
        RuntimeError: the tests fail without a mutant.
    """
    hypothesis.settings.register_profile(
        "mutants",
        database=None,
        derandomize=True,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    hypothesis.settings.load_profile("mutants")
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = os.devnull
    _load_what_tests_import(trial)
    started = time.monotonic()
    if not _passed(os.waitpid(_fork(trial, None), 0)[1]):
        raise RuntimeError(f"the tests of {trial.file} fail without a mutant: pytest {' '.join(trial.arguments)}")
    limit = max(_AT_LEAST_S, _SLOWER * (time.monotonic() - started))
    killed: dict[int, bool] = {}
    running: dict[int, tuple[int, float]] = {}
    waiting = list(reversed(range(len(trial.sources))))
    while waiting or running:
        while waiting and len(running) < trial.at_once:
            place = waiting.pop()
            running[_fork(trial, trial.sources[place])] = place, time.monotonic() + limit
        for process, (place, until) in list(running.items()):
            if time.monotonic() > until:
                os.kill(process, signal.SIGKILL)
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                killed[place] = not _passed(status)
                del running[process]
        time.sleep(0.01)
    return [killed[place] for place in range(len(trial.sources))]


def _passed(status: int) -> bool:
    return os.waitstatus_to_exitcode(status) == 0


def _load_what_tests_import(trial: Trial) -> None:
    reading, writing = os.pipe()
    process = _fork(trial, None, report=writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as report:
        names = report.read().split()
    os.waitpid(process, 0)
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _fork(trial: Trial, source: str | None, *, report: int | None = None) -> int:
    process = os.fork()
    if process == 0:
        _test(trial, source, report)
    return process


def _test(trial: Trial, source: str | None, report: int | None) -> NoReturn:
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        if source is not None:
            _load_in_place_of(PROJECT / trial.file, source)
        status = int(pytest.main([*_ARGUMENTS, *trial.arguments]))
        if report is not None:
            found = [name for name, module in list(sys.modules.items()) if _is_installed(module)]
            os.write(report, "\n".join(found).encode())
    finally:
        # No handler of this process's exit, which ends what other forks use, the CDK's kernel among it.
        os._exit(status)


def _is_installed(module: object) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.startswith(_SITE_PACKAGES)


def _load_in_place_of(path: Path, source: str) -> None:
    real = os.path.realpath(path)
    load = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        if os.path.realpath(self.path) == real:
            return compile(source, self.path, "exec", dont_inherit=True)
        return load(self, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    print(json.dumps(run(Trial(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))))
