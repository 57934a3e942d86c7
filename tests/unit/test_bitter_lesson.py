"""HSTU, its two predictions and its windows: no future, no action seen, the same as plain loops."""

from __future__ import annotations

import functools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from course_utils import train
from course_utils.authoring.freshness import code_hash
from course_utils.data.tasks.plays import N_ACTIONS, Plays
from course_utils.data.tasks.ranking import ranking_task
from course_utils.lesson import scaling
from course_utils.models.retrieval.losses import SampledSoftmax
from course_utils.models.sequence.hstu import (
    INPUTS,
    FeedbackLoss,
    HSTULayer,
    Interleaved,
    RelativeBias,
    TwoPredictions,
    lags,
    visible,
)

N, L = 30, 7
ARTISTS = torch.arange(N) % 5


def plays(lengths, seed=0, ties=True):
    """Windows with so many plays each, filled up on the left; some share their moment."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(high, low=0):
        return torch.randint(low, high, (len(lengths), L), generator=generator)

    time = drawn(3 if ties else 3_000, low=0 if ties else 1).cumsum(dim=1) * 40
    mask = torch.arange(L) >= L - torch.tensor(lengths).unsqueeze(1)
    batch = {"track": drawn(N, 1), "action": drawn(N_ACTIONS), "time": time + 9}
    batch = {name: values * mask for name, values in batch.items()}
    target = (batch["action"] % 3 == 2).float() * mask
    return batch | {"mask": mask, "target": target, "counts": mask & (drawn(3) > 0)}


def model_of(**options):
    torch.manual_seed(1)
    model = Interleaved(ARTISTS, N_ACTIONS, dim=8, length=L, **options).double().eval()
    for bias in model.biases:
        nn.init.normal_(bias.place)
        nn.init.normal_(bias.time)
    return model


def inputs(batch):
    return {name: batch[name] for name in INPUTS}


# Who sees whom


@settings(max_examples=40, deadline=None, derandomize=True)
@given(lengths=st.lists(st.integers(0, L), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_visible_is_what_the_sentence_says(lengths, seed):
    batch = plays(lengths, seed)
    found = visible(batch["time"], batch["mask"])
    assert found.shape == (len(lengths), 1, 2 * L, 2 * L)
    for b in range(len(lengths)):
        for i in range(2 * L):
            for j in range(2 * L):
                earlier = bool(
                    batch["mask"][b, j // 2] and batch["time"][b, j // 2] < batch["time"][b, i // 2]
                )
                own = i // 2 == j // 2 and j <= i
                assert found[b, 0, i, j].item() == (earlier or own)


@pytest.mark.parametrize("softmax", [False, True])
def test_neither_its_own_action_nor_the_future_changes_a_bit(softmax):
    model, batch = model_of(softmax=softmax), plays([L, 5, 1, L], seed=4)
    asked, came = model.states(**inputs(batch))
    for cut in range(L):
        now = batch["time"][:, cut : cut + 1]
        other = {name: values.clone() for name, values in batch.items()}
        late = batch["time"] >= now  # what came of these is not known at that moment
        other["action"] = torch.where(late, (batch["action"] + 1) % N_ACTIONS, batch["action"])
        later = batch["time"] > now
        other["track"] = torch.where(later, batch["track"].flip(0), batch["track"])
        other["time"] = batch["time"] + 999 * later
        changed, changed_came = model.states(**inputs(other))
        at = batch["mask"] & (batch["time"] == now)
        assert torch.equal(changed[at], asked[at])
        before = batch["mask"] & (batch["time"] < now)
        assert torch.equal(changed_came[before], came[before])


def test_what_came_of_a_play_reaches_its_own_token_and_later_plays():
    model, batch = model_of(), plays([L], ties=False)
    asked, came = model.states(**inputs(batch))
    other = dict(batch, action=batch["action"].clone())
    other["action"][0, 3] = (batch["action"][0, 3] + 1) % N_ACTIONS
    changed, changed_came = model.states(**inputs(other))
    same = [torch.equal(changed[0, i], asked[0, i]) for i in range(L)]
    assert same == [True] * 4 + [False] * 3
    same = [torch.equal(changed_came[0, i], came[0, i]) for i in range(L)]
    assert same == [True] * 3 + [False] * 4


@pytest.mark.parametrize("softmax", [False, True])
def test_filling_up_changes_nothing(softmax):
    """N is a constant of the model: a window alone, without its padding, gives the same."""
    model, lengths = model_of(softmax=softmax), [L, 4, 1]
    batch = plays(lengths)
    whole = model(**inputs(batch))
    for row, n in enumerate(lengths):
        alone = {name: values[row : row + 1, L - n :] for name, values in inputs(batch).items()}
        assert torch.allclose(model(**alone)[0], whole[row, L - n :], atol=1e-12)


@pytest.mark.parametrize("softmax", [False, True])
def test_windows_without_plays_and_unknown_tracks_give_numbers(softmax):
    model, batch = model_of(softmax=softmax), plays([0, 3])
    batch["track"] = torch.zeros_like(batch["track"])
    model(**inputs(batch)).sum().backward()
    assert model(**inputs(batch)).isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


# The layer


def silu(x):
    return x / (1 + math.exp(-x))


@pytest.mark.parametrize("scale", [None, 1.0])
@pytest.mark.parametrize("softmax", [False, True])
def test_a_layer_equals_a_plain_loop(scale, softmax):
    torch.manual_seed(0)
    d, heads, n, T = 6, 2, 50, 5
    layer = HSTULayer(d, heads, n, scale, softmax).double().eval()
    for norm in (layer.before, layer.after):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    x, rab = torch.randn(2, T, d).double(), torch.randn(2, heads, T, T).double()
    seen = torch.rand(2, 1, T, T).double() < 0.5
    seen |= torch.eye(T, dtype=torch.bool)
    found, width = layer(x, seen, rab), d // heads
    for b in range(2):
        told = layer.f1(layer.before(x[b])).tolist()
        told = [[silu(value) for value in row] for row in told]
        u, v, q, k = ([row[part * d : part * d + d] for row in told] for part in range(4))
        for i in range(T):
            av = []
            for head in range(heads):
                own = range(head * width, head * width + width)
                s = width**-0.5 if scale is None else scale
                logit = {
                    j: s * sum(q[i][c] * k[j][c] for c in own) + rab[b, head, i, j].item()
                    for j in range(T)
                    if seen[b, 0, i, j]
                }
                total = sum(math.exp(value) for value in logit.values())
                weight = {
                    j: math.exp(value) / total if softmax else silu(value) / n
                    for j, value in logit.items()
                }
                av += [sum(w * v[j][c] for j, w in weight.items()) for c in own]
            mean = sum(av) / d
            spread = sum((value - mean) ** 2 for value in av) / d
            gated = [
                (
                    (av[c] - mean) / math.sqrt(spread + layer.after.eps) * layer.after.weight[c]
                    + layer.after.bias[c]
                )
                * u[i][c]
                for c in range(d)
            ]
            wanted = x[b, i] + layer.f2(torch.stack(gated))
            assert torch.allclose(found[b, i], wanted, atol=1e-12)


def test_a_layer_is_no_other_one():
    """No feed-forward network, and the four parts of one linear map of width 4d."""
    layer = HSTULayer(8, 2, 10)
    wanted = {"f1": 8 * 32 + 32, "f2": 8 * 8 + 8, "before": 16, "after": 16, "dropout": 0}
    assert {name: sum(p.numel() for p in m.parameters()) for name, m in layer.named_children()} == (
        wanted
    )


def test_pointwise_weights_count_and_softmax_does_not():
    """At the level of AV, with identical tokens; the norm behind it takes the count away again."""
    for softmax in (False, True):
        torch.manual_seed(2)
        layer = HSTULayer(8, 2, 64, softmax=softmax).double()
        token = torch.randn(8).double()
        read = []
        for n in (1, 2, 8):
            x = token.expand(1, n, 8)
            seen, rab = torch.ones(1, 1, n, n).bool(), torch.zeros(1, 2, n, n).double()
            read.append(layer.read(x, seen, rab)[0][0, -1])
        times = 1 if softmax else 8
        assert torch.allclose(read[2], times * read[0], atol=1e-12)
        eps = layer.after.eps
        layer.after.eps = 0.0
        assert torch.allclose(layer.after(read[2]), layer.after(read[0]), atol=1e-9)
        layer.after.eps = eps


def test_relative_bias_equals_a_loop():
    torch.manual_seed(0)
    bias, batch = RelativeBias(2, L), plays([L, 4])
    nn.init.normal_(bias.place)
    nn.init.normal_(bias.time)
    lag = lags(batch["time"])
    found = bias(lag)
    for i in range(2 * L):
        for j in range(i + 1):
            for b in range(2):
                seconds = int(batch["time"][b, i // 2] - batch["time"][b, j // 2])
                bucket = seconds.bit_length()  # 0 → 0, 1 → 1, 2 and 3 → 2, …
                if seconds >= 0:
                    assert lag[b, i // 2, j // 2] == bucket
                    assert torch.allclose(
                        found[b, :, i, j], bias.place[:, i - j] + bias.time[bucket]
                    )


# Two predictions


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_two_predictions_equal_a_loop(share):
    model, batch = model_of(), plays([L, 5, 2], seed=8)
    every = torch.arange(1, N)
    sampled = SampledSoftmax(torch.ones(N), n=N - 1, corrected=False, draw=lambda n: every)
    found = TwoPredictions(sampled, share)(model, batch)
    asked, came = model.states(**inputs(batch))
    feedback, following = [], []
    for b, t in torch.nonzero(batch["counts"]).tolist():
        logit = model.finished(asked[b, t])[0]
        feedback.append(-logsigmoid(logit if batch["target"][b, t] else -logit))
        if t and batch["mask"][b, t - 1] and batch["time"][b, t] > batch["time"][b, t - 1]:
            logits = model.tracks(every) @ came[b, t - 1]
            own = model.tracks(batch["track"][b, t]) @ came[b, t - 1]
            following.append(logits.logsumexp(dim=0) - own)
    wanted = torch.stack(feedback).mean() + share * torch.stack(following).mean()
    assert following and found.item() == pytest.approx(wanted.item())


def test_no_next_track_is_no_error():
    model, batch = model_of(), plays([1, 1])
    batch["counts"] = batch["mask"]
    sampled = SampledSoftmax(torch.ones(N), n=4)
    assert TwoPredictions(sampled, 1.0)(model, batch).isfinite()


def test_feedback_loss_is_a_mean_over_places_however_windows_are_cut():
    model, part = model_of(), plays([L, 5, 2, 6, 1], seed=3)
    loss, counts = FeedbackLoss(part), part["counts"]
    logits = model(**inputs(part))[counts]
    wanted = binary_cross_entropy_with_logits(logits, part["target"][counts].double()).item()
    for size in (1, 2, 5):
        pieces = [{name: v[at : at + size] for name, v in part.items()} for at in range(0, 5, size)]
        mean = sum(loss(model, piece).item() * len(piece["mask"]) for piece in pieces) / 5
        assert mean == pytest.approx(wanted)


def test_it_learns_what_a_track_did_before():
    """A track that was finished is finished again: only a model that reads actions can know."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    likes = torch.rand(600, 4, generator=generator) < 0.5
    which = torch.randint(0, 4, (600, L), generator=generator)
    finished = likes.gather(1, which)
    batch = {
        "track": which + 1,
        "action": 2 * finished.long(),
        "time": torch.arange(1, L + 1).expand(600, L),
        "mask": torch.ones(600, L, dtype=torch.bool),
        "target": finished.float(),
        "counts": torch.ones(600, L, dtype=torch.bool),
    }
    model = Interleaved(ARTISTS, N_ACTIONS, dim=16, length=L, dropout=0.0)
    loss = TwoPredictions(SampledSoftmax(torch.ones(N), n=8), 0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    before = {name: p.clone() for name, p in model.named_parameters()}
    for _ in range(200):
        optimizer.zero_grad()
        loss(model, batch).backward()
        optimizer.step()
    still = {name for name, p in model.named_parameters() if torch.equal(p, before[name])}
    assert not still
    model.eval()
    first = torch.tensor([[t not in row[:i] for i, t in enumerate(row)] for row in which.tolist()])
    right = (model(**inputs(batch)) > 0) == finished
    assert right[~first].float().mean() > 0.9
    assert right[first].float().mean() < 0.65


# Windows


@pytest.fixture(scope="module")
def task(tiny_log):
    return ranking_task(tiny_log, whole=True)


@pytest.mark.parametrize(("length", "stride"), [(5, 5), (6, 2), (8, 1)])
def test_windows_hold_each_row_once_with_its_past(tiny_log, task, length, stride):
    cut, rows = Plays(tiny_log, task), task.positions["test"][::3]
    windows = cut.windows(rows, length, stride)
    assert sorted(windows.rows.tolist()) == sorted(rows.tolist())
    tensors, counts = windows.tensors, windows.tensors["counts"]
    frame = task.rows
    number = dict(zip(task.tracks.tolist(), range(1, len(task.tracks) + 1), strict=True))
    past: dict[int, list[int]] = {}
    place = {}
    for row, uid in enumerate(frame["uid"].to_list()):
        place[row] = len(past.setdefault(uid, []))
        past[uid].append(row)
    item, time, target = (frame[c].to_list() for c in ("item_id", "timestamp", "target_full_play"))
    uid = frame["uid"].to_list()
    for row, (w, at) in zip(windows.rows.tolist(), torch.nonzero(counts).tolist(), strict=True):
        before = [place[row] - back for back in range(at + 1)]
        for back, where in enumerate(before):
            column = at - back
            assert bool(tensors["mask"][w, column]) == (where >= 0)
            if where >= 0:
                other = past[uid[row]][where]
                assert tensors["track"][w, column] == number.get(item[other], 0)
                assert tensors["time"][w, column] == time[other]
                assert tensors["target"][w, column] == target[other]
                assert (tensors["action"][w, column] % 3 == 2).item() == bool(target[other])
        assert at >= length - stride
    scores = torch.zeros(counts.shape)
    scores[counts] = windows.rows.float()
    assert torch.equal(windows.of(scores, rows), rows.float())


# Scaling


@pytest.fixture(scope="module")
def study(tiny_log, task):
    return scaling.Study(tiny_log, scaling.judged(task), 0)


def test_both_families_are_judged_on_the_same_rows(study, monkeypatch):
    monkeypatch.setattr(train, "fit", functools.partial(train.fit, epochs=1))
    assert study.task.oracle is not None and len(study.windows["test"].rows) == len(
        study.task.positions["test"]
    )
    study.counters("counters", 900)
    study.sequence("sequence", 900, dim=16)
    for name in ("counters", "sequence"):
        lost, own = study.lost(name), study.scores[name].sigmoid()
        assert lost.shape == study.task.target.shape and bool((lost >= 0).all())
        p = study.task.oracle.sigmoid()
        wanted = p * (p / own).log() + (1 - p) * ((1 - p) / (1 - own)).log()
        assert torch.allclose(lost, wanted, atol=1e-9)
        point = study.point(name, name, 900)
        assert len(point.lost) == len(study.rows_of_groups()) and len(point.valid_loss) == 1
        mean = scaling.draws([point], study.rows_of_groups(), n=3)[0, 0]
        assert mean == pytest.approx(float(lost.mean()), abs=1e-3)
        windows = len(study.learned(900).tensors["mask"])
        assert point.steps == (225 if name == "counters" else windows)  # fewer than 200: one each
    listener = study.task.listeners[0]
    own = torch.from_numpy(study.task.listeners == listener)
    assert study.point("counters", "counters", 900).lost[
        int(np.searchsorted(np.unique(study.task.listeners), listener))
    ] == pytest.approx(float(study.lost("counters")[own].sum()), abs=1e-3)


def test_a_size_tries_weaker_decay_and_a_higher_rate_than_its_neighbour(study, monkeypatch):
    seen = []

    def measured(name, family, n, setting, width):
        seen.append(setting)
        lowest = 1 + abs(setting[1] - 2) + abs(setting[0] - 0.02)
        return scaling.Point(name, family, n, *setting, 1, 1, 1.0, [9.0, lowest, 9.0], [])

    monkeypatch.setattr(study, "measured", measured)
    found = study.near("sequence", 900, (0.01, 6.0), 3.0)
    assert seen == [(0.01, 6.0), (0.01, 2.0), (0.03, 2.0)]
    assert found.embedding_decay == 2.0
    found = study.near("counters", 900, (0.02, 2.0), 1 / 3)
    assert seen[3:] == [(0.02, 2.0), (0.02, pytest.approx(6)), (pytest.approx(0.02 / 3), 2.0)]
    assert (found.lr, found.embedding_decay) == (0.02, 2.0)


def test_what_was_measured_is_kept_and_not_measured_again(tiny_log, monkeypatch, tmp_path):
    trained = []

    def measured(self, name, family, n, setting, width):
        trained.append((name, width))
        lost = [0.5] * len(self.rows_of_groups())
        return scaling.Point(name, family, n, *setting, 1, 1, 1.0, [0.5], lost)

    monkeypatch.setattr(scaling.Study, "measured", measured)
    monkeypatch.setattr(scaling, "open_log", lambda name: tiny_log)
    monkeypatch.setattr(scaling, "KEPT", tmp_path / "scaling.json")
    assert scaling.kept() == []
    scaling.measure("one")
    points = scaling.kept("one")
    assert len(points) == 2 * (4 + 2) and len(trained) == 2 * (3 * 4 + 2)
    assert scaling.kept("other") == [] and scaling.kept() == points
    for family, usual in scaling.USUAL.items():
        own = [point for point in points if point.family == family]
        assert own[0].n < own[1].n < own[2].n < own[3].n
        assert own[1].n == own[4].n == own[5].n
        widths = {width for name, width in trained if name.startswith(family)}
        assert widths == {usual, *scaling.OTHERS[family]}
    scaling.measure("one")
    assert len(trained) == 2 * (3 * 4 + 2) and scaling.kept() == points


def test_judged_takes_whole_listeners_and_always_the_same(task):
    one, other = scaling.judged(task), scaling.judged(task)
    for part, share in scaling.JUDGED.items():
        assert torch.equal(one.positions[part], other.positions[part])
        uid = task.frame(part)["uid"]
        kept = one.frame(part)["uid"].unique()
        assert len(kept) == round(share * uid.n_unique())
        assert uid.is_in(kept.implode()).sum() == len(one.positions[part])
    rows = torch.searchsorted(task.positions["test"], one.positions["test"])
    assert torch.equal(one.oracle, task.oracle[rows])
    assert torch.equal(one.target, task.target[rows])


def test_laws_fitted_and_met():
    n = np.array([1e2, 1e3, 1e4])
    excess = np.stack([2 * n**-0.5, 0.3 * n**-0.1])
    a, b = scaling.power_law(n, excess)
    assert a == pytest.approx([2, 0.3]) and b == pytest.approx([0.5, 0.1])
    meeting = scaling.crossing((a[0], b[0]), (a[1], b[1]))
    assert 2 * 10 ** (meeting * -0.5) == pytest.approx(0.3 * 10 ** (meeting * -0.1))
    for row in excess * np.array([1.0, 1.02, 0.99]):
        slope, intercept = np.polyfit(np.log(n), np.log(row), 1)
        found = scaling.power_law(n, row)
        assert found == (pytest.approx(math.exp(intercept)), pytest.approx(-slope))
    assert np.isinf(scaling.crossing((a[0], b[0]), (a[1], b[0])))


def test_draws_resample_whole_listeners():
    points = [
        scaling.Point("m", "counters", 1, 1e-3, 1.0, 1, 1, 1.0, [], lost)
        for lost in ([1.0, 4.0], [2, 8])
    ]
    drawn = scaling.draws(points, np.array([1, 2]), n=200)
    assert drawn[0] == pytest.approx([5 / 3, 10 / 3])
    assert {round(x, 6) for x in drawn[:, 0]} == {1.0, 2.0, round(5 / 3, 6)}
    assert drawn[:, 1] == pytest.approx(2 * drawn[:, 0])


@pytest.mark.skipif(not scaling.KEPT.exists(), reason="not measured yet")
def test_what_is_kept_was_measured_on_this_code():
    kept = json.loads(scaling.KEPT.read_text(encoding="utf-8"))
    assert kept["hash"] == code_hash([scaling.MEASURED], assets=None), "run `make scaling`"
    for point in scaling.kept():
        assert len(point.lost) == len(kept["rows"])
        assert min(point.lost) >= 0
