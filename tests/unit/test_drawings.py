"""Drawings are what their code draws, are shown and told in words, and nothing in them collides."""

from __future__ import annotations

import re
from itertools import combinations, pairwise

import matplotlib
import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from course_utils.authoring import source
from course_utils.authoring.drawings.album import DRAWINGS, FOLDER
from course_utils.authoring.drawings.canvas import MARGIN, WIDTH, Box, Canvas, corners

LINK = re.compile(r"!\[([^]]*)\]\(assets/drawings/([^)]*)\.svg\)")
LEAST_LETTERS = 13.0  # pixels
SLACK = 1.0  # a pixel by which boxes of letters, taller than the letters, may meet


def links() -> list[tuple[str, str]]:
    """Alternative text and name of every drawing that a source shows."""
    texts = [source.source_path(name).read_text(encoding="utf-8") for name in source.names()]
    joined = re.sub(r"\n# ", " ", "\n".join(texts))
    return LINK.findall(joined)


def extent(text: Text, canvas: Canvas) -> Bbox:
    """Where a text stands, in pixels from the lower left corner."""
    return text.get_window_extent(canvas.figure.canvas.get_renderer())


def extents(canvas: Canvas) -> dict[str, Bbox]:
    """Where all words stand."""
    return {
        f"{number}: {text.get_text()}": extent(text, canvas)
        for number, text in enumerate(canvas.ax.texts)
        if text.get_text()
    }


def overlap(one: Bbox, other: Bbox) -> bool:
    """Whether two boxes share more than their borders."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return wide > SLACK and high > SLACK


@pytest.fixture(scope="module", params=DRAWINGS)
def drawn(request) -> tuple[str, Canvas]:
    return request.param, DRAWINGS[request.param]()


def test_the_file_is_what_the_code_draws(drawn):
    name, canvas = drawn
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert canvas.svg() == text, "run `make drawings`"


def test_a_readers_style_does_not_reach_the_drawings():
    with matplotlib.rc_context({"font.family": "serif", "lines.solid_capstyle": "round"}):
        assert DRAWINGS["glasses"]().svg() == FOLDER.joinpath("glasses.svg").read_text("utf-8")


def test_no_file_is_left_over():
    assert {path.stem for path in FOLDER.iterdir()} == set(DRAWINGS)


def test_every_drawing_is_shown_and_told_in_words():
    shown = links()
    assert {name for _, name in shown} == set(DRAWINGS)
    for told, name in shown:
        assert len(told.split()) > 5, f"{name}: the alternative text says what the drawing shows"


def test_words_stay_on_the_card_and_are_large_enough(drawn):
    _, canvas = drawn
    for text, box in extents(canvas).items():
        assert box.x0 > MARGIN / 2 and box.x1 < WIDTH - MARGIN / 2, text
        assert box.y0 > MARGIN / 2 and box.y1 < canvas.height - MARGIN / 2, text
    assert all(text.get_fontsize() / 0.72 >= LEAST_LETTERS for text in canvas.ax.texts)


def test_words_do_not_overlap(drawn):
    _, canvas = drawn
    for (one, first), (other, second) in combinations(extents(canvas).items(), 2):
        assert not overlap(first, second), f"{one!r} and {other!r}"


def test_words_stay_in_their_boxes(drawn):
    _, canvas = drawn
    for text, box in canvas.inside:
        place = extent(text, canvas)
        assert place.x0 >= box.left().x + 3 and place.x1 <= box.right().x - 3, text.get_text()
        assert place.height <= box.height, text.get_text()


def test_no_line_runs_through_words(drawn):
    _, canvas = drawn
    words = extents(canvas)
    for way in canvas.ways:
        for (x0, y0), (x1, y1) in pairwise(way):
            low, high = sorted((canvas.height - y0, canvas.height - y1))
            left, right = sorted((x0, x1))
            line = Bbox.from_extents(left - 1, low - 1, right + 1, high + 1)
            crossed = [text for text, place in words.items() if overlap(line, place)]
            assert not crossed, f"{way}: {crossed}"


def test_boxes_do_not_overlap(drawn):
    _, canvas = drawn
    places = [
        Bbox.from_extents(b.left().x, b.top().y, b.right().x, b.bottom().y) for b in canvas.boxes
    ]
    assert not any(overlap(one, other) for one, other in combinations(places, 2))


def test_lines_turn_at_right_angles():
    one, other = Box(10, 10, 4, 4), Box(30, 20, 4, 4)
    assert corners(one.right(), other.left()) == [(12, 10), (20, 10), (20, 20), (28, 20)]
    assert corners(one.right(), other.top()) == [(12, 10), (30, 10), (30, 18)]
    assert corners(one.bottom(), other.left()) == [(10, 12), (10, 20), (28, 20)]
    assert corners(one.bottom(), other.bottom(), via=40) == [(10, 12), (10, 40), (30, 40), (30, 22)]
    assert corners(one.right(), Box(30, 10, 4, 4).left()) == [(12, 10), (28, 10)]
