"""Two towers, their in-batch loss, and the indexes that search their vectors."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cosine_similarity

from course_utils.data.tasks.retrieval import retrieval_task
from course_utils.evaluation import tuning
from course_utils.evaluation.retrieval import RetrievalContest
from course_utils.models.retrieval.classics import ItemKNN, Popular
from course_utils.models.retrieval.index import HNSW, IVF, AugmentedHNSW, exact
from course_utils.models.retrieval.losses import InBatchSoftmax
from course_utils.models.retrieval.two_tower import ContentTower, IdTower, SumTower, TwoTower
from course_utils.settings import TUNE

N, DIM = 30, 8


def towers(seed=0, **options):
    torch.manual_seed(seed)
    return TwoTower(IdTower(N, DIM), IdTower(N, DIM), N, DIM, hidden=(16,), **options)


def histories(n=5):
    generator = torch.Generator().manual_seed(1)
    history = torch.randint(1, N, (n, 4), generator=generator)
    return history, torch.rand(n, 4, generator=generator) < 0.7


@pytest.mark.parametrize("temperature", [0.01, 0.2, 1.0, 100.0])
def test_a_cosine_is_divided_by_its_temperature(temperature):
    plain, model = towers(), towers(cosine=True, temperature=temperature)
    user, scores = plain(*histories()), model(*histories()) @ model.tracks().T
    cosines = cosine_similarity(user[:, None], plain.tracks()[None], dim=2)
    assert torch.allclose(scores * temperature, cosines, atol=1e-4)
    scores.sum().backward()
    assert model.log_temperature.grad is not None


@pytest.mark.parametrize("temperature", [0.0, -1.0, 0.009, 101.0, float("nan"), float("inf")])
def test_a_temperature_out_of_its_range_is_refused(temperature):
    with pytest.raises(ValueError, match=r"temperature must lie in \[0.01, 100\]"):
        towers(cosine=True, temperature=temperature)


def test_a_learned_temperature_stays_in_its_range():
    model = towers(cosine=True)
    for s, wanted in ((-50.0, 0.01), (50.0, 100.0)):
        with torch.no_grad():
            model.log_temperature.fill_(s)
        assert model.temperature.item() == pytest.approx(wanted)
        assert torch.isfinite(model(*histories())).all()


def test_an_empty_history_has_a_finite_vector_with_and_without_cosine():
    history, mask = histories()
    for cosine in (False, True):
        model = towers(cosine=cosine)
        assert torch.isfinite(model(history, torch.zeros_like(mask))).all()


def test_what_the_mask_takes_out_says_nothing():
    history, mask = histories()
    other = torch.where(mask, history, torch.randint(1, N, history.shape))
    assert torch.equal(towers()(history, mask), towers()(other, mask))


def test_some_tracks_are_rows_of_all():
    content = torch.randn(N, 6)
    tower = SumTower(IdTower(N, DIM), ContentTower(content, DIM))
    model = TwoTower(IdTower(N, DIM), tower, N, DIM)
    some = torch.tensor([3, 7, 3])
    assert torch.allclose(model.tracks(some), model.tracks()[some], atol=1e-6)
    parts = [one(some) for one in tower.towers]
    assert torch.allclose(model.tracks(some), parts[0] + parts[1], atol=1e-6)


def test_a_content_tower_serves_what_no_id_tower_knows():
    tower = ContentTower(torch.randn(N, 6), DIM)
    new = torch.randn(2, 6)
    assert tower.layers(new).shape == (2, DIM)
    assert "content" not in tower.state_dict(), "it is an input, no weight"


@pytest.mark.parametrize("form", ["none", "all", "negatives"])
def test_the_loss_in_a_batch_is_what_loops_make_of_it(form):
    model, (history, mask) = towers(), histories(6)
    target = torch.tensor([4, 9, 4, 1, 2, 9])
    counts = torch.randint(1, 20, (N,)).double()
    q = counts / counts.sum()
    scores = (model(history, mask) @ model.tracks().T).double()
    total = 0.0
    for b, own in enumerate(target):
        positive = scores[b, own] - (q[own].log() if form == "all" else 0)
        logits = [positive]
        for other in target:
            if other != own:
                share = {"none": 1.0, "all": q[other], "negatives": 5 * q[other]}[form]
                logits.append(scores[b, other] - math.log(share))
        total -= torch.stack(logits).log_softmax(dim=0)[0] / len(target)
    batch = {"history": history, "mask": mask, "target": target}
    assert InBatchSoftmax(counts, form)(model, batch).item() == pytest.approx(
        total.item(), rel=1e-5
    )


def test_a_batch_of_one_track_teaches_nothing_and_breaks_nothing():
    model, (history, mask) = towers(), histories(3)
    batch = {"history": history, "mask": mask, "target": torch.tensor([5, 5, 5])}
    for form in ("none", "all", "negatives"):
        loss = InBatchSoftmax(torch.ones(N), form)(model, batch)
        loss.backward()
        assert loss.item() == pytest.approx(0, abs=1e-6)
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="form must be"):
        InBatchSoftmax(torch.ones(N), "logq")


def vectors(n=400):
    return torch.randn(n, DIM, generator=torch.Generator().manual_seed(2))


def test_the_exact_index_is_the_sorted_product():
    found = exact(vectors()).search(vectors()[:9] + 0.1, 5)
    wanted = ((vectors()[:9] + 0.1) @ vectors().T).topk(5, dim=1).indices
    assert torch.equal(found, wanted)


def test_looking_at_more_finds_more_and_at_all_finds_all():
    queries = vectors(450)[400:]
    right = exact(vectors()).search(queries, 10)
    ivf, graph = IVF(vectors(), 8), HNSW(vectors())
    shares = []
    for cells in (1, 4, 8):
        ivf.probe(cells)
        found = ivf.search(queries, 10)
        hits = (found[:, :, None] == right[:, None]).any(dim=2).float().mean().item()
        shares.append((ivf.looked_at(queries), hits))
    assert shares == sorted(shares) and shares[-1] == (400 + 8, 1.0)
    graph.probe(400)
    assert torch.equal(graph.search(queries, 10), right)
    assert 10 < graph.looked_at(queries, 10) <= 1_000
    assert exact(vectors()).megabytes < ivf.megabytes < graph.megabytes


@pytest.mark.parametrize("k", [0, 401])
def test_an_index_has_no_more_neighbours_than_vectors(k):
    for index in (exact(vectors()), IVF(vectors(), 4), HNSW(vectors()), AugmentedHNSW(vectors())):
        with pytest.raises(ValueError, match="k must lie in 1 … 400"):
            index.search(vectors()[:2], k)


def test_an_index_refuses_what_it_cannot_hold_or_answer():
    with pytest.raises(ValueError, match="finite vectors"):
        exact(torch.tensor([[1.0, float("nan")]]))
    for index in (exact(vectors()), AugmentedHNSW(vectors())):
        with pytest.raises(ValueError, match=r"queries must be \(B, 8\)"):
            index.search(torch.zeros(2, 3), 1)


@pytest.fixture
def task(tiny_log, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "KEPT", tmp_path / "tuned.json")
    return retrieval_task(tiny_log, 5, repeats=False, judged=200)


def test_a_rival_is_judged_with_what_validation_chose(task, monkeypatch):
    monkeypatch.setenv(TUNE, "item kNN")
    contest = RetrievalContest(task, 0, "90_tiny", k=20)
    settings = [{"k": k, "last": last} for k, last in ((1, 1), (50, None), (50, 5))]
    plays = task.plays()
    contest.choose("item kNN", lambda k: ItemKNN(plays, k), settings)
    tried = contest.tuned.others["item kNN"]
    assert [one["setting"] for one in tried] == settings
    losses = [one["valid_loss"] for one in tried]
    assert len(set(losses)) > 1 and all(0 <= loss <= 1 for loss in losses)
    table = contest.chosen().row(0, named=True)
    assert table["tried"] == 3 and table[contest.judged_by] == round(min(losses), 4)
    monkeypatch.delenv(TUNE)
    later = RetrievalContest(task, 0, "90_tiny", k=20)
    later.choose("item kNN", lambda k: ItemKNN(plays, k), settings[:1])
    assert torch.equal(later.places["item kNN"].above, contest.places["item kNN"].above)


def test_a_rival_that_nobody_tried_has_its_first_setting(task):
    contest = RetrievalContest(task, 0, "90_tiny", k=20)
    contest.choose("popular", lambda days: Popular(task.popularity(days)), [{"days": None}])
    assert 0 < contest.places["popular"].recall(20).mean() < 1
    assert not len(contest.chosen())
