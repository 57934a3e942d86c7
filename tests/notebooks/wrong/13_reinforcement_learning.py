"""Wrong answers to the exercises of notebook 13: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="not by the number of rows"
def self_normalised(pi, beta, reward):
    return (pi / beta * reward).mean()


# %% hint="w = π/β, not β/π"
def self_normalised(pi, beta, reward):
    weight = beta / pi
    return (weight * reward).sum() / weight.sum()


# %% hint="multiply first, then add up"
def self_normalised(pi, beta, reward):
    return (pi / beta).mean() * reward.mean()


# %% hint="clips no weight"
def self_normalised(pi, beta, reward):
    weight = (pi / beta).clamp(max=10)
    return (weight * reward).sum() / weight.sum()


# %% hint="not with its average over π"
def robust(target, model, action, propensity, reward):
    average = (target * model).sum(dim=1)
    weight = target.gather(1, action[:, None])[:, 0] / propensity
    return (average + weight * (reward - average)).mean()


# %% hint="the residual is missing"
def robust(target, model, action, propensity, reward):
    return (target * model).sum(dim=1).mean()


# %% hint="w is π/β, not β/π"
def robust(target, model, action, propensity, reward):
    weight = propensity / target.gather(1, action[:, None])[:, 0]
    residual = reward - model.gather(1, action[:, None])[:, 0]
    return ((target * model).sum(dim=1) + weight * residual).mean()


# %% hint="λ_K has the factor K"
def step(logits, action, beta, reward, k):
    pi = logits.softmax(dim=0)
    weight = pi[action] / beta * (1 - pi[action]) ** (k - 1) * reward
    return weight * (torch.eye(len(logits))[action] - pi)


# %% hint="no gradient runs through the weight"
def step(logits, action, beta, reward, k):
    logits = logits.clone().requires_grad_()
    pi = logits.softmax(dim=0)[action]
    (pi / beta * k * (1 - pi) ** (k - 1) * reward * pi.log()).backward()
    return logits.grad


# %% hint="π/β, not β/π"
def step(logits, action, beta, reward, k):
    pi = logits.softmax(dim=0)
    weight = beta / pi[action] * k * (1 - pi[action]) ** (k - 1) * reward
    return weight * (torch.eye(len(logits))[action] - pi)


# %% hint="the exponent of λ_K is K − 1"
def step(logits, action, beta, reward, k):
    pi = logits.softmax(dim=0)
    weight = pi[action] / beta * k * (1 - pi[action]) ** k * reward
    return weight * (torch.eye(len(logits))[action] - pi)
