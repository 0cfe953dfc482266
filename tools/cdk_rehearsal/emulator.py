"""The child process that is the embedded AWS: ministack on one loopback port, with our plug-in.

`python -m cdk_rehearsal.emulator WORK_FOLDER`; it reads its settings from WORK_FOLDER/settings.json and writes its
address to WORK_FOLDER/emulator.json once it is ready.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from cdk_rehearsal.emulator_settings import EmulatorSettings


def _listen() -> socket.socket:
    """Opens the listening port before ministack is imported: ministack reads the port number at import."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    return listener


def _configure(settings: EmulatorSettings, *, port: int, work_folder: Path) -> None:
    temporary = work_folder / "tmp"
    temporary.mkdir(exist_ok=True)
    tempfile.tempdir = str(temporary)
    os.environ.update(
        TMPDIR=str(temporary),
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="localhost",
        MINISTACK_ACCOUNT_ID=settings.account,
        MINISTACK_REGION=settings.region,
        AWS_ENDPOINT_URL=f"http://localhost:{port}",
        AWS_DEFAULT_REGION=settings.region,
        AWS_REGION=settings.region,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",  # noqa: S106
        SFN_WAIT_SCALE=str(settings.wait_scale),
        # Lambda waits a minute before the second attempt and two before the third.
        LAMBDA_ASYNC_RETRY_BASE_SECONDS=str(60 * settings.wait_scale),
        LAMBDA_ASYNC_RETRY_MAX_SECONDS="120",
        LOG_LEVEL="WARNING",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        S3_DATA_DIR=str(work_folder / "s3"),
        # With an engine, ministack would run the ECS tasks' containers and remove leftovers. Here it must not find one.
        DOCKER_HOST=f"unix://{work_folder}/no-docker-engine",
    )


async def _serve(application: Any, listener: socket.socket, work_folder: Path) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    port = listener.getsockname()[1]
    server = asyncio.create_task(serve(application, config, shutdown_trigger=asyncio.Event().wait))
    await _answers(port, server)
    ready = work_folder / "emulator.json"
    ready.with_suffix(".part").write_text(json.dumps({"port": port, "pid": os.getpid()}))
    ready.with_suffix(".part").replace(ready)
    await server


async def _answers(port: int, server: asyncio.Task[None]) -> None:
    while not server.done():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read(12)
            writer.close()
            if answer.endswith(b" 200"):
                return
        except OSError:
            await asyncio.sleep(0.02)
    await server


def main() -> None:
    work_folder = Path(sys.argv[1])
    settings = EmulatorSettings.read(work_folder)
    listener = _listen()
    _configure(settings, port=listener.getsockname()[1], work_folder=work_folder)
    # Exits at once: all state is in memory, and the supervisor ends the processes that were started.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))

    from cdk_rehearsal.plug_in import MinistackChangedError, install

    try:
        application = install(settings, work_folder=work_folder)
    except MinistackChangedError as error:
        sys.exit(str(error))
    asyncio.run(_serve(application, listener, work_folder))


if __name__ == "__main__":
    main()
