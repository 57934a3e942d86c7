"""Seeds, devices, and one short training loop."""

from __future__ import annotations

import copy
import ctypes
import math
import operator
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from numbers import Integral
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm.auto import tqdm

from course_utils.settings import course_seed

Batch = dict[str, Tensor]
"""Tensors of equally many rows; all but `target` are the model's arguments."""

Schedule = Literal["averaged", "constant", "cycle"]

Loss = Callable[[nn.Module, Batch], Tensor]
"""The mean loss of a batch, a number, from the model and the batch on the model's device."""


class TrainingError(RuntimeError):
    """Training that cannot go on, with the reason and the remedy."""


def seed_everything(seed: int) -> int:
    """Seed Python, NumPy and PyTorch with `seed + COURSE_SEED`; returns the sum.

    Raises:
        TrainingError: the sum is no whole number from 0 to 2³² − 1, which all of them take.
    """
    try:
        seed = operator.index(seed) + course_seed()
    except TypeError:
        raise TrainingError(f"a seed must be a whole number, got {seed!r}") from None
    if not 0 <= seed < 2**32:
        raise TrainingError(f"a seed must lie between 0 and 2³² − 1, got {seed}")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (libraries still draw from the global generator)
    torch.manual_seed(seed)
    return seed


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _glibc() -> ctypes.CDLL | None:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "mallopt") else None


@cache
def keep_freed_memory() -> None:
    """Let this process keep memory that was freed, where glibc can be told so.

    A step frees the gradient of an embedding table, and the next step asks for as much again. If
    glibc hands such memory back to the system in between, each page is mapped and filled with
    zeros anew: a quarter of the time of a step. It changes no number. Blocks of more than 128 MiB
    go back all the same. See mallopt(3).
    """
    if libc := _glibc():
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
        libc.mallopt(mmap_threshold, 2**27)
        libc.mallopt(trim_threshold, 2**31 - 1)


def hand_back_freed_memory() -> None:
    """Give memory that was freed and kept back to the system, before memory is measured."""
    if libc := _glibc():
        libc.malloc_trim(0)


def n_rows(data: Batch) -> int:
    """How many rows the tensors of a batch have.

    Raises:
        TrainingError: there is no tensor, or they differ in length.
    """
    lengths = {len(values) if values.ndim else -1 for values in data.values()}
    if len(lengths) != 1 or -1 in lengths:
        shapes = {name: tuple(values.shape) for name, values in data.items()}
        raise TrainingError(
            f"a batch needs tensors of equally many rows, got {shapes}; cut them from the same rows"
        )
    return lengths.pop()


def batches(data: Batch, size: int, generator: torch.Generator | None = None) -> Iterator[Batch]:
    """Cut `data` into batches of `size` rows, shuffled if there is a generator.

    Raises:
        TrainingError: there is no tensor, or they differ in length.
    """
    n = n_rows(data)
    order = torch.randperm(n, generator=generator) if generator is not None else torch.arange(n)
    for rows in order.split(size):
        yield {name: values[rows] for name, values in data.items()}


def _inputs(batch: Batch) -> Batch:
    return {name: values for name, values in batch.items() if name != "target"}


def _to(batch: Batch, where: torch.device) -> Batch:
    return {name: values.to(where) for name, values in batch.items()}


def log_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Mean log loss in nats of the logits `model(**inputs)` against `target`, both (B,) or (B, T).

    The inputs are all tensors but `target`.
    """
    logits = model(**_inputs(batch))
    return binary_cross_entropy_with_logits(logits, batch["target"].to(logits))


def squared_error(model: nn.Module, batch: Batch) -> Tensor:
    """Mean squared error of `model(**inputs)` against `target`, both (B,) or (B, T).

    Raises:
        TrainingError: they differ in shape; PyTorch would compare all with all.
    """
    prediction, target = model(**_inputs(batch)), batch["target"]
    if prediction.shape != target.shape:
        raise TrainingError(
            f"predictions {tuple(prediction.shape)} and target {tuple(target.shape)} differ in "
            "shape; squeeze or reshape one of them"
        )
    return (prediction - target).square().mean()


@torch.no_grad()
def predict(model: nn.Module, data: Batch, batch_size: int = 8_192) -> Tensor:
    """Outputs (N, …) of all rows, on the CPU; the model is put in evaluation mode.

    Args:
        model: called with the tensors of `data` by name, `target` left out.
    """
    model.eval()
    where = next((p.device for p in model.parameters()), torch.device("cpu"))
    out = [model(**_inputs(_to(batch, where))).cpu() for batch in batches(data, batch_size)]
    return torch.cat(out)


@dataclass
class History:
    """What happened in training, an entry an epoch, for plots."""

    train_loss: list[float] = field(default_factory=list)
    valid_loss: list[float] = field(default_factory=list)
    seconds: float = 0.0
    best_epoch: int = -1
    steps: int = 0
    """Of the optimizer, in all."""


def fit(
    model: nn.Module,
    train: Batch,
    valid: Batch,
    *,
    loss: Loss = log_loss,
    criterion: Loss | None = None,
    epochs: int = 30,
    batch_size: int = 2_048,
    lr: float = 3e-3,
    schedule: Schedule = "averaged",
    weight_decay: float = 1e-2,
    embedding_decay: float = 10.0,
    patience: int = 1,
    tolerance: float = 2e-4,
    seed: int = 0,
    progress: bool = True,
    before_epoch: Callable[[nn.Module, int], None] | None = None,
) -> History:
    """Train with AdamW until validation stops improving, and keep the weights of the best epoch.

    Training stops when for more than `patience` epochs the validation loss has not fallen by more
    than `tolerance`, and after `epochs` in any case.

    Args:
        model: what `loss` calls; it is moved to the GPU if there is one.
        train, valid: tensors with a row an example; `valid` must be later in time.
        loss: mean loss of a batch, one number. Default: log loss of the logits of
            `model(**inputs)` (B,) against `target` (B,) in [0, 1]. For the validation loss it is
            called in evaluation mode on batches of the same size, and what it draws at random from
            PyTorch's generator is then the same after every epoch.
        criterion: what validation is judged by, if not by the loss: lower is better. Its mean over
            batches is the validation loss of the history.
        epochs: most passes over `train`. batch_size: rows a step.
        lr: learning rate, or the peak of the cycle.
        schedule: `averaged`, a constant rate, and what is validated and kept are the weights
            averaged over about the last tenth of the steps (Shamir & Zhang 2013, "Stochastic
            gradient descent for non-smooth optimization", section 4): it need not know when
            training will end. `constant`, without averaging. `cycle`, up and down once over
            all `epochs` (Smith & Topin 2019, "Super-convergence").
        weight_decay: AdamW's, for weights. embedding_decay: AdamW's, for embedding tables, much
            larger: a table row is seen seldom, and overfits first.
        patience: epochs without improvement that are tolerated. tolerance: what the validation
            loss must fall by, since it last did, to count as an improvement.
        seed: of the order of rows and of the draws in validation. progress: show a tqdm bar.
        before_epoch: called with the model and the number of the epoch (from 0) before each one;
            for a parameter that it changes the optimizer and the average start anew.

    Returns:
        Losses by epoch, means over rows; seconds; the best epoch (from 0).

    Raises:
        TrainingError: there is nothing to train or to validate on, tensors differ in length, an
            argument is out of range, or a loss is not finite.
    """
    _check_options(epochs, batch_size, lr, weight_decay, embedding_decay, patience, tolerance)
    for part in (train, valid):
        _check_rows(part, loss)
    keep_freed_memory()
    judge = loss if criterion is None else criterion
    where = device()
    model.to(where)
    optimizer = adamw(model, lr, weight_decay, embedding_decay)
    steps = -(-n_rows(train) // batch_size)
    rate = _rate(optimizer, schedule, lr, epochs * steps)
    average = _Average(model) if schedule == "averaged" else None
    kept = model if average is None else average.model
    generator = torch.Generator().manual_seed(seed)
    history, start = History(), time.perf_counter()
    best: dict[str, Tensor] = {}
    level, improved = math.inf, 0
    quiet = {} if progress else {"disable": True}  # left out, TQDM_DISABLE decides
    with tqdm(total=epochs * steps, desc=type(model).__name__, **quiet) as bar:
        for epoch in range(epochs):
            if before_epoch is not None:
                for changed in _call_before_epoch(before_epoch, model, epoch, optimizer):
                    if average is not None:
                        average.forget(changed)
            model.train()
            total = 0.0
            for batch in batches(train, batch_size, generator):
                value = loss(model, _to(batch, where))
                total += _finite(value, batch, f"loss in epoch {epoch}") * n_rows(batch)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                rate.step()
                if average is not None:
                    average.update(model)
                bar.update()
            history.train_loss.append(total / n_rows(train))
            history.valid_loss.append(_validation_loss(kept, valid, judge, batch_size, seed, epoch))
            bar.set_postfix(valid=f"{history.valid_loss[-1]:.4f}")
            if history.valid_loss[-1] == min(history.valid_loss):
                history.best_epoch, best = epoch, copy.deepcopy(kept.state_dict())
            if history.valid_loss[-1] < level - tolerance:
                level, improved = history.valid_loss[-1], epoch
            elif epoch - improved > patience:
                break
    model.load_state_dict(best)
    model.eval()
    history.seconds = time.perf_counter() - start
    history.steps = steps * len(history.valid_loss)
    return history


class _Average:
    """A model whose weights are the average of another's over about the last tenth of its steps.

    After step n a weight moves by 10/(n + 10) of its distance to the present one.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = copy.deepcopy(model)
        self._steps: dict[str, int] = {}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take the weights after one more step into the average; buffers are copied."""
        pairs = zip(self.model.named_parameters(), model.parameters(), strict=True)
        for (name, mean), new in pairs:
            n = self._steps[name] = self._steps.get(name, 0) + 1
            mean.lerp_(new, 10 / (n + 10))
        for copied, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            copied.copy_(buffer)

    def forget(self, changed: str) -> None:
        """Start the average of one parameter anew."""
        self._steps[changed] = 0


def _check_options(
    epochs: int,
    batch_size: int,
    lr: float,
    weight_decay: float,
    embedding_decay: float,
    patience: int,
    tolerance: float,
) -> None:
    least = {"epochs": 1, "batch_size": 1, "patience": 0}
    for (name, at_least), whole in zip(least.items(), (epochs, batch_size, patience), strict=True):
        if not isinstance(whole, Integral) or whole < at_least:
            raise TrainingError(
                f"{name} must be a whole number of at least {at_least}, got {whole!r}"
            )
    if not 0 < lr < math.inf:
        raise TrainingError(f"lr must be a positive number, got {lr!r}")
    sizes = {"weight_decay": weight_decay, "embedding_decay": embedding_decay}
    for name, size in {**sizes, "tolerance": tolerance}.items():
        if not 0 <= size < math.inf:
            raise TrainingError(f"{name} must be 0 or a positive number, got {size!r}")


def _check_rows(data: Batch, loss: Loss) -> None:
    """Refuse a part without rows, and a target that is missing or that the loss cannot take."""
    if not n_rows(data):
        raise TrainingError("no rows to train or to validate on; check the split")
    if loss not in (log_loss, squared_error):
        return
    if "target" not in data:
        raise TrainingError(f"this loss needs a tensor 'target', got {list(data)}; pass a `loss`")
    target = data["target"]
    if bad := int((~torch.isfinite(target)).sum()):
        raise TrainingError(
            f"'target' holds {bad:,} values that are NaN or infinite; drop the rows"
        )
    if loss is log_loss and bool(((target < 0) | (target > 1)).any()):
        raise TrainingError(
            f"log loss needs a 'target' in [0, 1], here it is {target.min().item():g} to "
            f"{target.max().item():g}; use loss=squared_error for a regression"
        )


def embedding_tables(model: nn.Module) -> list[Tensor]:
    """The weights that `embedding_decay` is for."""
    return [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]


def adamw(
    model: nn.Module, lr: float, weight_decay: float, embedding_decay: float
) -> torch.optim.Optimizer:
    """AdamW with a weight decay of their own for embedding tables."""
    tables = embedding_tables(model)
    known = {id(p) for p in tables}
    others = [p for p in model.parameters() if id(p) not in known]
    groups = [
        {"params": others, "weight_decay": weight_decay},
        {"params": tables, "weight_decay": embedding_decay},
    ]
    return torch.optim.AdamW(groups, lr=lr, fused=True)


def _rate(
    optimizer: torch.optim.Optimizer, schedule: str, lr: float, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if schedule == "cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, lr, total_steps=max(2, steps), pct_start=0.15
        )
    if schedule in ("averaged", "constant"):
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    raise TrainingError(f"schedule must be 'averaged', 'constant' or 'cycle', got {schedule!r}")


def _call_before_epoch(
    hook: Callable[[nn.Module, int], None],
    model: nn.Module,
    epoch: int,
    optimizer: torch.optim.Optimizer,
) -> list[str]:
    """Call the hook; forget the optimizer's state of each parameter that it changed, name them."""
    before = [(name, p, p.detach().clone()) for name, p in model.named_parameters()]
    hook(model, epoch)
    changed = [(name, p) for name, p, old in before if not torch.equal(p, old)]
    for _, parameter in changed:
        optimizer.state.pop(parameter, None)
    return [name for name, _ in changed]


def _finite(value: Tensor, batch: Batch, what: str) -> float:
    """The loss as a number.

    Raises:
        TrainingError: it is not one number, or not finite.
    """
    if value.numel() != 1:
        raise TrainingError(f"a loss must be one number, got {tuple(value.shape)}; take its mean")
    if torch.is_grad_enabled() and not value.requires_grad:
        raise TrainingError(f"the {what} does not depend on a parameter: nothing would be trained")
    number = value.item()
    if not math.isfinite(number):
        unknown = [name for name, x in batch.items() if x.is_floating_point() and x.isnan().any()]
        hint = f"this batch has NaN in {unknown}; " if unknown else ""
        raise TrainingError(
            f"the {what} became {number}; {hint}look for NaN or huge inputs, or lower the learning "
            "rate"
        )
    return number


def _validation_loss(
    model: nn.Module, valid: Batch, loss: Loss, batch_size: int, seed: int, epoch: int
) -> float:
    """Mean of the loss over the rows, in evaluation mode; the generators stay as they were."""
    model.eval()
    where = device()
    total = 0.0
    with torch.no_grad(), torch.random.fork_rng([where] if where.type == "cuda" else []):
        torch.manual_seed(seed)
        for batch in batches(valid, batch_size):
            value = _finite(
                loss(model, _to(batch, where)), batch, f"validation loss in epoch {epoch}"
            )
            total += value * n_rows(batch)
    return total / n_rows(valid)
