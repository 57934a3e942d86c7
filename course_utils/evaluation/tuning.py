"""Trials: every rival gets the same number of them, and validation chooses.

`make tune` runs the trials of a notebook once and keeps all of them in
`notebooks/assets/tuned.json`; the notebook trains with what was chosen there.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import torch
from filelock import FileLock

from course_utils.settings import ASSETS, DEFAULT_LOG, course_seed

KEPT = ASSETS / "tuned.json"
LADDER = "ladder"
"""Under this name the trials of the ladder's models are kept."""

TRIALS = 7
"""How many trainings every model gets."""
RATE, DECAY = 3e-3, 10.0
"""Learning rate, and weight decay of embedding tables, with which the trials begin."""
RATE_STEP, DECAY_STEP = 3.0, 5.0
"""Factors to the next rate, and to the next decay."""


@dataclass(frozen=True)
class Trial:
    """One training: what was tried, and the lowest validation loss, with the epoch of it."""

    lr: float
    embedding_decay: float
    valid_loss: float
    best_epoch: int
    seconds: float


CENTRE = Trial(RATE, DECAY, float("nan"), 0, 0.0)
"""With what a model is trained that nobody has tuned."""


def search(attempt: Callable[[float, float], Trial], has_tables: bool) -> list[Trial]:
    """Seven trials: five decays of tables and then two rates, or seven rates without tables.

    The first three values are the centre and one step to both sides. Each further one goes a step
    beyond where the best value lies at an edge, and else halves the gap to its better neighbour.
    Rate times decay stays at 1 or below: a step of AdamW multiplies a table by 1 minus it.

    Args:
        attempt: trains with a rate and a decay. has_tables: whether the decay of tables matters.

    Returns:
        The trials in their order; the one with the lowest validation loss counts.
    """
    trials: dict[tuple[float, float], Trial] = {}

    def tried(rate: float, decay: float) -> float:
        if (rate, decay) not in trials:
            trials[rate, decay] = attempt(rate, decay)
        return trials[rate, decay].valid_loss

    decay = DECAY
    if has_tables:
        decay = _line(lambda value: tried(RATE, value), DECAY, DECAY_STEP, TRIALS - 2, 1 / RATE)
    most = 1 / decay if has_tables else float("inf")
    _line(lambda value: tried(value, decay), RATE, RATE_STEP, 3 if has_tables else TRIALS, most)
    return list(trials.values())


def _line(loss: Callable[[float], float], centre: float, step: float, n: int, most: float) -> float:
    """The best of `n` values around a centre, each tried once, none larger than `most`."""
    seen = {value: loss(value) for value in (centre, centre / step, min(centre * step, most))}
    while len(seen) < n:
        values = sorted(seen)
        at = values.index(min(seen, key=seen.__getitem__))
        if at == 0:
            value = values[0] / step
        elif at == len(values) - 1 and values[-1] < most:
            value = min(values[-1] * step, most)
        elif at == len(values) - 1:
            value = (values[-2] * values[-1]) ** 0.5
        else:
            neighbour = min(values[at - 1], values[at + 1], key=seen.__getitem__)
            value = (values[at] * neighbour) ** 0.5
        seen[value] = loss(value)
    return min(seen, key=seen.__getitem__)


def best(trials: list[Trial]) -> Trial:
    """The trial with the lowest validation loss."""
    return min(trials, key=lambda trial: trial.valid_loss)


def edges(trials: list[Trial]) -> str:
    """Which choice lies at the edge of what was tried: `rate`, `decay`, both, or none of them."""
    chosen = best(trials)
    tried = {
        "rate": ([trial.lr for trial in trials], chosen.lr),
        "decay": ([trial.embedding_decay for trial in trials], chosen.embedding_decay),
    }
    at = [
        name
        for name, (values, own) in tried.items()
        if len(set(values)) > 1 and own in (min(values), max(values))
    ]
    return ", ".join(at)


class Tuned:
    """The trials that were kept for one notebook, on one log.

    Args:
        notebook: its name. log: the name of its log; on a log that was not tuned by itself, what
            was chosen on the default log is used.
    """

    def __init__(self, notebook: str, log: str) -> None:
        self.notebook, self.log = notebook, log
        kept = _read().get(notebook, {})
        self.source = log if log in kept else DEFAULT_LOG
        models = kept.get(self.source, {}).get("models", {})
        self.trials = {name: [Trial(**one) for one in tried] for name, tried in models.items()}
        self.others = kept.get(self.source, {}).get("others", {})

    def keep(self, name: str, trials: list[Trial]) -> None:
        """Keep the trials of a model, in the place of earlier ones."""
        self.trials[name] = trials
        self._keep("models", name, [asdict(trial) for trial in trials])

    def keep_other(self, name: str, trials: list[dict]) -> None:
        """Keep the trials of a model that is no network, as records of its own kind."""
        self.others[name] = trials
        self._keep("others", name, trials)

    def _keep(self, kind: str, name: str, trials: list[dict]) -> None:
        if not self.notebook:
            raise ValueError(f"trials of {name!r}: name the notebook under which they are kept")
        with _changing() as kept:
            entry = kept.setdefault(self.notebook, {}).setdefault(self.log, {"models": {}})
            entry.setdefault(kind, {})[name] = trials
            entry["date"] = datetime.datetime.now(datetime.UTC).date().isoformat()
            threads = torch.get_num_threads()
            entry["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, {threads} threads"
            entry["seed"] = course_seed()

    def forget(self) -> None:
        """Leave out all trials on this log, before they are run anew."""
        self.trials, self.others = {}, {}
        with _changing() as kept:
            kept.get(self.notebook, {}).pop(self.log, None)


@contextmanager
def _changing() -> Iterator[dict]:
    """What is kept, to be changed; other processes wait."""
    with FileLock(KEPT.with_name(".tuned.lock")):
        kept = _read()
        yield kept
        text = json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        partial = KEPT.with_name(".tuned.partial")
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(KEPT)


def _read() -> dict:
    return json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
