"""Executing one notebook for a look: on a log of one's own, or quickly on a tiny one."""

from __future__ import annotations

from pathlib import Path

from nbformat import NotebookNode

from course_utils.authoring import publish, source
from course_utils.authoring.execute import execute
from course_utils.authoring.source import PublishError
from course_utils.settings import NOTEBOOKS, TUNE, absolute_log, chosen_log, log_stem

TINY = "sim:n_listeners=150,listens_per_listener=120,n_tracks=1500,days=84"
"""A world that takes seconds: 18 thousand listens. Its claims are reported, not enforced."""


def run(name: str, log: str | None, folder: Path) -> tuple[Path, Path]:
    """Execute one notebook on a log; the copy and its page go into `folder`.

    Args:
        name: of the notebook. log: as for `COURSE_LOG`, which counts if none is given; a
            relative path counts from the working directory.
        folder: where the copies go, named after notebook and log.

    Raises:
        PublishError: a cell failed; the copies hold the notebook as far as it came.
    """
    notebook, log = source.read_source(name), absolute_log(log) if log else chosen_log()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failed:
        raise PublishError(f"nothing can be written into {folder}: {failed.strerror}") from failed
    stem, error = f"{name}-{log_stem(log)}", None
    try:
        execute(notebook, NOTEBOOKS, COURSE_LOG=log)
    except PublishError as failed:
        error = failed
    copy, page = folder / f"{stem}.ipynb", folder / f"{stem}.html"
    publish.write_whole({copy: publish.as_text(notebook), page: as_page(notebook).encode()})
    if error:
        raise PublishError(f"{error}\n\nThe notebook as far as it came: {copy}")
    return copy, page


def as_page(notebook: NotebookNode) -> str:
    """A notebook as HTML."""
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_notebook_node(notebook)
    return html


def tune(name: str, log: str | None, models: list[str]) -> None:
    """Execute one notebook with its trials, which go into `notebooks/assets/tuned.json`.

    Args:
        name: of the notebook. log: as for `run`. models: those to tune; `all` is every one.

    Raises:
        PublishError: a cell failed; the trials until then are kept.
    """
    notebook, log = source.read_source(name), absolute_log(log) if log else chosen_log()
    execute(notebook, NOTEBOOKS, COURSE_LOG=log, **{TUNE: ";".join(models)})


def preview(name: str, folder: Path, show: bool) -> Path:
    """Execute a notebook on a tiny log, in seconds, and open its page.

    Args:
        name: of the notebook. folder: where the page goes. show: open it in a browser.
    """
    _, page = run(name, TINY, folder)
    if show:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    return page
