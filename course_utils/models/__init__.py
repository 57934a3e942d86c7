"""The models that the notebooks teach, one module per family.

All rankers are called as `model(ids, numbers)` with ids (B, F) and numbers (B, D), and return
logits (B,).
"""

from .deep import DLRM, DeepFM, DeepRanker, WideAndDeep
from .embeddings import SeparateEmbeddings, UnifiedEmbedding
from .factorization import (
    CrossedLogisticRegression,
    Crosses,
    FactorizationMachine,
    FieldAwareFM,
    LogisticRegression,
    pairwise_products,
)
from .fields import FieldEmbedding
from .history import HistoryRanker, TargetAttention
from .layers import MLP, CrossMixture, CrossNetwork, DenseNet, ResNet
from .numerical import (
    OneHotBins,
    Periodic,
    PiecewiseLinearEncoding,
    QuantileTransform,
    Standardized,
    quantile_bins,
    signed_log1p,
    tree_bins,
)
from .ranker import Ranker

__all__ = [
    "DLRM",
    "MLP",
    "CrossMixture",
    "CrossNetwork",
    "CrossedLogisticRegression",
    "Crosses",
    "DeepFM",
    "DeepRanker",
    "DenseNet",
    "FactorizationMachine",
    "FieldAwareFM",
    "FieldEmbedding",
    "HistoryRanker",
    "LogisticRegression",
    "OneHotBins",
    "Periodic",
    "PiecewiseLinearEncoding",
    "QuantileTransform",
    "Ranker",
    "ResNet",
    "SeparateEmbeddings",
    "Standardized",
    "TargetAttention",
    "UnifiedEmbedding",
    "WideAndDeep",
    "pairwise_products",
    "quantile_bins",
    "signed_log1p",
    "tree_bins",
]
