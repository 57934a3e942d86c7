"""One style for all figures, one colour for each model, and the few plots that recur."""

from __future__ import annotations

import polars as pl
import seaborn as sns
from IPython import get_ipython
from matplotlib.axes import Axes

from course_utils.evaluation.intervals import Interval

PALETTE = sns.color_palette("colorblind", 10).as_hex()
"""Seaborn's colour-blind palette."""


COLORS = {
    "neural": PALETTE[0],
    "catboost": PALETTE[1],
    "oracle": "#222222",
    "popular": "#999933",
    "personal": "#117733",
    "knn": "#882255",
    "random": "#b0a8b9",
    "history": PALETTE[3],
    "linear": "#5d6d7e",
    "crosses": PALETTE[5],
    "fm": PALETTE[2],
    "ffm": PALETTE[9],
    "mlp": PALETTE[4],
    "wide & deep": PALETTE[8],
    "deepfm": PALETTE[6],
    "data": "#332288",
    "separate": "#8c510a",
    "muted": "#767676",
}
"""The colour of each model or role, the same in every notebook."""


TABLE_ROWS = 16
"""Rows of a table that a notebook shows at most."""


def use_style() -> None:
    """Set the style of the course: large text, light grid, 100 dpi; tables of values alone."""
    pl.Config.set_tbl_hide_column_data_types(True)
    pl.Config.set_tbl_hide_dataframe_shape(True)
    pl.Config.set_tbl_rows(TABLE_ROWS)
    if (shell := get_ipython()) is not None:  # in a notebook
        html = shell.display_formatter.formatters["text/html"]
        html.for_type(pl.DataFrame, _html)
    sns.set_theme(
        context="notebook",
        style="whitegrid",
        palette="colorblind",
        rc={
            "figure.dpi": 100,
            "figure.figsize": (8, 4.5),
            "figure.constrained_layout.use": True,
            "font.size": 14,
            "axes.titlesize": 15,
            "axes.labelsize": 14,
            "xtick.labelsize": 12.5,
            "ytick.labelsize": 12.5,
            "legend.fontsize": 12.5,
            "legend.frameon": False,
            "lines.linewidth": 2.4,
            "grid.color": "#e6e6e6",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
        },
    )


def _html(table: pl.DataFrame) -> str:
    """A table without quotation marks around text, and with a dash where there is no value."""
    return table._repr_html_().replace("&quot;", "").replace("<td>null</td>", "<td>–</td>")


def interval_plot(ax: Axes, rows: dict[str, Interval | None], colors: list[str]) -> None:
    """One line a row: the estimate, its 95 % interval, its name and its value; None stays empty."""
    for place, (interval, color) in enumerate(zip(rows.values(), colors, strict=True)):
        if interval is None:
            continue
        ax.plot([interval.low, interval.high], [place, place], color=color, linewidth=3)
        ax.plot(interval.value, place, "o", color=color, markersize=9)
        ax.annotate(
            f"{interval.value:.4f}",
            (interval.value, place),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=12,
            color=color,
        )
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.4, -0.7)
    ax.grid(axis="y", visible=False)


def reliability_plot(ax: Axes, curves: dict[str, dict], colors: dict[str, str]) -> None:
    """Predicted probability against observed share for each model, and the ideal diagonal."""
    ax.plot([0, 1], [0, 1], color=COLORS["muted"], linestyle=":", label="perfectly calibrated")
    for name, curve in curves.items():
        ax.errorbar(
            curve["predicted"],
            curve["observed"],
            yerr=1.96 * curve["error"],
            marker="o",
            label=name,
            color=colors[name],
            capsize=2,
        )
    ax.set(xlabel="predicted probability of a full play", ylabel="observed share", aspect="equal")
    ax.legend()
