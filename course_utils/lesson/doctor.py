"""The self-check: is this machine ready for the course?"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from course_utils.data.sources.sim import parse_world, sim_folder
from course_utils.schema import LogError
from course_utils.settings import ROOT, chosen_log, data_folder

NEEDED_GIB = 4.0


@dataclass(frozen=True)
class Finding:
    """One line of the self-check; `remedy` says what to do if it is not ok."""

    topic: str
    ok: bool
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{'✔' if self.ok else '✘'} {self.topic}: {self.found}"
        return line if self.ok else f"{line} → {self.remedy}"


def tested_versions(path: Path = ROOT / "constraints.txt") -> dict[str, str]:
    """The pinned versions of `constraints.txt`, by package name."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return dict(line.split("==") for line in lines if "==" in line)


def check_versions(pinned: dict[str, str], packages: list[str]) -> list[Finding]:
    """Whether the installed versions are the tested ones."""
    findings = []
    for name in packages:
        try:
            found = version(name).split("+")[0]
        except PackageNotFoundError:
            findings.append(Finding(name, False, "not installed", "run `make lab` again"))
            continue
        remedy = f"tested with {pinned[name]}: pip install -c constraints.txt {name}"
        findings.append(Finding(name, found == pinned[name], found, remedy))
    return findings


def check_machine() -> list[Finding]:
    """Python, threads, free memory, GPU."""
    import psutil
    import torch

    free = psutil.virtual_memory().available / 2**30
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none (none is needed)"
    return [
        Finding(
            "Python",
            (3, 11) <= sys.version_info[:2] <= (3, 13),
            platform.python_version(),
            "the course is tested on Python 3.11 to 3.13; install one of them",
        ),
        Finding("threads", True, f"{torch.get_num_threads()} of {os.cpu_count()} cores"),
        Finding(
            "free memory",
            free >= NEEDED_GIB,
            f"{free:.1f} GiB",
            f"{NEEDED_GIB:.0f} GiB are needed; close other programs or other notebooks' kernels",
        ),
        Finding("GPU", True, gpu),
    ]


def check_logs() -> list[Finding]:
    """Which logs lie on this machine, and whether the chosen one can be had."""
    chosen = chosen_log()
    here = sorted(path.name for path in data_folder().glob("*") if not path.name.startswith("."))
    findings = [Finding("files in data/", True, ", ".join(here) or "none yet")]
    kind, _, options = chosen.partition(":")
    try:
        ready = kind != "sim" or sim_folder(parse_world(options)).exists()
    except LogError as error:
        return [*findings, Finding("COURSE_LOG", False, chosen, str(error))]
    state = "" if ready else " (will be generated on first use, in seconds)"
    return [*findings, Finding("COURSE_LOG", True, chosen + state)]


CORE_PACKAGES = ["torch", "polars", "catboost", "matplotlib", "seaborn", "jupyterlab", "numpy"]


def diagnose() -> list[Finding]:
    """All findings, the ones that need attention included."""
    return [*check_machine(), *check_versions(tested_versions(), CORE_PACKAGES), *check_logs()]
