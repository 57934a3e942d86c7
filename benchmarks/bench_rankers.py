"""Rankers: rows a second of FM, DeepFM and DCN-v2, ours and those of two libraries.

Every model gets the same rows of the default log, the same fields and the same sizes: three ids
and all counters cut into 16 bins, a vector of 8 for each value; an MLP of 192 and 96; two cross
layers. What is compared:

- the same loop for all: the same batches of tensors, AdamW, one pass. Epochs of the models take
  turns, so that noise of the machine meets all of them;
- each library's own way to train: `fit` of ours, `CTRTrainer` of torch-rechub, `model.fit` of
  deepctr-torch, one pass over the same rows.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from course_utils import train
from course_utils.data.log import open_log
from course_utils.data.tasks.ranking import Batches, RankingTask, ranking_task
from course_utils.evaluation.pointwise import roc_auc
from course_utils.evaluation.rivals import count_parameters
from course_utils.models.mlp import MLP
from course_utils.models.ranking.dcn_v2 import CrossNetwork
from course_utils.models.ranking.fm_ffm import FactorizationMachine, FieldEmbedding
from course_utils.models.ranking.ple import quantile_bins
from course_utils.models.ranking.wide_deep_deepfm import DeepFM

DIM, HIDDEN, BINS, BATCH = 8, [192, 96], 16, 2_048
ROWS, TURNS, LR = 120_000, 3, 4e-3


class DCN(nn.Module):
    """The parallel form from our layers, over fields that are all ids."""

    def __init__(self, n_values: dict[str, int]) -> None:
        super().__init__()
        self.fields = FieldEmbedding(n_values, None, DIM)
        dim = DIM * len(n_values)
        self.cross, self.deep = CrossNetwork(dim), MLP(dim, HIDDEN)
        self.head = nn.Linear(dim + HIDDEN[-1], 1)

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        x = self.fields(ids).flatten(1)
        return self.head(torch.cat([self.cross(x), self.deep(x)], dim=1)).squeeze(1)


def only_ids(task: RankingTask) -> tuple[Batches, dict[str, int]]:
    """The batches with every number replaced by the number of its bin, 0 for unknown."""
    edges = quantile_bins(task.batches["train"]["numbers"], BINS)
    batches = {}
    for part, batch in task.recent(ROWS).items():
        binned = [
            torch.where(x.isnan(), 0, torch.searchsorted(e[1:-1].contiguous(), x, right=True) + 1)
            for x, e in zip(batch["numbers"].T.contiguous(), edges, strict=True)
        ]
        ids = torch.cat([batch["ids"], torch.stack(binned, dim=1)], dim=1)
        batches[part] = {"ids": ids, "numbers": batch["numbers"][:, :0], "target": batch["target"]}
    bins = {name: len(e) for name, e in zip(task.numbers, edges, strict=True)}
    return batches, task.n_values | bins


def ours(n_values: dict[str, int]) -> dict[str, nn.Module]:
    return {
        "FM": FactorizationMachine(n_values, None, DIM),
        "DeepFM": DeepFM(n_values, None, dim=DIM, hidden=tuple(HIDDEN)),
        "DCN-v2": DCN(n_values),
    }


class Rechub(nn.Module):
    """A model of torch-rechub: takes a dictionary of columns, returns probabilities."""

    def __init__(self, name: str, n_values: dict[str, int]) -> None:
        super().__init__()
        from torch_rechub.basic.features import SparseFeature
        from torch_rechub.models import ranking

        fields = [SparseFeature(f"c{i}", n, DIM) for i, n in enumerate(n_values.values())]
        mlp = {"dims": HIDDEN, "dropout": 0.0, "activation": "relu"}
        if name == "DeepFM":
            self.model = ranking.DeepFM(fields, fields, mlp)
        else:
            self.model = ranking.dcn_v2.DCNv2(fields, 2, mlp, use_low_rank_mixture=False)

    def columns(self, ids: Tensor) -> dict[str, Tensor]:
        return {f"c{i}": column for i, column in enumerate(ids.T)}

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        return self.model(self.columns(ids))


class DeepCtr(nn.Module):
    """A model of deepctr-torch: takes one matrix, returns probabilities."""

    def __init__(self, name: str, n_values: dict[str, int]) -> None:
        super().__init__()
        from deepctr_torch import models
        from deepctr_torch.inputs import SparseFeat

        fields = [SparseFeat(f"c{i}", n, DIM) for i, n in enumerate(n_values.values())]
        if name == "DCN-v2":
            self.model = models.DCN(
                fields, fields, 2, "matrix", tuple(HIDDEN),
                l2_reg_linear=0.0, l2_reg_embedding=0.0, l2_reg_cross=0.0,
            )  # fmt: skip
        else:
            self.model = models.DeepFM(
                fields, fields, dnn_hidden_units=tuple(HIDDEN) if name == "DeepFM" else (),
                l2_reg_linear=0.0, l2_reg_embedding=0.0,
            )  # fmt: skip

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        return self.model(ids.float()).squeeze(1)


def theirs(n_values: dict[str, int]) -> dict[tuple[str, str], nn.Module]:
    return {
        ("FM", "deepctr-torch"): DeepCtr("FM", n_values),
        ("DeepFM", "torch-rechub"): Rechub("DeepFM", n_values),
        ("DeepFM", "deepctr-torch"): DeepCtr("DeepFM", n_values),
        ("DCN-v2", "torch-rechub"): Rechub("DCN-v2", n_values),
        ("DCN-v2", "deepctr-torch"): DeepCtr("DCN-v2", n_values),
    }


def one_pass(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: train.Batch,
    loss_of: Callable[[Tensor, Tensor], Tensor],
) -> float:
    """Train over all rows once; the median seconds of a step."""
    model.train()
    seconds = []
    for batch in train.batches(data, BATCH, torch.Generator().manual_seed(0)):
        target = batch.pop("target")
        start = time.perf_counter()
        loss = loss_of(model(**batch), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def same_loop(batches: Batches, n_values: dict[str, int]) -> None:
    """Rows a second in training and in scoring, all models in turns."""
    models = {(name, "ours"): model for name, model in ours(n_values).items()} | theirs(n_values)
    losses = {
        key: binary_cross_entropy_with_logits if key[1] == "ours" else binary_cross_entropy
        for key in models
    }
    optimizers = {key: torch.optim.AdamW(m.parameters(), lr=LR) for key, m in models.items()}
    steps: dict[tuple[str, str], list[float]] = {key: [] for key in models}
    scoring: dict[tuple[str, str], list[float]] = {key: [] for key in models}
    auc: dict[tuple[str, str], float] = {}
    for turn in range(TURNS):
        for key, model in models.items():
            steps[key].append(one_pass(model, optimizers[key], batches["train"], losses[key]))
            start = time.perf_counter()
            scores = train.predict(model, batches["test"])
            scoring[key].append(time.perf_counter() - start)
            if turn == 0:
                auc[key] = roc_auc(scores.double(), batches["test"]["target"])
    print("\nthe same loop for all")
    print("| model | library | parameters | AUC, one pass | rows/s training | rows/s scoring |")
    print("|---|---|---|---|---|---|")
    n = len(batches["test"]["target"])
    for name, library in sorted(models, key=lambda key: ["FM", "DeepFM", "DCN-v2"].index(key[0])):
        key = name, library
        print(
            f"| {name} | {library} | {count_parameters(models[key]):,} | {auc[key]:.4f} "
            f"| {BATCH / min(steps[key]):,.0f} | {n / min(scoring[key]):,.0f} |"
        )


def train_ours(batches: Batches, n_values: dict[str, int]) -> nn.Module:
    model = DCN(n_values)
    train.fit(
        model, batches["train"], batches["validation"],
        epochs=1, embedding_decay=0.0, progress=False,
    )  # fmt: skip
    return model


def train_rechub(batches: Batches, n_values: dict[str, int]) -> nn.Module:
    from torch_rechub.trainers import CTRTrainer
    from torch_rechub.utils.data import DataGenerator

    model = Rechub("DCN-v2", n_values)
    x = {name: values.numpy() for name, values in model.columns(batches["train"]["ids"]).items()}
    loader, _, _ = DataGenerator(x, batches["train"]["target"].numpy()).generate_dataloader(
        split_ratio=[0.999, 0.0005], batch_size=BATCH
    )
    with tempfile.TemporaryDirectory() as folder:  # it saves the model, wanted or not
        trainer = CTRTrainer(
            model.model, optimizer_params={"lr": LR}, n_epoch=1, device="cpu", model_path=folder
        )
        trainer.fit(loader)
    return model


def train_deepctr(batches: Batches, n_values: dict[str, int]) -> nn.Module:
    model = DeepCtr("DCN-v2", n_values)
    x = {f"c{i}": column.numpy() for i, column in enumerate(batches["train"]["ids"].T)}
    model.model.compile(torch.optim.Adam(model.parameters(), lr=LR), "binary_crossentropy")
    model.model.fit(x, batches["train"]["target"].numpy(), BATCH, epochs=1, verbose=0)
    return model


def own_way(batches: Batches, n_values: dict[str, int]) -> None:
    """Seconds for one pass with what each library offers for training."""
    print("\neach library's own way to train DCN-v2, one pass")
    print("| library | seconds | AUC |\n|---|---|---|")
    ways = {"ours": train_ours, "torch-rechub": train_rechub, "deepctr-torch": train_deepctr}
    for library, way in ways.items():
        noise = io.StringIO()
        with contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
            start = time.perf_counter()
            model = way(batches, n_values)
            seconds = time.perf_counter() - start
        auc = roc_auc(train.predict(model, batches["test"]).double(), batches["test"]["target"])
        print(f"| {library} | {seconds:.1f} | {auc:.4f} |")


def where_the_time_goes(batches: Batches, n_values: dict[str, int]) -> None:
    """Operations that take the most of our DCN-v2's training, by their own time."""
    model = DCN(n_values)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        one_pass(model, optimizer, batches["validation"], binary_cross_entropy_with_logits)
    spent = sorted(profile.key_averages(), key=lambda one: -one.self_cpu_time_total)
    whole = sum(one.self_cpu_time_total for one in spent)
    print("\nwhere our DCN-v2's training time goes")
    for one in spent[:6]:
        print(f"{one.self_cpu_time_total / whole:6.1%}  {one.key}")


def main() -> None:
    torch.manual_seed(0)
    batches, n_values = only_ids(ranking_task(open_log()))
    print(f"{ROWS:,} rows of {len(n_values)} fields, batches of {BATCH:,}")
    print(f"{torch.get_num_threads()} threads")
    same_loop(batches, n_values)
    own_way(batches, n_values)
    where_the_time_goes(batches, n_values)


if __name__ == "__main__":
    main()
