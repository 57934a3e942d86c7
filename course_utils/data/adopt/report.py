"""What an adoption read, how it understood it, and what it left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Report:
    """What was read, how, and what was left out.

    Attributes:
        folder: of the log. files: that were read. told: how columns were understood.
        rows, kept: numbers of events. dropped: (reason, rows, first row, what stands there).
        start: microseconds since 1970 of second 0 of the log; None if it has no dates.
    """

    folder: Path
    files: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    rows: int = 0
    kept: int = 0
    dropped: list[tuple[str, int, int, str]] = field(default_factory=list)
    start: int | None = None

    def __str__(self) -> str:
        files = ", ".join(self.files[:3]) + (
            f" and {len(self.files) - 3:,} more" if len(self.files) > 3 else ""
        )
        lines = [f"{files} → {self.folder}", *(f"  {line}" for line in self.told)]
        lines.append(
            f"{self.rows:,} rows read, {self.kept:,} kept as events, {self.lost:,} dropped"
        )
        lines += [
            f"  {n:>11,}  {why}, such as row {at:,}: {value}" for why, n, at, value in self.dropped
        ]
        return "\n".join(lines)

    @property
    def lost(self) -> int:
        """How many rows were dropped."""
        return sum(n for _, n, _, _ in self.dropped)

    def record(self) -> dict:
        """The same for programs."""
        keys = ("reason", "rows", "first_row", "value")
        return {
            "files": self.files,
            "understood": self.told,
            "rows": self.rows,
            "kept": self.kept,
            "dropped": [dict(zip(keys, each, strict=True)) for each in self.dropped],
            "start_microseconds_since_1970": self.start,
        }
