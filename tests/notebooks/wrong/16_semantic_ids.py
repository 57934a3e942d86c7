"""Wrong answers to the exercises of notebook 16: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="divide by all K, not by those in use"
def use(codes, n_codes):
    share = codes.unique(return_counts=True)[1] / len(codes)
    return (-(share * share.log()).sum()).exp() / len(share)


# %% hint="take the perplexity, not the number of codes in use"
def use(codes, n_codes):
    return len(codes.unique()) / n_codes


# %% hint="exp belongs to the natural logarithm"
def use(codes, n_codes):
    share = codes.unique(return_counts=True)[1] / len(codes)
    return (-(share * share.log2()).sum()).exp() / n_codes


# %% hint="0 · log 0 is 0 here"
def use(codes, n_codes):
    share = torch.bincount(codes, minlength=n_codes) / len(codes)
    return (-(share * share.log()).sum()).exp() / n_codes


# %% hint="what is *left* of the vector that is coded"
def residual_codes(x, books):
    codes, errors, left = [], [], x
    for book in books:
        code = torch.cdist(x, book).argmin(dim=1)
        left = left - book[code]
        codes.append(code)
        errors.append(left.square().sum(dim=1).mean())
    return torch.stack(codes, dim=1), torch.stack(errors)


# %% hint="the code that is nearest"
def residual_codes(x, books):
    codes, errors = [], []
    for book in books:
        code = (x @ book.T).argmax(dim=1)
        x = x - book[code]
        codes.append(code)
        errors.append(x.square().sum(dim=1).mean())
    return torch.stack(codes, dim=1), torch.stack(errors)


# %% hint="squared length of what is left"
def residual_codes(x, books):
    codes, errors = [], []
    for book in books:
        code = torch.cdist(x, book).argmin(dim=1)
        x = x - book[code]
        codes.append(code)
        errors.append(x.square().mean())
    return torch.stack(codes, dim=1), torch.stack(errors)


# %% hint="sg is on the wrong side"
def code_loss(residual, code, beta):
    own = (residual - code.detach()).square().sum(dim=1)
    commitment = (residual.detach() - code).square().sum(dim=1)
    return (own + beta * commitment).mean()


# %% hint="no sg at all"
def code_loss(residual, code, beta):
    return (1 + beta) * (residual - code).square().sum(dim=1).mean()


# %% hint="a sum over d, and a mean over the B rows"
def code_loss(residual, code, beta):
    own = (residual.detach() - code).square()
    commitment = (residual - code.detach()).square()
    return (own + beta * commitment).mean()


# %% hint="the softmax goes over *all* tokens"
def beam_step(logits, allowed, score, k):
    total = score[:, None] + logits.masked_fill(~allowed, -torch.inf).log_softmax(dim=1)
    best = total.flatten().topk(k)
    return best.values, best.indices


# %% hint="the prefix's own score is missing"
def beam_step(logits, allowed, score, k):
    total = logits.log_softmax(dim=1).masked_fill(~allowed, -torch.inf)
    best = total.flatten().topk(k)
    return best.values, best.indices


# %% hint="logits of two prefixes do not compare"
def beam_step(logits, allowed, score, k):
    total = score[:, None] + logits.masked_fill(~allowed, -torch.inf)
    best = total.flatten().topk(k)
    return best.values, best.indices
