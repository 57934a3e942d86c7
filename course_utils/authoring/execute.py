"""Executing a notebook on a fresh kernel, and what may stay of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from nbclient import NotebookClient
from nbformat import NotebookNode

from course_utils.authoring.source import KERNEL, PublishError
from course_utils.settings import HEADLESS, REPORT, TUNE

CELL_SECONDS, PATIENT_SECONDS = 1_200, 7_200
"""How long a cell may take: in a test, and where trials are run or claims only reported."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""Environment of a process that shares the cores with others."""
INLINE = "module://matplotlib_inline.backend_inline"
"""Draws figures into the notebook, whatever backend the caller has."""
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def execute(notebook: NotebookNode, folder: Path, **variables: str) -> float:
    """Run all cells on a fresh kernel, in place; returns the seconds it took.

    On a machine that is busy with other work these are the seconds that the kernel computed.

    Args:
        notebook: what to run. folder: where it runs. variables: of the kernel's environment.

    Raises:
        PublishError: a cell failed or wrote to stderr; says which.
    """
    ours = {"TQDM_DISABLE": "1", HEADLESS: "1", "PYTHONUTF8": "1", "MPLBACKEND": INLINE}
    environment = {**os.environ, **ours, **variables}
    patient = environment.get(TUNE) or environment.get(REPORT)
    client = NotebookClient(
        notebook,
        timeout=PATIENT_SECONDS if patient else CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
    )
    start, computed = time.perf_counter(), _computed()
    try:
        client.execute(env=environment)
    except Exception as error:
        raise PublishError(str(error)) from error
    finally:
        notebook.metadata["language_info"] = {"name": "python"}  # the same on every machine
        notebook.metadata["kernelspec"] = KERNEL
    seconds = time.perf_counter() - start
    if (computed := _computed() - computed) > 0:  # Windows does not tell
        seconds = min(seconds, computed)
    _drop_progress_bars(notebook)
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise PublishError(f"cell {number} wrote to stderr: {output.text[:2_000]}")
    return seconds


def _computed() -> float:
    """Seconds of computing of all child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _drop_progress_bars(notebook: NotebookNode) -> None:
    """Remove the frozen bars of finished training and their state, a third of some files."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [o for o in cell.outputs if WIDGET_VIEW not in o.get("data", {})]
