"""The command as a user runs it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def _ignore_interrupts() -> None:
    """As a shell does for what it starts in the background: the command has to set its own handler."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture
def rehearse(moderation_app: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "cdk_rehearsal.cli", "--app-dir", str(moderation_app)]
        output = (tmp_path / "output.txt").open("w")
        (tmp_path / "system").mkdir(exist_ok=True)
        with output:
            process = subprocess.Popen(
                [*words, "--work-folder", str(tmp_path / "work"), "--posts", "400", *arguments],
                env={**os.environ, "TMPDIR": str(tmp_path / "system")},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                preexec_fn=_ignore_interrupts,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def _output(tmp_path: Path) -> str:
    return (tmp_path / "output.txt").read_text()


def _of_run(work: Path) -> list[str]:
    """Every process that names the run's folder in its command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(work).encode() in words:
                found.append(f"{entry.name}: {(entry / 'cmdline').read_bytes().decode()}")
    return found


def test_interrupted_it_leaves_nothing_and_the_next_one_passes(
    rehearse: Any, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    work = tmp_path / "work"
    first = rehearse()
    eventually(lambda: "… deploy" in _output(tmp_path), seconds=60)
    time.sleep(1)
    assert _of_run(work)
    first.send_signal(signal.SIGINT)
    assert first.wait(30) == 130
    eventually(lambda: not _of_run(work), seconds=5)
    assert "interrupted at step deploy" in _output(tmp_path)
    # Neither in the system's temporary folder nor in the one that takes its place.
    assert list((tmp_path / "system").iterdir()) == []
    assert not (work / "tmp").exists()
    report = json.loads((work / "report.json").read_text())
    assert (report["passed"], report["failed_step"]) == (False, "deploy")

    second = rehearse("--change", "spike=85")
    assert second.wait(200) == 0, _output(tmp_path)
    eventually(lambda: not _of_run(work), seconds=5)
    report = json.loads((work / "report.json").read_text())
    assert report["passed"]
    assert report["errors"] == []
    assert report["denied_permissions"] == []
    assert 50 < report["judged_permissions"] < report["judged_calls"]
    before = ["start", "bootstrap", "deploy", "upload", "release", "endpoint", "api", "moderate", "review"]
    later = ["update", "refuse", "put back", "roll back", "tune", "scale", "redeploy", "permissions", "destroy"]
    assert list(report["seconds"]) == [*before, *later]
    assert report["stacks"].keys() == {"fixture-alerts", "fixture-model", "fixture-service"}
    states = [state["name"] for state in report["execution_states"]]
    assert states[0] == "Train"
    assert states[-1] == "Released"
    assert (report["execution_status"], report["endpoint_status"]) == ("SUCCEEDED", "InService")
    second = report["second_release"]
    assert second["status"] == "SUCCEEDED"
    assert (second["load"]["failed"], second["load"]["failures"]) == (0, [])
    assert list(second["load"]["models"]) == [second["before"], second["after"]]
    assert sum(second["load"]["models"].values()) == second["load"]["requests"]
    assert (report["rollback"], report["tuning"], report["review"]) == (None, None, None)
    assert "skipped: the service stores no posts for reviewers" in _output(tmp_path)
    for skipped in ("RollbackWorkflowArn", "TunerWorkflowArn"):
        assert f"skipped: no stack has the output {skipped}" in _output(tmp_path)
    assert report["posts_sent"] == 100
    assert report["agreement_with_labels"] > 0.5
    assert 0 < report["latency_p50_ms"] <= report["latency_p99_ms"]
    assert report["desired_tasks_after"] == report["desired_tasks_before"] + 3
    assert report["changed_settings"] == ["spike=85"]
    assert report["desired_tasks_after_redeploy"] == report["desired_tasks_after"]
    assert report["changed_dashboards"] == [
        "moderation-fixture: widgets.0.properties.annotations.horizontal.0.value: 80 → 85"
    ]
    kinds = {resource.rpartition("(")[2].rstrip(")") for resource in report["changed_resources"]}
    assert kinds == {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"}
    assert 0 < report["peak_memory_mib"] < 3072


def _listening(work: Path) -> set[str]:
    """The addresses on which the run's processes listen, as /proc/net/tcp has them."""
    sockets = set()
    for process in _of_run(work):
        for descriptor in Path("/proc", process.partition(":")[0], "fd").glob("*"):
            with contextlib.suppress(OSError):
                sockets.add(os.readlink(descriptor))
    rows = [row.split() for kind in ("tcp", "tcp6") for row in Path("/proc/net", kind).read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


def test_what_is_kept_answers_until_it_is_interrupted(
    rehearse: Any, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    work = tmp_path / "work"
    process = rehearse("--keep", "--releases", "first")
    eventually(lambda: "still running; Ctrl-C ends it" in _output(tmp_path) or process.poll() is not None, seconds=200)
    assert process.poll() is None, _output(tmp_path)
    output = _output(tmp_path)
    assert "rehearsal passed" in output
    assert "skipped: no --change KEY=VALUE says what to change" in output
    assert "skipped: --releases first" in output
    assert json.loads((work / "report.json").read_text())["passed"]

    aws, api = re.search(r"embedded AWS  (\S+)", output), re.search(r"(http://\S+/v1/moderations)", output)
    assert aws
    assert api
    sagemaker = boto3.client(
        "sagemaker",
        endpoint_url=aws[1],
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    assert sagemaker.describe_endpoint(EndpointName="moderation-fixture")["EndpointStatus"] == "InService"
    body = json.dumps({"text": "こんにちは"}).encode()
    for _ in range(3):
        request = urllib.request.Request(api[1], data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["flag"] in (0, 1)
    assert _listening(work) == {"0100007F"}

    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    eventually(lambda: not _of_run(work), seconds=5)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(api[1], timeout=5)


def test_an_emulator_that_is_killed_fails_the_step_and_leaves_nothing(
    rehearse: Any, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    work = tmp_path / "work"
    process = rehearse()
    eventually(lambda: "… deploy" in _output(tmp_path), seconds=60)
    os.kill(json.loads((work / "aws/emulator.json").read_text())["pid"], signal.SIGKILL)
    assert process.wait(30) == 1
    assert "step deploy failed: the embedded AWS ended while the CDK was at work; see" in _output(tmp_path)
    eventually(lambda: not _of_run(work), seconds=5)


def test_two_in_one_work_folder_are_refused(
    rehearse: Any, tmp_path: Path, eventually: Callable[..., Any], moderation_app: Path
) -> None:
    first = rehearse()
    eventually(lambda: "✓ start" in _output(tmp_path), seconds=60)
    words = [sys.executable, "-m", "cdk_rehearsal.cli", "--app-dir", str(moderation_app)]
    second = subprocess.run(
        [*words, "--work-folder", str(tmp_path / "work")], capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 2
    assert f"another rehearsal (process {first.pid}) is at work in {tmp_path / 'work'}" in second.stdout
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 130


def test_bad_data_is_refused_in_one_line(rehearse: Any, tmp_path: Path) -> None:
    posts = tmp_path / "posts.csv"
    posts.write_text("text,label\nこんにちは,maybe\n")
    process = rehearse("--data", str(posts))
    assert process.wait(30) == 2
    assert _output(tmp_path).splitlines() == [
        f"{posts}, line 2: label is a text of 5 characters: it must be 0 (fine) or 1 (a violation); or name the label "
        "of "
        "violations with --positive"
    ]


@pytest.mark.parametrize("option", ["--context", "--change"])
def test_context_without_a_value_is_refused_in_one_line(rehearse: Any, tmp_path: Path, option: str) -> None:
    process = rehearse(option, "model.minimum_auc")
    assert process.wait(30) == 2
    (line,) = _output(tmp_path).splitlines()
    assert line.startswith(f"{option}: got 'model.minimum_auc', allowed: KEY=VALUE")


def test_interrupted_while_it_is_imported_it_ends_in_one_line() -> None:
    program = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from cdk_rehearsal.cli import main
main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, preexec_fn=_ignore_interrupts
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (130, "interrupted\n", "")


def test_a_full_work_folder_is_one_line(moderation_app: Path, tmp_path: Path) -> None:
    program = """
import errno, sys
from cdk_rehearsal import rehearsal
def run(self):
    raise OSError(errno.ENOSPC, "No space left on device")
rehearsal.Rehearsal.run = run
from cdk_rehearsal.cli import main
main()
"""
    words = ["--app-dir", str(moderation_app), "--work-folder", str(tmp_path / "work")]
    ran = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2
    said = ran.stdout.splitlines()[-1]
    assert said == f"the work folder {tmp_path / 'work'} is full: make room on its disk, or give another --work-folder"
    assert "Traceback" not in ran.stdout + ran.stderr
