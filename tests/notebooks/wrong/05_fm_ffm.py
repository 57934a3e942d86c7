"""Wrong answers to the exercises of notebook 05: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import itertools

import torch


# %% hint="the item's own weight is missing"
def item_scores(context, items, weights):
    return items @ context.sum(dim=0)


# %% hint="not averaged"
def item_scores(context, items, weights):
    return weights + items @ context.mean(dim=0)


# %% hint="not itself"
def item_scores(context, items, weights):
    together = [torch.cat([context, item[None]]) for item in items]
    pairs = [0.5 * (v.sum(0).square() + v.square().sum(0)).sum() for v in together]
    inside = 0.5 * (context.sum(0).square() + context.square().sum(0)).sum()
    return weights + torch.stack(pairs) - inside


# %% hint="the same for all items: leave them out"
def item_scores(context, items, weights):
    together = [torch.cat([context, item[None]]) for item in items]
    pairs = [0.5 * (v.sum(0).square() - v.square().sum(0)).sum() for v in together]
    return weights + torch.stack(pairs)


# %% hint="one number for each item"
def item_scores(context, items, weights):
    return weights[:, None] + items @ context.T


# %% hint="not their order"
def item_scores(context, items, weights):
    return (weights + items @ context.sum(dim=0)).argsort(descending=True)


# %% hint="in line 2 of item_scores: return weights + context @ items"
def item_scores(context, items, weights):
    return weights + context @ items


# %% hint="changes its argument `weights` in place"
def item_scores(context, items, weights):
    weights += items @ context.sum(dim=0)
    return weights


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


# %% hint="must be taken away"
def fm_triples(v):
    return v.sum(dim=0).pow(3).sum() / 6


# %% hint="in six orders, and counts once"
def fm_triples(v):
    first, second, third = (v.pow(p).sum(dim=0) for p in (1, 2, 3))
    return (first**3 - 3 * first * second + 2 * third).sum()


# %% hint="taken away too often"
def fm_triples(v):
    first, second = v.sum(dim=0), v.square().sum(dim=0)
    return (first**3 - 3 * first * second).sum() / 6


# %% hint="add the components last"
def fm_triples(v):
    first, second, third = (v.pow(p).sum() for p in (1, 2, 3))
    return (first**3 - 3 * first * second + 2 * third) / 6


# %% hint="these are the pairs"
def fm_triples(v):
    return 0.5 * (v.sum(dim=0).square() - v.square().sum(dim=0)).sum()


# %% hint="which computes nothing before it is walked through"
def fm_triples(v):
    return ((x * y * z).sum() for x, y, z in itertools.combinations(v, 3))


# %% hint="are its parentheses missing?"
def fm_triples(v):
    return torch.stack([x * y * z for x, y, z in itertools.combinations(v, 3)]).sum


# %% hint="multiplies all fields at once"
def fm_triples(v):
    return v.prod(dim=0).sum()
