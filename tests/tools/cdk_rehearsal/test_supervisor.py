import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cdk_rehearsal.processes.supervised_process import SupervisedProcess

# A command whose grandchild has left the session and lost its parent, as daemons do.
DAEMON = """
import os, subprocess, sys, time
daemon = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
subprocess.Popen(
    [sys.executable, "-c", "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)",
     sys.executable, "-c", daemon, sys.argv[1]]
).wait()
print("started", flush=True)
time.sleep(float(sys.argv[2]))
sys.exit(7)
"""


def _start(tmp_path: Path, seconds: float) -> SupervisedProcess:
    command = [sys.executable, "-c", DAEMON, str(tmp_path / "pid"), str(seconds)]
    return SupervisedProcess(command, log=tmp_path / "log")


def _daemon(tmp_path: Path, eventually: Callable[..., Any]) -> int:
    return int(eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_status_is_the_commands_and_nothing_outlives_it(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    process = _start(tmp_path, 0.5)
    daemon = _daemon(tmp_path, eventually)
    assert process.wait(timeout_seconds=10) == 7
    assert _gone(daemon)
    assert process.log_tail() == "started"


def test_stop_ends_daemons_too(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    process = _start(tmp_path, 600)
    daemon = _daemon(tmp_path, eventually)
    started = time.monotonic()
    process.stop()
    assert _gone(daemon)
    assert time.monotonic() - started < 2


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    process = SupervisedProcess(["no-such-command"], log=tmp_path / "log")
    assert process.wait(timeout_seconds=10) == 127
    assert "no-such-command: No such file or directory" in process.log_tail()


def test_usage(tmp_path: Path) -> None:
    supervisor = Path(sys.modules[SupervisedProcess.__module__].__file__ or "").with_name("supervisor.py")
    answer = subprocess.run([sys.executable, str(supervisor), "ls"], capture_output=True, text=True, check=False)
    assert answer.returncode == 64
    assert answer.stderr.startswith("usage:")
