"""Fixtures: small logs that take seconds, a browser, and no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Empty

import polars as pl
import pytest

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from course_utils.authoring.execute import ONE_THREAD
from course_utils.data.log import open_log
from course_utils.data.sources.sim import parse_world
from course_utils.schema import EVENT_SCHEMA
from course_utils.settings import HEADLESS
from course_utils.world.config import WorldConfig
from course_utils.world.simulate import write_world

TINY = "sim:n_listeners=150,listens_per_listener=120,n_tracks=1500,days=84"
"""A log for tests: the same world, a fortieth of the size."""


QUICK = """
from course_utils import train
from course_utils.evaluation import boosting

def fit(*tensors, whole=train.fit, **options):
    watched = "before_epoch" in options
    return whole(*tensors, **options | ({} if watched else {"epochs": 1}))

train.fit = fit
boosting.MOST_TREES = 20
"""
"""A cell: one epoch a training, except where epochs are compared, and few trees.

Widgets need no more.
"""


def has_widget(code: str) -> bool:
    """Whether a cell shows a widget, perhaps only if the log has something to show."""
    return re.search(r"^ *interactive\(", code, re.MULTILINE) is not None


LAB_SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
"""Of JupyterLab: every cell is drawn, and it asks nothing."""


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves a folder, on the tiny log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for where, wanted in LAB_SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{where}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(wanted), encoding="utf-8")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--IdentityProvider.token=", f"--notebook-dir={folder}"]
    command += [f"--LabApp.user_settings_dir={folder / 'settings'}"]
    env = {k: v for k, v in os.environ.items() if k != HEADLESS} | {"COURSE_LOG": TINY}
    env |= {"JUPYTER_CONFIG_DIR": str(folder / "config")}
    if "PYTEST_XDIST_WORKER" in env:  # other kernels compute beside this one
        env |= ONE_THREAD
    lab = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=1)
            break
        except OSError:
            time.sleep(0.5)
    try:
        yield address
    finally:
        lab.terminate()
        lab.wait()


OUTPUT_SECONDS, POKES = 60, 4
"""How long a test of a notebook waits for the next output of a cell that has ended, and how often
in a notebook the kernel is asked for a sign of life then."""


SLOWER = 2
"""How many times longer a notebook takes in a test, with one thread, than when it was built."""


def pytest_addoption(parser):
    parser.addoption(
        "--notebooks-until",
        type=float,
        help="seconds since 1970: leave out a notebook that would hardly end before",
    )


def pytest_collection_modifyitems(config, items):
    """Make nbval patient, for which it has no options, and punctual.

    It waits five seconds for an output, and machines stall. And the message that a cell has ended
    was seen to stay away for two minutes on a busy machine: another question brings it.
    """
    until = config.getoption("--notebooks-until")
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = OUTPUT_SECONDS
            if not hasattr(item.parent, "pokes"):
                item.parent.pokes = 0
                item.parent.get_kernel_message = partial(patiently, item.parent)
                if until is not None:
                    item.parent.setup = partial(punctually, item.parent, item.parent.setup, until)


def punctually(notebook, setup, until):
    """Start a notebook's kernel, if the notebook can be expected to end in time."""
    seconds = SLOWER * notebook.nb.metadata["course"]["seconds"]
    if (left := until - time.time()) < seconds:
        name = Path(notebook.path).stem
        pytest.skip(f"{name} left out: it takes about {seconds:.0f} s, {max(left, 0):.0f} are left")
    setup()


def patiently(notebook, timeout=None, stream="iopub"):
    """The next message of a notebook's kernel; where none comes, the kernel is asked for one."""
    while True:
        try:
            return notebook.kernel.get_message(stream, timeout=timeout)
        except Empty:
            if stream != "iopub" or notebook.pokes == POKES:
                raise
            notebook.pokes += 1
            notebook.kernel.kc.kernel_info()


def legal(name: str) -> bool:
    """Whether a file may have this name here; Windows forbids some characters."""
    return os.name != "nt" or not re.search(r'[<>:"/\\|?*\n]|[ .]$', name)


SMALL = "sim:n_listeners=20,listens_per_listener=30,n_tracks=400,days=28"
"""A log of some hundred events, for tests that write it anew."""


@pytest.fixture(scope="session")
def small_log(tmp_path_factory):
    """The folder of the small log, as it is generated: to be copied, not changed."""
    folder = tmp_path_factory.mktemp("small")
    write_world(parse_world(SMALL.partition(":")[2]), folder, progress=False)
    return folder


@pytest.fixture(scope="session")
def tiny_log():
    return open_log(TINY)


@pytest.fixture(scope="session")
def tiny_config(tiny_log) -> WorldConfig:
    return tiny_log.world


def events_of(rows: list[tuple]) -> pl.DataFrame:
    """A log from tuples (uid, timestamp, item_id, is_organic, event_type, ratio, length)."""
    return pl.DataFrame(rows, schema=list(EVENT_SCHEMA), orient="row").cast(EVENT_SCHEMA)


@pytest.fixture
def good_events() -> pl.DataFrame:
    """Five events without a fault."""
    return events_of(
        [
            (1, 10, 7, 1, "listen", 100, 200),
            (2, 10, 7, 0, "listen", 30, 200),
            (1, 15, 7, 1, "like", None, None),
            (1, 300, 8, 0, "listen", 120, 180),
            (2, 400, 8, 1, "listen", 0, None),
        ]
    )


@pytest.fixture(scope="module")
def browser():
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium: install it, or name it in CHROMIUM")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()
