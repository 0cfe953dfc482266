"""How gunicorn runs the ML API."""

import logging
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker
from held_posts import HELD_POSTS

from api_settings import ApiSettings
from observability.embedded_metrics import count_line
from observability.json_log import LOGGING
from web.service import WORKER_THREADS
from web.task_end import KILL_MARGIN_SECONDS


class _Logger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Skips gunicorn's own line per request: it is below this log's level, and formatting it would waste time."""

    def access(self, *_: Any) -> None:
        pass


_settings = ApiSettings.from_environment()

bind = f"{_settings.host}:{_settings.port}"
worker_class = "web.reading_worker.ReadingWorker"
# A request mostly waits for the endpoint, which threads are for; the second process answers while one is replaced.
workers = 2
threads = WORKER_THREADS
# Longer than the load balancer's idle time-out of 60 seconds; otherwise it could use a connection that was just closed.
keepalive = 75
# From SIGTERM to the end of the last worker, which answers requests in flight, then hands over the posts in memory.
graceful_timeout = int(_settings.stop_timeout_seconds - KILL_MARGIN_SECONDS)
# Heartbeats go to memory: the root file system may be read-only, and a slow disk would make a worker look hung.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True
logger_class = _Logger
logconfig_dict = LOGGING


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Give the worker a place in shared memory, where it counts the posts that it holds and this process reads them."""
    worker.held_posts_place = HELD_POSTS.take_place()


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Count at that place, in the worker."""
    HELD_POSTS.use(worker.held_posts_place)


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Log how many posts a killed worker held: a worker that ends by itself hands them over or logs its own loss."""
    lost = HELD_POSTS.give_up(getattr(worker, "held_posts_place", None))
    if lost:
        log = logging.getLogger("api")
        log.error("posts were lost with a worker that was killed", extra={"fields": {"posts": lost, "pid": worker.pid}})
        log.info("metrics", extra={"fields": count_line("LostPosts", lost, service=_settings.service_name)})
