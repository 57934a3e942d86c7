"""The site: a page a notebook, nothing broken, nothing fetched from the web."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from course_utils.authoring import publish, readme, site
from course_utils.authoring.source import PublishError

pytestmark = pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx API")  # myst-parser's

FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What a page links to, fetches, and calls by name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.names: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.names.update(value for name, value in told.items() if name in ("id", "name"))
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        if told.get(FETCHED.get(tag, "")):
            self.fetched.append(told[FETCHED[tag]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return site.build(tmp_path_factory.mktemp("site") / "made").parent


@pytest.fixture(scope="module")
def pages(folder) -> dict[Path, Page]:
    return {path: Page(path) for path in folder.glob("*.html")}


def test_every_notebook_has_a_page_that_the_first_one_names(folder, pages):
    assert {f"{name}.html" for name in readme.written()} <= {path.name for path in pages}
    linked = {urlsplit(link).path for link in pages[folder / "index.html"].links}
    assert {f"{name}.html" for name in [*readme.written(), readme.RESULTS.stem]} <= linked


def test_no_link_is_broken(folder, pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            to = urlsplit(link)
            if to.scheme in ("http", "https", "mailto"):
                continue
            other = folder / unquote(to.path) if to.path else path
            names = pages[other].names if to.fragment and other in pages else {to.fragment}
            if not other.exists() or unquote(to.fragment) not in names:
                broken.append((path.name, link))
    assert not broken


def test_nothing_is_fetched_from_the_web(folder, pages):
    for path, page in pages.items():
        for address in page.fetched:
            to = urlsplit(address)
            assert to.scheme in ("", "data"), (path.name, address)
            assert to.scheme == "data" or (folder / unquote(to.path)).exists(), (path.name, address)


def test_a_speakers_notes_stay_out(folder):
    said = 0
    for name in readme.written():
        text = (folder / f"{name}.html").read_text(encoding="utf-8")
        assert "For the speaker" not in text
        said += "For the speaker" in nbformat.writes(publish.read_built(name))
    assert said


def test_a_fault_is_told_and_leaves_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "kept.html").touch()
    monkeypatch.setattr(site.readme, "written", lambda: [])
    monkeypatch.setattr(site, "results_page", lambda: "# Results\n\n[gone](nowhere.ipynb)\n")
    monkeypatch.setattr(site, "first_page", lambda: "# First\n\n```{toctree}\nresults\n```\n")
    with pytest.raises(PublishError, match=r"nowhere\.ipynb"):
        site.build(tmp_path)
    assert (tmp_path / "kept.html").exists()
