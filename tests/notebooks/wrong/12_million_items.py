"""Wrong answers to the exercises of notebook 12: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="10⁹ are a GB"
def training_memory(n, d):
    return 4 * 4 * n * d / 1e9


# %% hint="the gradient is as large as the table"
def training_memory(n, d):
    return 3 * 4 * n * d / 2**30


# %% hint="not a row"
def training_memory(n, d):
    return 4 * (2 * n * d + n) / 2**30


# %% hint="holds for a moment"
def training_memory(n, d):
    return 6 * 4 * n * d / 2**30


# %% hint="a byte has 8"
def training_memory(n, d):
    return 4 * 32 * n * d / 2**30


# %% hint="d numbers a row"
def rowwise_step(weight, gradient, state, lr):
    state = state[:, None] + gradient**2
    return weight - lr * gradient / state.sqrt(), state


# %% hint="not their sum"
def rowwise_step(weight, gradient, state, lr):
    state = state + gradient.square().sum(dim=1)
    return weight - lr * gradient / state.sqrt()[:, None], state


# %% hint="the root of the state"
def rowwise_step(weight, gradient, state, lr):
    state = state + gradient.square().mean(dim=1)
    return weight - lr * gradient / state[:, None], state


# %% hint="not the square of the mean"
def rowwise_step(weight, gradient, state, lr):
    state = state + gradient.mean(dim=1) ** 2
    return weight - lr * gradient / state.sqrt()[:, None], state


# %% hint="the square, not the length"
def rowwise_step(weight, gradient, state, lr):
    state = state + gradient.norm(dim=1)
    return weight - lr * gradient / state.sqrt()[:, None], state


# %% hint="in table m, no other"
def lookup_products(tables, codes):
    wrong = codes.flip(1)
    return tables[torch.arange(len(tables)), wrong].sum(dim=1)


# %% hint="are added up"
def lookup_products(tables, codes):
    return tables[torch.arange(len(tables)), codes]


# %% hint="only the first table is read"
def lookup_products(tables, codes):
    return tables[0][codes].sum(dim=1)
