"""Training on several processes: `torchrun` starts them, PyTorch's own engines do the work.

    torchrun --nproc-per-node 2 -m course_utils train --to FOLDER

Every process takes its share of each batch. The embedding tables, the bulk of a recommender, are
dealt out by rows: each process holds, decays and updates its own, and asks the others for what its
examples need (DTensor). All other weights are trained data-parallel (FSDP). A step is the step of
one process with the whole batch, up to the order in which floats are added.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import checkpoint
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Shard
from torch.distributed.tensor.parallel import RowwiseParallel, parallelize_module

from course_utils import train

WHOLE = "model.pt"
"""The trained weights in one file, as one process has them."""


@contextmanager
def processes() -> Iterator[int]:
    """The process group of `torchrun`, or one of a single process without it, for a block.

    Yields:
        This process's number in it.
    """
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    backend = "nccl" if cuda else "gloo"
    alone = {} if dist.is_torchelastic_launched() else {"rank": 0, "world_size": 1}
    dist.init_process_group(backend, store=dist.HashStore() if alone else None, **alone)
    try:
        yield dist.get_rank()
    finally:
        dist.destroy_process_group()


def deal_out(model: nn.Module) -> None:
    """Deal a model out over all processes, in place.

    Args:
        model: the same in all of them. It must look its tables up with a batch of rows in front,
            equally many in each process.
    """
    n = dist.get_world_size()
    mesh = init_device_mesh(train.device().type, (n,))
    tables = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    by_rows = RowwiseParallel(input_layouts=Shard(0), output_layouts=Shard(0))

    def of_the_mean(weight: Tensor) -> None:
        """All processes' gradients arrive at a row added up; the loss is their mean."""
        assert weight.grad is not None
        weight.grad.div_(n)

    # of a model whose output is a view it warns for code that would change it in place: none does
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module")
    for table in tables:
        parallelize_module(table, mesh, by_rows)
        table.weight.register_post_accumulate_grad_hook(of_the_mean)
    fully_shard(model, mesh=mesh, ignored_params={table.weight for table in tables})


def fit(
    model: nn.Module,
    rows: train.Batch,
    folder: Path,
    *,
    loss: train.Loss = train.log_loss,
    epochs: int = 1,
    batch_size: int = 2_048,
    lr: float = 3e-3,
    weight_decay: float = 1e-2,
    embedding_decay: float = 10.0,
    seed: int = 0,
    every: int = 200,
) -> Tensor:
    """Train a model that was dealt out, from the last checkpoint in the folder if there is one.

    Args:
        model: of `deal_out`. rows: of training, all of them in every process.
        folder: where checkpoints go, seen by all processes. The last complete one is kept.
        loss: mean loss of a batch. epochs: passes over the rows; in each, those that fill no batch
            wait for the next one, which has another order. batch_size: rows a step, of all
            processes together. lr, weight_decay, embedding_decay: of AdamW, as for `train.fit`.
        seed: of the order of rows. every: steps from checkpoint to checkpoint.

    Returns:
        Loss of each step, over the whole batch.

    Raises:
        TrainingError: a batch cannot be shared equally, or there are too few rows for one; the
            checkpoint belongs to another model or another number of steps; a loss is not finite.
    """
    rank, n = dist.get_rank(), dist.get_world_size()
    if batch_size % n:
        raise train.TrainingError(
            f"{n} processes cannot share a batch of {batch_size} rows equally; take a multiple"
        )
    if (a_pass := train.n_rows(rows) // batch_size) < 1:
        raise train.TrainingError(
            f"{train.n_rows(rows):,} rows are less than one batch of {batch_size:,}; take a "
            "smaller batch"
        )
    where = train.device()
    optimizer = train.adamw(model, lr, weight_decay, embedding_decay)
    losses = torch.full((epochs * a_pass,), torch.nan)
    _load(model, optimizer, losses, folder)
    done = int((~losses.isnan()).sum())
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for epoch in range(epochs):
        whole = zip(range(a_pass), train.batches(rows, batch_size, generator), strict=False)
        for number, batch in whole:
            step = epoch * a_pass + number
            if step < done:
                continue
            torch.manual_seed((seed + step) * n + rank)  # dropout, too, is the same after a kill
            mine = {name: values[rank::n].to(where) for name, values in batch.items()}
            value = loss(model, mine)
            losses[step] = _mean(value.detach())
            if not losses[step].isfinite():
                raise train.TrainingError(
                    f"the loss of step {step} became {losses[step].item()}; look for NaN or huge "
                    "inputs, or lower the learning rate"
                )
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            if (step + 1) % every == 0 or step + 1 == len(losses):
                _save(model, optimizer, losses, folder, step + 1)
    _save_whole(model, folder)
    return losses


def predict(model: nn.Module, data: train.Batch) -> Tensor:
    """`train.predict` of a model that was dealt out: every process predicts its share, all get all.

    Args:
        model: of `deal_out`. data: tensors by name, all rows in every process.
    """
    rank, n, n_rows = dist.get_rank(), dist.get_world_size(), train.n_rows(data)
    share = -(-n_rows // n)
    at = (torch.arange(share) * n + rank).clamp(max=n_rows - 1)  # all shares are of one length
    mine = train.predict(model, {name: values[at] for name, values in data.items()})
    shares = [torch.empty_like(mine, device=train.device()) for _ in range(n)]
    dist.all_gather(shares, mine.to(train.device()))
    return torch.stack(shares, dim=1).flatten(0, 1)[:n_rows].cpu()


def _mean(value: Tensor) -> Tensor:
    """The mean of a number over all processes."""
    total = value.clone()
    dist.all_reduce(total)
    return total.cpu() / dist.get_world_size()


def _checkpoints(folder: Path) -> list[Path]:
    """The complete ones, the last one last: what describes them is written when all else is."""
    return sorted(path.parent for path in folder.glob("step-*/.metadata"))


def _state(model: nn.Module, optimizer: torch.optim.Optimizer, losses: Tensor) -> dict:
    weights, moments = get_state_dict(model, optimizer)
    return {"model": weights, "optimizer": moments, "losses": losses}


def _save(
    model: nn.Module, optimizer: torch.optim.Optimizer, losses: Tensor, folder: Path, step: int
) -> None:
    """Save after this many steps, then forget what was saved before."""
    earlier = _checkpoints(folder)
    checkpoint.save(_state(model, optimizer, losses), checkpoint_id=folder / f"step-{step:08}")
    dist.barrier()
    if dist.get_rank() == 0:
        for path in earlier:
            shutil.rmtree(path)


def _load(model: nn.Module, optimizer: torch.optim.Optimizer, losses: Tensor, folder: Path) -> None:
    """Fill the model, its optimizer and the losses with the last checkpoint, if there is one."""
    found = _checkpoints(folder)
    if not found:
        return
    state = _state(model, optimizer, losses)
    try:
        checkpoint.load(state, checkpoint_id=found[-1])
    except checkpoint.CheckpointException as error:
        why = next(iter(error.failures.values()))[0]
        raise train.TrainingError(
            f"{found[-1]} was saved by another model or another training ({why}); repeat what was "
            "started there, or name another folder"
        ) from error
    set_state_dict(
        model, optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"]
    )


def _save_whole(model: nn.Module, folder: Path) -> None:
    """The weights in one file."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights = get_model_state_dict(model, options=options)
    if dist.get_rank() == 0:
        torch.save(weights, folder / WHOLE)
