"""Starts the ML API: checks the settings first, then replaces itself with gunicorn."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from api_settings import ApiSettings, SettingsError


def main() -> None:
    """Replace this process with gunicorn, or exit with one line that names the invalid setting."""
    try:
        ApiSettings.from_environment()
    except SettingsError as fault:
        sys.exit(str(fault))
    os.chdir(Path(__file__).parent)
    # gunicorn replaces this process, so that the container's SIGTERM reaches it.
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "--config", "gunicorn_conf.py", "web.app:create_app()"])


if __name__ == "__main__":
    main()
