"""Claims: sentences that the notebooks measure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from IPython.display import Markdown, display

from course_utils.data.log import Log
from course_utils.settings import only_reports
from course_utils.world.config import WorldConfig

TABLES = {
    "artists": "artists",
    "albums": "albums",
    "vectors": "content vectors",
    "texts": "texts",
    "truth": "true probabilities",
}
"""What a log may have beside its events, in words."""


class ClaimFailed(AssertionError):
    """A claim that does not hold on the default log."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of this error: the sentence alone."""
        return [str(self)]


@dataclass(frozen=True)
class Record:
    """One measured claim: the sentence, whether it holds, the values behind it, if it is open."""

    claim: str
    holds: bool
    measured: str
    open: bool = False

    @property
    def mark(self) -> str:
        """✔ or ✘; ◦ for a line that is left open."""
        return mark(self.holds, self.open)

    @property
    def line(self) -> str:
        """✔ and the sentence, or ✘ or ◦, the sentence and what was measured."""
        settled = self.holds and not self.open
        told = "" if settled else f"  (measured: {self.measured or 'not given'})"
        return f"{self.mark} {self.claim}{told}"


class Claims:
    """The claims of one notebook, bound to the log that it opened.

    Called as `claim(sentence, holds, measured)`. A claim that is measured again, because its cell
    was run twice, takes the place of the earlier one.

    Args:
        log: what the claims are measured on. On the default log a false claim raises; on any other,
            and while trials are run or seeds compared, it is reported, and the notebook goes on.
    """

    def __init__(self, log: Log) -> None:
        self.enforced = log.world == WorldConfig() and not only_reports()
        self.records: dict[str, Record] = {}
        if absent := [words for table, words in TABLES.items() if getattr(log, table) is None]:
            print(f"This log has no {', no '.join(absent)}: what rests on them is left out.")

    def __call__(
        self, sentence: str, holds: object, measured: str = "", expected: bool | None = True
    ) -> None:
        """Print one line: ✔ and the claim if it holds, ✘ with what was measured if not.

        Args:
            sentence: the claim, without numbers that vary from machine to machine.
            holds: whether it was found true, as `truth` takes it.
            measured: the values behind it, for the recap and the table of results, the one that
                matters first: its range over seeds is shown there.
            expected: False for a claim of the literature that this course measured to be false
                here; the notebook then says why, and the line is ✘ wherever it runs. None for a
                claim that training seeds do not agree on, or that the comparison does not settle:
                it is open, its line is ◦, and no outcome raises.

        Raises:
            ClaimFailed: the claim does not hold, or one expected to fail does, on the default log.
        """
        record = Record(sentence, truth(holds), measured, expected is None)
        self.records[sentence] = record
        metadata = {"claim": sentence, "holds": record.holds, "measured": measured}
        metadata |= {"open": True} if record.open else {}
        display({"text/plain": record.line}, raw=True, metadata={"course": metadata})
        if expected not in (None, record.holds) and self.enforced:
            raise ClaimFailed(
                f"{record.line} — expected to {'hold' if expected else 'fail'} on the default log; "
                f"measured: {measured or 'not given'}"
            )

    def recap(self) -> None:
        """Show all claims that this notebook has measured so far, as a table."""
        rows = "\n".join(
            f"| {r.mark} | {cell_of_table(r.claim)} | {cell_of_table(r.measured)} |"
            for r in self.records.values()
        )
        display(Markdown(f"| | claim | measured |\n|---|---|---|\n{rows}"))


def mark(holds: bool, open_: bool) -> str:
    """✔ for a claim that holds, ✘ for one that does not, ◦ for one that is left open."""
    return "◦" if open_ else "✔" if holds else "✘"


def truth(holds: object) -> bool:
    """True or False of Python, NumPy, PyTorch or Polars; anything else is no answer.

    Raises:
        ClaimFailed: it is not a single truth value, such as NaN, text or a function.
    """
    value = holds.item() if hasattr(holds, "item") and getattr(holds, "shape", ()) == () else holds
    if not isinstance(value, bool):
        raise ClaimFailed(
            f"a claim holds or it does not: give True or False, not {value!r}; compare first, "
            "reduce several answers with all()"
        )
    return value


def cell_of_table(text: str) -> str:
    """Text that keeps within one cell of a Markdown table: no line breaks, bars escaped.

    >>> print(cell_of_table("a | b"))
    a \\| b
    """
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))
