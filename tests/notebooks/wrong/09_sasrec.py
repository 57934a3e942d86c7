"""Wrong answers to the exercises of notebook 09: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="this looks ahead"
def allowed(mask):
    n = mask.shape[1]
    past = torch.ones(n, n, dtype=torch.bool).triu(0)
    return (past & mask[:, None, :]) | torch.eye(n, dtype=torch.bool)


# %% hint="the other way round"
def allowed(mask):
    n = mask.shape[1]
    past = torch.ones(n, n, dtype=torch.bool).tril()
    return ~((past & mask[:, None, :]) | torch.eye(n, dtype=torch.bool))


# %% hint="divide zero by zero"
def allowed(mask):
    n = mask.shape[1]
    return torch.ones(n, n, dtype=torch.bool).tril() & mask[:, None, :]


# %% hint="seen by nobody else"
def allowed(mask):
    n = mask.shape[1]
    return torch.ones(n, n, dtype=torch.bool).tril().expand(len(mask), n, n)


# %% hint="added* to the logits"
def allowed(mask):
    n = mask.shape[1]
    past = torch.ones(n, n, dtype=torch.bool).tril()
    return ((past & mask[:, None, :]) | torch.eye(n, dtype=torch.bool)).float()


# %% hint="has no target"
def inputs_and_targets(plays, length):
    filled = torch.nn.functional.pad(plays, (length, 0))
    return filled[-(length + 1) : -1], filled[-length:]


# %% hint="input and target are the same"
def inputs_and_targets(plays, length):
    last = torch.nn.functional.pad(plays, (length, 0))[-length:]
    return last, last


# %% hint="L + 1 plays"
def inputs_and_targets(plays, length):
    last = plays[-length:]
    both = torch.stack([last[:-1], last[1:]])
    filled = torch.nn.functional.pad(both, (length - both.shape[1], 0))
    return filled[0], filled[1]


# %% hint="on the left"
def inputs_and_targets(plays, length):
    last = plays[-(length + 1) :]
    both = torch.stack([last[:-1], last[1:]])
    filled = torch.nn.functional.pad(both, (0, length - both.shape[1]))
    return filled[0], filled[1]


# %% hint="pass for hits"
def place(scores, target):
    return (scores > scores.gather(1, target[:, None])).sum(dim=1) + 1


# %% hint="nothing seems better"
def place(scores, target):
    return (scores >= scores.gather(1, target[:, None])).sum(dim=1)


# %% hint="at least as good"
def place(scores, target):
    found = (scores > scores.gather(1, target[:, None])).sum(dim=1) + 1
    return found.masked_fill(scores.isnan().any(dim=1), scores.shape[1] + 1)


# %% hint="N + 1, not N"
def place(scores, target):
    found = (scores >= scores.gather(1, target[:, None])).sum(dim=1)
    return found.masked_fill(scores.isnan().any(dim=1), scores.shape[1])
