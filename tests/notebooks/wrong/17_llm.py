"""Wrong answers to the exercises of notebook 17: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import torch


# %% hint="the question is given, not asked"
def answer_labels(ids, n_question, n_answer):
    return torch.where(torch.arange(len(ids)) < n_question + n_answer, ids, -100)


# %% hint="go by places, not by what the token is"
def answer_labels(ids, n_question, n_answer):
    labels = ids.clone()
    labels[:n_question] = -100
    labels[ids == ids[-1]] = -100
    return labels


# %% hint="what fills the row up is not asked either"
def answer_labels(ids, n_question, n_answer):
    labels = ids.clone()
    labels[:n_question] = -100
    return labels


# %% hint="labels stand where their tokens stand"
def answer_labels(ids, n_question, n_answer):
    place = torch.arange(len(ids))
    asked = (place >= n_question) & (place < n_question + n_answer)
    return torch.where(asked, ids, -100).roll(-1)


# %% hint="a slice [-0:] takes all of it"
def answer_labels(ids, n_question, n_answer):
    labels = ids.clone()
    labels[:n_question] = -100
    labels[-(len(ids) - n_question - n_answer) :] = -100
    return labels


# %% hint="the loss refuses real numbers"
def answer_labels(ids, n_question, n_answer):
    labels = torch.full((len(ids),), -100.0)
    labels[n_question : n_question + n_answer] = ids[n_question : n_question + n_answer].float()
    return labels


# %% hint="logits at place t are of the token at t + 1"
def tuple_log_probability(logits, ids, n_question):
    log_p = logits.log_softmax(dim=1).gather(1, ids[:, None])[:, 0]
    return log_p[n_question:].sum()


# %% hint="not their mean"
def tuple_log_probability(logits, ids, n_question):
    log_p = logits[:-1].log_softmax(dim=1).gather(1, ids[1:, None])[:, 0]
    return log_p[n_question - 1 :].mean()


# %% hint="only the answer's tokens count"
def tuple_log_probability(logits, ids, n_question):
    return logits[:-1].log_softmax(dim=1).gather(1, ids[1:, None]).sum()


# %% hint="softmax, over the whole vocabulary"
def tuple_log_probability(logits, ids, n_question):
    return logits[:-1].gather(1, ids[1:, None])[n_question - 1 :].sum()


# %% hint="the softmax goes over the whole vocabulary"
def tuple_log_probability(logits, ids, n_question):
    log_p = logits[:-1].log_softmax(dim=0).gather(1, ids[1:, None])[:, 0]
    return log_p[n_question - 1 :].sum()


# %% hint="not over the answer's own tokens alone"
def tuple_log_probability(logits, ids, n_question):
    own = ids[n_question:].unique()
    log_p = logits[n_question - 1 : -1][:, own].log_softmax(dim=1)
    return log_p.gather(1, torch.searchsorted(own, ids[n_question:])[:, None]).sum()


# %% hint="what the others are called was not known yet"
def start_vectors(said, codes, known, fallback, n_codes):
    rows = [said[codes == code] for code in range(n_codes)]
    return torch.stack([row.mean(dim=0) if len(row) else fallback for row in rows])


# %% hint="the *mean* over the tracks that have the code"
def start_vectors(said, codes, known, fallback, n_codes):
    rows = [said[known & (codes == code)] for code in range(n_codes)]
    return torch.stack([row.sum(dim=0) if len(row) else fallback for row in rows])


# %% hint="a code that no known track has starts at `fallback`"
def start_vectors(said, codes, known, fallback, n_codes):
    rows = [said[known & (codes == code)] for code in range(n_codes)]
    return torch.stack([row.mean(dim=0) for row in rows])


# %% hint="the others must not be counted either"
def start_vectors(said, codes, known, fallback, n_codes):
    rows = [(said * known[:, None])[codes == code] for code in range(n_codes)]
    return torch.stack([row.mean(dim=0) if len(row) else fallback for row in rows])


# %% hint="the sum is over these, so is the number to divide by"
def start_vectors(said, codes, known, fallback, n_codes):
    own = codes[known]
    total = torch.zeros(n_codes, said.shape[1]).index_add_(0, own, said[known])
    uses = torch.bincount(codes, minlength=n_codes).clamp(min=1)
    some = torch.bincount(own, minlength=n_codes) > 0
    return torch.where(some[:, None], total / uses[:, None], fallback)


# %% hint="a code that only later tracks have"
def start_vectors(said, codes, known, fallback, n_codes):
    rows = [
        said[known & (codes == code)].mean(dim=0) if (codes == code).any() else fallback
        for code in range(n_codes)
    ]
    return torch.stack(rows)


# %% hint="ask whether a *known* track has it"
def start_vectors(said, codes, known, fallback, n_codes):
    rows = []
    for code in range(n_codes):
        own, every = said[known & (codes == code)], said[codes == code]
        rows.append(own.mean(dim=0) if len(own) else every.mean(dim=0) if len(every) else fallback)
    return torch.stack(rows)
