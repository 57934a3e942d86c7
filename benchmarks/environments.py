"""Environments for peers whose requirements are not the course's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from course_utils.settings import ROOT


def python_of(name: str, needs: list[str]) -> Path:
    """The Python of a peer's environment in build/, made if it is not there.

    Args:
        name: of the environment. needs: requirements that pip installs in it.
    """
    folder = ROOT / "build" / f"peer-{name}"
    python = folder / "bin" / "python"
    if not (folder / ".installed").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *needs], check=True)
        (folder / ".installed").touch()
    return python
