"""The course as a static site: the built notebooks as pages, with a search, executing nothing.

Everything that a page needs lies beside it, mathematics included: it opens without a network.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from sphinx.application import Sphinx

from course_utils.authoring import publish, readme
from course_utils.authoring.source import PublishError, slide_type
from course_utils.lesson.syllabus import read_syllabus
from course_utils.settings import ASSETS, written_whole

STATIC = Path(__file__).parent / "static"
TITLE = "Neural recommender systems"
CONFIGURATION = {
    "project": TITLE,
    "html_title": TITLE,
    "extensions": ["myst_nb", "sphinx_copybutton", "sphinx-mathjax-offline"],
    "html_theme": "furo",
    "html_static_path": [str(STATIC)],
    "html_css_files": ["site.css"],
    "html_js_files": ["site.js"],
    "html_show_sourcelink": False,
    "html_copy_source": False,
    "html_show_copyright": False,
    "html_show_sphinx": False,
    "nb_execution_mode": "off",
    "nb_ipywidgets_js": {},  # a page has no kernel that would move a widget
    "nb_output_stderr": "remove",
    "myst_enable_extensions": ["dollarmath", "amsmath"],
    "myst_heading_anchors": 3,
    "suppress_warnings": ["myst.header"],  # below a title stands what one will be able to do
}


def build(target: Path) -> Path:
    """Write the site of the built notebooks.

    Args:
        target: its folder; what is there is replaced.

    Returns:
        Its first page.

    Raises:
        PublishError: a notebook has not been built, or a page cannot be made.
    """
    with tempfile.TemporaryDirectory() as work, written_whole(target) as made:
        pages, told = Path(work) / "pages", Path(work) / "warnings"
        shutil.copytree(ASSETS, pages / "assets", ignore=shutil.ignore_patterns("*.json"))
        for name in readme.written():
            nbformat.write(as_page(publish.read_built(name)), pages / f"{name}.ipynb")
        for name, text in {"index": first_page(), readme.RESULTS.stem: results_page()}.items():
            (pages / f"{name}.md").write_text(text, encoding="utf-8")
        with told.open("w", encoding="utf-8") as warnings:
            app = Sphinx(
                pages, None, made, Path(work) / "trees", "html",
                CONFIGURATION, status=None, warning=warnings,
            )  # fmt: skip
            app.build()
        if complaints := told.read_text(encoding="utf-8").strip():
            raise PublishError(f"the site has faults:\n{complaints.replace(str(pages), '')}")
    return target / "index.html"


def as_page(notebook: NotebookNode) -> NotebookNode:
    """A lecture without what is said to a speaker; links in its outputs lead to pages."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        if told := data.get("text/markdown"):
            data["text/markdown"] = re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.html)", told)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = without_files(cell.source)
        if alt := cell.metadata.get("alt"):
            cell.metadata["mystnb"] = {"image": {"alt": alt}}
    notebook.cells = [cell for cell in notebook.cells if slide_type(cell) != "notes"]
    return notebook


def first_page() -> str:
    """The README's first words, and the map of the course."""
    syllabus, written = read_syllabus(), set(readme.written())
    opening = readme.README.read_text(encoding="utf-8").partition("\n![")[0]
    lines = [opening, ""]
    for number, part in enumerate(syllabus.parts, start=1):
        names = [lesson.name for lesson in syllabus.part(number) if lesson.name in written]
        if names:
            lines += ["```{toctree}", f":caption: {part}", ":maxdepth: 1", "", *names, "```", ""]
    last = ["```{toctree}", ":caption: All notebooks", "", readme.RESULTS.stem, "```"]
    return "\n".join([*lines, *last])


def results_page() -> str:
    """What was measured: every claim of every notebook."""
    return without_files(readme.RESULTS.read_text(encoding="utf-8"))


def without_files(text: str) -> str:
    """Words in the place of links to files of the project, which lie in no site and no deck.

    >>> without_files("see the [datasheet](../data/README.md)")
    'see the datasheet'
    """
    return re.sub(r"\[([^]]*)\]\(\.\./[^)]*\)", r"\1", text)
