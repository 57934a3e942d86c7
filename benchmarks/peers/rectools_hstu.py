"""RecTools' layer of HSTU on given weights and inputs.

    python rectools_hstu.py FOLDER        (with the Python of an environment of its own)

FOLDER holds options.json (of `STULayer`) and given.pt: its `weights`, an input `x` (B, T, d), and
`there` (B, T), true where there is a token. Written there: told.json, the output as lists.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from rectools.models.nn.transformers.hstu import STULayer


def main(folder: Path) -> None:
    options = json.loads((folder / "options.json").read_text())
    given = torch.load(folder / "given.pt")
    x, there = given["x"], given["there"].unsqueeze(2).to(given["x"])
    layer = STULayer(**options).eval()
    layer.load_state_dict(given["weights"])
    causal = torch.ones(x.shape[1], x.shape[1]).tril().to(x)
    with torch.no_grad():
        y = layer(x, {"x": x}, causal, there, None)
    (folder / "told.json").write_text(json.dumps({"y": y.tolist()}))


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)  # of the sums that the layer makes by itself, too
    main(Path(sys.argv[1]))
