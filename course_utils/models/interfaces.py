"""What a model asks of the modules that it is given."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Layer(Protocol):
    """A module of one tensor that says how wide its output is."""

    out_features: int

    def __call__(self, x: Tensor, /) -> Tensor: ...


class Encoder(Layer, Protocol):
    """An encoding of numbers, (B, D) → (B, out_features), that knows where each code comes from."""

    owner: Tensor
    """(out_features,) which of the D numbers each code belongs to."""


class Retriever(Protocol):
    """A model of two vectors, whose dot product is the score of a listener and a track."""

    def __call__(self, **inputs: Tensor) -> Tensor:
        """(B, d) vectors of the listeners."""

    def tracks(self) -> Tensor:
        """(N, d) vectors of all tracks."""
