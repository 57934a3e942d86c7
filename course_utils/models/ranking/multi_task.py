"""Several targets, one network: mixtures of experts that share what helps both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.models.interfaces import Layer
from course_utils.models.mlp import MLP


class ExtractionLevel(nn.Module):
    """One level of extraction: shared experts, own experts of each task, and a gate for each.

    The gate of a task mixes the shared experts and the task's own; that of the shared state, which
    only the next level needs, mixes all. Without own experts and on one level this is MMoE.

    Args:
        in_features: width of each state. n_tasks: T. n_shared, n_own: experts that all share, and
            of each task. hidden: widths of an expert. last: leave the shared gate out.

    Shapes: T + 1 states (B, in_features), the shared one last → as many of (B, hidden[-1]), or T
        on the last level.

    Source: Tang et al. (2020), "Progressive Layered Extraction", section 4.1, equations 2 to 4;
    Ma et al. (2018), "Multi-gate Mixture-of-Experts", section 4.2.
    """

    def __init__(
        self,
        in_features: int,
        n_tasks: int,
        n_shared: int,
        n_own: int,
        hidden: list[int],
        last: bool,
    ) -> None:
        super().__init__()
        counts = [n_own] * n_tasks + [n_shared]
        self.experts = nn.ModuleList(
            nn.ModuleList(MLP(in_features, hidden) for _ in range(n)) for n in counts
        )
        reads = [n_own + n_shared] * n_tasks + ([] if last else [sum(counts)])
        self.gates = nn.ModuleList(nn.Linear(in_features, n) for n in reads)

    def forward(self, states: list[Tensor]) -> list[Tensor]:
        pairs = zip(self.experts, states, strict=True)
        *own, shared = [[expert(state) for expert in group.children()] for group, state in pairs]
        reads = [[*mine, *shared] for mine in own]
        reads.append([out for group in (*own, shared) for out in group])
        mixed = []
        for gate, state, read in zip(self.gates, states, reads, strict=False):
            weight = gate(state).softmax(dim=1).unsqueeze(1)
            mixed.append((weight @ torch.stack(read, dim=1)).squeeze(1))
        return mixed


class ProgressiveExtraction(nn.Module):
    """Progressive Layered Extraction: levels of `ExtractionLevel`, then one logit for each task.

    With one level this is the paper's CGC; with no own experts as well, MMoE; with a single shared
    expert, a network whose tasks share everything but the last layer.

    Args:
        numerical: numbers (B, D) → (B, m), with `out_features`.
        n_tasks: T. n_shared, n_own: experts of a level that all share, and of each task.
        levels: widths of the experts, a list for each level.

    Shapes: numbers (B, D) → logits (B, T).

    Source: Tang et al. (2020), section 4.2, figure 5 and equations 5 and 6.
    """

    def __init__(
        self, numerical: Layer, n_tasks: int, n_shared: int, n_own: int, levels: list[list[int]]
    ) -> None:
        super().__init__()
        self.numerical = numerical
        widths = [numerical.out_features, *(hidden[-1] for hidden in levels)]
        self.levels = nn.ModuleList(
            ExtractionLevel(width, n_tasks, n_shared, n_own, hidden, last=number == len(levels))
            for number, (width, hidden) in enumerate(zip(widths, levels, strict=False), start=1)
        )
        self.heads = nn.ModuleList(nn.Linear(widths[-1], 1) for _ in range(n_tasks))

    def forward(self, numbers: Tensor) -> Tensor:
        states = [self.numerical(numbers)] * (len(self.heads) + 1)
        for level in self.levels:
            states = level(states)
        return torch.cat([head(x) for head, x in zip(self.heads, states, strict=True)], dim=1)
