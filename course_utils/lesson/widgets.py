"""Widgets for a live notebook, and nothing where nobody can turn them."""

from __future__ import annotations

from collections.abc import Callable

from ipywidgets import interact

from course_utils.settings import headless


def interactive(callback: Callable, **controls: object) -> None:
    """Let the reader call `callback` with controls (see `ipywidgets.interact`).

    Without a reader (the variable COURSE_HEADLESS is set) one line stands in its place: the static
    call beside the widget has shown the callback's work already.
    """
    if headless():
        print("(a widget: run this cell in JupyterLab to play with it)")
    else:
        interact(callback, **controls)
