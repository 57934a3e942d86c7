"""A built notebook as a deck of slides (reveal.js), executing nothing.

Cells follow each other as their slide types say. Everything that the deck needs lies in its folder,
mathematics included: it opens without a network. What is too long for a screen is laid out by
`static/slides.js`, which can measure it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from nbconvert.filters import ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from course_utils.authoring import publish, run, source
from course_utils.authoring.site import STATIC, without_files
from course_utils.settings import NOTEBOOKS, written_whole

LIBRARIES = {
    "sphinx_revealjs": [
        "_static/revealjs/dist/reset.css",
        "_static/revealjs/dist/reveal.css",
        "_static/revealjs/dist/reveal.js",
        "_static/revealjs/plugin/notes/notes.js",
        "_static/revealjs/LICENSE",
    ],
    run.PACKAGE: [run.FILE],
}
"""Files that a deck takes from packages."""
OURS = ["slides.css", "slides.js"]
STYLE = "a11y-light"
"""Colours of code, as on the site."""


@dataclass
class Output:
    """What a cell shows: its kind (`figure`, `html`, `markdown`, `claim` or `text`) and content."""

    kind: str
    content: str
    told: str = ""


@dataclass
class Cell:
    """A cell on a slide: its words (markdown) or code, as HTML, and its outputs, figures first."""

    name: str
    fragment: bool
    text: str = ""
    code: str = ""
    outputs: list[Output] = field(default_factory=list)

    @property
    def folded(self) -> bool:
        """Whether the figure is the point, and the code can be asked for."""
        return any(output.kind == "figure" for output in self.outputs)


@dataclass
class Slide:
    """What stands on a slide, before it is cut to the size of a screen; what the speaker says."""

    cells: list[Cell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def build(name: str, target: Path) -> Path:
    """Write the deck of a built notebook.

    Args:
        name: of the notebook. target: the deck's folder; what is there is replaced.

    Returns:
        Its page.

    Raises:
        PublishError: there is no such notebook, or it has not been built.
    """
    source.source_path(name)
    notebook = publish.read_built(name)
    template = Environment(loader=FileSystemLoader(STATIC), trim_blocks=True, lstrip_blocks=True)
    page = template.get_template("slides.html").render(
        title=title_of(notebook),
        stacks=stacks_of(notebook),
        colors=HtmlFormatter(style=STYLE).get_style_defs(".code"),
    )
    with written_whole(target) as made:
        for package, files in LIBRARIES.items():
            for file in map(resources.files(package).joinpath, files):
                (made / file.name).write_bytes(file.read_bytes())
        for file in map(STATIC.joinpath, OURS):
            (made / file.name).write_bytes(file.read_bytes())
        (made / "index.html").write_text(page, encoding="utf-8", newline="\n")
    return target / "index.html"


def title_of(notebook: NotebookNode) -> str:
    """The first heading."""
    found = re.search(r"(?m)^# +(.+)$", "\n".join(cell.source for cell in notebook.cells))
    return found[1] if found else ""


def stacks_of(notebook: NotebookNode) -> list[list[Slide]]:
    """The slides: a stack for each cell of type `slide`, one below the other its subslides."""
    stacks: list[list[Slide]] = []
    for cell in notebook.cells:
        kind = source.slide_type(cell)
        if kind == "skip":
            continue
        if kind == "slide" or not stacks:
            stacks.append([Slide()])
        elif kind == "subslide":
            stacks[-1].append(Slide())
        slide = stacks[-1][-1]
        if kind == "notes":
            slide.notes.append(as_html(cell.source, cell.get("attachments")))
        else:
            slide.cells.append(shown(cell, fragment=kind == "fragment"))
    return stacks


def shown(cell: NotebookNode, fragment: bool) -> Cell:
    """A cell as it stands on a slide."""
    if cell.cell_type != "code":
        return Cell(cell.id, fragment, text=as_html(cell.source, cell.get("attachments")))
    lines = highlight(cell.source, PythonLexer(), HtmlFormatter(nowrap=True))
    outputs = [found for output in cell.outputs if (found := output_of(output))]
    outputs.sort(key=lambda output: output.kind != "figure")
    return Cell(cell.id, fragment, code=lines.rstrip("\n"), outputs=joined(outputs))


def output_of(output: NotebookNode) -> Output | None:
    """The best form of an output; None for warnings, and for widgets, which have no kernel here."""
    if output.output_type == "stream":
        return Output("text", ansi2html(output.text)) if output.name == "stdout" else None
    data = output.get("data", {})
    for kind in data:
        if kind in publish.PICTURES:
            alternative = output.metadata.get(kind, {}).get("alt", "")
            return Output("figure", f"data:{kind};base64,{data[kind].strip()}", alternative)
    if any("widget" in kind for kind in data):
        return None
    if "text/html" in data:
        return Output("html", re.sub(r"(?s)<style.*?</style>", "", data["text/html"]))
    if "text/markdown" in data:
        return Output("markdown", as_html(data["text/markdown"]))
    if "text/plain" in data:
        kind = "claim" if "course" in output.metadata else "text"
        return Output(kind, ansi2html(data["text/plain"]))
    return None


def joined(outputs: list[Output]) -> list[Output]:
    """Lines that were printed one after another stand in one output."""
    found: list[Output] = []
    for output in outputs:
        if found and output.kind == found[-1].kind == "text":
            found[-1].content = f"{found[-1].content.rstrip()}\n{output.content}"
        else:
            found.append(output)
    return found


def as_html(text: str, pasted: dict[str, dict[str, str]] | None = None) -> str:
    """Markdown as HTML, with pasted and stored pictures; links to pages become words."""
    renderer = IPythonRenderer(
        escape=False, exclude_anchor_links=True, embed_images=True, path=str(NOTEBOOKS),
        attachments=pasted,
    )  # fmt: skip
    return MarkdownWithMath(renderer).render(
        re.sub(r"\[([^]]*)\]\(\w+\.(?:ipynb|md)\)", r"\1", without_files(text))
    )
