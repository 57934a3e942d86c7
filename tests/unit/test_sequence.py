"""Models of sequences: no future, either padding, and the same as a plain loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from course_utils.models.retrieval.losses import SampledSoftmax, full_softmax
from course_utils.models.sequence.sasrec import (
    GRU,
    LAGS,
    AtEveryPlace,
    AveragePooling,
    BERT4Rec,
    Block,
    HiddenPlays,
    SASRec,
    Unordered,
    causal,
    last_place,
)

N, L = 40, 9

MODELS = {
    "SASRec": lambda: SASRec(N, dim=8, length=L),
    "with times": lambda: SASRec(N, dim=8, length=L, order="time"),
    "a set": lambda: Unordered(N, dim=8, length=L),
    "GRU": lambda: GRU(N, dim=8, hidden=12),
    "average": lambda: AveragePooling(N, dim=8, latest=3),
    "BERT4Rec": lambda: BERT4Rec(N, dim=16, length=L + 1),
}
CAUSAL = [name for name in MODELS if name != "BERT4Rec"]


def model_of(name):
    torch.manual_seed(3)
    model = MODELS[name]().double().eval()
    if name == "with times":
        nn.init.normal_(model.bias)
    return model


def sequences(lengths, side="left"):
    """Inputs of sequences with so many plays each, filled up on a side."""
    generator = torch.Generator().manual_seed(5)
    drawn = torch.randint(1, N, (len(lengths), L), generator=generator)
    gaps = torch.randint(0, 5_000, (len(lengths), L + 1), generator=generator).cumsum(dim=1)
    mask = torch.zeros(len(lengths), L, dtype=torch.bool)
    track, time, asked = (torch.zeros(len(lengths), L, dtype=torch.int64) for _ in range(3))
    for row, n in enumerate(lengths):
        at = slice(L - n, L) if side == "left" else slice(0, n)
        mask[row, at], track[row, at] = True, drawn[row, :n]
        time[row, at], asked[row, at] = gaps[row, :n], gaps[row, 1 : n + 1]
    return {"track": track, "mask": mask, "time": time, "asked": asked}


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("side", ["left", "right"])
def test_another_future_changes_no_bit(name, side):
    model, batch = model_of(name), sequences([L, 6, 1, L], side)
    states = model.states(**batch)
    for cut in range(1, L):
        other = dict(batch)
        other["track"] = batch["track"].clone()
        other["track"][:, cut:] = other["track"][:, cut:].flip(0) * batch["mask"][:, cut:]
        other["time"] = batch["time"].clone()
        other["time"][:, cut:] += 77
        other["asked"] = batch["asked"].clone()
        other["asked"][:, cut:] += 99
        past = batch["mask"] & (torch.arange(L) < cut)
        assert torch.equal(model.states(**other)[past], states[past])


@pytest.mark.parametrize("name", MODELS)
def test_the_side_of_padding_changes_nothing(name):
    model, lengths = model_of(name), [L, 5, 2, 1]
    left, right = sequences(lengths, "left"), sequences(lengths, "right")
    assert torch.allclose(model(**left), model(**right), atol=1e-12)
    for row, n in enumerate(lengths):
        alone = {key: values[row : row + 1, :n] for key, values in right.items()}
        assert torch.allclose(model(**alone)[0], model(**left)[row], atol=1e-12)
        inner = model.states(**left)[row, L - n :]
        assert torch.allclose(model.states(**alone)[0], inner, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_an_empty_history_and_unknown_tracks_give_numbers(name):
    model, batch = model_of(name), sequences([0, 3])
    batch["track"] = torch.zeros_like(batch["track"])
    assert model(**batch).isfinite().all() and model.states(**batch).isfinite().all()
    model.train()
    model(**batch).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_block_equals_a_plain_loop():
    torch.manual_seed(0)
    block = Block(6, heads=2, dropout=0.0).double()
    x, mask = torch.randn(2, 4, 6).double(), torch.tensor([[True] * 4, [False, True, True, True]])
    found, weights = block(x, causal(mask)), block.weights(x, causal(mask))
    for b in range(2):
        read = block.before_attention(x[b])
        q, k, v = block.query(read), block.key(read), block.value(read)
        for i in range(4):
            heard = []
            for head in (slice(0, 3), slice(3, 6)):
                seen = [j for j in range(4) if j == i or (j < i and mask[b, j])]
                e = torch.stack([(q[i, head] @ k[j, head] / math.sqrt(3)).exp() for j in seen])
                share = e / e.sum()
                heard.append(sum(w * v[j, head] for w, j in zip(share, seen, strict=True)))
                row = weights[b, 0 if head.start == 0 else 1, i]
                assert torch.allclose(row[seen], share) and row.sum().item() == pytest.approx(1)
            y = x[b, i] + block.out(torch.cat(heard))
            assert torch.allclose(y + block.network(block.before_network(y)), found[b, i])


def test_times_are_told_in_powers_of_two():
    model = model_of("with times")
    time = torch.zeros(1, 8, dtype=torch.int64)
    asked = torch.tensor([[0, 1, 2, 3, 4, 86_400, 31_536_000, 2**40]])
    mask, track = torch.ones(1, 8, dtype=torch.bool), torch.ones(1, 8, dtype=torch.int64)
    _, allowed = model.read(track, mask, time=time, asked=asked)
    for place, bucket in enumerate([0, 1, 2, 2, 3, 17, 25, LAGS - 1]):
        assert torch.equal(allowed[0, :, place, 0], model.bias[:, bucket])
        assert (allowed[0, :, place, place + 1 :] == -torch.inf).all()


def test_a_set_is_one_in_any_order_and_the_others_are_not():
    batch = sequences([L, 6])
    other = dict(batch, track=batch["track"].clone())
    other["track"][:, -6:] = batch["track"][:, -6:].flip(1)
    for name in CAUSAL:
        if name in ("a set", "average"):
            continue
        assert not torch.allclose(model_of(name)(**other), model_of(name)(**batch))
    assert torch.allclose(model_of("a set")(**other), model_of("a set")(**batch), atol=1e-12)


def test_average_of_the_latest_equals_a_loop():
    model, batch = model_of("average"), sequences([L, 2])
    states = model.states(**batch)
    for row in range(2):
        for place in torch.nonzero(batch["mask"][row])[:, 0].tolist():
            at = [p for p in range(place - 2, place + 1) if p >= 0 and batch["mask"][row, p]]
            mean = model.items(batch["track"][row, at]).mean(dim=0) * 8**0.5
            assert torch.allclose(model.layers(mean), states[row, place])


def test_last_place():
    assert last_place(sequences([L, 4, 0], "left")["mask"]).tolist() == [L - 1] * 3
    assert last_place(sequences([L, 4, 0], "right")["mask"]).tolist() == [L - 1, 3, L - 1]


def test_the_loss_at_every_place_is_the_mean_over_the_places():
    model, batch = model_of("SASRec"), sequences([L, 4])
    inputs = {name: batch[name] for name in ("track", "mask")}
    counts = batch["mask"] & (batch["track"] % 2 == 0)
    target = batch["track"].roll(-1, dims=1)

    def loss(two_vectors, flat):
        return full_softmax(two_vectors() @ two_vectors.tracks().T, flat["target"])

    found = AtEveryPlace(loss)(model, {**inputs, "target": target * counts, "counts": counts})
    states = model.states(**inputs)
    each = [
        cross_entropy(states[b, t] @ model.tracks().T, target[b, t])
        for b, t in torch.nonzero(counts).tolist()
    ]
    assert found.item() == pytest.approx(torch.stack(each).mean().item())


def test_hidden_plays_are_guessed_and_nothing_else():
    model, batch = model_of("BERT4Rec"), sequences([L, L, L, 5])
    batch = {name: batch[name] for name in ("track", "mask")}
    target = torch.cat([batch["track"][:, 1:], torch.full((4, 1), 7)], dim=1)
    counts = batch["mask"] & (target != 3)
    whole = torch.cat([batch["track"], target[:, -1:]], dim=1)
    asked, shown = [], []

    def loss(two_vectors, flat):
        asked.extend(flat["target"].tolist())
        return two_vectors().sum()

    model.states, states = (
        lambda track, mask: shown.append(track) or states(track, mask),
        model.states,
    )
    torch.manual_seed(0)
    for _ in range(300):
        HiddenPlays(loss, share=0.5)(model, {**batch, "target": target * counts, "counts": counts})
    hidden = torch.stack(shown) == -1
    assert torch.equal(torch.stack(shown)[~hidden], whole.expand(300, -1, -1)[~hidden])
    assert asked == whole.expand(300, -1, -1)[hidden].tolist()
    known = torch.cat([torch.zeros(4, 1, dtype=torch.bool), counts], dim=1)
    assert not hidden[:, ~known].any()
    assert 0.4 < hidden[:, known].float().mean() < 0.6 and hidden.any(dim=0)[known].all()


def test_bert_asks_after_the_last_play():
    model, batch = model_of("BERT4Rec"), sequences([L, 4])
    for row, n in enumerate([L, 4]):
        track = torch.cat([batch["track"][row, L - n :], torch.tensor([-1])])
        state = model.states(track[None], torch.ones(1, n + 1, dtype=torch.bool))[0, -1]
        assert torch.allclose(state, model(**batch)[row], atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns_what_follows(name):
    """After track i comes i + 1: what knows the last play learns it, and every number moves."""
    torch.manual_seed(0)
    model = MODELS[name]()
    track = torch.randint(1, N - L, (400, 1)) + torch.arange(L)
    batch = {"track": track, "mask": torch.ones(400, L, dtype=torch.bool), "target": track + 1}
    batch["counts"] = batch["mask"]
    time = torch.arange(L).expand(400, L)
    if name == "with times":
        batch |= {"time": time, "asked": time + 1}
    sampled = SampledSoftmax(torch.ones(N), n=64)
    loss = HiddenPlays(sampled) if name == "BERT4Rec" else AtEveryPlace(sampled)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    before = [p.clone() for p in model.parameters()]
    for _ in range(400 if name == "BERT4Rec" else 150):
        optimizer.zero_grad()
        loss(model, batch).backward()
        optimizer.step()
    assert all(not torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))
    if name == "a set":  # knows no last play
        return
    model.eval()
    inputs = {key: values for key, values in batch.items() if key not in ("target", "counts")}
    best = (model(**inputs) @ model.tracks().T).argmax(dim=1)
    assert (best == batch["target"][:, -1]).float().mean() > 0.9


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="'place', 'time' or 'none', got 'backwards'"):
        SASRec(N, order="backwards")
