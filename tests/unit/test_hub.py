"""The Hub code path, with the genuine client against a small hub of our own on 127.0.0.1."""

from __future__ import annotations

import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest

from course_utils.data.counters import SEMINAR_COUNTERS, TARGET, add_counters
from course_utils.data.sources.hub import YAMBDA_TABLES
from course_utils.data.tasks.ranking import ranking_rows
from course_utils.schema import LogError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Enough of the hub's protocol: file metadata, ranged downloads, the tree of a dataset."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.sha = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
        self.cuts: dict[str, int] = {}  # how often a download of a file still breaks off
        self.requests: list[tuple[str, str, str | None]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_HEAD(self):
                self.answer(body=False)

            def do_GET(self):
                self.answer(body=True)

            def answer(self, body: bool):
                path = self.path.partition("?")[0]
                hub.requests.append((self.command, path, self.headers.get("Range")))
                repo = "/".join(path.removeprefix("/api/datasets/").split("/")[:2])
                if path.startswith(f"/api/datasets/{repo}/tree/"):
                    return self.send_json(hub.tree())
                name = path.partition(f"/resolve/{'main' if '/main/' in path else COMMIT}/")[2]
                if path.startswith("/api/datasets/"):
                    return self.send_json({"id": repo, "sha": COMMIT, "siblings": []})
                if name not in hub.files:
                    self.send_response(404)
                    self.send_header("X-Error-Code", "EntryNotFound")
                    self.send_header("X-Error-Message", "Entry not found")
                    self.send_header("X-Repo-Commit", COMMIT)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return None
                return self.send_file(name, body)

            def send_json(self, value):
                text = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(text)

            def send_file(self, name: str, body: bool):
                content = hub.files[name]
                first = 0
                asked = self.headers.get("Range")
                if asked:
                    first = int(asked.removeprefix("bytes=").partition("-")[0])
                rest = content[first:]
                self.send_response(206 if asked else 200)
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", f'"{hub.sha[name]}"')
                self.send_header("X-Linked-Etag", f'"{hub.sha[name]}"')
                self.send_header("X-Linked-Size", str(len(content)))
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("Content-Length", str(len(rest)))
                if asked:
                    last = len(content) - 1
                    self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
                self.end_headers()
                if not body:
                    return
                if hub.cuts.get(name, 0):
                    hub.cuts[name] -= 1
                    self.wfile.write(rest[: len(rest) // 2])
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                else:
                    self.wfile.write(rest)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def tree(self) -> list[dict]:
        return [
            {
                "type": "file",
                "path": name,
                "size": len(body),
                "oid": "0" * 40,
                "lfs": {"oid": self.sha[name], "size": len(body), "pointerSize": 130},
            }
            for name, body in self.files.items()
        ]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hub(tmp_path, good_events):
    tables = {
        "flat/50m/multi_event.parquet": good_events.with_columns(
            pl.col("event_type").cast(pl.String)
        ),
        "artist_item_mapping.parquet": pl.DataFrame({"artist_id": [1, 2], "item_id": [7, 8]}),
        "album_item_mapping.parquet": pl.DataFrame({"album_id": [1, 1], "item_id": [7, 8]}),
        "embeddings.parquet": pl.DataFrame({"item_id": [7], "embed": [[0.5] * 128]}),
    }
    files = {}
    for name, table in tables.items():
        path = tmp_path / "made.parquet"
        table.write_parquet(path)
        files[name] = path.read_bytes()
    server = Hub(files)
    yield server
    server.close()


SCRIPT = """
import time
time.sleep = lambda seconds: None  # the client waits between its tries
from course_utils.data.log import open_log
from course_utils.schema import LogError
try:
    log = open_log("yambda-50m")
    print("rows", log.events.collect().height, log.vectors.collect().height)
except LogError as error:
    print(type(error).__name__, error)
"""


READY = """
from course_utils.data.histories import histories
from course_utils.data.log import open_log
from course_utils.data.tasks.ranking import ranking_rows
log = open_log("yambda-50m")
rows = ranking_rows(log)
print(rows.shape, rows["timestamp"].is_sorted())
print(histories(log.events, rows).end.tolist())
"""


def ask(url: str, folder, script: str = SCRIPT, **variables: str) -> str:
    """Run a script in a fresh process whose hub is at `url`; returns what it printed."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": url,
        "COURSE_DATA": str(folder),
        "HF_HOME": str(folder / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "3",
        "HF_HUB_ETAG_TIMEOUT": "3",
        "NO_PROXY": "127.0.0.1",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOG = "flat/50m/multi_event.parquet"


def test_a_whole_download_and_no_second_one(hub, tmp_path):
    data = tmp_path / "Мои {данные} [a=b]"
    assert ask(hub.url, data) == "rows 5 1\n"
    asked = len(hub.requests)
    assert ask(hub.url, data) == "rows 5 1\n"
    assert len(hub.requests) == asked, "what is there is not asked for again"
    files = {p.name for p in (data / "yambda").rglob("*.parquet")}
    assert files == {"multi_event.parquet", *YAMBDA_TABLES}


def test_a_download_cut_in_the_middle_is_resumed(hub, tmp_path, good_events):
    # The client writes in chunks of 10 MB: only a longer file can be cut in the middle.
    noise = random.Random(0)
    ballast = pl.Series("ballast", [noise.randbytes(5_000_000) for _ in range(len(good_events))])
    path = tmp_path / "long.parquet"
    events = good_events.with_columns(pl.col("event_type").cast(pl.String), ballast)
    events.write_parquet(path, compression="uncompressed")
    hub.files[LOG] = path.read_bytes()
    hub.sha[LOG] = hashlib.sha256(hub.files[LOG]).hexdigest()
    assert len(hub.files[LOG]) > 22_000_000
    hub.cuts[LOG] = 1
    assert ask(hub.url, tmp_path / "data") == "rows 5 1\n"
    ranges = [r for verb, path, r in hub.requests if verb == "GET" and path.endswith(LOG)]
    assert len(ranges) == 2 and int(ranges[1].removeprefix("bytes=").rstrip("-")) >= 10_000_000


def test_a_download_that_breaks_off_for_good_leaves_nothing_half_written(hub, tmp_path):
    hub.cuts[LOG] = 100
    answer = ask(hub.url, tmp_path / "data")
    assert "DownloadError" in answer and LOG in answer and "run again" in answer
    assert not list((tmp_path / "data").rglob("*.parquet"))
    hub.cuts.clear()
    assert ask(hub.url, tmp_path / "data") == "rows 5 1\n"


def test_a_wrong_checksum_is_noticed_and_the_file_removed(hub, tmp_path):
    good = hub.files[LOG]
    hub.files[LOG] = good[:-1] + bytes([good[-1] ^ 1])
    answer = ask(hub.url, tmp_path / "data")
    assert "wrong checksum" in answer and LOG in answer
    assert not (tmp_path / "data" / "yambda" / LOG).exists()
    hub.files[LOG] = good
    assert ask(hub.url, tmp_path / "data") == "rows 5 1\n"


def test_a_file_that_is_gone(hub, tmp_path):
    del hub.files[LOG]
    answer = ask(hub.url, tmp_path / "data")
    assert "DownloadError" in answer and "404" in answer and LOG in answer


def test_no_network(tmp_path):
    """Said at once, without a stub for the client's waiting."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    patient = SCRIPT.replace("time.sleep = ", "unused = ")
    start = time.monotonic()
    answer = ask(f"http://127.0.0.1:{port}", tmp_path / "data", patient)
    assert time.monotonic() - start < 10, "the client alone would try for half a minute"
    assert "DownloadError" in answer and "COURSE_LOG=sim needs no network" in answer
    assert not list((tmp_path / "data").rglob("*.parquet"))


def test_the_ready_features_stand_in_for_computed_counters(hub, tmp_path, good_events):
    pool = add_counters(good_events.lazy()).select("uid", *SEMINAR_COUNTERS, "item_id", TARGET)
    path = tmp_path / "pool.parquet"
    pool.reverse().head(2).write_parquet(path)
    hub.files["pool.parquet"] = path.read_bytes()
    hub.sha["pool.parquet"] = hashlib.sha256(path.read_bytes()).hexdigest()
    answer = ask(hub.url, tmp_path / "data", READY, COURSE_FEATURES="ready")
    shape, past = answer.splitlines()
    assert shape == "(2, 30) True", "the pool, in the order of time"
    assert past == "[1, 3]", "the past of both rows is found in the log"
    assert (tmp_path / "data" / "yambda-50m-features" / "pool.parquet").exists()


@pytest.mark.parametrize("wanted", ["ready", "other"])
def test_ready_features_belong_to_one_log(tiny_log, monkeypatch, wanted):
    monkeypatch.setenv("COURSE_FEATURES", wanted)
    with pytest.raises(LogError, match="COURSE_FEATURES=ready"):
        ranking_rows(tiny_log)
