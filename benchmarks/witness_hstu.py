"""A witness of HSTU: our layer and RecTools' on the same weights and inputs, in float64.

    python benchmarks/witness_hstu.py

Tokens see themselves and what stands before them; a number for how many tokens lie between two is
added to their logit, one for all heads, as RecTools has it. Nothing is dropped, logits are not
scaled. Tokens that are not there stand on the left. RecTools needs NumPy 1: it gets an environment
of its own, built once in build/. Ends with status 1 where the two differ by more than 1e-12.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from bench_sequences import NEEDS
from environments import python_of, run_peer

from course_utils.models.sequence.hstu import HSTULayer

B, T, DIM, HEADS, MISSING = 3, 7, 12, 3, 2


def main() -> float:
    """The largest difference between the two layers' outputs."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    ours = HSTULayer(DIM, HEADS, T, scale=1.0)
    for weight in ours.parameters():
        torch.nn.init.normal_(weight)
    torch.nn.init.zeros_(ours.f1.bias)  # RecTools has none there
    by_distance, x = torch.randn(2 * T - 1), torch.randn(B, T, DIM)
    there = torch.ones(B, T, dtype=torch.bool)
    there[0, :MISSING] = False
    x = x * there.unsqueeze(2)
    weights = {
        "uvqk_proj": ours.f1.weight.T.contiguous(),
        "rel_attn.pos_weights": by_distance,
        **{
            f"{theirs}.{part}": getattr(module, part)
            for theirs, module in (
                ("output_mlp", ours.f2),
                ("norm_input", ours.before),
                ("norm_attn_output", ours.after),
            )
            for part in ("weight", "bias")
        },
    }
    size = DIM // HEADS
    options = {
        "n_factors": DIM,
        "n_heads": HEADS,
        "linear_hidden_dim": size,
        "attention_dim": size,
        "session_max_len": T,
        "relative_time_attention": False,
        "relative_pos_attention": True,
        "attn_dropout_rate": 0.0,
        "dropout_rate": 0.0,
        "epsilon": ours.before.eps,
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        weights = {name: weight.detach() for name, weight in weights.items()}
        torch.save({"weights": weights, "x": x, "there": there}, root / "given.pt")
        told = run_peer(python_of("rectools", NEEDS), "rectools_hstu.py", root, options)
    place = torch.arange(T)
    rab = by_distance[T - 1 + place - place.unsqueeze(1)].expand(1, HEADS, T, T)
    seen = torch.ones(T, T, dtype=torch.bool).tril() & there.unsqueeze(1)
    with torch.no_grad():
        y = ours(x, seen.unsqueeze(1), rab)
    return float((y - torch.tensor(told["y"]))[there].abs().max())


if __name__ == "__main__":
    largest = main()
    print(f"largest difference of {B} × {T} × {DIM} outputs: {largest:.1e}")
    sys.exit(largest > 1e-12)
