"""Tests of notebooks wait for a kernel, and ask for a sign of life before they give up."""

from __future__ import annotations

from queue import Empty
from types import SimpleNamespace

import pytest
from conftest import POKES, patiently


class Kernel:
    """A kernel whose next message comes after some questions."""

    def __init__(self, questions):
        self.left, self.kc = questions, self

    def kernel_info(self):
        self.left -= 1

    def get_message(self, stream, timeout):
        if self.left:
            raise Empty
        return f"message of {stream}"


def test_a_message_that_stays_away_is_asked_for():
    notebook = SimpleNamespace(kernel=Kernel(2), pokes=0)
    assert patiently(notebook, 1) == "message of iopub" and notebook.pokes == 2


def test_not_for_ever():
    notebook = SimpleNamespace(kernel=Kernel(99), pokes=0)
    with pytest.raises(Empty):
        patiently(notebook, 1)
    assert notebook.pokes == POKES


def test_an_answer_that_is_late_is_late():
    with pytest.raises(Empty):
        patiently(SimpleNamespace(kernel=Kernel(1), pokes=0), 1, stream="shell")
