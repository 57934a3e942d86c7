"""Claims: sentences that the notebooks measure."""

from __future__ import annotations

from IPython.display import Markdown, display

from course_utils.data.sources.sim import parse_world
from course_utils.settings import DEFAULT_LOG, chosen_log
from course_utils.world.config import WorldConfig

_measured: list[dict] = []


class ClaimFailed(AssertionError):
    """A claim that does not hold on the default log."""


def _on_default_log() -> bool:
    kind, _, options = chosen_log().partition(":")
    return kind == DEFAULT_LOG and parse_world(options) == WorldConfig()


def claim(text: str, holds: bool, measured: str = "", expected: bool = True) -> None:
    """Print one line: ✔ and the claim if it holds, ✘ and the claim if not.

    Args:
        text: the claim, one sentence without numbers that vary from machine to machine.
        holds: whether it was found true.
        measured: the values behind it, for the table of results; not printed.
        expected: False for a claim of the literature that this course measured to be false here;
            the notebook then says why, and the line is ✘ wherever it runs.

    Raises:
        ClaimFailed: the claim does not hold, or one expected to fail does, on the default log.
    """
    holds = bool(holds)
    line = f"{'✔' if holds else '✘'} {text}"
    record = {"claim": text, "holds": holds, "measured": measured}
    _measured.append(record)
    display({"text/plain": line}, raw=True, metadata={"course": record})
    if holds != expected and _on_default_log():
        raise ClaimFailed(
            f"{line}  (measured: {measured or 'not given'}) — expected to "
            f"{'hold' if expected else 'fail'} on the default log"
        )


def recap() -> None:
    """Show all claims that this notebook has measured so far, as a table."""
    rows = "\n".join(
        f"| {'✔' if c['holds'] else '✘'} | {c['claim']} | {c['measured']} |" for c in _measured
    )
    display(Markdown(f"| | claim | measured |\n|---|---|---|\n{rows}"))
