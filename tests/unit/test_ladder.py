"""The ladder: what is kept was measured on this code, and every rung can be climbed."""

from __future__ import annotations

from course_utils import ladder, publish
from course_utils.data import ranking_task


def test_what_is_kept_was_measured_on_this_code():
    kept = ladder.kept()
    assert kept["hash"] == publish.code_hash("import course_utils.ladder"), "run `make ladder`"
    assert tuple(kept["logs"]) == ladder.LOGS


def test_every_model_is_in_the_table_with_its_place():
    table = ladder.table()
    for row in ladder.kept()["logs"]["sim"]:
        assert f"| {row['model']} |" in table
        low, high = row["auc"][1:]
        assert low < row["auc"][0] < high
        assert row["way"] <= 1


def test_climbing_a_small_world(tiny_log):
    task = ranking_task(tiny_log)
    rows = ladder.climb(task)
    names = [row["model"] for row in rows]
    assert names == ["oracle", *ladder.rungs(task)]
    for row in rows[1:]:
        assert 0.5 < row["auc"][0] < rows[0]["auc"][0]
        assert row["parameters"] > 0
        assert row["ms"] > 0


def test_only_measured_logs_are_drawn(capsys):
    ladder.draw(["FM"], "my_log.parquet")
    assert "sim and movielens" in capsys.readouterr().out
