"""Wrong answers to the exercises of notebook 18: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import itertools

import torch


# %% hint="cut off at 1"
def encode(x, edges):
    return [(x - a) / (b - a) for a, b in itertools.pairwise(edges)]


# %% hint="own width"
def encode(x, edges):
    return [min(1.0, max(0.0, x - a)) for a in edges[:-1]]


# %% hint="not all or nothing"
def encode(x, edges):
    return [1.0 if x >= b else 0.0 for b in edges[1:]]


# %% hint="write `return`, not `yield`"
def encode(x, edges):
    for a, b in itertools.pairwise(edges):
        yield min(1.0, max(0.0, (x - a) / (b - a)))


# %% hint="bins that x has passed stay full"
def encode(x, edges):
    return [(x - a) / (b - a) if a <= x < b else 0.0 for a, b in itertools.pairwise(edges)]


# %% hint="returned a list of shape (4,), expected is (3,)"
def encode(x, edges):
    return [min(1.0, max(0.0, (x - a) / 2)) for a in edges]


# %% hint="its own left edge"
def encode(x, edges):
    share = min(1.0, max(0.0, (x - edges[0]) / (edges[-1] - edges[0])))
    return [share] * (len(edges) - 1)


# %% hint="do not forget"
def cross_layer(x0, x, weight, bias):
    return x0 * (x @ weight.T + bias)


# %% hint="the product is with the *input* x₀"
def cross_layer(x0, x, weight, bias):
    return x * (x @ weight.T + bias) + x


# %% hint="bias is inside"
def cross_layer(x0, x, weight, bias):
    return x0 * (x @ weight.T) + bias + x


# %% hint="what must be done to W?"
def cross_layer(x0, x, weight, bias):
    return torch.addcmul(x, x0, x @ weight + bias)


# %% hint="RuntimeError: mat1 and mat2 shapes cannot be multiplied"
def cross_layer(x0, x, weight, bias):
    return x0 * (weight @ x + bias) + x


# %% hint="the bias is added"
def cross_layer(x0, x, weight, bias):
    return x0 * (x @ weight.T - bias) + x


# %% hint="only the first hash is looked at"
def colliding_pairs(first, second):
    return len(first) - len(first.unique())


# %% hint="count pairs, not values"
def colliding_pairs(first, second):
    both = torch.stack([first, second], dim=1)
    return len(both) - len(both.unique(dim=0))


# %% hint="may have the same sum"
def colliding_pairs(first, second):
    _, counts = (first + second).unique(return_counts=True)
    return (counts * (counts - 1) // 2).sum()


# %% hint="are one pair: count each once"
def colliding_pairs(first, second):
    same = (first[:, None] == first) & (second[:, None] == second)
    return int(same.sum()) - len(first)


# %% hint="under either hash"
def colliding_pairs(first, second):
    same = (first[:, None] == first) | (second[:, None] == second)
    return int(same.triu(diagonal=1).sum())


# %% hint="one number made of both rows"
def colliding_pairs(first, second):
    _, counts = (first * 10 + second).unique(return_counts=True)
    return int((counts * (counts - 1) // 2).sum())


# %% hint="one number made of both rows"
def colliding_pairs(first, second):
    _, counts = (second * 1_000 + first).unique(return_counts=True)
    return int((counts * (counts - 1) // 2).sum())


# %% hint="one number made of both rows"
def colliding_pairs(first, second):
    _, counts = (first * 10**6 + second).unique(return_counts=True)
    return int((counts * (counts - 1) // 2).sum())


# %% hint="a value's pair with itself"
def colliding_pairs(first, second):
    _, counts = torch.stack([first, second]).unique(dim=1, return_counts=True)
    return int((counts.square() / 2).sum())


# %% hint="first hash with first hash"
def colliding_pairs(first, second):
    n = len(first)
    return sum(int(first[i] == second[j]) for j in range(n) for i in range(j))
