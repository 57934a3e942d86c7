"""Wrong answers to the exercises of notebook 04: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="taken away, not added"
def negative_logits(cosine, q, temperature):
    return cosine / temperature + (len(q) * q).log()


# %% hint="divide by the temperature first"
def negative_logits(cosine, q, temperature):
    return (cosine - (len(q) * q).log()) / temperature


# %% hint="log(nQ), not log Q"
def negative_logits(cosine, q, temperature):
    return cosine / temperature - q.log()


# %% hint="the positive is none"
def negative_logits(cosine, q, temperature):
    return cosine / temperature - ((len(q) + 1) * q).log()


# %% hint="compare the tracks, not their places"
def no_negatives(target, played):
    return torch.eye(len(target), dtype=torch.bool) | (played[:, :, None] == target).any(dim=1)


# %% hint="no negative either"
def no_negatives(target, played):
    return target[:, None] == target


# %% hint="column c is the batch's track c"
def no_negatives(target, played):
    own = target[:, None] == target
    return (own | (played[:, :, None] == target).any(dim=1)).T


# %% hint="any, not all"
def no_negatives(target, played):
    return (target[:, None] == target) | (played[:, :, None] == target).all(dim=1)


# %% hint="the uniform negatives are missing"
def mixture(q, in_batch):
    return q


# %% hint="the shares are exchanged"
def mixture(q, in_batch):
    return (1 - in_batch) * q + in_batch / len(q)


# %% hint="a sum, not a power"
def mixture(q, in_batch):
    return q**in_batch


# %% hint="chances are wanted, not logarithms"
def mixture(q, in_batch):
    return (in_batch * q + (1 - in_batch) / len(q)).log()
