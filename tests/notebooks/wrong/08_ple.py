"""Wrong answers to the exercises of notebook 08: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import itertools

import torch


# %% hint="own width"
def encode_column(x, edges):
    return (x[:, None] - edges[:-1]).clamp(0, 1)


# %% hint="cut off at 1"
def encode_column(x, edges):
    return ((x[:, None] - edges[:-1]) / edges.diff()).clamp(min=0)


# %% hint="cut off at 0"
def encode_column(x, edges):
    return ((x[:, None] - edges[:-1]) / edges.diff()).clamp(max=1)


# %% hint="one-hot"
def encode_column(x, edges):
    bins = torch.bucketize(x, edges, right=True) - 1
    return torch.stack([bins == t for t in range(len(edges) - 1)], dim=1).float()


# %% hint="one row for each number"
def encode_column(x, edges):
    return torch.stack([((x - a) / (b - a)).clamp(0, 1) for a, b in itertools.pairwise(edges)])


# %% hint="RuntimeError: The size of tensor"
def encode_column(x, edges):
    return ((x - edges[:-1]) / edges.diff()).clamp(0, 1)


# %% hint="changes its argument `edges` in place"
def encode_column(x, edges):
    width = edges.diff()
    edges -= edges[0].clone()
    return ((x[:, None] - edges[:-1]) / width).clamp(0, 1)


# %% hint="cut off at 1"
def encode_column(x, edges):
    return (x.clamp(edges[0], edges[-1])[:, None] - edges[:-1]) / edges.diff()


# %% hint="bins differ in width"
def decode(codes, edges):
    return edges[0] + codes.sum(dim=1)


# %% hint="start at the first edge"
def decode(codes, edges):
    return (codes * edges.diff()).sum(dim=1)


# %% hint="that of every bin"
def decode(codes, edges):
    return (edges[:-1] + codes * edges.diff()).sum(dim=1)


# %% hint="not over the rows"
def decode(codes, edges):
    return edges[0] + (codes * edges.diff()).sum(dim=0)


# %% hint="edges[0]"
def decode(codes, edges):
    return edges[1] + (codes * edges.diff()).sum(dim=1)


# %% hint="the edge below x"
def decode(codes, edges):
    return edges[(codes >= 1).sum(dim=1)]


# %% hint="the weight is not the height"
def broken_line(heights):
    return heights[0], heights[1:]


# %% hint="only the bias is left"
def broken_line(heights):
    return torch.tensor(0.0), heights.diff()


# %% hint="return the bias first"
def broken_line(heights):
    return heights.diff(), heights[0]


# %% hint="the sign is turned"
def broken_line(heights):
    return heights[0], heights[:-1] - heights[1:]


# %% hint="only the rise across this bin"
def broken_line(heights):
    return heights[0], heights[1:] - heights[0]


# %% hint="the middle of the two heights"
def broken_line(heights):
    return heights[0], (heights[1:] + heights[:-1]) / 2
