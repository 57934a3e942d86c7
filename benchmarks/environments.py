"""Environments for peers whose requirements are not the course's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from course_utils.settings import ROOT

PEERS = Path(__file__).parent / "peers"
"""Scripts that a peer's Python runs; each is given a folder."""


class PeerFailed(RuntimeError):
    """A peer's script did not come to its end."""


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


def run_peer(python: Path, script: str, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Run a script of `PEERS` on a folder, which holds all that it reads but the options.

    Args:
        python: of the peer's environment. options: written into `options.json` of the folder.

    Returns:
        What the script wrote into `told.json`.

    Raises:
        PeerFailed: it wrote nothing there; says the last line of its complaint.
    """
    (folder / "options.json").write_text(json.dumps(options))
    told = folder / "told.json"
    told.unlink(missing_ok=True)  # of an earlier run
    command = [str(python), str(PEERS / script), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if not told.exists():
        complaint = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise PeerFailed(complaint[-1])
    return json.loads(told.read_text())
