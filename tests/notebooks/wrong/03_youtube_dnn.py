"""Wrong answers to the exercises of notebook 03: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="add up to 1"
def decayed_mean(vectors, mask, decay):
    weights = decay ** torch.arange(vectors.shape[1]) * mask
    return (weights[:, :, None] * vectors).sum(dim=1)


# %% hint="not by the length of the padded tensor"
def decayed_mean(vectors, mask, decay):
    weights = decay ** torch.arange(vectors.shape[1]) * mask
    return (weights[:, :, None] * vectors).mean(dim=1)


# %% hint="in the sum of the weights either"
def decayed_mean(vectors, mask, decay):
    weights = decay ** torch.arange(vectors.shape[1])
    return (weights[None, :, None] * vectors * mask[:, :, None]).sum(dim=1) / weights.sum()


# %% hint="a division by 0"
def decayed_mean(vectors, mask, decay):
    weights = decay ** torch.arange(vectors.shape[1]) * mask
    weights = weights / weights.sum(dim=1, keepdim=True)
    return (weights[:, :, None] * vectors).sum(dim=1)


# %% hint="latest first"
def decayed_mean(vectors, mask, decay):
    weights = decay ** torch.arange(vectors.shape[1]).flip(0) * mask
    total = weights.sum(dim=1, keepdim=True)
    weights = weights / torch.where(total > 0, total, 1.0)
    return (weights[:, :, None] * vectors).sum(dim=1)


# %% hint="1 − P left to learn"
def track_gradient(u, v, p):
    return (v @ u).softmax(dim=0)[:, None] * u


# %% hint="the sign is turned"
def track_gradient(u, v, p):
    wrong = -(v @ u).softmax(dim=0)
    wrong[p] += 1
    return wrong[:, None] * u


# %% hint="no sigmoid"
def track_gradient(u, v, p):
    wrong = torch.sigmoid(v @ u)
    wrong[p] -= 1
    return wrong[:, None] * u


# %% hint="with respect to v_i is u"
def track_gradient(u, v, p):
    wrong = (v @ u).softmax(dim=0)
    wrong[p] -= 1
    return wrong[:, None] * v


# %% hint="not E[T]"
def expected_watch_time(logit, p):
    return logit.exp()


# %% hint="no sigmoid"
def expected_watch_time(logit, p):
    return torch.sigmoid(logit)


# %% hint="not E[T]"
def expected_watch_time(logit, p):
    return torch.exp(logit)


# %% hint="multiply"
def expected_watch_time(logit, p):
    return logit.exp() / (1 - p)
