"""AWS on this machine, for as long as a `with` block lasts."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import boto3
from botocore.config import Config

from cdk_rehearsal.emulator_settings import EmulatorSettings, Engine
from cdk_rehearsal.engines.process_engine import PYTHONS_FILE
from cdk_rehearsal.fault import FAULTS_FILE, HAPPENED_FILE, Fault
from cdk_rehearsal.processes.minimal_environment import docker_client_environment, minimal_environment
from cdk_rehearsal.processes.process_registry import ProcessRegistry
from cdk_rehearsal.processes.supervised_process import SupervisedProcess

_START_SECONDS = 60.0
# The emulator's process needs them to import its modules.
_OF_PYTHON = ("PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE")


class EmbeddedAwsError(RuntimeError):
    """The embedded AWS did not start; the message ends with its log."""


class EmbeddedAws:
    """An AWS endpoint on loopback: ministack with our plug-in, in a child process.

    It keeps no state after it stops. All programs it starts (training jobs, endpoints, functions) end with it, and it
    ends with the process that started it, whatever signal ends either of them.

    Args:
        engine: `process` runs an image's program as a local process in the image's source folder; `docker` runs images.
        cloud_assembly: the `cdk.out` folder; its image assets name the source folder of each image.
        work_folder: the folder for jobs' files and logs; by default a temporary folder, removed on stop.
        wait_scale: factor by which the waits and retries of Step Functions and Lambda are multiplied.
        sparse_answers: omits the response members that AWS may omit, to test programs that read them.
    """

    def __init__(
        self,
        *,
        engine: Engine = "process",
        cloud_assembly: Path | None = None,
        work_folder: Path | None = None,
        wait_scale: float = 0.05,
        sparse_answers: bool = False,
    ) -> None:
        self._settings = EmulatorSettings(
            engine=engine,
            cloud_assembly=str(cloud_assembly.absolute()) if cloud_assembly else None,
            wait_scale=wait_scale,
            sparse_answers=sparse_answers,
            docker_environment=docker_client_environment() if engine == "docker" else {},
        )
        self._given_work_folder = work_folder
        self._process: SupervisedProcess | None = None
        self._work_folder: Path | None = None
        self._address: dict[str, int] = {}
        self._faults: list[Fault] = []
        self._faults_lock = threading.Lock()
        self._clients_lock = threading.Lock()
        self._session: boto3.session.Session | None = None
        self._clients: dict[str, Any] = {}

    @property
    def work_folder(self) -> Path:
        if self._work_folder is None:
            raise EmbeddedAwsError("the embedded AWS is not started; call start() or use it in a with statement")
        return self._work_folder

    @property
    def endpoint_url(self) -> str:
        """Uses `localhost`, not 127.0.0.1, because S3 clients prefix the bucket's name to it."""
        return f"http://localhost:{self._port}"

    @property
    def pid(self) -> int:
        """The process id of the emulator."""
        self._require_started()
        return self._address["pid"]

    @property
    def region(self) -> str:
        return self._settings.region

    @property
    def account(self) -> str:
        return self._settings.account

    @property
    def log(self) -> Path:
        return self.work_folder / "emulator.log"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables by which a program reaches this AWS and no other."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self._access_key,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "localhost,127.0.0.1,.localhost",
            "no_proxy": "localhost,127.0.0.1,.localhost",
        }

    @property
    def _access_key(self) -> str:
        """One key per account: the CDK CLI caches on disk which account a key belongs to."""
        return "test" if self.account == EmulatorSettings().account else self.account

    @property
    def child_environment(self) -> dict[str, str]:
        """This process's environment with all AWS settings of the user replaced by those of this AWS.

        For the developer's own programs, such as the CDK CLI; deployed programs get `program_environment`.
        """
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return own | self.environment

    @property
    def program_environment(self) -> dict[str, str]:
        """The environment of a deployed program: the settings of this AWS, and none of the developer's variables."""
        return minimal_environment(self.work_folder / "home") | self.environment

    def client(self, service: str) -> Any:
        """The boto3 client of this AWS for a service. It is cached: creating one takes longer than most calls."""
        with self._clients_lock:
            if service not in self._clients:
                if self._session is None:
                    self._session = boto3.session.Session(
                        aws_access_key_id="test",
                        aws_secret_access_key="test",  # noqa: S106
                        region_name=self.region,
                    )
                self._clients[service] = self._session.client(  # type: ignore[call-overload]
                    service,
                    endpoint_url=self.endpoint_url,
                    config=Config(proxies={}, retries={"total_max_attempts": 2}, max_pool_connections=20),
                )
            return self._clients[service]

    def judged_calls(self) -> list[dict[str, Any]]:
        """Each permission that a role or a service principal requested: who, which action and resource, whether it was
        allowed and why, and for a denied one the missing statement.
        """
        calls: list[dict[str, Any]] = self._page("/_embedded/judged-calls")
        return calls

    def resource_types(self) -> frozenset[str]:
        """The CloudFormation types that this AWS can create, besides `Custom::` ones."""
        types: list[str] = self._page("/_embedded/resource-types")
        return frozenset(types)

    def move(self, *, account: str, region: str) -> None:
        """Sets the account and region; they apply from the next start."""
        if self._process is not None:
            raise EmbeddedAwsError("the embedded AWS is started already; stop it first")
        self._settings = dataclasses.replace(self._settings, account=account, region=region)
        self._session = None

    def deployed_resources(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Maps stack and logical id to the resource's `ref`, its physical id, and its `attributes`."""
        resources: dict[str, dict[str, dict[str, Any]]] = self._page("/_embedded/deployed-resources")
        return resources

    def task_credentials(self, task_definition: str) -> dict[str, str]:
        """The environment variables with which a task's containers use its task role.

        Raises:
            EmbeddedAwsError: ECS could not start the task, because its execution role lacks a permission.
        """
        credentials: dict[str, str] = self._page(f"/_embedded/task-credentials?definition={quote(task_definition)}")
        return credentials

    def _page(self, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise EmbeddedAwsError(body.get("message", f"{path} answers {answer.status}"))
        return body

    def register_image(self, image_uri: str, source_folder: Path, *, dockerfile: str = "Dockerfile") -> None:
        """Registers, for the process engine, the source folder of an image that is not in a cloud assembly."""
        path = self.work_folder / "images.json"
        images = json.loads(path.read_text()) if path.exists() else {}
        images[image_uri] = {"directory": str(source_folder.absolute()), "dockerfile": dockerfile}
        path.with_suffix(".part").write_text(json.dumps(images))
        path.with_suffix(".part").replace(path)

    def use_python(self, script: str, python: Path) -> None:
        """Makes the process engine run this script of an image with a Python that has the packages it imports."""
        path = self.work_folder / PYTHONS_FILE
        pythons = json.loads(path.read_text()) if path.exists() else {}
        path.with_suffix(".part").write_text(json.dumps({**pythons, script: str(python)}))
        path.with_suffix(".part").replace(path)

    def inject(self, fault: Fault) -> None:
        """Adds a fault to those injected before."""
        with self._faults_lock:
            self._faults.append(fault)
            self._order_faults()

    def withdraw(self, *faults: Fault) -> None:
        """Removes these faults; the others stay."""
        with self._faults_lock:
            self._faults = [fault for fault in self._faults if fault not in faults]
            self._order_faults()

    def clear_faults(self) -> None:
        with self._faults_lock:
            self._faults.clear()
            self._order_faults()

    def times_happened(self, fault: Fault) -> int:
        """How often an injected fault has happened so far."""
        path = self.work_folder / HAPPENED_FILE
        counts: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        return counts.get(fault.identity, 0)

    def _order_faults(self) -> None:
        path = self.work_folder / FAULTS_FILE
        path.with_suffix(".part").write_text(json.dumps([dataclasses.asdict(fault) for fault in self._faults]))
        path.with_suffix(".part").replace(path)

    def start(self) -> Self:
        self.begin()
        return self.wait_until_ready()

    def begin(self) -> None:
        """Starts the process without waiting; call `wait_until_ready` afterwards."""
        if self._process is not None:
            raise EmbeddedAwsError("the embedded AWS is started already; stop it first")
        folder = self._given_work_folder
        folder = folder.absolute() if folder else Path(tempfile.mkdtemp(prefix="embedded-aws-"))
        folder.mkdir(parents=True, exist_ok=True)
        # It holds posts and models, in files that containers with other users must read.
        folder.chmod(0o700)
        self._work_folder = folder
        ProcessRegistry(folder / "processes").reclaim()
        for left in ("emulator.json", FAULTS_FILE, HAPPENED_FILE, PYTHONS_FILE):
            (folder / left).unlink(missing_ok=True)
        self._faults.clear()
        self.log.unlink(missing_ok=True)
        self._settings.write(folder)
        # Functions inherit this environment.
        environment = minimal_environment(folder / "home")
        environment |= {name: os.environ[name] for name in _OF_PYTHON if name in os.environ}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        self._process = SupervisedProcess(
            [sys.executable, "-m", "cdk_rehearsal.emulator", str(folder)],
            log=self.log,
            environment=environment,
            registry=ProcessRegistry(folder / "processes"),
            inner_processes=folder / "processes",
        )

    def wait_until_ready(self) -> Self:
        if self._process is None:
            raise EmbeddedAwsError("the embedded AWS is not started; call start() or use it in a with statement")
        ready = self.work_folder / "emulator.json"
        deadline = time.monotonic() + _START_SECONDS
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self._process.log_tail()
                self.stop()
                raise EmbeddedAwsError(f"the embedded AWS did not start:\n{tail}")
            time.sleep(0.02)
        self._address = json.loads(ready.read_text())
        return self

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends the emulator and every program it started; does nothing when it is not running."""
        process, self._process = self._process, None
        self._address = {}
        # The next start uses another port.
        with self._clients_lock:
            self._clients.clear()
        if process is not None:
            process.stop()
        if self._work_folder is not None and self._given_work_folder is None:
            shutil.rmtree(self._work_folder, ignore_errors=True)
            self._work_folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _require_started(self) -> None:
        if not self._address:
            raise EmbeddedAwsError("the embedded AWS is not started; call start() or use it in a with statement")

    @property
    def _port(self) -> int:
        self._require_started()
        return self._address["port"]
