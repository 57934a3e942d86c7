"""RecTools' SASRec: fit it on plays, list the best items of each listener.

    python rectools_sasrec.py FOLDER        (with the Python of an environment of its own)

FOLDER holds train.csv and known.csv (columns uid, item_id, order: what to learn from, and
what stands before the question) and options.json (of `SASRecModel`, and `k`). Written there:
lists.csv (uid, item_id, rank) and told.json (seconds of fitting and of listing).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd
import torch
from pytorch_lightning import Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def dataset(path: Path) -> Dataset:
    """Plays as RecTools wants them; the order of plays stands in the place of time."""
    plays = pd.read_csv(path)
    return Dataset.construct(
        pd.DataFrame(
            {
                Columns.User: plays["uid"],
                Columns.Item: plays["item_id"],
                Columns.Weight: 1.0,
                Columns.Datetime: pd.to_datetime(plays["order"], unit="s"),
            }
        )
    )


def main(folder: Path) -> None:
    options = json.loads((folder / "options.json").read_text())
    k, epochs = options.pop("k"), options["epochs"]

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    model = SASRecModel(
        **options, get_trainer_func=trainer, recommend_torch_device="cpu", recommend_n_threads=1
    )
    start = time.perf_counter()
    model.fit(dataset(folder / "train.csv"))
    fitted = time.perf_counter()
    known = dataset(folder / "known.csv")
    users = known.user_id_map.external_ids
    lists = model.recommend(users, known, k=k, filter_viewed=True)
    told = {"fit": fitted - start, "list": time.perf_counter() - fitted}
    lists = lists[[Columns.User, Columns.Item, Columns.Rank]].set_axis(
        ["uid", "item_id", "rank"], axis=1
    )
    lists.to_csv(folder / "lists.csv", index=False)
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
