"""Cornac's TIGER: fit it on sequences of plays, list the best items of each question.

    python cornac_tiger.py FOLDER        (with the Python of an environment of its own)

FOLDER holds train.json (sequences of items 1 … n to learn from), vectors.npy ((n, c) of the items),
valid.json (of each question of validation the items played and the one asked), known.json (of each
question of the test the items played), and options.json (of `TIGER`; `k`, places of a list; `beams`
of the lists). Written there: told.json (seconds of fitting with validation,
parameters, NDCG on validation, and of each question its list, without what had been played).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from cornac.data import SequentialDataset
from cornac.models import TIGER


def sessions(sequences: list[list[int]], n: int) -> SequentialDataset:
    """Items 1 … n, numbered from 0, in sequences."""
    rows = [(i, i, item, at) for i, items in enumerate(sequences) for at, item in enumerate(items)]
    numbers = {item + 1: item for item in range(n)}
    return SequentialDataset.build(rows, fmt="USIT", global_iid_map=numbers, seed=0)


def main(folder: Path) -> None:
    options, train, valid, test = (
        json.loads((folder / f"{name}.json").read_text())
        for name in ("options", "train", "valid", "known")
    )
    k, beams = options.pop("k"), options.pop("beams")
    vectors = np.load(folder / "vectors.npy")
    known, asked = sessions(train, len(vectors)), sessions(valid, len(vectors))
    known.item_feature = SimpleNamespace(features=vectors)
    model = TIGER(**options, model_selection="best", val_k=k, seed=0)
    start = time.perf_counter()
    model.fit(known, asked)
    told = {"fit": time.perf_counter() - start, "lists": []}
    told["parameters"] = sum(p.numel() for p in model.model.parameters())
    told["valid"] = model._validate(model._val_sessions(asked), model._make_val_metric())
    model.n_beams = beams
    for items in test:
        played = [item - 1 for item in items]
        scores = model.score(0, played)
        scores[played] = -np.inf
        told["lists"].append((1 + np.argsort(-scores, kind="stable")[:k]).tolist())
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
