"""The rivals that need no gradient: neighbours, factors and a linear model, from a matrix of plays.

Plays are a sparse matrix (listeners, tracks) of counts; how often something was played does not
matter here, only whether. Each model is fitted on the plays of training. Called with what
listeners, known or not, have played so far, (B, N) counts, it gives scores of all tracks, (B, N).
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from implicit.utils import ParameterWarning
from scipy.linalg import solve
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits
from torch import Tensor


def binary(plays: csr_matrix) -> csr_matrix:
    """Whether each track was played, as float32 of 0 and 1; the unknown track (0) never was."""
    played = (plays > 0).astype(np.float32).tolil()
    played[:, 0] = 0
    return csr_matrix(played)


class Popular:
    """What everybody plays: the same scores for all.

    Args:
        counts: (N,) plays of each track.
    """

    def __init__(self, counts: Tensor) -> None:
        self.counts = counts.float()

    def __call__(self, plays: csr_matrix) -> Tensor:
        """Scores of all tracks: (B, N) → (B, N)."""
        return self.counts.expand(plays.shape)


class ItemKNN:
    """Neighbours of the tracks played: score(j) = Σ over played i of cos(i, j).

    The cosine is that of two columns of the plays; of each track the K most similar ones count.

    Args:
        plays: (listeners, tracks). k: K, neighbours of a track.

    Source: Sarwar et al. (2001), "Item-based collaborative filtering recommendation algorithms",
    WWW, section 3; computed by `implicit`.
    """

    def __init__(self, plays: csr_matrix, k: int = 100) -> None:
        model = CosineRecommender(K=k + 1)  # a track is its own nearest neighbour
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ParameterWarning)  # of a layout that it makes itself
            model.fit(binary(plays), show_progress=False)
        self.similarity = csr_matrix(model.similarity)
        self.similarity.setdiag(0)

    def __call__(self, plays: csr_matrix) -> Tensor:
        """Scores of all tracks: (B, N) → (B, N)."""
        return torch.from_numpy((binary(plays) @ self.similarity).toarray()).float()


class ALS:
    """Factors of the plays by alternating least squares: score(j) = ⟨x_u, y_j⟩.

    Args:
        plays: (listeners, tracks). dim: d, of the factors. decay: λ of their squares.
        weight: α, what a play counts beyond the 1 that everything counts. seed: of the start.

    Source: Hu, Koren & Volinsky (2008), "Collaborative filtering for implicit feedback datasets",
    ICDM, section 4; computed by `implicit`.
    """

    def __init__(
        self,
        plays: csr_matrix,
        dim: int = 64,
        decay: float = 1.0,
        weight: float = 10.0,
        seed: int = 0,
    ) -> None:
        with warnings.catch_warnings(), threadpool_limits(1, "blas"):
            warnings.simplefilter("ignore", RuntimeWarning)  # about threads, which are limited here
            self.model = AlternatingLeastSquares(
                factors=dim,
                regularization=decay,
                alpha=1 + weight,  # there it is all that a play counts
                random_state=seed,
            )
            self.model.fit(binary(plays), show_progress=False)

    def __call__(self, plays: csr_matrix) -> Tensor:
        """Scores of all tracks, the listeners' factors solved anew from what they played."""
        played = binary(plays)
        with threadpool_limits(1, "blas"):
            factors = self.model.recalculate_user(np.arange(played.shape[0]), played)
        return torch.from_numpy(factors @ self.model.item_factors.T).float()


class EASE:
    """A linear model of the plays, X ≈ X B with an empty diagonal: score = x B.

    With P = (XᵀX + λI)⁻¹ the solution is B_ij = −P_ij / P_jj, and 0 on the diagonal. With
    fewer listeners than tracks the inverse is cheaper on their side (the Woodbury identity):
    λP = I − Xᵀ (XXᵀ + λI)⁻¹ X.

    Args:
        plays: (listeners, tracks). decay: λ.

    Source: Steck (2019), "Embarrassingly shallow autoencoders for sparse data", WWW, equation 8.
    """

    def __init__(self, plays: csr_matrix, decay: float = 100.0) -> None:
        x = binary(plays)
        gram = (x @ x.T).toarray() + decay * np.eye(x.shape[0], dtype=np.float32)
        self.x, self.decay = x, decay
        self.half = solve(gram, x.toarray(), assume_a="pos").astype(np.float32)
        self.diagonal = (1 - x.multiply(self.half).sum(axis=0).A1) / decay  # of P

    def __call__(self, plays: csr_matrix) -> Tensor:
        """Scores of all tracks: (B, N) → (B, N)."""
        played = binary(plays)
        own = played.toarray()
        product = (own - (played @ self.x.T).toarray() @ self.half) / self.decay  # x P
        return torch.from_numpy(own - product / self.diagonal).float()
