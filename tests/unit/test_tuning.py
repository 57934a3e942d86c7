"""Trials and seeds: every rival gets as many, what they chose is kept and used."""

from __future__ import annotations

import json

import pytest
import torch
from nbformat import v4

from course_utils.authoring import repeats, seeds
from course_utils.data.tasks import ranking
from course_utils.data.tasks.ranking import ranking_task
from course_utils.evaluation import tuning
from course_utils.evaluation.contest import Contest
from course_utils.evaluation.tuning import Trial, Tuned, best, edges, search
from course_utils.models.ranking.fm_ffm import FactorizationMachine, LogisticRegression
from course_utils.models.ranking.ple import Standardized
from course_utils.settings import TUNE


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """An empty folder for what is kept."""
    monkeypatch.setattr(tuning, "KEPT", tmp_path / "tuned.json")
    return tmp_path


@pytest.fixture(scope="module")
def task(tiny_log):
    return ranking_task(tiny_log)


def bowl(lr: float, decay: float) -> Trial:
    """A validation loss that is lowest at a rate of 9e-3 and a decay of 0.4."""
    distance = abs(torch.log(torch.tensor([lr / 9e-3, decay / 0.4]))).sum()
    return Trial(lr, decay, float(distance), 1, 0.0)


def test_as_many_trials_for_everyone():
    with_tables, without = search(bowl, True), search(bowl, False)
    assert len(with_tables) == len(without) == tuning.TRIALS == 7
    assert [t.embedding_decay for t in with_tables[:5]] == pytest.approx([10, 2, 50, 0.4, 0.08])
    assert [t.lr for t in with_tables[5:]] == pytest.approx([1e-3, 9e-3])
    chosen = best(with_tables)
    assert (chosen.lr, chosen.embedding_decay) == pytest.approx((9e-3, 0.4))
    assert edges(with_tables) == "rate", "the decay was followed until it rose again"
    assert {t.embedding_decay for t in without} == {tuning.DECAY}
    assert edges(without) == "" and best(without).lr == pytest.approx(9e-3)
    assert sorted(t.lr for t in without)[-2:] == pytest.approx([9e-3 * 3**0.25, 27e-3], rel=0.3)


def test_a_table_is_never_turned_over_by_its_decay():
    tried = search(lambda lr, decay: Trial(lr, decay, -lr * decay, 1, 0.0), True)
    assert len(tried) == tuning.TRIALS
    assert max(t.lr * t.embedding_decay for t in tried) == pytest.approx(1)


def models(task):
    numbers, n = task.batches["train"]["numbers"], task.n_values
    return {
        "linear": lambda: LogisticRegression(n, Standardized(numbers)),
        "FM": lambda: FactorizationMachine(n, Standardized(numbers), dim=2),
    }


def test_a_contest_runs_trials_keeps_them_and_trains_with_the_best(task, monkeypatch, capsys):
    monkeypatch.setenv(TUNE, "all")
    contest = Contest(task, 0, "90_tiny")
    for name, make in models(task).items():
        contest.enter(name, make, epochs=1)
    tried = contest.tuned.trials
    assert [len(trials) for trials in tried.values()] == [7, 7]
    entry = json.loads(tuning.KEPT.read_text(encoding="utf-8"))["90_tiny"][task.log]
    assert {"date", "machine", "seed", "models"} == set(entry)
    assert "not tuned" not in capsys.readouterr().out

    monkeypatch.delenv(TUNE)
    later = Contest(task, 0, "90_tiny")
    for name, make in models(task).items():
        later.enter(name, make, epochs=1)
        assert torch.equal(later.scores[name], contest.scores[name]), "the best trial, once more"
        assert min(later.histories[name].valid_loss) == best(tried[name]).valid_loss
    table = later.trials()
    assert table["model"].to_list() == ["linear", "FM"]
    assert (table["validation loss"] <= table["… of the worst trial"]).all()


def test_trials_without_a_notebook_are_not_kept(kept):
    with pytest.raises(ValueError, match="trials of 'FM': name the notebook"):
        Tuned("", "sim").keep("FM", [bowl(3e-3, 1.0)])
    assert not (kept / "tuned.json").exists()


def test_a_model_can_be_tuned_alone_and_a_sweep_shares_its_trials(task, monkeypatch, capsys):
    make = models(task)["FM"]
    monkeypatch.setenv(TUNE, "FM; other")
    contest = Contest(task, 0, "90_tiny")
    contest.enter("linear", models(task)["linear"], epochs=1)
    contest.enter("FM", make, epochs=1)
    contest.enter("FM, again", make, like="FM", epochs=1)
    assert list(contest.tuned.trials) == ["FM"]
    assert torch.equal(contest.scores["FM"], contest.scores["FM, again"])
    told = capsys.readouterr().out
    assert "linear: best epoch 1" in told and told.count("(not tuned)") == 1


def test_a_contest_on_other_rows_shares_the_trials(task):
    Tuned("90_tiny", "sim").keep("FM", [bowl(1e-3, 10.0)])
    contest = Contest(task, 0, "90_tiny")
    other = contest.on(task, seed=5)
    assert (contest.on(task).seed, other.seed) == (0, 5)
    for one in (contest, other):
        one.enter("FM", models(task)["FM"], epochs=1)
    assert other.used["FM"] == contest.used["FM"] != []
    assert not torch.equal(other.scores["FM"], contest.scores["FM"])


def test_another_log_takes_what_the_default_log_chose(task):
    Tuned("90_tiny", "sim").keep("FM", [bowl(1e-3, 10.0)])
    assert Tuned("90_tiny", "movielens").source == "sim"
    assert best(Contest(task, 0, "90_tiny").tuned.trials["FM"]).lr == 1e-3
    Tuned("90_tiny", "movielens").keep("FM", [bowl(3e-3, 2.0)])
    assert best(Tuned("90_tiny", "movielens").trials["FM"]).lr == 3e-3
    Tuned("90_tiny", "movielens").forget()
    assert Tuned("90_tiny", "movielens").source == "sim" and not Tuned("91_other", "sim").trials


def test_a_lesson_has_recent_rows_for_training_and_spread_ones_for_the_rest(tiny_log, monkeypatch):
    whole = ranking_task(tiny_log, whole=True)
    monkeypatch.setattr(ranking, "LESSON_ROWS", {"train": 100, "validation": 10**9, "test": 50})
    few = ranking_task(tiny_log)
    assert len(few.batches["train"]["target"]) == len(few.frame("train")) == 100
    assert few.positions["train"].tolist() == whole.positions["train"][-100:].tolist()
    assert torch.equal(few.positions["validation"], whole.positions["validation"])
    assert len(few.oracle) == len(few.target) == 50
    places = torch.searchsorted(whole.positions["test"], few.positions["test"])
    assert (places.diff() - len(whole.target) / 50).abs().max() <= 1
    assert few.log == tiny_log.name


def test_claims_of_other_code_are_left_out_and_seeds_are_told(tmp_path):
    kept = repeats.Repeats(tmp_path / "claims.json")
    claim = {"claim": "a", "holds": True, "measured": "ΔAUC 0.0012 [0.0003, 0.0020]"}
    lower = other(claim, "ΔAUC −0.0005 [−0.0010, 0.0001]", holds=False)
    kept.keep("90_tiny", "0", "x", [claim])
    kept.keep("90_tiny", "1", "x", [lower])
    assert seeds.told(claim, kept.of("90_tiny", "x")["a"]) == "1 of 2 · −0.0005 … 0.0012"
    opened = seeds.told(claim | {"holds": False, "open": True}, kept.of("90_tiny", "x")["a"])
    assert opened.startswith("held in 1 of 2")
    assert kept.of("90_tiny", "y") == {} and seeds.told(claim, {}) == "–"
    zeros = {s: {"holds": True, "measured": m} for s, m in {"1": "-0.000", "2": "0.000"}.items()}
    assert seeds.told(claim, zeros) == "2 of 2"  # one value, told in no order of a set
    kept.keep("90_tiny", "1", "x", [])
    assert list(kept.of("90_tiny", "x")["a"]) == ["0"]
    kept.keep("90_tiny", "2", "y", [claim])
    assert list(kept.of("90_tiny", "y")["a"]) == ["2"]


def other(claim: dict, measured: str, holds: bool) -> dict:
    return {**claim, "measured": measured, "holds": holds}


def test_seeds_stay_when_only_an_expectation_changes():
    def measured(code: str) -> str:
        return repeats.measured_by(v4.new_notebook(cells=[v4.new_code_cell(code)]))

    claim = 'claim("a", 1 < x, "x"{})'
    plain = measured(claim.format(""))
    assert plain == measured(claim.format(", expected=None"))
    assert plain == measured(claim.format(', expected={"b": False}.get(x)'))
    assert plain != measured(claim.format("").replace("1", "2"))
    assert measured("show(expected=1)") != measured("show(expected=2)")
