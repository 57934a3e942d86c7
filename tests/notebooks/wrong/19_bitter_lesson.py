"""Wrong answers to the exercises of notebook 19: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import math

import torch
from torch.nn.functional import silu


# %% hint="learns to copy it"
def seen(time):
    each = time.repeat_interleave(2)
    return each[None] <= each[:, None]


# %% hint="their order is chance"
def seen(time):
    n = 2 * len(time)
    return torch.ones(n, n, dtype=torch.bool).tril()


# %% hint="sees the track of that play"
def seen(time):
    each = time.repeat_interleave(2)
    return (each[None] < each[:, None]) | torch.eye(len(each), dtype=torch.bool)


# %% hint="see each other here"
def seen(time):
    each, play = time.repeat_interleave(2), torch.arange(2 * len(time)) // 2
    return (each[None] < each[:, None]) | (play[None] == play[:, None])


# %% hint="return them as bool"
def seen(time):
    each, token = time.repeat_interleave(2), torch.arange(2 * len(time))
    own = (token[:, None] // 2 == token // 2) & (token <= token[:, None])
    return ((each < each[:, None]) | own).int()


# %% hint="a constant of the model"
def pointwise(q, k, v, seen, n):
    return silu(q @ k.T / math.sqrt(q.shape[1])) * seen / k.shape[0] @ v


# %% hint="which is NaN"
def pointwise(q, k, v, seen, n):
    logits = (q @ k.T / math.sqrt(q.shape[1])).masked_fill(~seen, -math.inf)
    return silu(logits) / n @ v


# %% hint="however much there is to read"
def pointwise(q, k, v, seen, n):
    logits = (q @ k.T / math.sqrt(q.shape[1])).masked_fill(~seen, -math.inf)
    return logits.softmax(dim=1) @ v


# %% hint="the scale is 1/√d"
def pointwise(q, k, v, seen, n):
    return silu(q @ k.T) * seen / n @ v


# %% hint="fitted to the raw loss"
def power_law(sizes, losses, floor):
    x, y = sizes.double().log(), losses.double().log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return (y.mean() - slope * x.mean()).exp(), -slope


# %% hint="where the loss falls"
def power_law(sizes, losses, floor):
    x, y = sizes.double().log(), (losses.double() - floor).log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return (y.mean() - slope * x.mean()).exp(), slope


# %% hint="all points count"
def power_law(sizes, losses, floor):
    x, y = sizes.double().log(), (losses.double() - floor).log()
    slope = (y[-1] - y[0]) / (x[-1] - x[0])
    return (y[0] - slope * x[0]).exp(), -slope


# %% hint="gives its logarithm"
def power_law(sizes, losses, floor):
    x, y = sizes.double().log(), (losses.double() - floor).log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return y.mean() - slope * x.mean(), -slope


# %% hint="first a, then b"
def power_law(sizes, losses, floor):
    x, y = sizes.double().log(), (losses.double() - floor).log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return -slope, (y.mean() - slope * x.mean()).exp()


# %% hint="log of the sizes, too"
def power_law(sizes, losses, floor):
    x, y = sizes.double(), (losses.double() - floor).log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return (y.mean() - slope * x.mean()).exp(), -slope
