import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
import requests
from onnx import TensorProto, helper, numpy_helper

IMAGE = os.environ.get("INFERENCE_IMAGE")
collect_ignore = [] if IMAGE else ["test_image.py", "test_pushed_manifest.py"]

CONTAINER = Path(__file__).resolve().parents[3] / "container"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


_ESTABLISHED = "01"  # linux/tcp_states.h


@dataclass(kw_only=True)
class Server:
    """serve.py, running."""

    process: subprocess.Popen[bytes]
    program: Any
    url: str
    log_file: Path
    session: requests.Session = field(default_factory=requests.Session)

    def ping(self) -> requests.Response:
        return self.session.get(f"{self.url}/ping", timeout=10)

    def invoke(
        self,
        body: object,
        content_type: str = "application/json",
        *,
        accept: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": content_type, "Accept": accept, **(headers or {})}
        return self.session.post(f"{self.url}/invocations", data=data, headers=sent, timeout=60)

    def answer_of_ping(self, status: int, *, seconds: float = 60, or_loading: bool = False) -> requests.Response:
        """Asks until the status is the one that is waited for, by default that of a server that is done loading."""
        deadline = time.monotonic() + seconds
        while True:
            assert self.process.poll() is None, self.log()
            try:
                response = self.ping()
                if (
                    response.status_code == status
                    and "starting" not in response.text
                    and (or_loading or "loading" not in response.text)
                ):
                    return response
            except requests.ConnectionError:
                pass
            assert time.monotonic() < deadline, f"no {status} from /ping in {seconds} s: {self.log()}"
            time.sleep(0.02)

    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def pid(self) -> int:
        """Of serve.py."""
        return int(self.program.pid(self.process))

    def processes(self) -> set[int]:
        """serve.py and everything below it."""
        found = {self.pid}
        parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
        while children := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= children
        return found

    def workers(self) -> set[int]:
        """gunicorn's, which are the children of its master."""
        gunicorn = {pid for pid in self.processes() if b"gunicorn" in command_of(pid)} - {self.pid}
        return {pid for pid in gunicorn if _parent(Path(f"/proc/{pid}")) in gunicorn}

    def accepted(self) -> int:
        """The connections on the server's port that one of its processes holds: the kernel's queue has no inode yet."""
        port = f":{int(self.url.rpartition(':')[2]):04X}"
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[1].endswith(port) and row[3] == _ESTABLISHED and row[9] != "0" for row in rows)

    def wait_until_accepted(self, connections: int) -> None:
        deadline = time.monotonic() + 30
        while self.accepted() < connections:
            assert time.monotonic() < deadline, f"{self.accepted()} of {connections} connections: {self.log()}"
            time.sleep(0.02)


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job in which the training program has made a small linear model; or that of `TRAINED_JOB`, whose
    model was made of posts like these.
    """
    folder = tmp_path_factory.mktemp("job")
    if given := os.environ.get("TRAINED_JOB"):
        shutil.copytree(given, folder, dirs_exist_ok=True)
        return folder
    return train_small_model(folder)


@pytest.fixture(scope="session")
def of_a_batch(trained: Path) -> float:
    """By how much a post's probability may differ in a batch: the scale of int8 numbers is that of all its posts."""
    precision = json.loads((trained / "model" / "manifest.json").read_text()).get("precision", {})
    return 0.02 if precision.get("chosen") == "int8" else 2e-6


def train_small_model(base: Path) -> Path:
    """Run the training program on 60 posts in the folder of a job, and return that."""
    for channel in ("train", "test"):
        folder = base / "input" / "data" / channel
        folder.mkdir(parents=True)
        posts = [
            {
                "text": f"夜泣きで悩んでいます。{number}ヶ月です"
                if number % 2
                else f"副業で{number}万円、LINEを追加して",
                "label": (number + 1) % 2,
            }
            for number in range(60)
        ]
        (folder / "posts.jsonl").write_text("\n".join(map(json.dumps, posts)))
    subprocess.run(
        [sys.executable, CONTAINER / "training" / "train.py", "train"],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(base)},
        check=True,
        capture_output=True,
    )
    return base


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job's folder with a model that calculates for tens of milliseconds for each `z` in a text."""
    return _write_slow_model(tmp_path_factory.mktemp("slow"), slow_at="z", rounds=100)


@pytest.fixture(scope="session")
def slow_to_load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job's folder with a model that is slow at the very text with which it is warmed up: for some seconds."""
    return _write_slow_model(tmp_path_factory.mktemp("slow-to-load"), slow_at="。", rounds=12_000)


def _write_slow_model(base: Path, *, slow_at: str, rounds: int) -> Path:
    (base / "model").mkdir()
    size = 192
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "identity"], ["next_state"]),
            helper.make_node("Identity", ["go_on"], ["still_go_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("iteration", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [size, size]),
        ],
        [
            helper.make_tensor_value_info("still_go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next_state", TensorProto.FLOAT, [size, size]),
        ],
    )
    constants = {
        "z": np.array(ord(slow_at)),
        "rounds_a_z": np.array(rounds),
        "true": np.array(True),
        "identity": np.eye(size, dtype=np.float32),
        "nothing": np.array(0, dtype=np.float32),
        "half": np.array(0.5, dtype=np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Equal", ["code_points", "z"], ["is_z"]),
            helper.make_node("Cast", ["is_z"], ["is_z_number"], to=TensorProto.INT64),
            helper.make_node("ReduceSum", ["is_z_number"], ["zs"], keepdims=0),
            helper.make_node("Mul", ["zs", "rounds_a_z"], ["rounds"]),
            helper.make_node("Loop", ["rounds", "true", "identity"], ["state"], body=body),
            helper.make_node("ReduceMax", ["state"], ["one"], keepdims=0),
            helper.make_node("Mul", ["one", "nothing"], ["zero"]),
            helper.make_node("Shape", ["code_points"], ["batch"], start=0, end=1),
            helper.make_node("Expand", ["half", "batch"], ["halves"]),
            helper.make_node("Add", ["halves", "zero"], ["probability"]),
        ],
        "slow",
        [helper.make_tensor_value_info("code_points", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, base / "model" / "model.onnx")
    manifest = {"manifest_version": 1, "preprocessing": {"kind": "code_points", "normalisation": []}}
    (base / "model" / "manifest.json").write_text(json.dumps(manifest))
    return base


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the program, and forgets all of them afterwards: their names are not this process's."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(CONTAINER / "inference")
    yield importlib.import_module
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(CONTAINER / "inference")):
            del sys.modules[name]


@pytest.fixture(scope="session")
def serving(inference_programs: Any) -> Callable[..., AbstractContextManager[Server]]:
    """Runs the real serve.py on a job's folder for the length of a `with` block."""
    return partial(serve, inference_programs)


@contextmanager
def serve(programs: Any, base: Path, **environment: str) -> Iterator[Server]:
    """Run the real serve.py on a job's folder for the length of a `with` block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = programs.start(
        ["serve"],
        {
            **({} if programs.image else {"SAGEMAKER_BASE_DIR": str(base)}),
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "SERVE_ON": "cpu",  # the developer's machine may have a GPU
            **environment,
        },
        mounts={base / "model": "/opt/ml/model:ro"},
    )
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(
            program.command, env=program.environment, cwd=program.cwd, stdout=log, stderr=subprocess.STDOUT
        )
        server = Server(process=process, program=program, url=f"http://127.0.0.1:{port}", log_file=Path(folder, "log"))
        with server.session:
            try:
                yield server
            finally:
                process.terminate()
                process.wait(timeout=40)
                program.remove()


_ALONE = pytest.param("", id="gunicorn-alone")
_BEHIND_NGINX = pytest.param(
    NGINX or "",
    id="nginx",
    marks=pytest.mark.skipif(not NGINX, reason="nginx is not installed: apt install nginx-light"),
)


@pytest.fixture(scope="session", params=["/usr/sbin/nginx"] if IMAGE else [_ALONE, _BEHIND_NGINX])
def nginx(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The environment that puts nginx in front, or leaves it out."""
    return {"NGINX_PROGRAM": request.param}


@pytest.fixture(scope="session")
def server(
    trained: Path, nginx: Mapping[str, str], serving: Callable[..., AbstractContextManager[Server]]
) -> Iterator[Server]:
    """A server with a model, the same for all tests that leave it as it is."""
    with serving(trained, MODEL_NAME="moderation-1", MODEL_SERVER_WORKERS="1", **nginx) as running:
        running.answer_of_ping(200)
        yield running
