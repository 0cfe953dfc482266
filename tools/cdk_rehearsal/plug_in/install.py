"""Puts every part of the plug-in into ministack, before it serves."""

from __future__ import annotations

from pathlib import Path

from cdk_rehearsal.emulator_settings import EmulatorSettings


def install(settings: EmulatorSettings, *, work_folder: Path, docker_host: str | None) -> None:
    """Called once in the emulator's process, after its environment is set and before it listens."""
