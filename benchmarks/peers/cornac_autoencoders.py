"""Cornac's EASE, VAECF or RecVAE: fit it on listeners, score tracks for others by their fold-in.

    python cornac_autoencoders.py FOLDER        (with the Python of an environment of its own)

FOLDER holds train.npz, valid.npz and test.npz ((listeners, tracks) of 0 and 1: to learn from, and
what is given of those who are asked) and options.json (`model` and its `setting`). Written there:
valid.npy and test.npy (scores of all tracks) and told.json (seconds of fitting). Cornac's RecVAE
ranks all listeners of training after each epoch, for its progress bar: that is left out.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import cornac.eval_methods
import numpy as np
import torch
from cornac.data import Dataset
from cornac.models import EASE, VAECF, RecVAE
from scipy.sparse import csr_matrix, load_npz

MODELS = {"EASE": EASE, "VAECF": VAECF, "RecVAE": RecVAE}


def scores(model: EASE | VAECF | RecVAE, given: csr_matrix) -> np.ndarray:
    """(B, n) scores of what was given, (B, n), by the fitted model's own parts."""
    if isinstance(model, EASE):
        return given @ model.B
    x = torch.from_numpy(given.toarray())
    with torch.no_grad():
        if isinstance(model, VAECF):
            return model.vae.decode(model.vae.encode(x)[0]).numpy()
        return model.recvae_model.eval()(x, calculate_loss=False).numpy()


def main(folder: Path) -> None:
    options = json.loads((folder / "options.json").read_text())
    train = load_npz(folder / "train.npz").tocoo()
    known = Dataset.build(
        list(zip(train.row.tolist(), train.col.tolist(), train.data.tolist(), strict=True)), seed=0
    )
    cornac.eval_methods.ranking_eval = lambda **_: [[0.0]]
    model = MODELS[options["model"]](**options["setting"], verbose=False, seed=0)
    start = time.perf_counter()
    model.fit(known)
    seconds = time.perf_counter() - start
    track = np.array([int(item) for item in known.item_ids])  # Cornac numbers them by itself
    for part in ("valid", "test"):
        given = load_npz(folder / f"{part}.npz")
        out = np.full(given.shape, -np.inf, np.float32)
        out[:, track] = scores(model, given[:, track])
        np.save(folder / f"{part}.npy", out)
    (folder / "told.json").write_text(json.dumps({"fit": seconds}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
