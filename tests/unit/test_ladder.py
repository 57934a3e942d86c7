"""The ladder: what is kept was measured on this code, and every rung can be climbed."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from course_utils.authoring.freshness import code_hash
from course_utils.data.log import Log
from course_utils.data.tasks.ranking import ranking_task
from course_utils.evaluation import tuning
from course_utils.lesson import ladder, plots


def test_what_is_kept_was_measured_on_this_code():
    kept = ladder.kept()
    assert kept["hash"] == code_hash([ladder.MEASURED], assets=None), "run `make ladder`"
    assert tuple(kept["logs"]) == ladder.LOGS


def test_every_model_is_in_the_table_with_its_place():
    table = ladder.table()
    for row in ladder.kept()["logs"]["sim"]:
        assert f"| {row['model']} |" in table
        low, high = row["auc"][1:]
        assert low < row["auc"][0] < high
        assert row["way"] <= 1


def test_climbing_a_small_world(tiny_log, monkeypatch, tmp_path):
    """Three of the rungs; that each of the others can be built and called, test_rankers says."""
    monkeypatch.setattr(tuning, "KEPT", tmp_path / "tuned.json")  # not the course's own
    task = ranking_task(tiny_log)
    some = ["logistic regression", ladder.FOOT, "DCN-v2, unified"]
    rungs = {name: make for name, make in ladder.rungs(task).items() if name in some}
    monkeypatch.setattr(ladder, "rungs", lambda task, seed: rungs)
    rows = ladder.climb(task)
    assert [row["model"] for row in rows] == ["oracle", *some]
    for row in rows[1:]:
        assert 0.5 < row["auc"][0] < rows[0]["auc"][0]
        assert row["parameters"] > 0
        assert row["ms"] > 0
        assert (row["gap"] is None) == (row["model"] == ladder.FOOT)


@pytest.mark.parametrize("artists", [True, False])
def test_every_rung_can_be_built_on_any_log(tiny_log, artists):
    task = ranking_task(tiny_log if artists else Log("own", tiny_log.events))
    batch = {name: values[:8] for name, values in task.batches["train"].items()}
    for make in ladder.rungs(task).values():
        assert make()(batch["ids"], batch["numbers"]).shape == (8,)


def test_the_ladder_is_drawn_and_the_models_at_hand_stand_out(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    plots.use_style()
    ladder.draw(["FM"])
    axes = plt.gcf().axes
    labels = [text.get_text() for text in axes[0].get_yticklabels()]
    models = [row["model"] for row in ladder.kept()["logs"]["sim"]]
    assert labels == [name for name in models if name not in ("oracle", ladder.FOOT)]
    for ax, log in zip(axes, ladder.LOGS, strict=True):
        assert ax.get_title(loc="left") == log
        blue = [t.get_text() for t in ax.texts if t.get_color() == plots.COLORS["neural"]]
        fm = next(row for row in ladder.kept()["logs"][log] if row["model"] == "FM")
        assert blue == [f"{fm['gap'][0]:.4f}"]
    plt.close("all")
    assert "| **FM** |" in ladder.table(["FM"]) and "**" not in ladder.table()


def test_no_colour_stands_for_two_models():
    assert len(set(plots.COLORS.values())) == len(plots.COLORS)
