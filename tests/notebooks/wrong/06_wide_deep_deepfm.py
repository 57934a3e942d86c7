"""Wrong answers to the exercises of notebook 06: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import math

import torch


# %% hint="in either order"
def product_column(i, j):
    return i * (i - 1) // 2 + j


# %% hint="the diagonal is not there"
def product_column(i, j):
    i, j = max(i, j), min(i, j)
    return i * (i + 1) // 2 + j


# %% hint="counted from 0"
def product_column(i, j):
    pairs = [(a, b) for a in range(1, 50) for b in range(a)]
    return pairs.index((max(i, j), min(i, j))) + 1


# %% hint="walk on to the other number"
def product_column(i, j):
    return sum(range(max(i, j)))


# %% hint="not the whole square"
def product_column(i, j):
    return max(i, j) ** 2 + min(i, j)


# %% hint="does every way through it end with `return`?"
def product_column(i, j):
    if i > j:
        return i * (i - 1) // 2 + j


# %% hint="this multiplies"
def relu_product(x, y, n):
    return x * y


# %% hint="divide by 4"
def relu_product(x, y, n):
    step = 4 / n
    knots = -2 + step * torch.arange(n)
    slopes = torch.full((n,), 2 * step)
    slopes[0] = step - 4

    def square(z):
        return 4 + torch.relu(z[:, None] - knots) @ slopes

    return square(x + y) - square(x - y)


# %% hint="grows by twice the distance"
def relu_product(x, y, n):
    step = 4 / n
    knots = -2 + step * torch.arange(n)
    slopes = torch.full((n,), step)
    slopes[0] = step - 4

    def square(z):
        return 4 + torch.relu(z[:, None] - knots) @ slopes

    return (square(x + y) - square(x - y)) / 4


# %% hint="the slope of its first piece"
def relu_product(x, y, n):
    step = 4 / n
    knots = -2 + step * torch.arange(n)

    def square(z):
        return 4 + 2 * step * torch.relu(z[:, None] - knots).sum(dim=1)

    return (square(x + y) - square(x - y)) / 4


# %% hint="one piece too few"
def relu_product(x, y, n):
    step = 4 / (n - 1)
    knots = -2 + step * torch.arange(n - 1)
    slopes = torch.full((n - 1,), 2 * step)
    slopes[0] = step - 4

    def square(z):
        return 4 + torch.relu(z[:, None] - knots) @ slopes

    return (square(x + y) - square(x - y)) / 4


# %% hint="x² and y² are still in it"
def relu_product(x, y, n):
    step = 4 / n
    knots = -2 + step * torch.arange(n)
    slopes = torch.full((n,), 2 * step)
    slopes[0] = step - 4
    return (4 + torch.relu((x + y)[:, None] - knots) @ slopes) / 4


# %% hint="changes its argument `x` in place"
def relu_product(x, y, n):
    x += y
    return x.square() / 4


# %% hint="round up"
def rows_needed(n_pairs, share):
    return int(1 / (1 - (1 - share) ** (1 / n_pairs)))


# %% hint="round up"
def rows_needed(n_pairs, share):
    return 1 / (1 - (1 - share) ** (1 / n_pairs))


# %% hint="share rows with each other"
def rows_needed(n_pairs, share):
    return math.ceil(n_pairs / share)


# %% hint="the chance to miss is the rest"
def rows_needed(n_pairs, share):
    return math.ceil(1 / (1 - share ** (1 / n_pairs)))


# %% hint="whether two trained pairs meet is not asked"
def rows_needed(n_pairs, share):
    return math.ceil(n_pairs * (n_pairs - 1) / 2 / share)


# %% hint="yours takes (n_pairs)"
def rows_needed(n_pairs):
    return 100 * n_pairs
