"""The house style of the drawings: a white card with boxes, arrows and their tensors' shapes.

What is learned has a thick blue edge, data a thin grey one, a calculation none of its own weights
and round ends, a loss a dashed orange edge. Places are pixels: x to the right, y down.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Any, Literal, NamedTuple

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text

from course_utils.lesson.plots import COLORS, PALETTE

WIDTH, MARGIN = 960, 28
INK, SOFT = COLORS["oracle"], "#4a4a4a"
LEARNED, LOSS, EDGE = COLORS["neural"], PALETTE[3], COLORS["muted"]
WATER = "#9fd0ee"
NAME, NOTE, TITLE = 15.0, 13.5, 20.0
"""Sizes of letters in pixels."""
STYLE: Any = [
    "default",  # whatever a reader has set
    {
        "font.family": "DejaVu Sans",
        "mathtext.fontset": "dejavusans",
        "svg.fonttype": "path",
        "svg.hashsalt": "neural-recsys-course",
        "path.simplify": False,
    },
]

Kind = Literal["data", "learned", "step", "loss"]
STYLES: dict[Kind, dict] = {
    "data": {"facecolor": "#f4f4f4", "edgecolor": EDGE, "linewidth": 1.0},
    "learned": {"facecolor": "#dcebf5", "edgecolor": LEARNED, "linewidth": 2.4},
    "step": {"facecolor": "white", "edgecolor": INK, "linewidth": 1.2},
    "loss": {"facecolor": "#fdeee3", "edgecolor": LOSS, "linewidth": 2.0, "linestyle": (0, (4, 2))},
}
HEAD = 11
"""Length of an arrow's head, in pixels."""
QUARTER = 0.5523
"""How far from its ends, in radii, the handles of a quarter of a circle stand."""
LEGEND: dict[Kind, str] = {
    "data": "data",
    "learned": "learned",
    "step": "calculation",
    "loss": "loss",
}


class Point(NamedTuple):
    """A place on a border, and whether a line leaves it sideways or up and down."""

    x: float
    y: float
    sideways: bool = True


@dataclass(frozen=True)
class Box:
    """A rectangle around its centre."""

    x: float
    y: float
    width: float
    height: float

    def left(self, shift: float = 0) -> Point:
        """Middle of the left border, or a place above or below it."""
        return Point(self.x - self.width / 2, self.y + shift)

    def right(self, shift: float = 0) -> Point:
        """Middle of the right border, or a place above or below it."""
        return Point(self.x + self.width / 2, self.y + shift)

    def top(self, shift: float = 0) -> Point:
        """Middle of the upper border, or a place beside it."""
        return Point(self.x + shift, self.y - self.height / 2, sideways=False)

    def bottom(self, shift: float = 0) -> Point:
        """Middle of the lower border, or a place beside it."""
        return Point(self.x + shift, self.y + self.height / 2, sideways=False)


def corners(start: Point, end: Point, via: float | None = None) -> list[tuple[float, float]]:
    """Corners of a line of level and upright pieces; `via` is where it crosses over."""
    (x0, y0, out), (x1, y1, into) = start, end
    if out != into:
        return [(x0, y0), (x1, y0) if out else (x0, y1), (x1, y1)]
    if y0 == y1 if out else x0 == x1:
        return [(x0, y0), (x1, y1)]
    if out:
        middle = (x0 + x1) / 2 if via is None else via
        return [(x0, y0), (middle, y0), (middle, y1), (x1, y1)]
    middle = (y0 + y1) / 2 if via is None else via
    return [(x0, y0), (x0, middle), (x1, middle), (x1, y1)]


def rounded(way: Sequence[tuple[float, float]], radius: float = 8) -> Path:
    """A line through some corners, each of them a quarter of a circle."""

    def towards(corner: tuple[float, float], other: tuple[float, float], far: float) -> list[float]:
        away = other[0] - corner[0], other[1] - corner[1]
        room = 1 if other in (way[0], way[-1]) else 0.5  # a piece between two corners is shared
        part = far * min(room, radius / max(map(abs, away)))
        return [corner[0] + part * away[0], corner[1] + part * away[1]]

    points, codes = [[*way[0]]], [Path.MOVETO]
    for before, corner, after in zip(way, way[1:], way[2:], strict=False):
        points += [towards(corner, before, far) for far in (1, 1 - QUARTER)]
        points += [towards(corner, after, far) for far in (1 - QUARTER, 1)]
        codes += [Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    return Path([*points, [*way[-1]]], [*codes, Path.LINETO])


def outline(box: Box, radius: float) -> Path:
    """The border of a box with round corners."""
    x0, x1, top, low = box.left().x, box.right().x, box.top().y, box.bottom().y
    start = (box.x, top)
    return rounded([start, (x1, top), (x1, low), (x0, low), (x0, top), start], radius)


@dataclass
class Canvas:
    """A card of some height with a title, and all that is put on it.

    Attributes:
        letters: what the letters of the shapes mean, told at the foot.
        inside: texts, and the boxes that they must stay in. ways: corners of all lines.
        boxes: all boxes and tables. kinds: those that occur.
    """

    title: str
    height: int
    letters: str = ""
    inside: list[tuple[Text, Box]] = field(default_factory=list)
    ways: list[list[tuple[float, float]]] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    kinds: set[Kind] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.figure = Figure(figsize=(WIDTH / 100, self.height / 100), dpi=100, facecolor="none")
        FigureCanvasAgg(self.figure)
        self.ax = self.figure.add_axes((0, 0, 1, 1))
        self.ax.set(xlim=(0, WIDTH), ylim=(self.height, 0))
        self.ax.axis("off")
        card = {"facecolor": "white", "edgecolor": "#d0d0d0", "linewidth": 1.0, "zorder": 0}
        self._round(Box(WIDTH / 2, self.height / 2, WIDTH - 4, self.height - 4), 16, card)
        self.text(self.title, MARGIN, 36, TITLE, weight="bold", ha="left")

    def _round(self, box: Box, radius: float, look: dict) -> None:
        line = outline(box, min(radius, box.height / 2))
        self.ax.add_patch(PathPatch(line, **look))

    def _placed(self, kind: Kind, box: Box) -> Box:
        self.kinds.add(kind)
        self.boxes.append(box)
        return box

    def text(self, text: str, x: float, y: float, size: float = NOTE, **look: str) -> Text:
        """Words around a place; their size in pixels."""
        told = {"color": INK, "ha": "center", "va": "center_baseline", **look}
        size *= 0.72  # points
        return self.ax.text(x, y - 1.5, text, size=size, zorder=4, linespacing=1.35, **told)

    def box(
        self, kind: Kind, name: str, at: tuple[float, float], size: tuple[float, float] = (140, 56),
        note: str = "",
    ) -> Box:  # fmt: skip
        """A box with a name and, below it, a note."""
        box = self._placed(kind, Box(*at, *size))
        self._round(box, box.height / 2 if kind == "step" else 6, {**STYLES[kind], "zorder": 2})
        if name:
            self.inside.append((self.text(name, box.x, box.y - (9.5 if note else 0), NAME), box))
        if note:
            self.inside.append((self.text(note, box.x, box.y + 10.5, color=SOFT), box))
        return box

    def sign(self, symbol: str, at: tuple[float, float]) -> Box:
        """A small round calculation, such as +."""
        box = self.box("step", "", at, (36, 36))
        self.inside.append((self.text(symbol, box.x, box.y, 21), box))
        return box

    def cells(
        self, kind: Kind, at: tuple[float, float], rows: int, columns: int,
        size: tuple[float, float] = (24, 24), words: Callable[[int, int], str] | None = None,
        plain: tuple[str, ...] = (),
    ) -> Box:  # fmt: skip
        """A table; `words` of a row and a column stand in a cell and, if not `plain`, fill it."""
        box = self._placed(kind, Box(*at, columns * size[0], rows * size[1]))
        look = {**STYLES[kind], "zorder": 2}
        for row, column in product(range(rows), range(columns)):
            x, y = box.left().x + column * size[0], box.top().y + row * size[1]
            word = words(row, column) if words else ""
            empty = "white" if words else look["facecolor"]
            face = WATER if word not in ("", *plain) else empty
            thin = {**look, "linewidth": 0.8, "facecolor": face}
            self.ax.add_patch(Rectangle((x, y), *size, **thin))
            if word:
                self.text(word, x + size[0] / 2, y + size[1] / 2)
        around = {**look, "facecolor": "none", "zorder": 3}
        self.ax.add_patch(Rectangle((box.left().x, box.top().y), box.width, box.height, **around))
        return box

    def glass(self, box: Box, full: float) -> None:
        """A glass, open above, filled in part."""
        low, x0, x1 = box.bottom().y, box.left().x, box.right().x
        water: dict[str, Any] = {"facecolor": WATER, "edgecolor": "none", "zorder": 1}
        self.ax.add_patch(Rectangle((x0, low), box.width, -full * box.height, **water))
        top = box.top().y
        walls = {"color": INK, "linewidth": 2.2, "solid_joinstyle": "round", "zorder": 2}
        self.ax.plot([x0, x0, x1, x1], [top, low, low, top], **walls)

    def frame(self, box: Box, name: str) -> None:
        """A dotted frame around what belongs together, its name in the upper left corner."""
        look = {"facecolor": "none", "edgecolor": EDGE, "linewidth": 1.2, "linestyle": (0, (1, 2))}
        self._round(box, 10, {**look, "zorder": 1})
        left, top = box.x - box.width / 2, box.y - box.height / 2
        self.text(name, left + 12, top + 16, ha="left", weight="bold", color=SOFT)

    def arrow(
        self, start: Point, end: Point, label: str = "", via: float | None = None, at: int = 0,
        side: Literal["above", "below", "left", "right"] = "above", dashed: bool = False,
    ) -> None:  # fmt: skip
        """A line between two borders, its label beside the piece number `at`."""
        way = corners(start, end, via)
        self.ways.append(way)
        (x0, y0), (x1, y1) = way[-2:]
        far = max(abs(x1 - x0), abs(y1 - y0))
        right, down = HEAD * (x1 - x0) / far, HEAD * (y1 - y0) / far
        back = x1 - right, y1 - down
        dashes = (0, (3, 2)) if dashed else "-"
        line = {"facecolor": "none", "edgecolor": INK, "linewidth": 1.5, "linestyle": dashes}
        self.ax.add_patch(PathPatch(rounded([*way[:-1], back]), capstyle="butt", zorder=3, **line))
        sides = [(back[0] - s * down / 2, back[1] + s * right / 2) for s in (1, -1)]
        self.ax.add_patch(Polygon([(x1, y1), *sides], color=INK, linewidth=0, zorder=3))
        if label:
            (x0, y0), (x1, y1) = way[at : at + 2]
            right, down = {"above": (0, -13), "below": (0, 14), "left": (-8, 0), "right": (8, 0)}[
                side
            ]
            ha = {"left": "right", "right": "left"}.get(side, "center")
            x, y = (x0 + x1) / 2 + right, (y0 + y1) / 2 + down
            self.text(label, x, y, ha=ha, color=SOFT)

    def chain(self, *boxes: Box) -> None:
        """Arrows from each box to the next one on its right."""
        for one, other in pairwise(boxes):
            self.arrow(one.right(), other.left())

    def finish(self) -> None:
        """Say at the foot what the letters mean, and at the top what the borders mean."""
        self.text(self.letters, MARGIN, self.height - 28, ha="left", color=SOFT)
        x, y = WIDTH - MARGIN, 36
        for kind in reversed([kind for kind in LEGEND if kind in self.kinds]):
            word = self.text(LEGEND[kind], x, y, ha="right", color=SOFT)
            x -= round(word.get_window_extent().width) + 22
            look = {**STYLES[kind], "zorder": 2}
            self._round(Box(x, y, 26, 16), 8 if kind == "step" else 3, look)
            x -= 30

    def svg(self) -> str:
        """The drawing as text, the same on every machine."""
        target = io.StringIO()
        metadata = {"Title": self.title, "Date": None, "Creator": None}
        with style.context(STYLE):
            self.figure.savefig(target, format="svg", facecolor="none", metadata=metadata)
        return re.sub(r"[ \t]+\n", "\n", target.getvalue())


@dataclass(frozen=True)
class Drawing:
    """What draws a drawing, and how large it is."""

    draw: Callable[[Canvas], None]
    title: str
    height: int
    letters: str

    def __call__(self) -> Canvas:
        with style.context(STYLE):
            canvas = Canvas(self.title, self.height, self.letters)
            self.draw(canvas)
            canvas.finish()
        return canvas


def drawing(
    title: str, height: int, letters: str = ""
) -> Callable[[Callable[[Canvas], None]], Drawing]:
    """Make a drawing of a function that draws on a canvas.

    Args:
        height: in pixels. letters: what the letters of the shapes mean.
    """
    return lambda draw: Drawing(draw, title, height, letters)
