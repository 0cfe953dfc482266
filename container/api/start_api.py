"""Starts the ML API: checks the settings first, then becomes gunicorn."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from api_settings import ApiSettings, SettingsError


def main() -> None:
    """Replace this process by gunicorn, or stop with one line that names the setting at fault."""
    try:
        ApiSettings.from_environment()
    except SettingsError as fault:
        sys.exit(str(fault))
    os.chdir(Path(__file__).parent)
    # In this process's place, so that the container's SIGTERM reaches gunicorn.
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "--config", "gunicorn_conf.py", "web.app:create_app()"])


if __name__ == "__main__":
    main()
