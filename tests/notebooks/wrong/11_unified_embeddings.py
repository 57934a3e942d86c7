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


# %% hint="not added up"
def look_up(table, rows):
    return table[rows].sum(dim=2)


# %% hint="all numbers of the first row come first"
def look_up(table, rows):
    return table[rows].transpose(2, 3).flatten(-2)


# %% hint="k and d are still apart"
def look_up(table, rows):
    return torch.nn.functional.embedding(rows, table)


# %% hint="the fields stay apart"
def look_up(table, rows):
    return table[rows].flatten(1)


# %% hint="here the last is read k times"
def look_up(table, rows):
    return table[rows[..., -1]].repeat(1, 1, rows.shape[2])


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
