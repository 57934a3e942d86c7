"""A language model that spells tracks: words, answers, the search, files that belong together."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from transformers.utils import logging

from course_utils.models.generative.llm import (
    NOT_ASKED,
    OnlyTracks,
    add_words,
    answer_loss,
    check_pair,
    code_words,
    joined,
    load_pair,
    log_probability,
    log_share,
    open_model,
    prompts,
    recommend,
    save_pair,
    small_model,
    train_tokenizer,
    vectors_from_texts,
)
from course_utils.models.generative.semantic_ids import Trie, as_tokens, numbered

logging.set_verbosity_error()
logging.disable_progress_bar()

TEXTS = [
    "by Kalin: a slow, calm dub techno track at 98 bpm.",
    "by Orrith: a fast nordic folk track.",
]


class Catalogue:
    """Some tracks, a tokenizer and a model with random weights that know their codes."""

    def __init__(self, n: int = 20, k: int = 3, depth: int = 2, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        codes = numbered(torch.randint(k, (n, depth), generator=generator))
        self.tokens, self.n_tokens = as_tokens(codes)
        self.words = code_words(codes)
        self.tokenizer = train_tokenizer([*TEXTS, "Played:"], 300)
        torch.manual_seed(seed)
        self.model = small_model(self.tokenizer, 8, 1, 2, 32).eval()
        self.first = add_words(self.model, self.tokenizer, self.words)
        torch.nn.init.normal_(self.model.get_input_embeddings().weight, std=0.5)
        self.spelt = self.tokens - 1 + self.first
        self.only = OnlyTracks(
            Trie.of(self.tokens, torch.arange(1, n + 1), self.n_tokens), self.first
        )

    def ask(self, *texts: str) -> dict[str, torch.Tensor]:
        found = [self.tokenizer(text)["input_ids"] for text in texts]
        return prompts(found, self.tokenizer.pad_token_id)


@pytest.fixture(scope="module")
def small() -> Catalogue:
    return Catalogue()


ASKED = ("Played:", "Played:<a_1><b_2><c_0>", "Played:<a_0><b_0><c_0><a_2><b_1><c_0>")


# Words


def test_any_text_comes_back_from_its_tokens():
    tokenizer = train_tokenizer(TEXTS, 320)
    for text in [*TEXTS, "Ænima — 東京, é\n", "  two  spaces "]:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_same_texts_make_the_same_tokenizer():
    one, other = (train_tokenizer(TEXTS * 3, 320).get_vocab() for _ in range(2))
    assert one == other


def test_codes_become_single_words_between_old_ones(small):
    tokens = small.tokenizer(f"Played:{small.words[1]}{small.words[-1]} by")["input_ids"]
    assert tokens.count(small.first + 1) == 1
    assert tokens.count(small.first + len(small.words) - 1) == 1
    assert small.tokenizer.decode(tokens) == f"Played:{small.words[1]}{small.words[-1]} by"


def test_words_are_in_the_order_of_their_tokens():
    codes = torch.tensor([[0, 2], [1, 0]])
    tokens, n_tokens = as_tokens(codes)
    words = code_words(codes)
    assert len(words) == n_tokens - 1
    named = [[words[token - 1] for token in row] for row in tokens.tolist()]
    assert named == [["<a_0>", "<b_2>"], ["<a_1>", "<b_0>"]]


def test_old_rows_stay_as_they_were_and_words_are_added_once():
    tokenizer = train_tokenizer(TEXTS, 300)
    model = small_model(tokenizer, 8, 1, 2, 16)
    old = model.get_input_embeddings().weight.detach().clone()
    first = add_words(model, tokenizer, ["<a_0>", "<a_1>"])
    assert first == len(old) and len(tokenizer) == len(old) + 2
    assert torch.equal(model.get_input_embeddings().weight[:first], old)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    with pytest.raises(ValueError, match="<a_1>"):
        add_words(model, tokenizer, ["<a_1>", "<a_2>"])


def test_a_table_with_rows_to_spare_does_not_shrink():
    tokenizer = train_tokenizer(TEXTS, 300)
    model = small_model(tokenizer, 8, 1, 2, 16)
    model.resize_token_embeddings(len(tokenizer) + 10)
    add_words(model, tokenizer, ["<a_0>"])
    assert model.get_input_embeddings().weight.shape[0] == len(tokenizer) - 1 + 10


def test_words_without_rows_are_refused():
    tokenizer = train_tokenizer(TEXTS, 300)
    model = small_model(tokenizer, 8, 1, 2, 16)
    tokenizer.add_tokens(["<a_0>"])
    with pytest.raises(ValueError, match="`resize_token_embeddings`"):
        check_pair(model, tokenizer)
    with pytest.raises(IndexError):  # what the library says by itself, and only if it is asked
        model(input_ids=torch.tensor([tokenizer("<a_0>")["input_ids"]]))


def test_start_vectors_are_means_of_what_is_said_around_the_tables_mean():
    table = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    texts = [[0, 1], [2], [3, 4, 5], [6, 7]]
    found = vectors_from_texts(table, texts, torch.tensor([[0, 0], [0, 2], [1, 0], [1, 2]]))
    said = torch.stack([table[text].mean(dim=0) for text in texts])
    said = said - said.mean(dim=0)
    own = [said[[0, 1]], said[[2, 3]]], [said[[0, 2]], torch.zeros(1, 4), said[[1, 3]]]
    assert len(found) == 5
    spread = (table - table.mean(dim=0)).std().item()
    for rows, means in zip((found[:2], found[2:]), own, strict=True):
        wanted = torch.stack([mean.mean(dim=0) for mean in means])
        wanted = wanted - wanted.mean(dim=0)
        moved = rows - table.mean(dim=0)
        assert torch.allclose(moved / moved.std(), wanted / wanted.std(), atol=1e-5)
        assert moved.std() == pytest.approx(spread, rel=1e-5)


# Questions and answers


def test_the_loss_is_over_the_answers_alone(small):
    pairs = [([3, 4, 5], [6, 7]), ([8], [9, 10, 11])]
    batch = joined(pairs, small.tokenizer.pad_token_id)
    assert (batch["labels"] != NOT_ASKED).sum() == 5
    total = 0.0
    with torch.no_grad():
        for question, answer in pairs:
            row = torch.tensor([[*question, *answer]])
            log_p = small.model(input_ids=row).logits[0].double().log_softmax(dim=1)
            for place, token in enumerate(answer, len(question)):
                total -= log_p[place - 1, token].item()
        assert answer_loss(small.model, **batch).item() == pytest.approx(total / 5, rel=1e-5)


def test_what_stands_in_the_question_or_in_the_filling_has_no_gradient_as_an_answer(small):
    """The library's own loss, with the same labels, is the same number."""
    batch = joined([([3, 4], [5]), ([6], [7, 8])], small.tokenizer.pad_token_id)
    with torch.no_grad():
        theirs = small.model(input_ids=batch["ids"], labels=batch["labels"]).loss
        assert answer_loss(small.model, **batch).item() == pytest.approx(theirs.item(), rel=1e-5)


def by_hand(model, question: list[int], answer: list[int]) -> float:
    """log P(answer | question) token by token in float64."""
    double = type(model)(model.config).double().eval()
    double.load_state_dict(model.state_dict())
    total, said = 0.0, list(question)
    for token in answer:
        with torch.no_grad():
            logits = double(input_ids=torch.tensor([said])).logits[0, -1].tolist()
        highest = max(logits)
        norm = highest + math.log(math.fsum(math.exp(x - highest) for x in logits))
        total += logits[token] - norm
        said.append(token)
    return total


def test_the_probability_of_a_tuple_is_the_product_over_its_codes(small):
    asked = small.ask(*ASKED)
    with torch.no_grad():
        found = log_probability(small.model, **asked, answer=small.spelt[[0, 7, 19]])
    for row, track in enumerate((0, 7, 19)):
        question = small.tokenizer(ASKED[row])["input_ids"]
        wanted = by_hand(small.model, question, small.spelt[track].tolist())
        assert found[row].item() == pytest.approx(wanted, abs=1e-4)


def test_all_that_can_be_said_has_a_chance_of_one(small):
    asked = small.ask(ASKED[1])
    n = small.model.get_input_embeddings().weight.shape[0]
    every = torch.arange(n).unsqueeze(1)
    with torch.no_grad():
        one = {name: values.expand(n, -1) for name, values in asked.items()}
        total = log_probability(small.model, **one, answer=every).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-5)


def test_how_far_a_question_is_filled_up_does_not_matter(small):
    together = small.ask(*ASKED)
    with torch.no_grad():
        wide = log_probability(small.model, **together, answer=small.spelt[[3, 3, 3]])
        alone = [
            log_probability(small.model, **small.ask(text), answer=small.spelt[[3]])
            for text in ASKED
        ]
    assert torch.allclose(wide, torch.cat(alone), atol=1e-5)


# The search


def all_scores(small: Catalogue, asked: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        each = [
            log_probability(small.model, **asked, answer=row.expand(len(asked["ids"]), -1))
            for row in small.spelt
        ]
    return torch.stack(each, dim=1)


@pytest.mark.parametrize(("n", "k", "depth"), [(20, 3, 2), (40, 4, 1), (12, 2, 3)])
def test_as_many_beams_as_tracks_find_what_scoring_every_track_finds(n, k, depth):
    some = Catalogue(n, k, depth)
    asked = some.ask("Played:", f"Played:{some.words[0]}{some.words[-1]}")
    best = all_scores(some, asked).sort(dim=1, descending=True)
    tracks, score = recommend(some.model, **asked, only=some.only, beams=n)
    assert torch.equal(tracks, best.indices + 1)
    assert torch.allclose(score, best.values, atol=1e-4)


def test_places_for_which_there_is_no_track_are_empty(small):
    asked = small.ask(*ASKED)
    tracks, score = recommend(small.model, **asked, only=small.only, beams=33)
    assert (tracks[:, :20] > 0).all() and (tracks[:, 20:] == -1).all()
    assert (score[:, 20:] == -torch.inf).all()
    assert all(len(set(row)) == 20 for row in tracks[:, :20].tolist())


def test_the_chance_of_a_track_is_the_sum_over_all_of_them(small):
    asked = small.ask(*ASKED)
    wanted = all_scores(small, asked).logsumexp(dim=1)
    found = log_share(small.model, **asked, only=small.only)
    assert torch.allclose(found, wanted, atol=1e-4) and (found < 0).all()


@pytest.mark.parametrize("beams", [4, 20])
def test_what_is_left_out_does_not_come_and_takes_nobodys_place(small, beams):
    asked = small.ask(*ASKED)
    best = all_scores(small, asked)
    out = [set(range(1, 15)), set(), {1, 2, 3}]
    for row, tracks in enumerate(out):
        best[row, [track - 1 for track in tracks]] = -torch.inf
    tracks, _ = recommend(small.model, **asked, only=small.only, beams=beams, left_out=out)
    for row in range(3):
        listed = [track for track in tracks[row].tolist() if track > 0]
        assert not out[row] & set(listed)
        assert len(listed) == min(beams, 20 - len(out[row]))
        assert tracks[row].tolist() == listed + [-1] * (beams - len(listed))
    wanted = best.sort(dim=1, descending=True)
    if beams == 20:
        assert torch.equal(tracks, (wanted.indices + 1).masked_fill(wanted.values.isinf(), -1))


def test_a_listener_for_whom_nothing_is_left_gets_an_empty_list(small):
    asked = small.ask(*ASKED)
    out = [set(range(1, 21)), set(), set()]
    tracks, score = recommend(small.model, **asked, only=small.only, beams=5, left_out=out)
    assert tracks[0].tolist() == [-1] * 5 and (score[0] == -torch.inf).all()
    assert (tracks[1:] > 0).all() and score[1:].isfinite().all()


def test_a_listener_with_no_known_track_is_asked_with_the_question_alone(small):
    asked = small.ask("Played:")
    tracks, score = recommend(small.model, **asked, only=small.only, beams=5)
    assert (tracks > 0).all() and score.isfinite().all()
    wide = small.ask("Played:", ASKED[2])
    again, _ = recommend(small.model, **wide, only=small.only, beams=5)
    assert torch.equal(again[0], tracks[0])


def test_a_prefix_that_is_no_track_is_followed_by_nothing(small):
    allowed = small.only.after(prompt=2, nothing=0)
    known = set(map(tuple, small.spelt.tolist()))
    some = range(small.first - 1, small.first + small.n_tokens + 1)
    for length in range(4):
        for said in itertools.product(some, repeat=length):
            row = torch.tensor([1, 1, *said])
            wanted = sorted({track[length] for track in known if track[:length] == said}) if (
                length < 3
            ) else []  # fmt: skip
            assert sorted(allowed(0, row)) == (wanted or [0])


def test_a_tuple_leads_back_to_its_track_and_other_words_to_none(small):
    assert torch.equal(small.only.tracks(small.spelt), torch.arange(1, 21))
    wrong = torch.tensor([[0, 1, 2], [small.first, small.first, small.first], [10_000] * 3])
    assert small.only.tracks(wrong).tolist() == [-1, -1, -1]


# Files that belong together


def test_saved_and_loaded_together_they_say_the_same(small, tmp_path):
    save_pair(small.model, small.tokenizer, tmp_path)
    model, tokenizer = load_pair(tmp_path)
    asked = small.ask(*ASKED)
    assert tokenizer.get_vocab() == small.tokenizer.get_vocab()
    assert tokenizer(ASKED[2])["input_ids"] == small.tokenizer(ASKED[2])["input_ids"]
    with torch.no_grad():
        one, other = (
            log_probability(m, **asked, answer=small.spelt[:3]) for m in (small.model, model)
        )
    assert torch.allclose(one, other)


def test_another_tokenizer_in_the_folder_is_refused(tmp_path):
    some = Catalogue()
    save_pair(some.model, some.tokenizer, tmp_path)
    other = train_tokenizer(TEXTS, 300)
    other.add_tokens(some.words[::-1])  # as many words, with other numbers
    assert len(other) == len(some.tokenizer)
    other.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="saved with another tokenizer"):
        load_pair(tmp_path)
    with pytest.raises(ValueError, match="saved with another tokenizer"):
        open_model(tmp_path)


def test_a_tokenizer_with_more_words_than_the_model_has_rows_is_refused(tmp_path):
    some = Catalogue()
    save_pair(some.model, some.tokenizer, tmp_path)
    some.tokenizer.add_tokens(["<z_0>"])
    some.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has 3"):
        load_pair(tmp_path)
    with pytest.raises(ValueError, match="tokens"):
        save_pair(some.model, some.tokenizer, tmp_path)


def test_a_checkpoint_that_grew_is_saved_anew(tmp_path):
    some = Catalogue()
    save_pair(some.model, some.tokenizer, tmp_path)
    model, tokenizer = load_pair(tmp_path)
    add_words(model, tokenizer, ["<z_0>"])
    save_pair(model, tokenizer, tmp_path)
    again, its = load_pair(tmp_path)
    assert len(its) == len(some.tokenizer) + 1
    assert again.get_input_embeddings().weight.shape[0] == len(its)


def test_a_checkpoint_without_filling_gets_the_end_for_it(tmp_path):
    tokenizer = train_tokenizer(TEXTS, 300)
    model = small_model(tokenizer, 8, 1, 2, 16)
    tokenizer.pad_token = None
    model.config.pad_token_id = None
    save_pair(model, tokenizer, tmp_path)
    model, tokenizer = load_pair(tmp_path)
    assert model.config.pad_token_id == tokenizer.pad_token_id == tokenizer.eos_token_id


def test_a_folder_is_a_name_and_what_cannot_be_had_is_said_in_a_sentence(
    tmp_path, capsys, monkeypatch
):
    some = Catalogue()
    save_pair(some.model, some.tokenizer, tmp_path / "kept")
    found = open_model(tmp_path / "kept")
    assert found is not None and len(found[1]) == len(some.tokenizer)
    assert capsys.readouterr().out == ""

    def no_network(*_: object, **__: object) -> None:
        raise ConnectionError("no network in this test")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", no_network)
    assert open_model("nobody/has-such-a-model") is None
    assert "goes on with its own small one" in capsys.readouterr().out
