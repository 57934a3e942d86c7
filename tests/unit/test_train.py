"""The training loop: what it learns, keeps and refuses, with any loss."""

from __future__ import annotations

import copy
import math
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from course_utils import train
from course_utils.evaluation import pointwise
from course_utils.train import TrainingError

NAN = float("nan")


class Linear(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, 1)

    def forward(self, numbers):
        return self.weight(numbers).squeeze(1)


class Noisy(nn.Module):
    """An id table, a dropout, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(20, 4), nn.Linear(7, 1)

    def forward(self, ids, numbers):
        x = nn.functional.dropout(torch.cat([self.table(ids), numbers], 1), 0.3, self.training)
        return self.out(x).squeeze(1)


def separable(n=4_000, seed=0):
    torch.manual_seed(seed)
    x = torch.randn(n, 3)
    return {"numbers": x, "target": (x[:, 0] + 0.5 * torch.randn(n) > 0).float()}


def with_ids(n, seed):
    return {**separable(n, seed), "ids": torch.randint(0, 20, (n,))}


def quiet_fit(model, data, valid, **options):
    return train.fit(model, data, valid, progress=False, **options)


def test_fit_learns_and_restores_the_best_epoch():
    data, valid = separable(), separable(seed=1)
    model = Linear(3)
    history = quiet_fit(model, data, valid, epochs=5, batch_size=100, lr=0.05)
    assert pointwise.roc_auc(train.predict(model, valid), valid["target"]) > 0.9
    kept = pointwise.log_loss(train.predict(model, valid), valid["target"])
    assert kept == pytest.approx(min(history.valid_loss), abs=1e-5)
    assert history.valid_loss[history.best_epoch] == min(history.valid_loss)


def test_fit_stops_early_when_the_future_differs():
    data = separable()
    opposite = {**separable(seed=1)}
    opposite["target"] = 1 - opposite["target"]
    history = quiet_fit(Linear(3), data, opposite, epochs=20, lr=0.05, patience=1)
    assert len(history.valid_loss) <= history.best_epoch + 3 < 20


def test_fit_is_deterministic():
    def run():
        torch.manual_seed(0)
        model = Linear(3)
        quiet_fit(model, separable(), separable(seed=1), epochs=2, seed=5)
        return train.predict(model, separable(seed=2))

    assert torch.equal(run(), run())


@pytest.mark.parametrize("schedule", ["averaged", "cycle", "constant"])
def test_fit_is_the_loop_that_the_first_notebook_writes_out(schedule):
    """Bit for bit: the same order of rows, the same draws, the same steps."""
    data, valid = with_ids(500, 0), with_ids(200, 1)
    torch.manual_seed(3)
    model = Noisy()
    plain = copy.deepcopy(model)
    torch.manual_seed(4)
    quiet_fit(
        model, data, valid, epochs=3, batch_size=64, lr=0.01, schedule=schedule, patience=9, seed=5
    )
    torch.manual_seed(4)
    optimizer = torch.optim.AdamW(
        [
            {"params": plain.out.parameters(), "weight_decay": 1e-2},
            {"params": [plain.table.weight], "weight_decay": 10.0},
        ],
        lr=0.01,
        fused=True,  # as `fit` has it: the same formula, rounded in another order
    )
    if schedule == "cycle":
        rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=24, pct_start=0.15)
    mean, step = copy.deepcopy(plain), 0
    order, best = torch.Generator().manual_seed(5), (float("inf"), None)
    for _ in range(3):
        plain.train()
        for rows in torch.randperm(500, generator=order).split(64):
            logits = plain(data["ids"][rows], data["numbers"][rows])
            loss = nn.functional.binary_cross_entropy_with_logits(logits, data["target"][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if schedule == "cycle":
                rate.step()
            step += 1
            for average, weight in zip(mean.parameters(), plain.parameters(), strict=True):
                share = 10 / (step + 10) if schedule == "averaged" else 1.0
                average.data.lerp_(weight.data, share)
        valid_loss = pointwise.log_loss(train.predict(mean, valid), valid["target"])
        best = min(best, (valid_loss, copy.deepcopy(mean.state_dict())), key=lambda one: one[0])
    for name, values in best[1].items():
        assert torch.equal(values, model.state_dict()[name])


def test_the_average_forgets_the_start_and_what_was_drawn_anew():
    """After n steps it has kept one part in C(n + 10, 10) of where the weight began."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = train._Average(model)
    nn.init.ones_(model.weight)
    for n in range(1, 4):
        average.update(model)
        left = 1 - average.model.weight.item()
        assert left == pytest.approx(1 / math.comb(n + 10, 10), rel=1e-3)
    nn.init.constant_(model.weight, 5.0)
    average.forget("weight")
    average.update(model)
    assert average.model.weight.item() > 4.6, "ten elevenths of the way at once"


def test_small_steps_down_do_not_go_on_for_ever():
    """A loss that falls by 0.01 an epoch: with a tolerance of 0.015 every second epoch counts."""
    for tolerance, patience, epochs in [(0.0, 0, 9), (0.015, 1, 9), (0.015, 0, 2), (0.05, 1, 3)]:
        seen = [0]

        def loss(model, batch, seen=seen):
            seen[0] += not model.training
            return model.weight.weight.sum() * 0 + 1 - 0.01 * seen[0]

        data = {"value": torch.zeros(4)}
        history = quiet_fit(
            Linear(1), data, data, loss=loss, epochs=9, patience=patience, tolerance=tolerance
        )
        assert len(history.valid_loss) == epochs and history.best_epoch == epochs - 1


def test_history_counts_the_steps():
    data = separable(100)
    assert quiet_fit(Linear(3), data, data, epochs=2, batch_size=30, patience=9).steps == 8


def test_any_loss_trains_regression():
    torch.manual_seed(0)
    x = torch.randn(2_000, 3)
    data = {"numbers": x, "target": 3 * x[:, 0] - 2}
    model = Linear(3)
    history = quiet_fit(
        model, data, data, loss=train.squared_error, epochs=10, batch_size=100, lr=0.1,
        weight_decay=0.0,
    )  # fmt: skip
    assert history.valid_loss[history.best_epoch] < 1e-3
    with pytest.raises(TrainingError, match=r"predictions \(100,\) and target \(100, 1\) differ"):
        wide = {**data, "target": data["target"][:, None]}
        quiet_fit(model, wide, wide, loss=train.squared_error, batch_size=100)


def test_any_loss_trains_retrieval_without_a_target():
    """In-batch softmax over pairs: no tensor is called `target`, the model is called twice."""
    torch.manual_seed(0)
    tower = nn.Embedding(40, 8)
    pairs = torch.randint(0, 20, (2_000,))
    data = {"track": pairs, "next": pairs + 20}

    def in_batch(model, batch):
        logits = model(batch["track"]) @ model(batch["next"]).T
        twins = batch["next"][:, None] == batch["next"]
        logits = logits.masked_fill(twins & ~torch.eye(len(logits), dtype=torch.bool), -torch.inf)
        return cross_entropy(logits, torch.arange(len(logits)))

    history = quiet_fit(
        tower, data, data, loss=in_batch, epochs=15, batch_size=200, lr=0.1, embedding_decay=0.0
    )
    assert history.valid_loss[-1] < 0.2 < history.valid_loss[0]
    best = (tower.weight[:20] @ tower.weight[20:].T).argmax(dim=1)
    assert (best == torch.arange(20)).all()


def test_any_loss_trains_sequences():
    """Targets at every place of a sequence; what is masked counts for nothing."""
    torch.manual_seed(0)
    track = torch.randint(1, 9, (800, 6))
    mask = torch.arange(6) < torch.randint(1, 7, (800, 1))
    data = {"track": track * mask, "mask": mask, "target": (track % 8 + 1) * mask}
    model = nn.Sequential(nn.Embedding(9, 16), nn.Linear(16, 9))

    def next_track(model, batch):
        return cross_entropy(model(batch["track"])[batch["mask"]], batch["target"][batch["mask"]])

    options = {"epochs": 20, "batch_size": 50, "lr": 0.02, "embedding_decay": 0.0}
    history = quiet_fit(model, data, data, loss=next_track, **options)
    assert history.valid_loss[history.best_epoch] < 0.05


def test_the_validation_loss_is_a_mean_over_rows_in_evaluation_mode():
    modes = []

    def loss(model, batch):
        modes.append((model.training, torch.is_grad_enabled()))
        return model.weight.weight.sum() * 0 + batch["value"].mean()

    data = {"value": torch.arange(10.0)}
    history = quiet_fit(Linear(1), data, data, loss=loss, epochs=1, batch_size=4)
    assert history.valid_loss == [4.5] and history.train_loss == [pytest.approx(4.5)]
    assert modes == [(True, True)] * 3 + [(False, False)] * 3


def test_a_loss_that_draws_at_random_is_validated_on_the_same_draws_each_time():
    drawn = []

    def loss(model, batch):
        draw = torch.rand(())
        if not model.training:
            drawn.append(draw.item())
        return model(batch["numbers"]).square().mean() + draw

    data = separable(50)
    torch.manual_seed(0)
    quiet_fit(Linear(3), data, data, loss=loss, epochs=3, patience=9)
    after = torch.rand(())
    assert len(set(drawn)) == 1
    torch.manual_seed(0)
    Linear(3)
    [torch.rand(()) for _ in range(3)]
    assert torch.equal(after, torch.rand(())), "validation leaves the generator as it was"


def test_a_criterion_judges_validation_in_place_of_the_loss():
    """The loss falls in every epoch, the criterion is lowest after the second one."""
    told, calls = [0.9, 0.4, 0.6, 0.5, 0.3], []

    def loss(model, batch):
        assert model.training and torch.is_grad_enabled()
        return train.log_loss(model, batch)

    def criterion(model, batch):
        assert not model.training and not torch.is_grad_enabled()
        calls.append((len(batch["target"]), model.weight.weight.clone()))
        return torch.tensor(told[(len(calls) - 1) // 3]) + batch["numbers"][0, 0] * 0

    model, valid = Linear(3), separable(50, seed=1)
    options = {"criterion": criterion, "batch_size": 20, "epochs": 5, "lr": 0.05}
    history = quiet_fit(model, separable(50), valid, loss=loss, patience=1, **options)
    assert history.valid_loss == pytest.approx(told[:4]), "no improvement for two epochs"
    assert history.best_epoch == 1 and history.train_loss == sorted(history.train_loss)[::-1]
    assert [n for n, _ in calls] == [20, 20, 10] * 4
    assert torch.equal(model.weight.weight, calls[3][1]), "what the criterion judged best is kept"


def test_a_criterion_is_a_mean_over_rows_on_equal_draws():
    drawn = []

    def criterion(model, batch):
        drawn.append(torch.rand(()).item())
        return batch["target"].mean()

    data = separable(50)
    data["target"] = torch.arange(50) / 50
    history = quiet_fit(
        Linear(3), data, data, criterion=criterion, batch_size=30, epochs=2, patience=9
    )
    assert history.valid_loss == pytest.approx([0.49, 0.49])
    assert drawn[:2] == drawn[2:]


def test_the_loss_is_the_criterion_unless_there_is_another():
    def run(**options):
        torch.manual_seed(0)
        data = separable(200)
        return quiet_fit(Linear(3), data, separable(100, 1), epochs=3, patience=9, **options)

    plain, same = run(), run(criterion=train.log_loss)
    assert plain.valid_loss == same.valid_loss and plain.train_loss == same.train_loss


@pytest.mark.parametrize("bad", [NAN, math.inf])
def test_a_criterion_that_is_not_finite_stops_training(bad):
    data = separable(50)
    with pytest.raises(TrainingError, match="validation loss in epoch 0 became"):
        quiet_fit(Linear(3), data, data, criterion=lambda model, batch: torch.tensor(bad))
    with pytest.raises(TrainingError, match="must be one number"):
        quiet_fit(Linear(3), data, data, criterion=lambda model, batch: batch["target"])


def test_before_epoch_may_draw_a_table_anew():
    seen = []

    def forget(model, epoch):
        seen.append(epoch)
        if epoch:
            nn.init.zeros_(model.table.weight)

    def trained(hook):
        torch.manual_seed(0)
        model = Noisy()
        data = with_ids(300, 0)
        quiet_fit(model, data, data, epochs=2, batch_size=300, lr=1e-3, schedule="constant",
                  before_epoch=hook, embedding_decay=0.0, patience=9)  # fmt: skip
        return model.table.weight.detach()

    assert (trained(forget).abs() <= 1.001e-3).all(), "one step of a fresh Adam from zero"
    assert seen == [0, 1]
    assert trained(None).abs().max() > 0.1


@pytest.mark.parametrize("part", ["train", "valid"])
@pytest.mark.parametrize("bad", [NAN, float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_stops_training(part, bad):
    data = {"train": separable(100), "valid": separable(50)}
    data[part]["numbers"][3, 1] = bad
    told = "the loss in epoch 0 became" if part == "train" else "the validation loss in epoch 0"
    with pytest.raises(TrainingError, match=told) as caught:
        quiet_fit(Linear(3), data["train"], data["valid"])
    assert ("NaN in ['numbers']" in str(caught.value)) == (bad != bad)


@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_target_that_is_missing_or_unknown_is_refused(part):
    data = {"train": separable(100), "valid": separable(50)}
    data[part]["target"][2] = NAN
    with pytest.raises(TrainingError, match="'target' holds 1 values that are NaN"):
        quiet_fit(Linear(3), data["train"], data["valid"])
    del data[part]["target"]
    with pytest.raises(TrainingError, match="needs a tensor 'target'"):
        quiet_fit(Linear(3), data["train"], data["valid"])


def test_a_target_for_another_loss_is_refused():
    data = separable(100)
    data["target"] = data["target"] * 5
    with pytest.raises(TrainingError, match=r"'target' in \[0, 1\], here it is 0 to 5"):
        quiet_fit(Linear(3), data, data)
    quiet_fit(Linear(3), data, data, loss=train.squared_error)


def test_targets_may_be_booleans():
    data = separable(100)
    data["target"] = data["target"].bool()
    assert quiet_fit(Linear(3), data, data, epochs=1).best_epoch == 0


def test_nothing_to_train_on():
    some = separable(10)
    empty = {k: v[:0] for k, v in some.items()}
    for data, valid in [(empty, some), (some, empty)]:
        with pytest.raises(TrainingError, match="no rows"):
            quiet_fit(Linear(3), data, valid)


@pytest.mark.parametrize(
    "data",
    [
        {"numbers": torch.zeros(5, 3), "target": torch.zeros(4)},
        {"numbers": torch.zeros(5, 3), "target": torch.tensor(1.0)},
        {},
    ],
)
def test_tensors_of_unequal_length_are_named(data):
    with pytest.raises(TrainingError, match="equally many rows") as caught:
        quiet_fit(Linear(3), data, separable(5))
    assert all(repr(name) in str(caught.value) for name in data)
    with pytest.raises(TrainingError, match="equally many rows"):
        train.predict(Linear(3), data)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("batch_size", 0),
        ("batch_size", -1),
        ("patience", -1),
        ("lr", 0.0),
        ("lr", NAN),
        ("lr", float("inf")),
        ("weight_decay", -1.0),
        ("embedding_decay", NAN),
        ("schedule", "cosine"),
        ("tolerance", -1e-4),
    ],
)
def test_an_option_out_of_range_is_named(option, value):
    with pytest.raises(TrainingError, match=f"{option} must be .* got {value!r}"):
        quiet_fit(Linear(3), separable(10), separable(10), **{option: value})


def test_a_loss_must_be_a_number_that_depends_on_the_model():
    data = separable(10)
    with pytest.raises(TrainingError, match=r"one number, got \(10,\); take its mean"):
        quiet_fit(Linear(3), data, data, loss=lambda model, batch: model(batch["numbers"]))
    with pytest.raises(TrainingError, match="does not depend on a parameter"):
        quiet_fit(Linear(3), data, data, loss=lambda model, batch: batch["numbers"].mean())


def test_predictions_need_no_target():
    model, data = Linear(3), separable(30)
    alone = train.predict(model, {"numbers": data["numbers"]}, batch_size=7)
    assert torch.allclose(alone, train.predict(model, data))


def test_course_seed_shifts_every_seed(monkeypatch):
    monkeypatch.setenv("COURSE_SEED", "3")
    assert train.seed_everything(10) == 13
    first = torch.rand(1)
    train.seed_everything(10)
    assert torch.equal(first, torch.rand(1))


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_freed_memory_is_kept_and_no_page_is_filled_twice():
    code = """
import resource
import torch
from course_utils import train

train.keep_freed_memory()
for part in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        [torch.ones(2_000_000) for _ in range(4)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    run = [sys.executable, "-c", code]
    faults = int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert faults < 100
