"""Planted wrong answers: for each notebook and exercise, code and a part of the expected hint."""

from __future__ import annotations

WRONG: dict[str, list[list[tuple[str, str]]]] = {
    "01_introduction": [
        [
            (
                "def recall(ranked, relevant, k):\n    return len(set(ranked[:k]) & relevant) / k",
                "one of two relevant",
            ),
            (
                "def recall(ranked, relevant, k):\n"
                "    return len(set(ranked[:k]) & relevant) / min(k, len(relevant))",
                "one of two relevant",
            ),
            (
                "def recall(ranked, relevant, k):\n"
                "    return len(set(ranked[:k + 1]) & relevant) / len(relevant)",
                "first k",
            ),
        ],
        [
            (
                "def ndcg_by_hand(ranked, relevant, k):\n"
                "    return sum(1 / np.log2(p + 2) for p, i in enumerate(ranked[:k])"
                " if i in relevant)",
                "ideal ranking",
            ),
            (
                "def ndcg_by_hand(ranked, relevant, k):\n"
                "    gains = [1 / (p + 1) for p, i in enumerate(ranked[:k]) if i in relevant]\n"
                "    ideal = [1 / (p + 1) for p in range(min(k, len(relevant)))]\n"
                "    return sum(gains) / sum(ideal)",
                "log",
            ),
            (
                "def ndcg_by_hand(ranked, relevant, k):\n"
                "    gains = [1 / np.log2(p + 2) for p, i in enumerate(ranked[:k])"
                " if i in relevant]\n"
                "    return sum(gains) / sum(1 / np.log2(p + 2) for p in range(len(relevant)))",
                "cut at k",
            ),
        ],
        [
            (
                "def split_in_time(timestamps, share):\n"
                "    return np.random.default_rng(0).random(len(timestamps)) < share",
                "choose one moment",
            ),
            (
                "def split_in_time(timestamps, share):\n"
                "    mask = np.zeros(len(timestamps), bool)\n"
                "    order = np.argsort(timestamps, kind='stable')\n"
                "    mask[order[: int(share * len(timestamps))]] = True\n"
                "    return mask",
                "very moment",
            ),
        ],
    ],
    "18_seminar_ranking": [
        [
            (
                "def encode(x, edges):\n"
                "    return [(x - a) / (b - a) for a, b in zip(edges[:-1], edges[1:])]",
                "half-way through the third",
            ),
            (
                "def encode(x, edges):\n    return [min(1.0, max(0.0, x - a)) for a in edges[:-1]]",
                "bin",
            ),
            (
                "def encode(x, edges):\n    return [1.0 if x >= b else 0.0 for b in edges[1:]]",
                "half-way through the third",
            ),
        ],
        [
            (
                "def cross_layer(x0, x, weight, bias):\n    return x0 * (x @ weight.T + bias)",
                "do not forget",
            ),
            (
                "def cross_layer(x0, x, weight, bias):\n    return x * (x @ weight.T + bias) + x",
                "input",
            ),
            (
                "def cross_layer(x0, x, weight, bias):\n    return x0 * (x @ weight.T) + bias + x",
                "bias is inside",
            ),
        ],
        [
            (
                "def colliding_pairs(first, second):\n    return len(first) - len(first.unique())",
                "under the second",
            ),
            (
                "def colliding_pairs(first, second):\n"
                "    both = torch.stack([first, second], dim=1)\n"
                "    return len(both) - len(both.unique(dim=0))",
                "6 pairs",
            ),
        ],
    ],
}
