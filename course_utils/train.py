"""Seeds, devices, and one short training loop."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm.auto import tqdm

from course_utils.settings import course_seed

Batch = dict[str, Tensor]
"""Tensors of equal length; all but `target` are the model's arguments."""


class TrainingError(RuntimeError):
    """Training that cannot go on, with the reason and the remedy."""


def seed_everything(seed: int) -> int:
    """Seed Python, NumPy and PyTorch with `seed + COURSE_SEED`; returns the sum."""
    seed += course_seed()
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (libraries still draw from the global generator)
    torch.manual_seed(seed)
    return seed


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def batches(data: Batch, size: int, generator: torch.Generator | None = None) -> Iterator[Batch]:
    """Cut `data` into batches of `size` rows, shuffled if there is a generator."""
    n = len(data["target"])
    order = torch.randperm(n, generator=generator) if generator is not None else torch.arange(n)
    for rows in order.split(size):
        yield {name: values[rows] for name, values in data.items()}


@torch.no_grad()
def predict(model: nn.Module, data: Batch, batch_size: int = 8_192) -> Tensor:
    """Logits (N,) of all rows, on the CPU; the model is put in evaluation mode."""
    model.eval()
    where = next(model.parameters()).device
    out = []
    for batch in batches(data, batch_size):
        inputs = {k: v.to(where) for k, v in batch.items() if k != "target"}
        out.append(model(**inputs).cpu())
    return torch.cat(out)


@dataclass
class History:
    """What happened in training, an entry an epoch, for plots."""

    train_loss: list[float] = field(default_factory=list)
    valid_loss: list[float] = field(default_factory=list)
    seconds: float = 0.0
    best_epoch: int = -1


def fit(
    model: nn.Module,
    train: Batch,
    valid: Batch,
    *,
    epochs: int = 3,
    batch_size: int = 2_048,
    lr: float = 4e-3,
    weight_decay: float = 1e-2,
    embedding_decay: float = 10.0,
    patience: int = 1,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Train a model of logits on log loss with AdamW and one learning-rate cycle.

    Stops when the validation loss has not improved for `patience` epochs more than expected of
    noise, and restores the weights of the best epoch.

    Args:
        model: called with the batch's tensors by name, returns logits (B,).
        train, valid: rows with `target` (N,) in [0, 1]; `valid` must be later in time.
        epochs: passes over `train`. batch_size: rows a step. lr: peak of the cycle.
        weight_decay: AdamW's, for weights. embedding_decay: AdamW's, for embedding tables, much
            larger: a table row is seen seldom, and overfits first.
        patience: epochs without improvement that are tolerated.
        seed: of the order of rows. progress: show a tqdm bar.

    Returns:
        Losses by epoch, seconds, and the best epoch (from 0).

    Raises:
        TrainingError: the loss is not finite, or there is nothing to train on.
    """
    if not len(train["target"]) or not len(valid["target"]):
        raise TrainingError("no rows to train or to validate on; check the split")
    where = device()
    model.to(where)
    tables = [m.weight for m in model.modules() if isinstance(m, nn.Embedding)]
    known = {id(p) for p in tables}
    others = [p for p in model.parameters() if id(p) not in known]
    optimizer = torch.optim.AdamW(
        [
            {"params": others, "weight_decay": weight_decay},
            {"params": tables, "weight_decay": embedding_decay},
        ],
        lr=lr,
    )
    steps = -(-len(train["target"]) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, lr, total_steps=max(2, epochs * steps), pct_start=0.15
    )
    generator = torch.Generator().manual_seed(seed)
    history, best, start = History(), None, time.perf_counter()
    quiet = {} if progress else {"disable": True}  # left out, TQDM_DISABLE decides
    with tqdm(total=epochs * steps, desc=type(model).__name__, **quiet) as bar:
        for epoch in range(epochs):
            model.train()
            total = 0.0
            for batch in batches(train, batch_size, generator):
                batch = {name: values.to(where) for name, values in batch.items()}
                target = batch.pop("target")
                loss = binary_cross_entropy_with_logits(model(**batch), target)
                if not torch.isfinite(loss):
                    raise TrainingError(
                        f"the loss became {loss.item()} in epoch {epoch}; look for NaN or huge "
                        "inputs, or lower the learning rate"
                    )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.item() * len(target)
                bar.update()
            logits = predict(model, valid)
            history.train_loss.append(total / len(train["target"]))
            history.valid_loss.append(
                binary_cross_entropy_with_logits(logits, valid["target"]).item()
            )
            bar.set_postfix(valid=f"{history.valid_loss[-1]:.4f}")
            if history.valid_loss[-1] == min(history.valid_loss):
                history.best_epoch, best = epoch, copy.deepcopy(model.state_dict())
            elif epoch - history.best_epoch > patience:
                break
    if best is not None:
        model.load_state_dict(best)
    model.eval()
    history.seconds = time.perf_counter() - start
    return history
