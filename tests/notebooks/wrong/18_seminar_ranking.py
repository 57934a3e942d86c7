"""Wrong answers to the exercises of notebook 18: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import math

import torch


# %% hint="brings all rows twice"
def row_weights(listeners, drawn):
    return torch.isin(listeners, drawn).float()


# %% hint="leave them as counts"
def row_weights(listeners, drawn):
    return (listeners[:, None] == drawn).float().mean(dim=1)


# %% hint="not for each listener of the draw"
def row_weights(listeners, drawn):
    return torch.stack([(listeners == one).sum() for one in drawn])


# %% hint="count how often the listener was drawn"
def row_weights(listeners, drawn):
    return torch.bincount(listeners)[listeners]


# %% hint="not numbers of rows"
def row_weights(listeners, drawn):
    return torch.bincount(drawn, minlength=len(listeners))[: len(listeners)]


# %% hint="counts for nobody else"
def row_weights(listeners, drawn):
    values, place = listeners.unique(return_inverse=True)
    found = torch.searchsorted(values, drawn).clamp(max=len(values) - 1)
    return torch.bincount(found, minlength=len(values))[place]


# %% hint="each row counts in full"
def row_weights(listeners, drawn):
    times = (listeners[:, None] == drawn).sum(dim=1)
    return times / (listeners[:, None] == listeners).sum(dim=1)


# %% hint="`last` biases of its second layer in any case"
def fair_width(d, n_layers, hidden, last):
    cross = n_layers * (d * d + d)
    deep = hidden * (d + 1) + last * (hidden + 1)
    return math.ceil((cross + deep + d) / (d + 1 + last))


# %% hint="has a bias, too"
def fair_width(d, n_layers, hidden, last):
    wanted = n_layers * d * d + hidden * (d + 1) + last * (hidden + 1) + d
    return math.ceil((wanted - last) / (d + 1 + last))


# %% hint="reads the d outputs of the cross network"
def fair_width(d, n_layers, hidden, last):
    wanted = n_layers * (d * d + d) + hidden * (d + 1) + last * (hidden + 1)
    return math.ceil((wanted - last) / (d + 1 + last))


# %% hint="makes the second one larger"
def fair_width(d, n_layers, hidden, last):
    return hidden + math.ceil((n_layers * (d * d + d) + d) / (d + 1))


# %% hint="one too narrow: round up"
def fair_width(d, n_layers, hidden, last):
    wanted = n_layers * (d * d + d) + hidden * (d + 1) + last * (hidden + 1) + d
    return (wanted - last) // (d + 1 + last)


# %% hint="which width has as many?"
def fair_width(d, n_layers, hidden, last):
    return n_layers * (d * d + d) + hidden * (d + 1) + last * (hidden + 1) + d


# %% hint="with a matrix of its own"
def fair_width(d, n_layers, hidden, last):
    wanted = d * d + d + hidden * (d + 1) + last * (hidden + 1) + d
    return math.ceil((wanted - last) / (d + 1 + last))


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
