"""Two towers: a vector of the listener, one of the track, and a product between them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from course_utils.models.mlp import MLP
from course_utils.models.retrieval.youtube_dnn import pooled


class IdTower(nn.Module):
    """A vector for each track: it can say anything, of tracks that training has seen.

    Args:
        n_tracks: N, the unknown one (0) included. dim: d.

    Shapes: track numbers (…) → (…, d).
    """

    def __init__(self, n_tracks: int, dim: int = 32) -> None:
        super().__init__()
        self.table = nn.Embedding(n_tracks, dim)
        nn.init.normal_(self.table.weight, std=dim**-0.5)

    def forward(self, number: Tensor) -> Tensor:
        return self.table(number)


class ContentTower(nn.Module):
    """A vector computed from what is known of a track, be it ever so new.

    Args:
        content: (N, c), a row a track; zeros where nothing is known. dim: d. hidden: layer widths.

    Shapes: track numbers (…) → (…, d).
    """

    content: Tensor

    def __init__(self, content: Tensor, dim: int = 32, hidden: tuple[int, ...] = (128,)) -> None:
        super().__init__()
        self.register_buffer("content", content, persistent=False)
        layers = MLP(content.shape[1], list(hidden))
        self.layers = nn.Sequential(layers, nn.Linear(layers.out_features, dim))

    def forward(self, number: Tensor) -> Tensor:
        return self.layers(self.content[number])


class SumTower(nn.Module):
    """The sum of several towers of one width."""

    def __init__(self, *towers: nn.Module) -> None:
        super().__init__()
        self.towers = nn.ModuleList(towers)

    def forward(self, number: Tensor) -> Tensor:
        return torch.stack([tower(number) for tower in self.towers]).sum(dim=0)


class TwoTower(nn.Module):
    """Late binding: listener and track meet in a dot product, so tracks can be indexed beforehand.

    The listener's tower pools the vectors that a tower of its own gives to the tracks played.

    Args:
        played: tower of the history's tracks, (…) → (…, d). track: tower of the candidates.
        n_tracks: N. dim: d. hidden: widths of the listener's layers before the last one.
        cosine: normalise both vectors and divide by a learned temperature.
        temperature: at the start; it is learned as exp(s) and kept in [0.01, 100].

    Shapes: history (B, L), mask (B, L) bool → (B, d). With `cosine` the listener's vector has the
    length 1/τ and a track's the length 1, so that their product is cos/τ.

    Raises:
        ValueError: the temperature lies outside [0.01, 100].

    Source: Yi et al. (2019), "Sampling-bias-corrected neural modeling for large corpus item
    recommendations", RecSys, sections 3 and 4.
    """

    def __init__(
        self,
        played: nn.Module,
        track: nn.Module,
        n_tracks: int,
        dim: int = 32,
        hidden: tuple[int, ...] = (64,),
        cosine: bool = False,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0.01 <= temperature <= 100:
            raise ValueError(f"a temperature must lie in [0.01, 100], got {temperature!r}")
        self.played, self.track, self.n_tracks, self.cosine = played, track, n_tracks, cosine
        layers = MLP(dim, list(hidden))
        self.layers = nn.Sequential(layers, nn.Linear(layers.out_features, dim))
        if cosine:
            self.log_temperature = nn.Parameter(torch.tensor(temperature).log())

    @property
    def temperature(self) -> Tensor:
        """τ, () in [0.01, 100]."""
        return self.log_temperature.exp().clamp(0.01, 100)

    def forward(self, history: Tensor, mask: Tensor) -> Tensor:
        user = self.layers(pooled(self.played(history), mask))
        return normalize(user, dim=1) / self.temperature if self.cosine else user

    def tracks(self, numbers: Tensor | None = None) -> Tensor:
        """(n, d) vectors of some tracks (n,), by default of all N."""
        if numbers is None:
            numbers = torch.arange(self.n_tracks, device=next(self.parameters()).device)
        vectors = self.track(numbers)
        return normalize(vectors, dim=1) if self.cosine else vectors
