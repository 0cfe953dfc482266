import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws, EmbeddedAwsError
from cdk_rehearsal.processes.process_registry import ProcessRegistry
from tests.access import EVERYTHING, make_role

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
HERE = Path(__file__).parent


def below(root: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if stat[0] != "Z":
                parents[int(entry.name)] = int(stat[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in _status(pid)}


def _status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "\nState:\tZ"


def _start_a_job(aws: EmbeddedAws, training_job: Any, eventually: Any, folder: Path) -> int:
    """A job with a worker of its own; returns the worker's process id."""
    aws.register_image("program:1", HERE / "program")
    make_role(aws, "sagemaker", EVERYTHING, trusts="sagemaker.amazonaws.com")
    request = training_job("job", sleep="600", child=str(folder / "worker"))
    del request["InputDataConfig"]
    aws.client("sagemaker").create_training_job(**request)
    return int(eventually(lambda: (folder / "worker").exists() and (folder / "worker").read_text()))


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM])
def test_everything_ends_with_the_emulator(
    ended_by: signal.Signals, training_job: Any, eventually: Callable[..., Any], tmp_path: Path
) -> None:
    with EmbeddedAws() as aws:
        worker = _start_a_job(aws, training_job, eventually, tmp_path)
        pids = below(aws.pid)
        assert worker in pids
        os.kill(aws.pid, ended_by)
        eventually(lambda: not alive(pids), seconds=5)
        eventually(lambda: not aws.running, seconds=5)


def test_everything_ends_with_the_owner(eventually: Callable[..., Any], tmp_path: Path) -> None:
    code = (
        "import sys, time; from cdk_rehearsal.embedded_aws import EmbeddedAws; "
        "aws = EmbeddedAws().start(); print(aws.pid, flush=True); time.sleep(600)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    with owner:
        assert owner.stdout is not None
        emulator = int(owner.stdout.readline())
        pids = below(owner.pid)
        assert emulator in pids
        owner.kill()
        eventually(lambda: not alive(pids), seconds=5)


def test_stop_leaves_nothing(training_job: Any, eventually: Callable[..., Any], tmp_path: Path) -> None:
    aws = EmbeddedAws().start()
    folder = aws.work_folder
    _start_a_job(aws, training_job, eventually, tmp_path)
    pids = below(aws.pid)
    aws.stop()
    assert not alive(pids)
    assert not folder.exists()
    aws.stop()
    with pytest.raises(EmbeddedAwsError, match="not started"):
        _ = aws.endpoint_url


def test_it_listens_on_loopback_alone(embedded_aws: EmbeddedAws) -> None:
    port = int(embedded_aws.endpoint_url.rpartition(":")[2])
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {row[1].split(":")[0] for row in listening if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    assert addresses == {"0100007F"}


def test_what_a_killed_run_left_is_ended_by_the_next(tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    ProcessRegistry(tmp_path / "processes").add(left.pid)
    with EmbeddedAws(work_folder=tmp_path):
        assert left.wait(5) == -signal.SIGKILL


def test_a_reused_process_id_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (tmp_path / str(other.pid)).write_text("Thu Jan  1 00:00:00 1970")
    assert ProcessRegistry(tmp_path).reclaim() == []
    time.sleep(0.1)
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_failed_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ministack.py").write_text("raise ImportError('this is no ministack')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EmbeddedAwsError, match="this is no ministack"):
        EmbeddedAws().start()
