import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.container.inference.conftest import command_of

PROGRAM = Path(__file__).resolve().parents[3] / "container" / "inference" / "serve.py"
Serving = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def base(trained: Path, tmp_path: Path) -> Path:
    """A folder with a copy of the model, to be spoilt."""
    shutil.copytree(trained / "model", tmp_path / "model")
    return tmp_path


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.image
def test_a_signal_ends_every_process(
    trained: Path, serving: Serving, nginx: Mapping[str, str], signal_number: int
) -> None:
    with serving(trained, **nginx) as server:
        server.answer_of_ping(200)
        processes = server.processes()
        assert len(processes) >= 3
        server.process.send_signal(signal_number)
        assert server.process.wait(timeout=10) == 0
        assert _alive(processes) == set()


@pytest.mark.parametrize("victim", ["gunicorn", "nginx"])
def test_ends_when_a_server_dies(trained: Path, serving: Serving, nginx: Mapping[str, str], victim: str) -> None:
    if victim == "nginx" and not nginx["NGINX_PROGRAM"]:
        pytest.skip("without nginx there is none to die")
    with serving(trained, **nginx) as server:
        server.answer_of_ping(200)
        processes = server.processes()
        master = next(pid for pid in sorted(processes - {server.pid}) if victim.encode() in command_of(pid))
        os.kill(master, signal.SIGKILL)
        assert server.process.wait(timeout=30) == 1
        assert _alive(processes) == set()
        assert f"error: {victim} ended by itself with status -9" in server.log()


def test_leaves_no_process_when_it_is_killed(trained: Path, serving: Serving, nginx: Mapping[str, str]) -> None:
    with serving(trained, **nginx) as server:
        server.answer_of_ping(200)
        processes = server.processes()
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        deadline = time.monotonic() + 30
        while _alive(processes) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert _alive(processes) == set()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda model: (model / "manifest.json").unlink(), "manifest.json: not in"),
        (lambda model: (model / "manifest.json").write_text("{"), "manifest.json: Expecting"),
        (lambda model: _edit(model, manifest_version=2), "manifest.json: got manifest_version 2; allowed is 1"),
        (lambda model: _edit_preprocessing(model, kind="words"), "manifest.json: got preprocessing kind 'words'"),
        (lambda model: _edit_preprocessing(model, normalisation=["nfd"]), "manifest.json: got normalisation ['nfd']"),
        (lambda model: _make_wordpiece(model), "tokenizer.json: not in the model folder"),
        (
            lambda model: _make_wordpiece(model, tokenizer="{"),
            "tokenizer.json: EOF while parsing",
        ),
        (lambda model: (model / "model.onnx").unlink(), "model.onnx: "),
        (lambda model: (model / "model.onnx").write_bytes((model / "model.onnx").read_bytes()[:2000]), "model.onnx: "),
    ],
    ids=[
        "no manifest",
        "no JSON",
        "version",
        "kind",
        "normalisation",
        "no tokenizer",
        "tokenizer",
        "no model",
        "truncated",
    ],
)
def test_ping_stays_503_when_the_model_is_unusable(
    base: Path, serving: Serving, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(base / "model")
    with serving(base, NGINX_PROGRAM="", MODEL_SERVER_WORKERS="1") as server:
        error = server.answer_of_ping(503).json()["error"]
        assert error.startswith(f"no usable model: {said}")
        assert server.invoke({"text": "a"}).status_code == 503
        assert next(line for line in server.log().splitlines() if "no usable model" in line).endswith(error)
        assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "x", "SAGEMAKER_BIND_TO_PORT: got 'x'; allowed is a whole number from 1 to 65535"),
        ("MODEL_SERVER_WORKERS", "0", "MODEL_SERVER_WORKERS: got '0'; allowed is a whole number from 1 to 64"),
        ("SERVE_FOR", "speed", "SERVE_FOR: got 'speed'; allowed are latency and throughput"),
        ("QUEUE_LENGTH", "0", "QUEUE_LENGTH: got '0'; allowed is a whole number from 1 to 512"),
        ("BATCH_SIZE", "", "BATCH_SIZE: got ''; allowed is a whole number from 1 to 256"),
        ("MODEL_NAME", "a\nb", "MODEL_NAME: got 'a\\nb'; allowed are at most 63 letters, digits and hyphens"),
    ],
)
def test_fails_when_a_setting_is_not_allowed(setting: str, value: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, "serve"],
        env={**os.environ, setting: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert done.stderr == f"error: {said}\n"


@pytest.mark.parametrize(
    ("cores", "environment", "expected"),
    [
        (2, {}, (1, 2)),
        (8, {}, (1, 8)),
        (20, {}, (3, 6)),
        (192, {}, (8, 24)),
        (2, {"SERVE_FOR": "throughput"}, (2, 1)),
        (16, {"SERVE_FOR": "throughput"}, (8, 2)),
        (4, {"SERVE_FOR": "throughput", "MODEL_SERVER_WORKERS": "2"}, (2, 2)),
        (1, {"MODEL_SERVER_WORKERS": "3"}, (3, 1)),
    ],
)
def test_workers_and_threads_fit_the_cores(
    load: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    cores: int,
    environment: Mapping[str, str],
    expected: tuple[int, int],
) -> None:
    serve = load("serve")
    monkeypatch.setattr(serve, "available_cores", lambda: cores)
    settings = serve.Settings.from_environment({"NGINX_PROGRAM": "", **environment})
    assert (settings.workers, settings.threads_per_worker) == expected


def _edit(model: Path, **changes: object) -> None:
    manifest = json.loads((model / "manifest.json").read_text())
    (model / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def _edit_preprocessing(model: Path, **changes: object) -> None:
    manifest = json.loads((model / "manifest.json").read_text())
    _edit(model, preprocessing={**manifest["preprocessing"], **changes})


def _make_wordpiece(model: Path, *, tokenizer: str | None = None) -> None:
    _edit_preprocessing(model, kind="japanese_wordpiece", dictionary="ipadic", tokenizer="tokenizer.json")
    if tokenizer is not None:
        (model / "tokenizer.json").write_text(tokenizer)


def _alive(processes: set[int]) -> set[int]:
    """Those that still run; a zombie waits only for its parent to take note."""
    return {pid for pid in processes if command_of(pid)}


def test_what_nginx_cannot_do_is_said_in_json(trained: Path, serving: Serving, nginx: Mapping[str, str]) -> None:
    if not nginx["NGINX_PROGRAM"]:
        pytest.skip("without nginx it says nothing")
    # Short: the path of a socket has 107 characters.
    with tempfile.TemporaryDirectory(prefix="n") as folder, serving(trained, TMPDIR=folder, **nginx) as server:
        server.answer_of_ping(200)
        # What nginx keeps a longer body in.
        (bodies,) = Path(folder).glob("inference-*/body")
        shutil.rmtree(bodies)
        answer = server.invoke({"text": "a" * 300_000})
        assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/json")
        assert answer.json() == {"error": "the server in front of the model failed: its log has the reason"}
        for head, status in (
            (b"POST /invocations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            (b"GET /ping HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ):
            with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as client:
                client.sendall(head)
                client.shutdown(socket.SHUT_WR)
                answered = b"".join(iter(partial(client.recv, 65536), b""))
            assert answered.split()[1] == str(status).encode()
            assert set(json.loads(answered.rpartition(b"\r\n\r\n")[2])) == {"error"}
