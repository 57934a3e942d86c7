"""Wrong answers to the exercises of notebook 06: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch

from course_utils.models.ranking.fm_ffm import pairwise_products


# %% hint="each pair once"
def pair_products(vectors):
    return vectors @ vectors.transpose(1, 2)


# %% hint="row by row"
def pair_products(vectors):
    n = vectors.shape[1]
    i, j = torch.triu_indices(n, n, offset=1)
    return (vectors[:, i] * vectors[:, j]).sum(dim=2)


# %% hint="no vector with itself"
def pair_products(vectors):
    n = vectors.shape[1]
    i, j = torch.tril_indices(n, n)
    return (vectors[:, i] * vectors[:, j]).sum(dim=2)


# %% hint="here they are added up"
def pair_products(vectors):
    return pairwise_products(vectors)


# %% hint="adds the components"
def pair_products(vectors):
    n = vectors.shape[1]
    i, j = torch.tril_indices(n, n, offset=-1)
    return vectors[:, i] * vectors[:, j]


# %% hint="pick the numbers of the pairs"
def pair_products(vectors):
    return (vectors @ vectors.mT).tril(-1)


# %% hint="in line 2 of pair_products: return vectors @ vectors"
def pair_products(vectors):
    return vectors @ vectors


# %% hint="a mask of (B, n, n) runs them into one row"
def pair_products(vectors):
    products = vectors @ vectors.mT
    return products[torch.ones_like(products).tril(-1).bool()]


# %% hint="a row for each example"
def pair_products(vectors):
    return vectors.new_zeros(len(vectors))


# %% hint="each pair once"
def deepfm_logit(fields, linear, mlp):
    products = fields @ fields.transpose(1, 2)
    return linear + products.sum(dim=(1, 2)) + mlp(fields.flatten(1))


# %% hint="(B, n · d)"
def deepfm_logit(fields, linear, mlp):
    return linear + pairwise_products(fields) + mlp(fields.sum(dim=1))


# %% hint="(B, n · d)"
def deepfm_logit(fields, linear, mlp):
    return linear + pairwise_products(fields) + mlp(fields)


# %% hint="the linear part is missing"
def deepfm_logit(fields, linear, mlp):
    return pairwise_products(fields) + mlp(fields.flatten(1))


# %% hint="before the sigmoid"
def deepfm_logit(fields, linear, mlp):
    return torch.sigmoid(linear + pairwise_products(fields) + mlp(fields.flatten(1)))


# %% hint="made a table (B, B)"
def deepfm_logit(fields, linear, mlp):
    return linear + pairwise_products(fields) + mlp(fields.flatten(1)).unsqueeze(1)


# %% hint="yours takes (fields, linear)"
def deepfm_logit(fields, linear):
    return linear + pairwise_products(fields)


# %% hint="changes its argument `linear` in place"
def deepfm_logit(fields, linear, mlp):
    linear += pairwise_products(fields)
    return linear + mlp(fields.flatten(1))


# %% hint="no part is summed or averaged over the batch"
def deepfm_logit(fields, linear, mlp):
    return linear.sum() + pairwise_products(fields) + mlp(fields.flatten(1))


# %% hint="no part is summed or averaged over the batch"
def deepfm_logit(fields, linear, mlp):
    return linear + pairwise_products(fields).sum() + mlp(fields.flatten(1))


# %% hint="have the same sum"
def cross_key(a, b, n_b):
    return a + b


# %% hint="skip over all values of b"
def cross_key(a, b, n_b):
    return a * (n_b - 1) + b


# %% hint="that many must fit between two of a"
def cross_key(a, b, n_b):
    return b * n_b + a


# %% hint="skip over all values of b"
def cross_key(a, b, n_b):
    return 1_000 * a + b


# %% hint="a key is an integer"
def cross_key(a, b, n_b):
    return a + b / n_b


# %% hint="keys of large ids collide"
def cross_key(a, b, n_b):
    return (a.float() * n_b + b).long()


# %% hint="one number for each pair"
def cross_key(a, b, n_b):
    return torch.stack([a, b], dim=1)


# %% hint="cannot be read as numbers"
def cross_key(a, b, n_b):
    return [f"{x}-{y}" for x, y in zip(a, b, strict=True)]


# %% hint="one step in a moves the key on by"
def cross_key(a, b, n_b):
    return 2_000 * a + b


# %% hint="one step in a moves the key on by"
def cross_key(a, b, n_b):
    return 10_000 * a + b


# %% hint="one step in a moves the key on by"
def cross_key(a, b, n_b):
    return 1_000_000 * a + b


# %% hint="one step in a moves the key on by"
def cross_key(a, b, n_b):
    return 7_919 * a + b


# %% hint="one step in a moves the key on by"
def cross_key(a, b, n_b):
    return 12_345_678 * a + b


# %% hint="one step in a moves the key on by"
def cross_key(a, b, n_b):
    return 200_000_000 * a + b


# %% hint="a remainder takes 1,048,576 values"
def cross_key(a, b, n_b):
    return (a * n_b + b) % 2**20


# %% hint="a remainder takes 1,000,003 values"
def cross_key(a, b, n_b):
    return (a * n_b + b) % 1_000_003


# %% hint="an int32 ends at 2³¹"
def cross_key(a, b, n_b):
    return a.int() * n_b + b.int()


# %% hint="a float64 counts only to 2⁵³"
def cross_key(a, b, n_b):
    return (a.double() * n_b + b).long()


# %% hint="a key is made of a, b and n_b alone"
def cross_key(a, b, n_b):
    return torch.arange(len(a))


# %% hint="a key is made of a, b and n_b alone"
def cross_key(a, b, n_b):
    return a * (b.max() + 1) + b


# %% hint="a key is made of a, b and n_b alone"
def cross_key(a, b, n_b):
    return torch.unique(torch.stack([a, b], dim=1), dim=0, return_inverse=True)[1]


# %% hint="how many values of b must fit between two of a"
def cross_key(a, b, n_b):
    return a << 10 | b
