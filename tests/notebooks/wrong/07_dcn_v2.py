"""Wrong answers to the exercises of notebook 07: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="leaves a linear term as well"
def read_layer(weight, bias, top):
    each = top[:, None] * weight
    return top * bias, each.triu() + each.tril(diagonal=-1).T


# %% hint="the bias is multiplied by x as well"
def read_layer(weight, bias, top):
    each = top[:, None] * weight
    return top.clone(), each.triu() + each.tril(diagonal=-1).T


# %% hint="both together"
def read_layer(weight, bias, top):
    return top * (bias + 1), (top[:, None] * weight).triu()


# %% hint="it counts once"
def read_layer(weight, bias, top):
    each = top[:, None] * weight
    return top * (bias + 1), (each + each.T).triu()


# %% hint="below it there are zeros"
def read_layer(weight, bias, top):
    return top * (bias + 1), torch.diag(top) @ weight


# %% hint="here the columns"
def read_layer(weight, bias, top):
    each = weight * top
    return top * (bias + 1), each.triu() + each.tril(diagonal=-1).T


# %% hint="changes its argument `weight` in place"
def read_layer(weight, bias, top):
    weight *= top[:, None]
    return top * (bias + 1), weight.triu() + weight.tril(diagonal=-1).T


# %% hint="return 2 values, `linear, products`"
def read_layer(weight, bias, top):
    each = top[:, None] * weight
    return each.triu() + each.tril(diagonal=-1).T


# %% hint="the bias must cancel"
def fm_as_cross(v):
    n = len(v)
    return (v @ v.T).triu(diagonal=1), torch.zeros(n), torch.ones(n)


# %% hint="nothing on the diagonal"
def fm_as_cross(v):
    n = len(v)
    return v @ v.T, -torch.ones(n), torch.ones(n)


# %% hint="each pair once"
def fm_as_cross(v):
    n = len(v)
    w = v @ v.T
    return w - w.diag().diag(), -torch.ones(n), torch.ones(n)


# %% hint="`weight` is of shape (3, 3), expected is (5, 5)"
def fm_as_cross(v):
    n = len(v)
    return (v.T @ v).triu(diagonal=1), -torch.ones(n), torch.ones(n)


# %% hint="nothing of the layer is left"
def fm_as_cross(v):
    n = len(v)
    return (v @ v.T).triu(diagonal=1), -torch.ones(n), torch.zeros(n)


# %% hint="return 3 values, `weight, bias, top`"
def fm_as_cross(v):
    return (v @ v.T).triu(diagonal=1), -torch.ones(len(v))


# %% hint="together they must be"
def fm_as_cross(v):
    n = len(v)
    return torch.ones(n, n).triu(diagonal=1), -torch.ones(n), torch.ones(n)


# %% hint="for n = 3 features"
def fm_as_cross(v):
    weight = torch.zeros(5, 5)
    weight[: len(v), : len(v)] = (v @ v.T).triu(1)
    return weight, -torch.ones(5), torch.ones(5)
