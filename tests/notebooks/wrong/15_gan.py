"""Wrong answers to the exercises of notebook 15: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, softplus


# %% hint="the labels are swapped"
def two_losses(write, judge, real, known):
    fake = write(known)
    says = judge(fake.detach(), known)
    return softplus(judge(real, known)).mean() + softplus(-says).mean(), softplus(
        -judge(fake, known)
    ).mean()


# %% hint="must not reach the generator"
def two_losses(write, judge, real, known):
    fake = judge(write(known), known)
    return softplus(-judge(real, known)).mean() + softplus(fake).mean(), softplus(-fake).mean()


# %% hint="must reach the generator"
def two_losses(write, judge, real, known):
    fake = judge(write(known).detach(), known)
    return softplus(-judge(real, known)).mean() + softplus(fake).mean(), softplus(-fake).mean()


# %% hint="no gradient while the judge wins"
def two_losses(write, judge, real, known):
    fake = write(known)
    of_judge = softplus(-judge(real, known)).mean() + softplus(judge(fake.detach(), known)).mean()
    return of_judge, -softplus(judge(fake, known)).mean()


# %% hint="detach the *profile* that it is shown, not its answer"
def two_losses(write, judge, real, known):
    says = judge(write(known), known)
    of_judge = softplus(-judge(real, known)).mean() + softplus(says.detach()).mean()
    return of_judge, softplus(-says).mean()


# %% hint="the judge must learn from both"
def two_losses(write, judge, real, known):
    fake = write(known)
    says = judge(fake.detach(), known)
    of_judge = softplus(-judge(real, known)).detach().mean() + softplus(says).mean()
    return of_judge, softplus(-judge(fake, known)).mean()


# %% hint="for real and for written profiles by themselves"
def two_losses(write, judge, real, known):
    fake = write(known)
    logits = torch.cat([judge(real, known), judge(fake.detach(), known)])
    labels = torch.cat([torch.ones(len(real)), torch.zeros(len(real))])
    of_judge = binary_cross_entropy_with_logits(logits, labels)
    return of_judge, softplus(-judge(fake, known)).mean()


# %% hint="the judge is told `real` beside the real profile"
def two_losses(write, judge, real, known):
    fake = write(known)
    of_judge = softplus(-judge(real, real)).mean() + softplus(judge(fake.detach(), known)).mean()
    return of_judge, softplus(-judge(fake, known)).mean()


# %% hint="the profile is written from `real`"
def two_losses(write, judge, real, known):
    fake = write(real)
    of_judge = softplus(-judge(real, known)).mean() + softplus(judge(fake.detach(), known)).mean()
    return of_judge, softplus(-judge(fake, known)).mean()


# %% hint="the mask lies on the written profile only"
def shown(real, fake, known, drawn):
    return real, fake * (known | drawn)


# %% hint="writing 1 everywhere wins"
def shown(real, fake, known, drawn):
    return real * known, fake * known


# %% hint="the mask lies on the real profile only"
def shown(real, fake, known, drawn):
    return real * (known | drawn), fake


# %% hint="divided by the listeners"
def coverage(lists, n_tracks):
    return len(lists[lists >= 0].unique()) / len(lists)


# %% hint="a mean over the listeners"
def coverage(lists, n_tracks):
    own = [len(row[row >= 0].unique()) / n_tracks for row in lists]
    return sum(own) / len(own)


# %% hint="it is no track"
def coverage(lists, n_tracks):
    return len(lists.unique()) / n_tracks


# %% hint="in however many lists it stands"
def coverage(lists, n_tracks):
    return int((lists >= 0).sum()) / n_tracks


# %% hint="0 is a track, −1 is none"
def coverage(lists, n_tracks):
    return len(lists[lists > 0].unique()) / n_tracks


# %% hint="−1 is counted as track 0"
def coverage(lists, n_tracks):
    return lists.clamp(min=0).unique().numel() / n_tracks


# %% hint="listeners with a short list count, too"
def coverage(lists, n_tracks):
    return len(lists[(lists >= 0).all(dim=1)].unique()) / n_tracks
