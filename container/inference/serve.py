"""`python serve.py serve`: starts nginx and gunicorn, and ends with both when one of them ends or a signal comes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cores import available_cores
from device import Device, UnusableDeviceError, serving_device
from gunicorn_workers import KEPT_CONNECTIONS

HERE = Path(__file__).resolve().parent
GRACE_SECONDS = 20.0
"""The time to finish running requests. SageMaker kills a container 30 s after SIGTERM."""

MOST_THREADS_A_PREDICTION = 8
"""More threads hardly speed up the prediction of one post."""
MOST_WORKERS = 8
"""Each worker has its own copy of the model; further cores speed up each prediction instead."""
DEFAULT_QUEUE_LENGTH = 32
"""The requests that may wait in a worker: at 10 ms per post, the last of them waits a third of a second."""
SPARE_THREADS = 16
"""The threads per worker that answer /ping and refuse requests while all places in the queue are taken."""
LARGEST_BODY_BYTES = 6 * 1024 * 1024

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class InvalidSettingError(Exception):
    """An environment variable has an invalid value; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of serving, from environment variables."""

    host: str
    port: int
    workers: int
    threads_per_worker: int
    queue_length: int
    """The requests that may wait per worker; further ones get 503 with Retry-After."""
    batch_size: int | None
    """The most posts in a batch; None to measure it."""
    nginx: str | None
    """The path of nginx; None if it is not installed."""
    device: Device

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the variables; each default is in brackets or marked.

        `SAGEMAKER_BIND_TO_PORT` (8080), `BIND_HOST` (all addresses), `NGINX_PROGRAM` (the installed one; empty for
        gunicorn alone).

        `SERVE_FOR`: `latency` (the default) gives all cores to one prediction after the other, `throughput` gives each
        core a worker with its own copy of the model: more posts per second, a longer response time, and the memory of
        all the copies. `MODEL_SERVER_WORKERS` sets the number of workers directly. Workers times their threads never
        exceed the container's cores, unless `MODEL_SERVER_WORKERS` is higher.

        `SERVE_ON` (`auto`) chooses the device, see `serving_device`.

        `QUEUE_LENGTH` (32) requests may wait in each worker. `BATCH_SIZE` (measured at the start) posts are predicted
        together.

        Raises:
            InvalidSettingError: a value is not allowed.
            UnusableDeviceError: see `serving_device`.
        """
        cores = available_cores()
        serve_for = environment.get("SERVE_FOR", "latency")
        if serve_for not in ("latency", "throughput"):
            raise InvalidSettingError(f"SERVE_FOR: got {serve_for!r}; allowed are latency and throughput")
        fitting = -(-cores // MOST_THREADS_A_PREDICTION) if serve_for == "latency" else cores
        workers = _whole_number(environment, "MODEL_SERVER_WORKERS", default=min(fitting, MOST_WORKERS), low=1, high=64)
        model_name = environment.get("MODEL_NAME", "")
        if not re.fullmatch(r"[a-zA-Z0-9-]{0,63}", model_name):
            raise InvalidSettingError(
                f"MODEL_NAME: got {model_name!r}; allowed are at most 63 letters, digits and hyphens"
            )
        return cls(
            host=environment.get("BIND_HOST", "0.0.0.0"),  # noqa: S104 - a container's port is meant to be reached
            port=_whole_number(environment, "SAGEMAKER_BIND_TO_PORT", default=8080, low=1, high=65535),
            workers=workers,
            threads_per_worker=max(1, cores // workers),
            queue_length=_whole_number(environment, "QUEUE_LENGTH", default=DEFAULT_QUEUE_LENGTH, low=1, high=512),
            batch_size=(
                _whole_number(environment, "BATCH_SIZE", default=1, low=1, high=256)
                if "BATCH_SIZE" in environment
                else None
            ),
            nginx=environment.get("NGINX_PROGRAM", _installed_nginx(environment)) or None,
            device=serving_device(environment.get("SERVE_ON", "auto")),
        )


def main(arguments: Sequence[str]) -> int:
    """Serve; return 0 after SIGTERM or SIGINT, 1 if a server ended by itself or the device is unusable, 2 for an
    invalid argument or setting.
    """
    if list(arguments) != ["serve"]:
        print(f"error: got {' '.join(arguments) or 'no argument'}; allowed is: serve", file=sys.stderr)
        return 2
    try:
        settings = Settings.from_environment(os.environ)
    except InvalidSettingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except UnusableDeviceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    stopping = threading.Event()

    def stop(signal_number: int, frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with tempfile.TemporaryDirectory(prefix="inference-") as folder:
        servers = _start(settings, Path(folder), stopping)
        try:
            while not stopping.is_set() and all(server.poll() is None for _, server in servers):
                time.sleep(0.05)
            for name, server in servers:
                if not stopping.is_set() and server.poll() is not None:
                    print(f"error: {name} ended by itself with status {server.returncode}", file=sys.stderr, flush=True)
        finally:
            _end(servers)
    return 0 if stopping.is_set() else 1


def _start(settings: Settings, folder: Path, stopping: threading.Event) -> list[tuple[str, subprocess.Popen[bytes]]]:
    """Start gunicorn on sockets behind nginx, or on the port itself if nginx is not installed."""
    sockets = [folder / f"gunicorn{worker}.sock" for worker in range(settings.workers)] if settings.nginx else []
    addresses = [f"unix:{socket}" for socket in sockets] or [f"{settings.host}:{settings.port}"]
    print(
        f"serving on {settings.host}:{settings.port} with {settings.workers} workers of "
        f"{settings.threads_per_worker} threads on the {settings.device.upper()}, "
        + ("nginx in front" if settings.nginx else "gunicorn alone: without nginx"),
        flush=True,
    )
    gunicorn = [sys.executable, "-m", "gunicorn", "--workers", str(settings.workers)]
    gunicorn += ["--config", str(HERE / "gunicorn_workers.py")]
    for address in addresses:
        gunicorn += ["--bind", address]
    gunicorn += ["--worker-class", "connection_worker.ConnectionWorker", "--keep-alive", "75"]
    gunicorn += ["--threads", str(settings.queue_length + SPARE_THREADS + KEPT_CONNECTIONS)]
    gunicorn += ["--worker-tmp-dir", str(folder), "--graceful-timeout", str(int(GRACE_SECONDS) - 5)]
    gunicorn += ["--no-control-socket", "--log-level", "warning", "--chdir", str(HERE), "wsgi:main()"]
    environment = {
        # Each prediction reads all weights, which is slightly faster in huge pages, if Linux grants them on request.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        **os.environ,
        "THREADS_PER_WORKER": str(settings.threads_per_worker),
        "QUEUE_LENGTH": str(settings.queue_length),
        "SERVE_ON": settings.device,
        "OMP_NUM_THREADS": str(settings.threads_per_worker),
        "ORT_DISABLE_TELEMETRY": "1",  # its Linux builds otherwise send telemetry to Microsoft
    }
    servers = [("gunicorn", _spawn(gunicorn, environment))]
    if settings.nginx:
        configuration = folder / "nginx.conf"
        configuration.write_text(_render((HERE / "nginx.conf").read_text(), settings, folder=folder, sockets=sockets))
        command = [settings.nginx, "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
        if os.geteuid() == 0:
            # Otherwise nginx would run as `nobody`, who may not enter the folder with the socket.
            command += ["-g", "user root;"]
        # Without the sockets nginx would only fill the log with connection errors.
        while not (all(socket.exists() for socket in sockets) or stopping.is_set() or servers[0][1].poll() is not None):
            time.sleep(0.01)
        try:
            servers.append(("nginx", _spawn(command, environment)))
        except OSError:
            _end(servers)
            raise
    return servers


def _render(template: str, settings: Settings, *, folder: Path, sockets: Sequence[Path]) -> str:
    values = {
        "folder": folder,
        # nginx never marks a worker as unavailable: a worker that restarts is back before the next attempt.
        "workers": "\n        ".join(f"server unix:{socket} max_fails=0;" for socket in sockets),
        "host": settings.host,
        "port": settings.port,
        "largest_body": LARGEST_BODY_BYTES,
        "kept_connections": KEPT_CONNECTIONS,
    }
    for name, value in values.items():
        template = template.replace("{{" + name + "}}", str(value))
    return template


def _spawn(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # A process group of its own, so that all processes that a server leaves behind can be ended with it.
    return subprocess.Popen(command, env=environment, process_group=0, preexec_fn=_die_with_parent)


def _die_with_parent() -> None:
    """Ask Linux to end this process if serve.py is killed and cannot end it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(servers: Sequence[tuple[str, subprocess.Popen[bytes]]]) -> None:
    """Let running requests finish, and stop nginx first, so that no new ones arrive; then kill remaining processes."""
    deadline = time.monotonic() + GRACE_SECONDS
    for name, server in reversed(servers):
        if server.poll() is None:
            server.send_signal(signal.SIGQUIT if name == "nginx" else signal.SIGTERM)
        try:
            server.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            print(f"error: {name} did not stop in {GRACE_SECONDS:.0f} s and is killed", file=sys.stderr, flush=True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _installed_nginx(environment: Mapping[str, str]) -> str | None:
    # Debian installs it in a folder that is not in an ordinary user's PATH.
    return shutil.which("nginx", path=f"{environment.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")


def _whole_number(environment: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    given = environment.get(name)
    if given is None:
        return default
    if not given.isascii() or not given.isdigit() or not low <= int(given) <= high:
        raise InvalidSettingError(f"{name}: got {given!r}; allowed is a whole number from {low} to {high}")
    return int(given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
