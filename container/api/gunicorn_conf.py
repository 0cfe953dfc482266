"""How gunicorn runs the ML API."""

from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from api_settings import ApiSettings
from observability.json_log import LOGGING
from web.service import WORKER_THREADS
from web.task_end import KILL_MARGIN_SECONDS


class _Logger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Without gunicorn's own line of each request, which is below this log's level: it would be made up for nothing."""

    def access(self, *_: Any) -> None:
        pass


_settings = ApiSettings.from_environment()

bind = f"{_settings.host}:{_settings.port}"
worker_class = "web.reading_worker.ReadingWorker"
# A request mostly waits for the endpoint: threads for that, and a second process to answer while one is replaced.
workers = 2
threads = WORKER_THREADS
# Longer than the load balancer's idle time-out of 60 seconds, or it would send requests down connections just closed.
keepalive = 75
# From SIGTERM to the last worker's end: it answers what is in flight, then hands over what is in memory.
graceful_timeout = int(_settings.stop_timeout_seconds - KILL_MARGIN_SECONDS)
# Heartbeats go to memory: the root file system may be read-only, and a slow disk would look like a hung worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True
logger_class = _Logger
logconfig_dict = LOGGING
