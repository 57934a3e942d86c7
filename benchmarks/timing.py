"""What validation takes, so that it can be left out of the seconds of training."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from torch import Tensor

from course_utils import train

Criterion = Callable[[Any, train.Batch], Tensor]


class Timed:
    """A criterion that counts the seconds it takes.

    Attributes:
        seconds: that all calls took together.
    """

    def __init__(self, criterion: Criterion) -> None:
        self.criterion, self.seconds = criterion, 0.0

    def __call__(self, model: Any, batch: train.Batch) -> Tensor:
        start = time.perf_counter()
        value = self.criterion(model, batch)
        self.seconds += time.perf_counter() - start
        return value
