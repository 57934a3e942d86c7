"""A language model that spells tracks: new tokens, answers, a search that keeps to the catalogue.

The library is `transformers`; what stands here is what its users have to get right themselves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import torch
from huggingface_hub import HfApi
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from course_utils.models.generative.semantic_ids import Trie

PAD, END = "<pad>", "<end>"
"""What fills up short rows, and what ends a description."""

NOT_ASKED = -100
"""The label of a token that is no answer: the loss leaves it out."""

IMPOSSIBLE = -1e8
"""The library's search scores places for which it found nothing near −10⁹."""

PATIENCE = 10.0
"""Seconds that the Hub has for its first answer."""


# A model and the words that it knows


def train_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of `size` tokens at most: bytes, and the pairs of pieces that texts often hold.

    Source: Sennrich, Haddow & Birch (2016), "Neural machine translation of rare words with subword
    units", ACL, section 3.2; over bytes, so that no text is unknown, in Radford et al. (2019),
    "Language models are unsupervised multitask learners", section 2.2.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[PAD, END], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token=PAD, eos_token=END)


def small_model(
    tokenizer: PreTrainedTokenizerBase, dim: int, layers: int, heads: int, length: int
) -> GPT2LMHeadModel:
    """A small causal language model with random weights, for the words of a tokenizer.

    Args:
        dim: d. layers, heads: of its blocks. length: the most tokens that it reads.

    Source: Radford et al. (2019), section 2.3, as `transformers` builds it; no dropout.
    """
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=length, n_embd=dim, n_inner=2 * dim, n_layer=layers,
        n_head=heads, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None,
        initializer_range=dim**-0.5,  # the library's 0.02 is meant for a d of a thousand
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def code_words(codes: Tensor) -> list[str]:
    """A word for each code of (N, D), a letter a depth, in the order of `as_tokens`.

    >>> code_words(torch.tensor([[0, 1], [1, 0]]))
    ['<a_0>', '<a_1>', '<b_0>', '<b_1>']
    """
    sizes = (codes.max(dim=0).values + 1).tolist()
    return [
        f"<{letter}_{code}>"
        for letter, size in zip(ascii_lowercase, sizes, strict=False)
        for code in range(size)
    ]


def add_words(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, words: Sequence[str]
) -> int:
    """Add words to the tokenizer *and* their rows to the model's table; says the first one's id.

    The rows start where the library puts them: next to the mean of those that were there.

    Raises:
        ValueError: a word is known already, or tokenizer and model do not belong together.
    """
    check_pair(model, tokenizer)
    if known := sorted(set(words) & tokenizer.get_vocab().keys()):
        raise ValueError(f"the tokenizer knows {known[:3]} already: add words once, to the base")
    first = len(tokenizer)
    tokenizer.add_tokens(list(words))
    rows = model.get_input_embeddings().weight.shape[0]
    model.resize_token_embeddings(max(rows, len(tokenizer)))
    model.config.tokenizer_digest = None  # of the words before; `save_pair` notes the new ones
    return first


def vectors_from_texts(table: Tensor, texts: Sequence[Sequence[int]], codes: Tensor) -> Tensor:
    """(V, d) where the codes' rows may start: what is said of the tracks that have the code.

    A track's text is the mean of its words' rows, a code's vector the mean over its tracks. All
    texts share most of their words; so what they share is taken off. What is left is scaled to the
    spread of the table, each depth by itself, and put around the table's mean.

    Args:
        table: (rows, d) of the model that has learned the words. texts: (N,) tokens of what is
            said of each track, of the training period alone. codes: (N, D) that texts can tell:
            without the extra one. V is the number of all of them.
    """
    table = table.detach()
    center, spread = table.mean(dim=0), (table - table.mean(dim=0)).std()
    said = torch.stack([table[torch.as_tensor(text)].mean(dim=0) for text in texts])
    said = said - said.mean(dim=0)
    found = []
    for column in codes.T:
        uses = torch.bincount(column)[:, None]
        rows = torch.zeros(len(uses), table.shape[1]).index_add_(0, column, said)
        rows = rows / uses.clamp(min=1)
        rows = rows - rows.mean(dim=0)
        found.append(rows * spread / rows.std().clamp(min=1e-9))
    return center + torch.cat(found)


# Questions and answers


def joined(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int) -> dict[str, Tensor]:
    """Questions and answers as rows of one length, filled up on the right.

    Args:
        pairs: tokens of a question and of its answer. pad: the token to fill up with.

    Returns:
        `ids` (B, T), and `labels` (B, T): the answers' tokens, `NOT_ASKED` everywhere else.
    """
    ids = [torch.tensor([*question, *answer]) for question, answer in pairs]
    labels = [torch.tensor([NOT_ASKED] * len(q) + list(a)) for q, a in pairs]
    return {
        "ids": pad_sequence(ids, batch_first=True, padding_value=pad),
        "labels": pad_sequence(labels, batch_first=True, padding_value=NOT_ASKED),
    }


def prompts(questions: Sequence[Sequence[int]], pad: int) -> dict[str, Tensor]:
    """Questions as rows of one length, filled up on the *left*: the answer goes on at the right.

    Returns:
        `ids` (B, T), and `mask` (B, T), true where there is a token of the question.
    """
    rows = [torch.tensor(list(question)) for question in questions]
    mask = [torch.ones(len(row), dtype=torch.bool) for row in rows]
    return {
        "ids": pad_sequence(rows, batch_first=True, padding_value=pad, padding_side="left"),
        "mask": pad_sequence(mask, batch_first=True, padding_value=False, padding_side="left"),
    }


def answer_loss(model: Any, ids: Tensor, labels: Tensor) -> Tensor:
    """Mean −log probability of the answers' tokens, in nats a token: ids, labels (B, T).

    The token at place t + 1 is what the model says after reading the tokens up to t.
    """
    logits = model(input_ids=ids).logits
    asked = labels[:, 1:] != NOT_ASKED
    return cross_entropy(logits[:, :-1][asked], labels[:, 1:][asked])


def log_probability(model: Any, ids: Tensor, mask: Tensor, answer: Tensor) -> Tensor:
    """(B,) log probability of an answer (B, A) after a question (B, T), as `prompts` gives it.

    It is the sum over the answer's tokens of log P(token | question, tokens before), each under
    the *whole* vocabulary.
    """
    whole = torch.cat([mask, torch.ones_like(answer[:, 1:], dtype=torch.bool)], dim=1)
    logits = model(
        input_ids=torch.cat([ids, answer[:, :-1]], dim=1),
        attention_mask=whole.long(),
        position_ids=(whole.cumsum(dim=1) - 1).clamp(min=0),
    ).logits[:, ids.shape[1] - 1 :]
    return logits.log_softmax(dim=2).gather(2, answer.unsqueeze(2)).sum(dim=(1, 2))


# A search that keeps to the catalogue


class OnlyTracks:
    """Which tokens may follow, so that what is spelt is a track: a trie, asked by what was said.

    Args:
        trie: of the tracks, over the tokens of `as_tokens`. first: the model's token of the first
            of them.

    Source: De Cao et al. (2021), "Autoregressive entity retrieval", ICLR, section 3.
    """

    def __init__(self, trie: Trie, first: int) -> None:
        self.trie, self.first, self.depth = trie, first, len(trie.children)
        self.children: dict[tuple[int, ...], list[int]] = {}
        self.below: dict[tuple[int, ...], set[int]] = {}
        self._walk((), 0)

    def _walk(self, said: tuple[int, ...], node: int) -> set[int]:
        """Note what follows a prefix, and the tracks below it."""
        if len(said) == self.depth:
            self.below[said] = {int(self.trie.tracks[node])}
            return self.below[said]
        row = self.trie.children[len(said)][node]
        tokens = torch.nonzero(row >= 0)[:, 0].tolist()
        self.children[said] = [token - 1 + self.first for token in tokens]
        paths = [(*said, token - 1 + self.first) for token in tokens]
        tracks = [
            self._walk(path, int(row[token])) for path, token in zip(paths, tokens, strict=True)
        ]
        self.below[said] = set().union(*tracks)
        return self.below[said]

    def after(
        self, prompt: int, nothing: int, left_out: Sequence[set[int]] | None = None
    ) -> Callable[[int, Tensor], list[int]]:
        """What `generate(prefix_allowed_tokens_fn=…)` asks after each token.

        Args:
            prompt: T, length of the questions. nothing: the token that is said where no track can
                follow; what is spelt with it is no track. left_out: of each row the tracks that
                must not come. A prefix below which all tracks are left out is not gone into.
        """

        def allowed(row: int, ids: Tensor) -> list[int]:
            said = tuple(ids[prompt:].tolist())
            tokens, out = self.children.get(said, []), left_out[row] if left_out else set()
            if out:
                tokens = [token for token in tokens if not self.below[*said, token] <= out]
            return tokens or [nothing]

        return allowed

    def tracks(self, words: Tensor) -> Tensor:
        """(N, D) tokens of the model → (N,) tracks, −1 where they are none."""
        tokens = words.cpu() - self.first + 1
        known = (tokens > 0) & (tokens < self.trie.children[0].shape[1])
        return self.trie.find(tokens.where(known, 0))  # 0 is nobody's token


def recommend(
    model: Any,
    ids: Tensor,
    mask: Tensor,
    only: OnlyTracks,
    beams: int,
    left_out: Sequence[set[int]] | None = None,
) -> tuple[Tensor, Tensor]:
    """The tracks that the library's beam search spells, by their log probability.

    A question is read once and what was read lent to all beams; left to itself, `generate` reads
    it again for each of them.

    Args:
        ids, mask: (B, T) questions, see `prompts`. only, left_out: which tracks may come.
        beams: prefixes that are kept; no fewer than the list has places.

    Returns:
        tracks and log probabilities (B, beams), the best first; −1 and −∞ where there are fewer.
    """
    prompt, pad, read = ids.shape[1], model.config.pad_token_id, DynamicCache(config=model.config)
    if prompt > 1:
        place = (mask.cumsum(dim=1) - 1).clamp(min=0)
        before = {"attention_mask": mask[:, :-1].long(), "position_ids": place[:, :-1]}
        with torch.no_grad():
            model(input_ids=ids[:, :-1], **before, cache=read, use_cache=True)
        read.batch_repeat_interleave(beams)
    found = model.generate(
        ids, attention_mask=mask.long(), num_beams=beams, num_return_sequences=beams, cache=read,
        max_new_tokens=only.depth, do_sample=False, length_penalty=0.0, pad_token_id=pad,
        prefix_allowed_tokens_fn=only.after(prompt, pad, left_out),
        return_dict_in_generate=True, output_scores=True,
    )  # fmt: skip
    tracks, score = only.tracks(found.sequences[:, prompt:]), found.sequences_scores.cpu()
    nobody = (tracks < 0) | (score < IMPOSSIBLE)
    shape = (len(ids), beams)
    return (
        tracks.masked_fill(nobody, -1).view(shape),
        score.masked_fill(nobody, -torch.inf).view(shape),
    )


def log_share(model: Any, ids: Tensor, mask: Tensor, only: OnlyTracks) -> Tensor:
    """(B,) log of the chance that what a model says after a question (B, T) is a track at all.

    It is the sum over the whole catalogue, tracks that begin alike at once. A question is read
    once; what was read is lent to all beginnings, see `recommend`.
    """
    begun = [start for start in only.children if len(start) == only.depth - 1]
    follows = torch.zeros(len(begun), model.get_input_embeddings().weight.shape[0]).bool()
    for row, start in enumerate(begun):
        follows[row, only.children[start]] = True
    said, found = torch.tensor(begun), []
    for question, known in zip(ids, mask, strict=True):
        read = DynamicCache(config=model.config)
        with torch.no_grad():
            first = model(input_ids=question[known][None], cache=read, use_cache=True).logits
            read.batch_repeat_interleave(len(said))
            after = model(input_ids=said, cache=read, use_cache=True).logits
        logits = torch.cat([first[:, -1:].expand(len(said), -1, -1), after], dim=1)
        log_p = logits.log_softmax(dim=2)
        path = log_p[:, :-1].gather(2, said.unsqueeze(2)).sum(dim=(1, 2))
        last = log_p[:, -1].masked_fill(~follows, -torch.inf).logsumexp(dim=1)
        found.append((path + last).logsumexp(dim=0))
    return torch.stack(found)


# Two files that belong together


def digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """A short text that differs whenever two tokenizers give a token different numbers."""
    words = json.dumps(tokenizer.get_vocab(), sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def check_pair(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer and a model that cannot, or are known not to, belong together.

    Raises:
        ValueError: the table has fewer rows than there are tokens, or the model was saved by
            `save_pair` with another tokenizer.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ValueError(
            f"the tokenizer knows {len(tokenizer):,} tokens, the model's table has {rows:,} rows: "
            "after `add_tokens` comes `resize_token_embeddings`, and both are saved and loaded "
            "together"
        )
    meant = getattr(model.config, "tokenizer_digest", None)
    if meant and meant != digest(tokenizer):
        raise ValueError(
            "the model was saved with another tokenizer than this one: its rows stand for other "
            "words; load both from the folder that `save_pair` wrote"
        )


def save_pair(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: str | Path
) -> None:
    """Write model and tokenizer into one folder; the model remembers which tokenizer it was."""
    model.config.tokenizer_digest = None
    check_pair(model, tokenizer)
    model.config.tokenizer_digest = digest(tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_pair(name: str | Path, **options: Any) -> tuple[Any, PreTrainedTokenizerBase]:
    """A causal language model and its tokenizer, from a folder or by its name on the Hub.

    Args:
        name: of both. options: of `from_pretrained`.

    Raises:
        OSError: there is no such folder or model, or no network.
        ValueError: the two do not belong together.
    """
    tokenizer = AutoTokenizer.from_pretrained(name, **options)
    model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, **options)
    check_pair(model, tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


def open_model(name: str | Path) -> tuple[Any, PreTrainedTokenizerBase] | None:
    """`load_pair` from this machine or from the Hub; None and a sentence where it cannot be had."""
    with suppress(OSError):
        return load_pair(name, local_files_only=True)
    try:
        HfApi().model_info(str(name), timeout=PATIENCE)
        return load_pair(name)
    except Exception as error:  # the client's many network errors share no base class
        print(
            f"The model {str(name)!r} cannot be had here ({type(error).__name__}: no network, or "
            "no such model), so this notebook goes on with its own small one."
        )
        return None
