"""Wrong answers to the exercises of notebook 01: each cell must be told the hint in its head."""
# ruff: noqa: F811

# %%
import numpy as np


# %% hint="not by k (that would be precision)"
def recall(ranked, relevant, k):
    return len(set(ranked[:k]) & relevant) / k


# %% hint="where k places cannot hold them all"
def recall(ranked, relevant, k):
    return len(set(ranked[:k]) & relevant) / min(k, len(relevant))


# %% hint="only the first k places count"
def recall(ranked, relevant, k):
    return len(set(ranked[: k + 1]) & relevant) / len(relevant)


# %% hint="only the first k places count"
def recall(ranked, relevant, k):
    return len(set(ranked) & relevant) / len(relevant)


# %% hint="`//` cut the fraction off"
def recall(ranked, relevant, k):
    return sum(item in relevant for item in ranked[:k]) // len(relevant)


# %% hint="does every way through it end with `return`"
def recall(ranked, relevant, k):
    print(len(set(ranked[:k]) & relevant) / len(relevant))


# %% hint="IndexError: list index out of range"
def recall(ranked, relevant, k):
    return sum(ranked[place] in relevant for place in range(k)) / len(relevant)


# %% hint="changes its argument `relevant` in place"
def recall(ranked, relevant, k):
    n = len(relevant)
    relevant.intersection_update(ranked[:k])
    return len(relevant) / n


# %% hint="divide by all relevant items, also where the list is too short"
def recall(ranked, relevant, k):
    return len(set(ranked[:k]) & relevant) / min(len(relevant), len(ranked))


# %% hint="the Jaccard index"
def recall(ranked, relevant, k):
    return len(set(ranked[:k]) & relevant) / len(set(ranked[:k]) | relevant)


# %% hint="nothing relevant among the first k is a recall of 0"
def recall(ranked, relevant, k):
    hits = set(ranked[:k]) & relevant
    return len(hits) / len(relevant) if hits else 1.0


# %% hint="a list may be shorter than k"
def recall(ranked, relevant, k):
    return 0.0 if len(ranked) < k else len(set(ranked[:k]) & relevant) / len(relevant)


# %% hint="the reciprocal rank"
def recall(ranked, relevant, k):
    return next((1 / (p + 1) for p, i in enumerate(ranked[:k]) if i in relevant), 0.0)


# %% hint="that would be precision"
def recall(ranked, relevant, k):
    top = ranked[:k]
    return sum(item in relevant for item in top) / len(top)


# %% hint="divide by the DCG of the ideal ranking"
def ndcg_by_hand(ranked, relevant, k):
    return sum(1 / np.log2(p + 2) for p, i in enumerate(ranked[:k]) if i in relevant)


# %% hint="the discount is the logarithm 1/log₂(place + 1), not 1/place"
def ndcg_by_hand(ranked, relevant, k):
    gains = [1 / (p + 1) for p, i in enumerate(ranked[:k]) if i in relevant]
    ideal = [1 / (p + 1) for p in range(min(k, len(relevant)))]
    return sum(gains) / sum(ideal)


# %% hint="cut at k as well"
def ndcg_by_hand(ranked, relevant, k):
    gains = [1 / np.log2(p + 2) for p, i in enumerate(ranked[:k]) if i in relevant]
    return sum(gains) / sum(1 / np.log2(p + 2) for p in range(len(relevant)))


# %% hint="only as many hits as there are relevant items"
def ndcg_by_hand(ranked, relevant, k):
    discounts = 1 / np.log2(np.arange(k) + 2)
    hits = np.array([item in relevant for item in ranked[:k]])
    return (hits * discounts[: len(hits)]).sum() / discounts.sum()


# %% hint="places are counted from 1"
def ndcg_by_hand(ranked, relevant, k):
    gains = [1 / np.log2(p + 1) for p, i in enumerate(ranked[:k]) if p and i in relevant]
    return sum(gains) / sum(1 / np.log2(p + 2) for p in range(min(k, len(relevant))))


# %% hint="AttributeError: 'list' object has no attribute 'enumerate'"
def ndcg_by_hand(ranked, relevant, k):
    return sum(1 / np.log2(p + 2) for p, i in ranked[:k].enumerate)


# %% hint="those that `ranked` does not hold"
def ndcg_by_hand(ranked, relevant, k):
    rel = [int(item in relevant) for item in ranked]
    ideal = sorted(rel, reverse=True)[:k]
    dcg = [gain / np.log2(p + 2) for p, gain in enumerate(rel[:k])]
    return sum(dcg) / sum(gain / np.log2(p + 2) for p, gain in enumerate(ideal))


# %% hint="those that the list missed"
def ndcg_by_hand(ranked, relevant, k):
    rel = [int(item in relevant) for item in ranked[:k]]
    ideal = sorted(rel, reverse=True)
    dcg = [gain / np.log2(p + 2) for p, gain in enumerate(rel)]
    best = sum(gain / np.log2(p + 2) for p, gain in enumerate(ideal))
    return sum(dcg) / best if best else 0.0


# %% hint="nothing relevant among the first k is an NDCG of 0"
def ndcg_by_hand(ranked, relevant, k):
    gains = [1 / np.log2(p + 2) for p, i in enumerate(ranked[:k]) if i in relevant]
    ideal = [1 / np.log2(p + 2) for p in range(min(k, len(relevant)))]
    return sum(gains) / sum(ideal) if gains else 1.0


# %% hint="not at the length of `ranked`"
def ndcg_by_hand(ranked, relevant, k):
    gains = [1 / np.log2(p + 2) for p, i in enumerate(ranked[:k]) if i in relevant]
    places = min(k, len(relevant), len(ranked))
    return sum(gains) / sum(1 / np.log2(p + 2) for p in range(places))


# %% hint="not by its number among the hits"
def ndcg_by_hand(ranked, relevant, k):
    hits = len(set(ranked[:k]) & relevant)
    ideal = sum(1 / np.log2(p + 2) for p in range(min(k, len(relevant))))
    return sum(1 / np.log2(p + 2) for p in range(hits)) / ideal


# %% hint="choose one moment"
def split_in_time(timestamps, share):
    return np.random.default_rng(0).random(len(timestamps)) < share


# %% hint="that very moment"
def split_in_time(timestamps, share):
    mask = np.zeros(len(timestamps), bool)
    order = np.argsort(timestamps, kind="stable")
    mask[order[: int(share * len(timestamps))]] = True
    return mask


# %% hint="one bool for each row"
def split_in_time(timestamps, share):
    return np.argsort(timestamps)[: int(share * len(timestamps))]


# %% hint="True or False, not int64"
def split_in_time(timestamps, share):
    return (timestamps < np.quantile(timestamps, share)).astype(np.int64)


# %% hint="do not come sorted by time"
def split_in_time(timestamps, share):
    return np.arange(len(timestamps)) < share * len(timestamps)


# %% hint="the other way round"
def split_in_time(timestamps, share):
    return timestamps > np.quantile(timestamps, share)


# %% hint="of the *rows* should train"
def split_in_time(timestamps, share):
    first, last = timestamps.min(), timestamps.max()
    return timestamps < first + share * (last - first)


# %% hint="about 50% of the rows should train"
def split_in_time(timestamps, share):
    return timestamps < np.quantile(timestamps, 0.8)


# %% hint="changes its argument `timestamps` in place"
def split_in_time(timestamps, share):
    border = timestamps[int(share * len(timestamps))]
    timestamps.sort()
    return timestamps < border
