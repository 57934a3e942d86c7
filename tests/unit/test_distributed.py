"""Training on several processes: the losses of one, also after a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor, nn

from course_utils import __main__ as command_line
from course_utils import train
from course_utils.models.ranking.dcn_v2 import DCNv2
from course_utils.models.ranking.ple import Standardized
from course_utils.models.ranking.unified_embeddings import UnifiedEmbedding
from course_utils.scale import training
from course_utils.settings import ROOT

JOB = """
import sys, time
from pathlib import Path

import torch

sys.path.insert(0, {tests!r})
from test_distributed import job
from course_utils import train


def slow(model, batch):
    time.sleep({pause})
    return train.log_loss(model, batch)


job(Path({folder!r}), loss=slow, dropout={dropout})
"""
"""What each process of `torchrun` runs."""


def rows_of(n: int = 1_000) -> train.Batch:
    generator = torch.Generator().manual_seed(0)
    return {
        "ids": torch.randint(0, 1_000, (n, 3), generator=generator),
        "numbers": torch.randn(n, 5, generator=generator),
        "target": torch.randint(0, 2, (n,), generator=generator).float(),
    }


def network(rows: train.Batch, n_rows: int = 101, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(1)
    embedding = UnifiedEmbedding(n_rows, 8, 3, n_hashes=2, dropout=dropout)
    return DCNv2(embedding, Standardized(rows["numbers"]))


def job(
    folder: Path, n_rows: int = 101, dropout: float = 0.0, **options
) -> tuple[Tensor, Tensor] | None:
    """Train for 45 steps and predict 333 rows; the first process keeps both."""
    rows = rows_of()
    model = network(rows, n_rows, dropout)
    with training.processes() as number:
        training.deal_out(model)
        told = {"epochs": 3, "batch_size": 64, "every": 10} | options
        losses = training.fit(model, rows, folder, **told)
        predicted = training.predict(model, {name: one[:333] for name, one in rows.items()})
    if number == 0:
        torch.save((losses, predicted), folder / "found.pt")
    return losses, predicted


def torchrun(folder: Path, n: int, pause: float = 0, dropout: float = 0) -> subprocess.Popen:
    """Start the job in processes of its own."""
    script = folder.with_suffix(".py")
    told = {"tests": str(Path(__file__).parent), "folder": str(folder)}
    script.write_text(JOB.format(**told, pause=pause, dropout=dropout), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    return subprocess.Popen(
        [*command, str(n), str(script)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def found(folder: Path, n: int, **options) -> tuple[Tensor, Tensor]:
    run = torchrun(folder, n, **options)
    said, _ = run.communicate(timeout=600)
    assert run.returncode == 0, said.decode(errors="replace")[-3_000:]
    return torch.load(folder / "found.pt")


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """The folder of a training on two processes that came to its end."""
    folder = tmp_path_factory.mktemp("two") / "run"
    found(folder, 2)
    return folder


def test_two_processes_compute_what_one_does(two, tmp_path):
    losses, predicted = torch.load(two / "found.pt")
    alone_losses, alone_predicted = job(tmp_path)
    assert len(losses) == 45 and losses.isfinite().all()
    assert torch.allclose(losses, alone_losses, atol=2e-6)
    assert torch.allclose(predicted, alone_predicted, atol=2e-5)
    weights, alone = (torch.load(folder / training.WHOLE) for folder in (two, tmp_path))
    assert all(torch.allclose(weights[name], alone[name], atol=2e-5) for name in alone)


def test_so_does_the_usual_training(tmp_path):
    """One process without any engine: AdamW of `train.fit` by hand, over the same rows."""
    rows = rows_of()
    model = network(rows)
    optimizer = train.adamw(model, 3e-3, 1e-2, 10.0)
    generator = torch.Generator().manual_seed(0)
    by_hand = []
    for _ in range(3):
        for batch in list(train.batches(rows, 64, generator))[:15]:
            value = train.log_loss(model, batch)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            by_hand.append(value.item())
    losses, predicted = job(tmp_path)
    assert torch.allclose(losses, torch.tensor(by_hand), atol=2e-6)
    model.eval()
    whole = network(rows)
    whole.load_state_dict(torch.load(tmp_path / training.WHOLE))
    some = {name: one[:333] for name, one in rows.items()}
    assert torch.allclose(train.predict(whole, some), predicted, atol=1e-6)
    assert torch.allclose(train.predict(model, some), predicted, atol=2e-5)


def test_a_killed_training_goes_on_where_it_was(tmp_path):
    whole, predicted = found(tmp_path / "whole", 2, dropout=0.5)
    folder = tmp_path / "killed"
    run = torchrun(folder, 2, pause=0.1, dropout=0.5)
    for _ in range(6_000):
        if list(folder.glob("step-*/.metadata")) or run.poll() is not None:
            break
        time.sleep(0.05)
    agent = psutil.Process(run.pid)
    for process in [agent, *agent.children(recursive=True)]:
        process.kill()
    run.communicate()
    (kept,) = training._checkpoints(folder)
    assert 0 < int(kept.name.removeprefix("step-")) < 45 and not (folder / "found.pt").exists()
    again, predicted_again = found(folder, 2, dropout=0.5)
    assert torch.equal(again, whole) and torch.equal(predicted_again, predicted)
    assert len(training._checkpoints(folder)) == 1


def test_another_number_of_processes_reads_the_checkpoint(two):
    losses, predicted = job(two)
    kept_losses, kept_predicted = torch.load(two / "found.pt")
    assert torch.equal(losses, kept_losses)
    assert torch.allclose(predicted, kept_predicted, atol=1e-6)


def test_another_model_is_refused(two):
    with pytest.raises(train.TrainingError, match=r"saved by another model.*101, 8.*77, 8"):
        job(two, n_rows=77)
    with pytest.raises(train.TrainingError, match=r"another training.*45.*60"):
        job(two, epochs=4)


def test_what_cannot_be_is_said(tmp_path):
    with pytest.raises(train.TrainingError, match="less than one batch of 2,048"):
        job(tmp_path, batch_size=2_048)
    with pytest.raises(train.TrainingError, match="the loss of step 0 became nan"):
        job(tmp_path, loss=lambda model, batch: train.log_loss(model, batch) * torch.nan)


def test_a_batch_that_cannot_be_shared(tmp_path, monkeypatch):
    with training.processes():
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
        with pytest.raises(train.TrainingError, match="3 processes cannot share a batch of 64"):
            training.fit(nn.Linear(1, 1), rows_of(), tmp_path, batch_size=64)


def test_the_command(tmp_path, capsys):
    asked = ["train", "movielens", "--to", str(tmp_path / "run"), "--batch-size", "8192"]
    assert command_line.main(asked) == 0
    assert "log loss on validation 0.6" in capsys.readouterr().out
    assert (tmp_path / "run" / training.WHOLE).exists()
