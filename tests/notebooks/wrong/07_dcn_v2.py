"""Wrong answers to the exercises of notebook 07: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="multiplies by the *input*"
def cross_network(x0, weights, biases):
    x = x0
    for weight, bias in zip(weights, biases, strict=True):
        x = x * (x @ weight.T + bias) + x
    return x


# %% hint="add what came out of the layer before"
def cross_network(x0, weights, biases):
    x = x0
    for weight, bias in zip(weights, biases, strict=True):
        x = x0 * (x @ weight.T + bias) + x0
    return x


# %% hint="what must be done to W?"
def cross_network(x0, weights, biases):
    x = x0
    for weight, bias in zip(weights, biases, strict=True):
        x = x0 * (x @ weight + bias) + x
    return x


# %% hint="does the `return` stand inside of the loop?"
def cross_network(x0, weights, biases):
    x = x0
    for weight, bias in zip(weights, biases, strict=True):
        x = x0 * (x @ weight.T + bias) + x
        return x
    return x


# %% hint="the bias is inside of the bracket"
def cross_network(x0, weights, biases):
    x = x0
    for layer in range(len(weights)):
        x = x0 * (x @ weights[layer].T) + biases[layer] + x
    return x


# %% hint="changes its argument `x0` in place"
def cross_network(x0, weights, biases):
    x = x0
    for weight, bias in zip(weights, biases, strict=True):
        x += x0 * (x @ weight.T + bias)
    return x


# %% hint="changes its argument `weights` in place"
def cross_network(x0, weights, biases):
    x = x0
    while weights:
        x = x0 * (x @ weights.pop(0).T + biases.pop(0)) + x
    return x


# %% hint="the bias is added"
def cross_network(x0, weights, biases):
    x = x0
    for weight, bias in zip(weights, biases, strict=True):
        x = x0 * (x @ weight.T - bias) + x
    return x


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
