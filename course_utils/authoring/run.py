"""Executing one notebook for a look: on a log of one's own, or quickly on a tiny one."""

from __future__ import annotations

import re
from html import escape
from importlib import resources
from pathlib import Path

from nbformat import NotebookNode

from course_utils.authoring import publish, source
from course_utils.authoring.execute import execute
from course_utils.authoring.source import PublishError
from course_utils.settings import NOTEBOOKS, TUNE, absolute_log, chosen_log, log_stem

TINY = "sim:n_listeners=150,listens_per_listener=120,n_tracks=1500,days=84"
"""A world that takes seconds: 18 thousand listens. Its claims are reported, not enforced."""
PACKAGE, FILE = "sphinx-mathjax-offline", "static/mathjax/tex-svg-full.js"
"""Where MathJax lies, for a page that is read without a network."""
UNTOLD = re.compile('alt="No description has been provided for this image"')
"""How nbconvert's page tells of the figures of cells, whatever is known of them."""
LOADER = re.compile(r'<script src="[^"]*require[^"]*"></script>')
THEIRS = re.compile(r"(?s)<!-- Load mathjax -->.*<!-- End of mathjax configuration -->")
MATHJAX = """\
<script>
MathJax = {{tex: {{inlineMath: [['$', '$'], ['\\\\(', '\\\\)']], tags: 'ams'}}}}
</script>
<script src="{address}" defer></script>"""


def run(name: str, log: str | None, folder: Path) -> tuple[Path, Path]:
    """Execute one notebook on a log; the copy and its page go into `folder`.

    The page needs no network where the extra `site` is installed.

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
    files = {copy: publish.as_text(notebook)}
    if mathematics := mathjax():
        files[folder / "mathjax.js"] = mathematics
    html = as_page(notebook, "mathjax.js" if mathematics else "")
    publish.write_whole({**files, page: html.encode()})
    if error:
        raise PublishError(f"{error}\n\nThe notebook as far as it came: {copy}")
    return copy, page


def as_page(notebook: NotebookNode, mathematics: str = "") -> str:
    """A notebook as HTML, its pictures inside.

    Args:
        notebook: executed. mathematics: address of MathJax 3 as the page shall name it; if it is
            empty, the page loads nbconvert's own from the network.
    """
    from nbconvert import HTMLExporter

    place = {"metadata": {"path": str(NOTEBOOKS)}}  # of the pictures that texts link
    html, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook, place)
    told = (
        escape(cell.metadata.get("alt", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if publish.PICTURES & set(output.get("data", {}))
    )
    html = UNTOLD.sub(lambda _: f'alt="{next(told, "")}"', html)
    if mathematics:
        ours = MATHJAX.format(address=mathematics)
        html = THEIRS.sub(lambda _: ours, LOADER.sub("", html))
    return html


def mathjax() -> bytes | None:
    """MathJax as an installed package brings it; None, if none is installed."""
    try:
        return resources.files(PACKAGE).joinpath(FILE).read_bytes()
    except ModuleNotFoundError:
        return None


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
