"""Wrong answers to the exercises of notebook 05: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import itertools

import torch


# %% hint="take the squares away"
def fm_pairs(v):
    return (v @ v.T).sum() / 2


# %% hint="so halve"
def fm_pairs(v):
    return (v.sum(dim=0).square() - v.square().sum(dim=0)).sum()


# %% hint="component by component"
def fm_pairs(v):
    return 0.5 * (v.sum().square() - v.square().sum())


# %% hint="add the components last"
def fm_pairs(v):
    return 0.5 * (v.sum(dim=0) ** 2 - (v**2).sum(dim=0))


# %% hint="the fields are the rows"
def fm_pairs(v):
    return 0.5 * (v.sum(1) ** 2 - (v**2).sum(1)).sum()


# %% hint="which computes nothing before it is walked through"
def fm_pairs(v):
    return (v[i] @ v[j] for i, j in itertools.combinations(range(len(v)), 2))


# %% hint="are its parentheses missing?"
def fm_pairs(v):
    return (v @ v.T).triu(diagonal=1).sum


# %% hint="is there a comma too many?"
def fm_pairs(v):
    return (0.5 * (v.sum(dim=0).square() - v.square().sum(dim=0)).sum(),)


# %% hint="changes its argument `v` in place"
def fm_pairs(v):
    together = v.sum(dim=0).square().sum()
    return 0.5 * (together - v.square_().sum())


# %% hint="multiplies all fields at once"
def fm_pairs(v):
    return v.prod(dim=0).sum()


# %% hint="the half belongs to both"
def fm_pairs(v):
    return (0.5 * v.sum(dim=0).square() - v.square().sum(dim=0)).sum()


# %% hint="without v_i itself"
def fm_gradient(v):
    return v.sum(dim=0).expand_as(v)


# %% hint="is a factor 2 or ½ left over?"
def fm_gradient(v):
    return 0.5 * (v.sum(dim=0) - v)


# %% hint="one row for each vector"
def fm_gradient(v):
    return v.sum(dim=0)


# %% hint="not averaged"
def fm_gradient(v):
    n = max(len(v) - 1, 1)
    return torch.stack([(v.sum(dim=0) - w) / n for w in v])


# %% hint="sum over the fields (the rows)"
def fm_gradient(v):
    return v.sum(dim=1, keepdim=True) - v


# %% hint="not its neighbours alone"
def fm_gradient(v):
    return v.roll(1, dims=0) + v.roll(-1, dims=0)


# %% hint="the vectors before it as well"
def fm_gradient(v):
    return torch.stack([v[i + 1 :].sum(dim=0) for i in range(len(v))])


# %% hint="v[i, i] is never used"
def ffm_pairs(v):
    return (v * v.transpose(0, 1)).sum() / 2


# %% hint="and j answers with"
def ffm_pairs(v):
    n = len(v)
    return sum((v[i, j] ** 2).sum() for i in range(n) for j in range(i + 1, n))


# %% hint="never used"
def ffm_pairs(v):
    own = v.diagonal(dim1=0, dim2=1).T
    return 0.5 * (own.sum(dim=0).square() - own.square().sum(dim=0)).sum()


# %% hint="count a pair once"
def ffm_pairs(v):
    n = len(v)
    return sum(v[i, j] @ v[j, i] for i in range(n) for j in range(n) if i != j)


# %% hint="add up those of pairs"
def ffm_pairs(v):
    return torch.einsum("ijd,jid->ij", v, v)


# %% hint="looks at the last two axes"
def ffm_pairs(v):
    return (v * v.transpose(0, 1)).triu(1).sum()
