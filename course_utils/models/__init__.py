"""The models that the notebooks teach, one module per family."""

from .embeddings import SeparateEmbeddings, UnifiedEmbedding
from .history import HistoryRanker, TargetAttention
from .layers import MLP, CrossNetwork
from .numerical import PiecewiseLinearEncoding, Standardized, quantile_bins
from .ranker import Ranker

__all__ = [
    "MLP",
    "CrossNetwork",
    "HistoryRanker",
    "PiecewiseLinearEncoding",
    "Ranker",
    "SeparateEmbeddings",
    "Standardized",
    "TargetAttention",
    "UnifiedEmbedding",
    "quantile_bins",
]
