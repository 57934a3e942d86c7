"""Yambda and the seminar's ready features from the Hugging Face Hub.

`huggingface_hub` does the work: it resumes a transfer that breaks off, and never leaves a
half-written file under its final name. (A transfer that fails for good starts again at the next
call; files that are whole are kept.) After a download the files are compared with the hub's
checksums. Datasets: `yandex/yambda` (Ploshkin et al. 2025, "Yambda-5B — A Large-Scale Multi-modal
Dataset for Ranking And Retrieval") and `matfu21/yambda-50m-features`.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from course_utils.data.log import Log
from course_utils.data.sources.files import read_table
from course_utils.schema import EVENT_SCHEMA, LogError
from course_utils.settings import data_folder, exists, make_folder

YAMBDA_REPO = "yandex/yambda"
FEATURES_REPO = "matfu21/yambda-50m-features"

YAMBDA = ("yambda-50m", "yambda-500m", "yambda-5b")
YAMBDA_TABLES = ("artist_item_mapping.parquet", "album_item_mapping.parquet", "embeddings.parquet")

PATIENCE = 10.0
"""Seconds that the hub has for its first answer."""


def yambda_files(name: str) -> list[str]:
    """The files of a Yambda log in its dataset: events, artists, albums, vectors."""
    return [f"flat/{name.removeprefix('yambda-')}/multi_event.parquet", *YAMBDA_TABLES]


def missing_files(name: str) -> list[str]:
    """Those files of a Yambda log that are not on this machine yet."""
    return [file for file in yambda_files(name) if not exists(data_folder() / "yambda" / file)]


def open_yambda(name: str) -> Log:
    """A log of `YAMBDA`, downloaded if it is not there.

    Raises:
        DownloadError: a file cannot be had.
    """
    folder = data_folder() / "yambda"
    log, artists, albums, vectors = fetch(YAMBDA_REPO, yambda_files(name), folder)
    events = read_table(log).select(
        pl.col("uid", "timestamp", "item_id", "is_organic"),
        pl.col("event_type").cast(pl.String).cast(EVENT_SCHEMA["event_type"]),
        pl.col("played_ratio_pct").cast(pl.UInt16),
        pl.col("track_length_seconds").cast(pl.UInt32),
    )
    return Log(
        name=name,
        events=events.sort("timestamp", maintain_order=True),
        artists=read_table(artists),
        albums=read_table(albums),
        vectors=read_table(vectors),
    )


def open_ready_features() -> pl.LazyFrame:
    """The original seminar's pool of ready features for Yambda-50M (22.5 M rows).

    Columns: the 27 `SEMINAR_COUNTERS`, `uid`, `item_id`, `target_full_play`.

    Raises:
        DownloadError: the file cannot be had.
    """
    (path,) = fetch(FEATURES_REPO, ["pool.parquet"], data_folder() / "yambda-50m-features")
    return read_table(path)


class DownloadError(LogError):
    """A file that could not be had from the hub: says why and what to do."""


def fetch(repo: str, files: list[str], folder: Path) -> list[Path]:
    """Bring files of a dataset into `folder`, if they are not there yet, and check them.

    Args:
        repo: dataset on the hub. files: their paths in it. folder: where they go.

    Returns:
        The local paths, in the order of `files`.

    Raises:
        DownloadError: no network, no such file, no access, or a wrong checksum (the damaged file
            is removed, so that the next try starts anew).
    """
    from filelock import FileLock

    paths = [folder / name for name in files]
    if all(map(exists, paths)):
        return paths
    incoming = make_folder(folder / "incoming")
    with FileLock(folder / ".download.lock"):  # whoever waited finds the files there
        wanted = [name for name, path in zip(files, paths, strict=True) if not exists(path)]
        if wanted:
            _download(repo, wanted, incoming)
            _verify(repo, wanted, incoming)
        for name in wanted:
            make_folder((folder / name).parent)
            (incoming / name).replace(folder / name)
    return paths


def _download(repo: str, files: list[str], incoming: Path) -> None:
    """Download files, if the hub answers at all: the client itself tries for half a minute."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    name = files[0]
    try:
        HfApi().dataset_info(repo, timeout=PATIENCE)
        for name in files:
            hf_hub_download(repo, name, repo_type="dataset", local_dir=incoming)
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        raise DownloadError(
            f"{repo}/{name}: the hub answered {status}; check that the dataset and the file "
            f"still exist under this name ({_short(error)})"
        ) from error
    except Exception as error:  # the client's many network errors share no base class
        what = "check the network and run again (whole files are kept)"
        if isinstance(error, OSError) and error.filename is not None:
            what = f"check the free space and the permissions of {incoming.parent}"
        raise DownloadError(
            f"{repo}/{name}: could not be downloaded ({_short(error)}); {what}; "
            "COURSE_LOG=sim needs no network"
        ) from error


def _verify(repo: str, files: list[str], incoming: Path) -> None:
    """Compare downloaded files with the hub's checksums; remove the damaged ones."""
    from huggingface_hub import HfApi

    try:
        report = HfApi().verify_repo_checksums(repo, repo_type="dataset", local_dir=incoming)
    except Exception as error:
        raise DownloadError(
            f"{repo}: the checksums could not be had ({_short(error)}); "
            "check the network, run again"
        ) from error
    damaged = [found for found in report.mismatches if found["path"] in files]
    for found in damaged:
        (incoming / found["path"]).unlink()
    if damaged:
        first = damaged[0]
        raise DownloadError(
            f"{repo}/{first['path']}: wrong checksum {first['actual']}, expected "
            f"{first['expected']}; the file was removed: run again to download it anew"
        )


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}"
