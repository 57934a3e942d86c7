"""Wrong answers to the exercises of notebook 02: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import numpy as np
import torch


# %% hint="must undo the rise *and* go down"
def hill(x, left, top, right):
    up = torch.relu(x - left) / (top - left)
    down = torch.relu(x - top) / (right - top)
    return up - down


# %% hint="a line without relu goes on below 0"
def hill(x, left, top, right):
    up = (x - left) / (top - left)
    return torch.minimum(up, (right - x) / (right - top))


# %% hint="the third kink stops the fall"
def hill(x, left, top, right):
    up, down = 1 / (top - left), 1 / (right - top)
    return torch.relu(x - left) * up - torch.relu(x - top) * (up + down)


# %% hint="that sets its slope"
def hill(x, left, top, right):
    return torch.relu(x - left) - 2 * torch.relu(x - top) + torch.relu(x - right)


# %% hint="nothing (None)"
def hill(x, left, top, right):
    if left > right:
        return x


# %% hint="AttributeError"
def hill(x, left, top, right):
    return (x - left).rellu()


# %% hint="changes its argument `x` in place"
def hill(x, left, top, right):
    return x.sub_(left).relu()


# %% hint="the fall has a slope of its own"
def hill(x, left, top, right):
    rise, turn, stop = (torch.relu(x - kink) for kink in (left, top, right))
    return (rise - 2 * turn + stop) / (top - left)


# %% hint="not both over the whole width"
def hill(x, left, top, right):
    rise, turn, stop = (torch.relu(x - kink) for kink in (left, top, right))
    return (rise - 2 * turn + stop) / (right - left)


# %% hint="a product of two lines is a curve"
def hill(x, left, top, right):
    up, down = (x - left) / (top - left), (right - x) / (right - top)
    return torch.relu(up) * torch.relu(down)


# %% hint="mind the sign"
def power_law(n, gap):
    slope, intercept = np.polyfit(n.log(), gap.log(), 1)
    return float(np.exp(intercept)), float(slope)


# %% hint="take it back with exp"
def power_law(n, gap):
    slope, intercept = np.polyfit(n.log(), gap.log(), 1)
    return float(intercept), -float(slope)


# %% hint="not through two of them"
def power_law(n, gap):
    b = -float((gap[-1] / gap[0]).log() / (n[-1] / n[0]).log())
    return float(gap[0] * n[0] ** b), b


# %% hint="return a first, then b"
def power_law(n, gap):
    slope, intercept = np.polyfit(n.log(), gap.log(), 1)
    return float(-slope), float(np.exp(intercept))


# %% hint="a logarithm to base 10 is taken back with"
def power_law(n, gap):
    slope, intercept = np.polyfit(n.log10(), gap.log10(), 1)
    return float(np.exp(intercept)), float(-slope)


# %% hint="return 2 values, `a, b`"
def power_law(n, gap):
    slope, _ = np.polyfit(n.log(), gap.log(), 1)
    return float(-slope)


# %% hint="take it back with 10 **"
def power_law(n, gap):
    slope, intercept = np.polyfit(np.log10(n.numpy()), np.log10(gap.numpy()), 1)
    return intercept, -slope


# %% hint="the same logarithm belongs on both axes"
def power_law(n, gap):
    slope, intercept = np.polyfit(np.log10(n.numpy()), np.log(gap.numpy()), 1)
    return np.exp(intercept), -slope


# %% hint="divide by the standard deviation"
def prepare(train, new):
    z = (new - train.nanmean(dim=0)).clamp(-3, 3).nan_to_num(0)
    return torch.cat([z, new.isnan().float()], dim=1)


# %% hint="not those of the new rows"
def prepare(train, new):
    mean = new.nanmean(dim=0)
    std = (new - mean).square().nanmean(dim=0).sqrt()
    z = ((new - mean) / std).clamp(-3, 3).nan_to_num(0)
    return torch.cat([z, new.isnan().float()], dim=1)


# %% hint="an outlier is cut"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = (train - mean).square().nanmean(dim=0).sqrt()
    z = ((new - mean) / std).nan_to_num(0)
    return torch.cat([z, new.isnan().float()], dim=1)


# %% hint="beside them, D flags"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = (train - mean).square().nanmean(dim=0).sqrt()
    z = ((new - mean) / std).clamp(-3, 3).nan_to_num(0)
    return z


# %% hint="leave the unknown ones out"
def prepare(train, new):
    z = ((new - train.mean(dim=0)) / train.std(dim=0)).clamp(-3, 3).nan_to_num(0)
    return torch.cat([z, new.isnan().float()], dim=1)


# %% hint="an unknown value is 0"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = (train - mean).square().nanmean(dim=0).sqrt()
    return torch.cat([((new - mean) / std).clamp(-3, 3), new.isnan().float()], dim=1)


# %% hint="look for unknown values before you replace them"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = (train - mean).square().nanmean(dim=0).sqrt()
    z = ((new - mean) / std).clamp(-3, 3).nan_to_num(0)
    return torch.cat([z, z.isnan().float()], dim=1)


# %% hint="changes its argument `new` in place"
def prepare(train, new):
    unknown = new.isnan()
    new[unknown] = 0
    mean = train.nanmean(dim=0)
    return torch.cat([new - mean, unknown.float()], dim=1)


# %% hint="an outlier is cut at three standard deviations, on both sides, not at one"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = (train - mean).square().nanmean(dim=0).sqrt()
    scaled = ((new - mean) / std).clamp(-1, 1).nan_to_num(0)
    return torch.cat([scaled, new.isnan().float()], dim=1)


# %% hint="what is below the mean is negative"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = (train - mean).square().nanmean(dim=0).sqrt()
    scaled = ((new - mean) / std).clamp(0, 3).nan_to_num(0)
    return torch.cat([scaled, new.isnan().float()], dim=1)


# %% hint="it is not put to 0"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = (train - mean).square().nanmean(dim=0).sqrt()
    scaled = ((new - mean) / std).nan_to_num(0)
    scaled[scaled.abs() > 3] = 0
    return torch.cat([scaled, new.isnan().float()], dim=1)


# %% hint="an unknown value is 0"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = (train - mean).square().nanmean(dim=0).sqrt()
    scaled = torch.where(new.isnan(), mean, ((new - mean) / std).clamp(-3, 3))
    return torch.cat([scaled, new.isnan().float()], dim=1)


# %% hint="an unknown value is 0"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = (train - mean).square().nanmean(dim=0).sqrt()
    scaled = ((new - mean) / std).clamp(-3, 3).nan_to_num(-1)
    return torch.cat([scaled, new.isnan().float()], dim=1)


# %% hint="three standard deviations, not three units"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = (train - mean).square().nanmean(dim=0).sqrt()
    scaled = ((new.clamp(-3, 3) - mean) / std).nan_to_num(0)
    return torch.cat([scaled, new.isnan().float()], dim=1)


# %% hint="the number of *known* values"
def prepare(train, new):
    mean = train.nanmean(dim=0)
    std = ((train - mean).square().nansum(dim=0) / len(train)).sqrt()
    scaled = ((new - mean) / std).clamp(-3, 3).nan_to_num(0)
    return torch.cat([scaled, new.isnan().float()], dim=1)


# %% hint="not the whole rows in which they stand"
def prepare(train, new):
    known = train[~train.isnan().any(dim=1)]
    scaled = ((new - known.mean(dim=0)) / known.std(dim=0)).clamp(-3, 3).nan_to_num(0)
    return torch.cat([scaled, new.isnan().float()], dim=1)
