"""Wrong answers to the exercises of notebook 11: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="only the *others* count"
def alone(n_values, n_rows):
    return (1 - 1 / n_rows) ** n_values


# %% hint="multiply their chances"
def alone(n_values, n_rows):
    return 1 - (n_values - 1) / n_rows


# %% hint="chances do not add up so"
def alone(n_values, n_rows):
    return max(0.0, 1 - (n_values - 1) / n_rows)


# %% hint="they must miss it"
def alone(n_values, n_rows):
    return 1 / n_rows ** (n_values - 1)


# %% hint="the chance of company"
def alone(n_values, n_rows):
    return 1 - ((n_rows - 1) / n_rows) ** (n_values - 1)


# %% hint="NameError: name 'nrows' is not defined"
def alone(n_values, n_rows):
    return (1 - 1 / nrows) ** (n_values - 1)  # noqa: F821


# %% hint="the others are n_values − 1"
def alone(n_values, n_rows):
    return (1 - 1 / n_rows) ** n_rows


# %% hint="only what came last is kept"
def received(rows, gradient, n_rows):
    pieces = gradient.unflatten(-1, (rows.shape[-1], -1))
    total = torch.zeros(n_rows, pieces.shape[-1])
    for row, piece in zip(rows.flatten(), pieces.flatten(0, 2), strict=True):
        total[row] = piece
    return total


# %% hint="the first d numbers of a value belong to its first row"
def received(rows, gradient, n_rows):
    k = rows.shape[-1]
    pieces = gradient.unflatten(-1, (-1, k)).transpose(-1, -2)
    total = torch.zeros(n_rows, gradient.shape[-1] // k)
    return total.index_add(0, rows.flatten(), pieces.flatten(0, 2))


# %% hint="not divided by the number of rows of the batch"
def received(rows, gradient, n_rows):
    pieces = gradient.unflatten(-1, (rows.shape[-1], -1)) / len(rows)
    total = torch.zeros(n_rows, pieces.shape[-1])
    return total.index_add(0, rows.flatten(), pieces.flatten(0, 2))


# %% hint="all of them read the same table"
def received(rows, gradient, n_rows):
    pieces = gradient.unflatten(-1, (rows.shape[-1], -1))[:, 0]
    total = torch.zeros(n_rows, pieces.shape[-1])
    return total.index_add(0, rows[:, 0].flatten(), pieces.flatten(0, 1))


# %% hint="also those that nobody reads"
def received(rows, gradient, n_rows):
    pieces = gradient.unflatten(-1, (rows.shape[-1], -1))
    total = torch.zeros(int(rows.max()) + 1, pieces.shape[-1])
    return total.index_add(0, rows.flatten(), pieces.flatten(0, 2))


# %% hint="A value is no pair with itself"
def expected_twins(n_values, n_rows, n_hashes):
    return n_values**2 / 2 / n_rows**n_hashes


# %% hint="*all* of them must agree"
def expected_twins(n_values, n_rows, n_hashes):
    return n_values * (n_values - 1) / 2 / n_rows


# %% hint="the twins of one value"
def expected_twins(n_values, n_rows, n_hashes):
    return (n_values - 1) / n_rows**n_hashes


# %% hint="count each once"
def expected_twins(n_values, n_rows, n_hashes):
    return n_values * (n_values - 1) * (1 / n_rows) ** n_hashes


# %% hint="does `//` cut the fraction off?"
def expected_twins(n_values, n_rows, n_hashes):
    return n_values * (n_values - 1) // 2 // n_rows**n_hashes


# %% hint="only the chance is raised to the power k"
def expected_twins(n_values, n_rows, n_hashes):
    return (n_values * (n_values - 1) / 2 / n_rows) ** n_hashes
