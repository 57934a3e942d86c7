"""Writing logs: seconds and peak memory for `sim`, and with `--full` for Yambda-50M's size."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course_utils.data.sources.files import read_table
from course_utils.world.config import YAMBDA_50M_SIZE, WorldConfig
from course_utils.world.simulate import write_world

SIZES = {
    "sim": WorldConfig(),
    "yambda": YAMBDA_50M_SIZE,
}


def measure(size: str) -> str:
    """Write one world into a temporary folder, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        write_world(SIZES[size], Path(folder), progress=False)
        seconds = time.perf_counter() - start
        events = read_table(Path(folder) / "log").select("uid").collect(engine="streaming").height
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    return f"{size:8} {events:>12,} events  {seconds:8.1f} s  {peak:8,.0f} MB peak"


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in SIZES:
        print(measure(sys.argv[1]))
        sys.exit()
    for size in SIZES if "--full" in sys.argv else ["sim"]:
        subprocess.run([sys.executable, __file__, size], check=True)
