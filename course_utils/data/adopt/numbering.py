"""Public ids as whole numbers, and the tables that lead back."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from course_utils.schema import LARGEST

_WHOLE = r"^(0|[1-9][0-9]{0,9})$"


@dataclass(frozen=True)
class Numbering:
    """Which number stands for which public id.

    Attributes:
        table: (n rows) `number` UInt32 and `public`, sorted by number.
        kept: whether the ids are the numbers themselves.
    """

    table: pl.DataFrame
    kept: bool

    def apply(
        self, frame: pl.LazyFrame, column: str, name: str, unknown: bool = False
    ) -> pl.LazyFrame:
        """The same rows with the numbers of `column` as `name`.

        Args:
            frame: the rows. column: of public ids. name: of the column of numbers.
            unknown: whether rows of ids that have no number stay, with null; else they go.
        """
        if self.kept:
            number = pl.col(column).cast(pl.Int64, strict=False).cast(pl.UInt32, strict=False)
            known = number.is_in(self.table["number"].implode())
            rows = frame.with_columns(pl.when(known).then(number).alias(name))
            return rows if unknown else rows.drop_nulls(name)
        table = self.table.lazy().select(
            pl.col("number").alias(name), pl.col("public").cast(pl.String).alias(column)
        )
        same = frame.with_columns(pl.col(column).cast(pl.String))
        return same.join(table, on=column, how="left" if unknown else "inner")

    def told(self, what: str, file: str) -> str:
        """A line for the report; `what` they are, in the plural."""
        how = "their ids are kept" if self.kept else f"numbered from 1 in the order of {file}"
        return f"{len(self.table):,} {what}, {how}"


def number(frame: pl.LazyFrame, column: str) -> Numbering:
    """Number the ids of a column: kept if all are whole numbers that fit, else from 1, in order.

    Text counts as a whole number if it is written as one: `7`, but neither `07` nor `7.0`.
    """
    ids = frame.select(pl.col(column).unique()).drop_nulls().collect(engine="streaming")[column]
    fits = ids.dtype != pl.String or bool(ids.str.contains(_WHOLE).all())
    values = ids.cast(pl.Int64, strict=False) if fits else ids
    kept = fits and not values.null_count() and bool(values.is_between(0, LARGEST["uid"]).all())
    order = values.arg_sort() if kept else ids.arg_sort()
    public = ids.gather(order)
    numbers = values.gather(order) if kept else pl.Series(range(1, len(ids) + 1))
    return Numbering(pl.DataFrame({"number": numbers.cast(pl.UInt32), "public": public}), kept)
