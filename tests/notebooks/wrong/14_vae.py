"""Wrong answers to the exercises of notebook 14: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="is the ½ there?"
def kl(mu, log_var):
    return (mu**2 + log_var.exp() - 1 - log_var).sum(dim=1)


# %% hint="is the −1 there?"
def kl(mu, log_var):
    return 0.5 * (mu**2 + log_var.exp() - log_var).sum(dim=1)


# %% hint="σ² = exp(log_var)"
def kl(mu, log_var):
    return 0.5 * (mu**2 + (2 * log_var).exp() - 1 - 2 * log_var).sum(dim=1)


# %% hint="σ² = exp(log_var)"
def kl(mu, log_var):
    return 0.5 * (mu**2 + log_var.exp() ** 2 - 1 - log_var).sum(dim=1)


# %% hint="σ² = exp(log_var)"
def kl(mu, log_var):
    return 0.5 * (mu**2 + (log_var / 2).exp() - 1 - log_var).sum(dim=1)


# %% hint="in nats, not in bits"
def kl(mu, log_var):
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(dim=1) / torch.tensor(2.0).log()


# %% hint="the sum of theirs"
def kl(mu, log_var):
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).mean(dim=1)


# %% hint="KL(q ‖ p) is not KL(p ‖ q)"
def kl(mu, log_var):
    return 0.5 * ((1 + mu**2) / log_var.exp() - 1 + log_var).sum(dim=1)


# %% hint="nothing is drawn when a model serves"
def serve(mu, log_var, weight, bias, seen):
    z = mu + (log_var / 2).exp() * torch.randn_like(mu)
    return (z @ weight.T + bias).softmax(dim=1).masked_fill(seen, 0)


# %% hint="nothing is drawn, z is μ itself"
def serve(mu, log_var, weight, bias, seen):
    noise = torch.randn(mu.shape, generator=torch.Generator().manual_seed(0))
    z = mu + (log_var / 2).exp() * noise
    return (z @ weight.T + bias).softmax(dim=1).masked_fill(seen, 0)


# %% hint="has the chance 0, not −∞"
def serve(mu, log_var, weight, bias, seen):
    return (mu @ weight.T + bias).softmax(dim=1).masked_fill(seen, -torch.inf)


# %% hint="not over the batch"
def serve(mu, log_var, weight, bias, seen):
    return (mu @ weight.T + bias).softmax(dim=0).masked_fill(seen, 0)


# %% hint="what was played is not recommended"
def serve(mu, log_var, weight, bias, seen):
    return (mu @ weight.T + bias).softmax(dim=1)


# %% hint="softmax first, then take out"
def serve(mu, log_var, weight, bias, seen):
    return (mu @ weight.T + bias).masked_fill(seen, -torch.inf).softmax(dim=1)


# %% hint="divided by P_jj"
def ease(x, decay):
    inverse = (x.T @ x + decay * torch.eye(x.shape[1])).inverse()
    return (-inverse / inverse.diagonal()[:, None]).fill_diagonal_(0)


# %% hint="no track explains itself"
def ease(x, decay):
    inverse = (x.T @ x + decay * torch.eye(x.shape[1])).inverse()
    return -inverse / inverse.diagonal()


# %% hint="the minus sign"
def ease(x, decay):
    inverse = (x.T @ x + decay * torch.eye(x.shape[1])).inverse()
    return (inverse / inverse.diagonal()).fill_diagonal_(0)


# %% hint="the zeros must be part of the solution"
def ease(x, decay):
    gram = x.T @ x
    return torch.linalg.solve(gram + decay * torch.eye(x.shape[1]), gram).fill_diagonal_(0)


# %% hint="λ as it is, not half of it"
def ease(x, decay):
    inverse = (x.T @ x + decay / 2 * torch.eye(x.shape[1])).inverse()
    return (-inverse / inverse.diagonal()).fill_diagonal_(0)


# %% hint="λ as it is, not twice"
def ease(x, decay):
    inverse = (x.T @ x + 2 * decay * torch.eye(x.shape[1])).inverse()
    return (-inverse / inverse.diagonal()).fill_diagonal_(0)
