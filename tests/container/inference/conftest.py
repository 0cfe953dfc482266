import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

CONTAINER = Path(__file__).resolve().parents[3] / "container"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


@dataclass(kw_only=True)
class Server:
    """serve.py, running."""

    process: subprocess.Popen[bytes]
    url: str
    log_file: Path
    session: requests.Session = field(default_factory=requests.Session)

    def ping(self) -> requests.Response:
        return self.session.get(f"{self.url}/ping", timeout=10)

    def invoke(self, body: object, content_type: str = "application/json") -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.session.post(
            f"{self.url}/invocations", data=data, headers={"Content-Type": content_type}, timeout=60
        )

    def answer_of_ping(self, status: int, *, seconds: float = 20) -> requests.Response:
        """Asks until the status is the one that is waited for."""
        deadline = time.monotonic() + seconds
        while True:
            assert self.process.poll() is None, self.log()
            try:
                response = self.ping()
                if (
                    response.status_code == status
                    and "starting" not in response.text
                    and "loading" not in response.text
                ):
                    return response
            except requests.ConnectionError:
                pass
            assert time.monotonic() < deadline, f"no {status} from /ping in {seconds} s: {self.log()}"
            time.sleep(0.02)

    def log(self) -> str:
        return self.log_file.read_text()

    def processes(self) -> set[int]:
        """serve.py and everything below it."""
        found = {self.process.pid}
        parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
        while children := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= children
        return found


def _parent(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job in which the training program has made a small linear model."""
    base = tmp_path_factory.mktemp("job")
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


Serve = Callable[..., Iterator[Server]]


@contextmanager
def _serving(base: Path, **environment: str) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, CONTAINER / "inference" / "serve.py", "serve"],
            env={
                **os.environ,
                "SAGEMAKER_BASE_DIR": str(base),
                "SAGEMAKER_BIND_TO_PORT": str(port),
                "BIND_HOST": "127.0.0.1",
                **environment,
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        server = Server(process=process, url=f"http://127.0.0.1:{port}", log_file=Path(folder, "log"))
        with server.session:
            try:
                yield server
            finally:
                process.terminate()
                process.wait(timeout=40)


@pytest.fixture(scope="session")
def serving() -> Callable[..., object]:
    """Runs the real serve.py on a job's folder for the length of a `with` block."""
    return _serving


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("", id="gunicorn-alone"),
        pytest.param(
            NGINX or "",
            id="nginx",
            marks=pytest.mark.skipif(not NGINX, reason="nginx is not installed: apt install nginx-light"),
        ),
    ],
)
def nginx(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The environment that puts nginx in front, or leaves it out."""
    return {"NGINX_PROGRAM": request.param}


@pytest.fixture(scope="session")
def server(trained: Path, nginx: Mapping[str, str]) -> Iterator[Server]:
    """A server with a model, the same for all tests that leave it as it is."""
    with _serving(trained, MODEL_NAME="moderation-1", **nginx) as running:
        running.answer_of_ping(200)
        yield running
