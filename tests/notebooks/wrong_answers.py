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
    "02_why_neural_networks": [
        [
            (
                "def hill(x, left, top, right):\n"
                "    up = torch.relu(x - left) / (top - left)\n"
                "    down = torch.relu(x - top) / (right - top)\n"
                "    return up - down",
                "undo the rise",
            ),
            (
                "def hill(x, left, top, right):\n"
                "    up = (x - left) / (top - left)\n"
                "    return torch.minimum(up, (right - x) / (right - top))",
                "left of the hill",
            ),
            (
                "def hill(x, left, top, right):\n"
                "    up, down = 1 / (top - left), 1 / (right - top)\n"
                "    return torch.relu(x - left) * up - torch.relu(x - top) * (up + down)",
                "stops the fall",
            ),
        ],
        [
            (
                "def power_law(n, gap):\n"
                "    slope, intercept = np.polyfit(np.log(n), np.log(gap), 1)\n"
                "    return float(np.exp(intercept)), float(slope)",
                "mind the sign",
            ),
            (
                "def power_law(n, gap):\n"
                "    slope, intercept = np.polyfit(np.log(n), np.log(gap), 1)\n"
                "    return float(intercept), -float(slope)",
                "with exp",
            ),
            (
                "def power_law(n, gap):\n"
                "    b = -float((gap[-1] / gap[0]).log() / (n[-1] / n[0]).log())\n"
                "    return float(gap[0] * n[0] ** b), b",
                "means of both logarithms",
            ),
        ],
        [
            (
                "def prepare(train, new):\n"
                "    unknown = new.isnan()\n"
                "    mean, std = new.nanmean(dim=0), 1.0\n"
                "    z = ((new - mean) / std).clamp(-3, 3).nan_to_num(0)\n"
                "    return torch.cat([z, unknown.float()], dim=1)",
                "standard deviation",
            ),
            (
                "def prepare(train, new):\n"
                "    mean = train.nanmean(dim=0)\n"
                "    std = (train - mean).square().nanmean(dim=0).sqrt()\n"
                "    z = ((new - mean) / std).nan_to_num(0)\n"
                "    return torch.cat([z, new.isnan().float()], dim=1)",
                "outlier",
            ),
            (
                "def prepare(train, new):\n"
                "    mean = train.nanmean(dim=0)\n"
                "    std = (train - mean).square().nanmean(dim=0).sqrt()\n"
                "    z = ((new - mean) / std).clamp(-3, 3).nan_to_num(0)\n"
                "    return z",
                "flags",
            ),
        ],
    ],
    "05_fm_ffm": [
        [
            (
                "def fm_pairs(v):\n    return (v @ v.T).sum() / 2",
                "take the squares away",
            ),
            (
                "def fm_pairs(v):\n"
                "    return (v.sum(dim=0).square() - v.square().sum(dim=0)).sum()",
                "so halve",
            ),
            (
                "def fm_pairs(v):\n    return 0.5 * (v.sum().square() - v.square().sum())",
                "component by component",
            ),
        ],
        [
            (
                "def fm_gradient(v):\n    return v.sum(dim=0).expand_as(v)",
                "without v_i itself",
            ),
            (
                "def fm_gradient(v):\n    return 0.5 * (v.sum(dim=0) - v)",
                "every *other* vector once",
            ),
        ],
        [
            (
                "def ffm_pairs(v):\n    return (v * v.transpose(0, 1)).sum() / 2",
                "count a pair once",
            ),
            (
                "def ffm_pairs(v):\n"
                "    n = len(v)\n"
                "    return sum((v[i, j] ** 2).sum() for i in range(n) for j in range(i + 1, n))",
                "answers with",
            ),
            (
                "def ffm_pairs(v):\n"
                "    n = len(v)\n"
                "    own = v.diagonal(dim1=0, dim2=1).T\n"
                "    return 0.5 * (own.sum(dim=0).square() - own.square().sum(dim=0)).sum()",
                "never used",
            ),
        ],
    ],
    "06_wide_deep_deepfm": [
        [
            (
                "def pair_products(vectors):\n    return vectors @ vectors.transpose(1, 2)",
                "each pair once",
            ),
            (
                "def pair_products(vectors):\n"
                "    n = vectors.shape[1]\n"
                "    i, j = torch.triu_indices(n, n, offset=1)\n"
                "    return (vectors[:, i] * vectors[:, j]).sum(dim=2)",
                "row by row",
            ),
            (
                "def pair_products(vectors):\n"
                "    n = vectors.shape[1]\n"
                "    i, j = torch.tril_indices(n, n)\n"
                "    return (vectors[:, i] * vectors[:, j]).sum(dim=2)",
                "no vector with itself",
            ),
        ],
        [
            (
                "def deepfm_logit(fields, linear, mlp):\n"
                "    products = fields @ fields.transpose(1, 2)\n"
                "    return linear + products.sum(dim=(1, 2)) + mlp(fields.flatten(1))",
                "each pair once",
            ),
            (
                "def deepfm_logit(fields, linear, mlp):\n"
                "    return linear + pairwise_products(fields) + mlp(fields.sum(dim=1))",
                "(B, n · d)",
            ),
            (
                "def deepfm_logit(fields, linear, mlp):\n"
                "    return pairwise_products(fields) + mlp(fields.flatten(1))",
                "linear part and pairs",
            ),
        ],
        [
            (
                "def cross_key(a, b, n_b):\n    return a + b",
                "two pairs share a key",
            ),
            (
                "def cross_key(a, b, n_b):\n    return a * (n_b - 1) + b",
                "skip over all values of b",
            ),
            (
                "def cross_key(a, b, n_b):\n    return a + b / n_b",
                "an integer",
            ),
        ],
    ],
    "07_dcn_v2": [
        [
            (
                "def cross_network(x0, weights, biases):\n"
                "    x = x0\n"
                "    for weight, bias in zip(weights, biases):\n"
                "        x = x * (x @ weight.T + bias) + x\n"
                "    return x",
                "multiplies by the *input*",
            ),
            (
                "def cross_network(x0, weights, biases):\n"
                "    x = x0\n"
                "    for weight, bias in zip(weights, biases):\n"
                "        x = x0 * (x @ weight.T + bias) + x0\n"
                "    return x",
                "layer before",
            ),
            (
                "def cross_network(x0, weights, biases):\n"
                "    x = x0\n"
                "    for weight, bias in zip(weights, biases):\n"
                "        x = x0 * (x @ weight + bias) + x\n"
                "    return x",
                "compute x₀",
            ),
        ],
        [
            (
                "def fm_as_cross(v):\n"
                "    n = len(v)\n"
                "    return (v @ v.T).triu(diagonal=1), torch.zeros(n), torch.ones(n)",
                "the bias must cancel",
            ),
            (
                "def fm_as_cross(v):\n"
                "    n = len(v)\n"
                "    return v @ v.T, -torch.ones(n), torch.ones(n)",
                "nothing on the diagonal",
            ),
            (
                "def fm_as_cross(v):\n"
                "    n = len(v)\n"
                "    w = v @ v.T\n"
                "    return w - w.diag().diag(), -torch.ones(n), torch.ones(n)",
                "each pair once",
            ),
        ],
    ],
    "08_ple": [
        [
            (
                "def encode_column(x, edges):\n    return (x[:, None] - edges[:-1]).clamp(0, 1)",
                "own width",
            ),
            (
                "def encode_column(x, edges):\n"
                "    return ((x[:, None] - edges[:-1]) / edges.diff()).clamp(min=0)",
                "passed two bins",
            ),
            (
                "def encode_column(x, edges):\n"
                "    return ((x[:, None] - edges[:-1]) / edges.diff()).clamp(max=1)",
                "bin's own width",
            ),
        ],
        [
            (
                "def decode(codes, edges):\n    return edges[0] + codes.sum(dim=1)",
                "code × width",
            ),
            (
                "def decode(codes, edges):\n    return (codes * edges.diff()).sum(dim=1)",
                "first edge",
            ),
        ],
        [
            (
                "def broken_line(heights):\n    return heights[0], heights[1:]",
                "not the height",
            ),
            (
                "def broken_line(heights):\n    return torch.tensor(0.0), heights.diff()",
                "only the bias is left",
            ),
        ],
    ],
    "11_unified_embeddings": [
        [
            (
                "def alone(n_values, n_rows):\n    return (1 - 1 / n_rows) ** n_values",
                "only the *others* count",
            ),
            (
                "def alone(n_values, n_rows):\n    return 1 - (n_values - 1) / n_rows",
                "multiply their probabilities",
            ),
            (
                "def alone(n_values, n_rows):\n    return 1 / n_rows ** (n_values - 1)",
                "all ten others must miss",
            ),
        ],
        [
            (
                "def look_up(table, rows):\n    return table[rows].sum(dim=2)",
                "shape",
            ),
            (
                "def look_up(table, rows):\n    return table[rows].transpose(2, 3).flatten(-2)",
                "one after the other",
            ),
        ],
        [
            (
                "def expected_twins(n_values, n_rows, n_hashes):\n"
                "    return n_values**2 / 2 / n_rows**n_hashes",
                "one pair",
            ),
            (
                "def expected_twins(n_values, n_rows, n_hashes):\n"
                "    return n_values * (n_values - 1) / 2 / n_rows",
                "both must agree",
            ),
            (
                "def expected_twins(n_values, n_rows, n_hashes):\n"
                "    return (n_values - 1) / n_rows**n_hashes",
                "count each once",
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
