"""Checks of the exercises: always a hint, the fitting one, and nothing but the hint."""

from __future__ import annotations

import functools
import importlib
import inspect
import itertools
import pkgutil
import random
from collections import defaultdict
from fractions import Fraction

import nbformat
import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from course_utils import checks
from course_utils.checks import _answers
from course_utils.checks._answers import CheckFailed, ask, judge

MODULES = [
    importlib.import_module(f"{checks.__name__}.{module.name}")
    for module in pkgutil.iter_modules(checks.__path__)
    if not module.name.startswith("_")
]
CHECKS = {
    name: (module, check)
    for module in MODULES
    for name, check in inspect.getmembers(module, inspect.isfunction)
    if name.startswith("check_")
}


def told_by(check, answer) -> str:
    """What a student is told about an answer; empty if it passes."""
    try:
        check(answer)
    except CheckFailed as failed:
        return str(failed)
    return ""


class Judged:
    """The arguments with which a check calls `judge`."""

    def __init__(self, name: str) -> None:
        module, self.check = CHECKS[name]
        seen: list[dict] = []

        def note(answer, right, cases, mistakes=(), parts=(), tolerance=1e-5):
            seen.append({"right": right, "cases": list(cases), "mistakes": list(mistakes)})

        with pytest.MonkeyPatch.context() as patch:
            if hasattr(module, "judge"):
                patch.setattr(module, "judge", note)
            told_by(self.check, lambda *inputs: None)
        self.known = bool(seen)
        if seen:
            self.right, self.cases, self.mistakes = seen[0].values()

    def values(self, function, number: int) -> list[torch.Tensor]:
        return _answers._values(function, self.cases[number][0])

    def first_shown(self, mistake) -> int:
        """The first case in which a mistake is wrong."""
        cases = range(len(self.cases))
        right = (close(self.values(mistake, n), self.values(self.right, n)) for n in cases)
        return list(right).index(False)

    def has_numbers_later(self, mistake) -> bool:
        """Whether there is a case after the first in which a mistake is no NaN, no infinity."""
        later = (self.values(mistake, n) for n in range(1, len(self.cases)))
        return any(all(part.isfinite().all() for part in values) for values in later)

    def own_hints(self, number: int) -> set[str]:
        """What a case tells of answers that are wrong in no known way."""
        hint = self.cases[number][1]
        if callable(hint):
            return {hint(place) for place in itertools.product(range(5), range(4))}
        return {hint} if isinstance(hint, str) else set(hint)

    def in_a_later_case(self):
        """Mistakes that show at once, in later cases in which they show as well."""
        for number in range(1, len(self.cases)):
            for mistake, told in self.mistakes:
                same = close(self.values(mistake, number), self.values(self.right, number))
                if not same and self.first_shown(mistake) < number:
                    yield number, mistake, told

    def answering(self, functions: dict, rest=None):
        """An answer that is one of the functions in the cases of these numbers."""
        asked = [written(list(inputs.values())) for inputs, _ in self.cases]

        def answer(*given):
            number = asked.index(written(list(given)))
            return functions.get(number, rest or self.right)(*given)

        return answer


def written(value) -> object:
    """Inputs in a form that can be compared; sets have no order that a copy would keep."""
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    if isinstance(value, set):
        return sorted(value)
    return [written(part) for part in value] if isinstance(value, list) else value


def close(values, others) -> bool:
    return _answers._all_close(values, others, 1e-5)


def odd(right):
    """Wrong in a way that nobody knows."""

    def answer(*inputs):
        value = right(*inputs)
        if isinstance(value, tuple):
            return tuple(torch.as_tensor(part) + 0.123 for part in value)
        return torch.as_tensor(value) + 0.123

    return answer


JUDGED = {name: judged for name in CHECKS if (judged := Judged(name)).known}


def test_most_checks_name_the_mistakes_they_know():
    assert len(JUDGED) > 0.8 * len(CHECKS)
    assert all(judged.mistakes for judged in JUDGED.values())


FORMS = [
    lambda value: value.double(),
    lambda value: value.numpy(),
    lambda value: value.tolist(),
    lambda value: value.clone().requires_grad_(),
    lambda value: np.array(value.tolist(), order="F"),
]


@pytest.mark.parametrize("name", JUDGED)
class TestEveryJudgedCheck:
    def test_a_right_answer_passes(self, name, capsys):
        assert told_by(JUDGED[name].check, JUDGED[name].right) == ""
        assert capsys.readouterr().out == "✔ well done\n"

    def test_every_known_mistake_is_told_its_own_hint_first(self, name):
        for number, (mistake, told) in enumerate(JUDGED[name].mistakes):
            found = told_by(JUDGED[name].check, mistake)
            assert found.startswith(f"{told}\n"), f"mistake {number}, {told!r}, is told: {found}"

    def test_no_two_mistakes_look_alike_unless_their_hint_is_the_same(self, name):
        judged = JUDGED[name]
        shown: dict[int, list[tuple[list, str]]] = defaultdict(list)
        for mistake, told in judged.mistakes:
            number = judged.first_shown(mistake)
            values = judged.values(mistake, number)
            for others, other_told in shown[number]:
                assert told == other_told or not close(values, others), (told, other_told)
            shown[number].append((values, told))
        assert len(shown[0]) >= len(judged.mistakes) - 2, "the first case should tell them apart"

    def test_a_mistake_is_told_only_if_it_explains_all_cases(self, name):
        """Right or wrong elsewhere: what looks like a mistake in one case only is another one."""
        judged = JUDGED[name]
        for number, mistake, told in judged.in_a_later_case():
            found = told_by(judged.check, judged.answering({number: mistake}))
            if told not in judged.own_hints(number):
                assert not found.startswith(f"{told}\n"), f"right before case {number}"
        for mistake, told in judged.mistakes:
            if not judged.first_shown(mistake) and judged.has_numbers_later(mistake):
                found = told_by(judged.check, judged.answering({0: mistake}, odd(judged.right)))
                assert told in judged.own_hints(0) or not found.startswith(f"{told}\n"), told

    def test_a_mistake_is_told_where_other_cases_are_right_or_raise(self, name):
        judged = JUDGED[name]
        for mistake, told in judged.mistakes:
            if judged.first_shown(mistake) == 0:
                for rest in (judged.right, raising(IndexError())):
                    answer = judged.answering({0: mistake}, rest)
                    assert told_by(judged.check, answer).startswith(f"{told}\n")

    @pytest.mark.filterwarnings("error")
    def test_mistakes_can_be_computed_in_every_case_unless_the_first_tells_them(self, name):
        judged = JUDGED[name]
        for inputs, _ in judged.cases:
            for mistake, _ in judged.mistakes:
                mistake(*inputs.values())

    def test_other_forms_of_a_right_answer_pass(self, name):
        for form in FORMS:

            def answer(*inputs, form=form):
                value = JUDGED[name].right(*inputs)
                if isinstance(value, tuple):
                    return tuple(form(torch.as_tensor(part).float()) for part in value)
                return form(torch.as_tensor(value).float())

            assert told_by(JUDGED[name].check, answer) == ""

    def test_another_default_of_floats_does_no_harm(self, name):
        judged, usual = JUDGED[name], torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            assert told_by(judged.check, judged.right) == ""
            assert all(told_by(judged.check, mistake) for mistake, _ in judged.mistakes)
        finally:
            torch.set_default_dtype(usual)

    def test_a_change_in_place_is_noticed_whatever_is_returned(self, name):
        judged = JUDGED[name]
        inputs = judged.cases[0][0]
        for place, (given_name, value) in enumerate(inputs.items()):
            if not isinstance(value, torch.Tensor | list | set):
                continue

            def answer(*inputs, place=place):
                result = judged.right(*inputs)
                spoil(inputs[place])
                return result

            told = told_by(judged.check, answer)
            assert "in place" in told and f"`{given_name}`" in told

    def test_nan_is_named(self, name):
        def answer(*inputs):
            value = JUDGED[name].right(*inputs)
            parts = value if isinstance(value, tuple) else (value,)
            spoiled = [torch.full_like(torch.as_tensor(p).float(), torch.nan) for p in parts]
            return tuple(spoiled) if isinstance(value, tuple) else spoiled[0]

        told = told_by(JUDGED[name].check, answer)
        assert "NaN" in told or "unknown" in told


def spoil(value: torch.Tensor | list | set) -> None:
    """Change something in place."""
    if isinstance(value, torch.Tensor):
        value.logical_not_() if value.dtype == torch.bool else value.add_(1)
    elif isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
        value[-1].mul_(2)
    else:
        value.clear()


# Whatever a function returns or does


def numbers():
    return st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text("ab")
    )


def leaves():
    shapes = st.lists(st.integers(0, 5), max_size=3).map(tuple)
    kinds = st.sampled_from([torch.float32, torch.int64, torch.bool, torch.complex64])
    return st.one_of(
        numbers(),
        st.builds(lambda shape, kind: torch.ones(shape).to(kind), shapes, kinds),
        st.builds(lambda shape: np.full(shape, np.nan), shapes),
    )


def structures():
    return st.recursive(
        leaves(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
        ),
        max_leaves=8,
    )


class Hostile:
    """Refuses everything."""

    def __getattr__(self, name):
        raise KeyError(name)

    def __repr__(self):
        raise RuntimeError("no")

    def __array__(self, *args, **kwargs):
        raise RuntimeError("no")


async def later(*inputs):
    return 1.0


ODD = {
    "nothing": None,
    "ellipsis": ...,
    "not implemented": NotImplemented,
    "tuple": (torch.zeros(2), torch.zeros(3)),
    "a comma too many": (torch.tensor(1.0),),
    "empty tuple": (),
    "generator": (i for i in range(3)),
    "zip": zip([1], [2], strict=True),
    "text": "0.5",
    "list of texts": ["0.5"],
    "bytes": b"1",
    "set": {1, 2},
    "dict": {"a": 1},
    "keys": {"a": 1}.keys(),
    "method": torch.zeros(3).sum,
    "class": torch.nn.Linear,
    "module": torch.nn.Linear(2, 2),
    "values and indices": torch.zeros(2, 3).max(dim=1),
    "ragged": [[1.0], [1.0, 2.0]],
    "holes": [1.0, None],
    "objects": np.array([None, 1]),
    "texts": np.array(["a"]),
    "dates": np.array(["2026-01-01"], dtype="datetime64[D]"),
    "complex": (-2) ** 0.5,
    "huge": 10**400,
    "meta": torch.zeros(3, device="meta"),
    "sparse": torch.eye(3).to_sparse(),
    "frame": pl.DataFrame({"a": [1, 2]}),
    "lazy frame": pl.LazyFrame({"a": [1, 2]}),
    "hostile": Hostile(),
    "NaN": float("nan"),
    "infinity": torch.tensor(float("inf")),
    "empty": torch.zeros(0),
    "many axes": torch.zeros(1, 1, 1, 1, 1),
}


@pytest.mark.parametrize("name", CHECKS)
class TestEveryCheck:
    def test_an_odd_value_gets_a_hint(self, name):
        for value in ODD.values():
            assert told_by(CHECKS[name][1], lambda *inputs, value=value: value), type(value)

    @settings(derandomize=True, max_examples=25, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(value=structures())
    def test_any_structure_gets_a_hint_and_never_an_error(self, name, value):
        told_by(CHECKS[name][1], lambda *inputs: value)

    def test_what_is_no_function_gets_a_hint(self, name):
        for odd in (None, 3, "recall", torch.zeros(2), [abs], Hostile()):
            assert "the function itself" in told_by(CHECKS[name][1], odd)

    def test_an_error_is_told_with_its_message_and_line(self, name):
        def divides(*inputs):
            return 1 / 0

        told = told_by(CHECKS[name][1], divides)
        assert "ZeroDivisionError: division by zero" in told
        assert "return 1 / 0" in told

    def test_any_error_gets_a_hint(self, name):
        silent = type("Silent", (Exception,), {"__str__": None})
        for error in (SystemExit(1), KeyboardInterrupt(), RecursionError("deep"), StopIteration(),
                      AssertionError(), KeyError("a"), silent()):  # fmt: skip
            assert "raise error" in told_by(CHECKS[name][1], raising(error))

    def test_a_blank_is_not_solved_yet(self, name):
        def blank(*inputs):
            raise NotImplementedError

        assert told_by(CHECKS[name][1], blank).startswith("not solved yet: write `blank`")

    def test_another_number_of_arguments_is_named(self, name):
        told = told_by(CHECKS[name][1], lambda: 0)
        assert "arguments" in told and "yours takes ()" in told
        many = told_by(CHECKS[name][1], lambda a, b, c, d, e, f, g: 0)
        assert "yours takes (a, b, c, d, e, f, g)" in many

    def test_generators_and_coroutines_get_a_hint(self, name):
        def yields(*inputs):
            yield 1

        assert "`yield`" in told_by(CHECKS[name][1], yields)
        assert "`async def`" in told_by(CHECKS[name][1], later)

    def test_random_states_stay_as_they_were(self, name):
        before = torch.get_rng_state(), random.getstate()
        told_by(CHECKS[name][1], JUDGED[name].right if name in JUDGED else lambda *inputs: 0)
        assert torch.equal(before[0], torch.get_rng_state())
        assert before[1] == random.getstate()

    def test_a_hint_is_short(self, name):
        for value in (torch.zeros(1000), torch.randn(4, 3), list(range(1000))):
            assert len(told_by(CHECKS[name][1], lambda *inputs, value=value: value)) < 500


def told_of(value, expected, hint="look", mistakes=()):
    """What is told of a function that returns `value` where `expected` is right."""
    known = [(lambda wrong=wrong: wrong, told) for wrong, told in mistakes]
    check = functools.partial(judge, right=lambda: expected, cases=[({}, hint)], mistakes=known)
    return told_by(check, lambda: value)


class TestHelpers:
    def test_numbers_of_every_kind_are_welcome(self):
        for value in [1, 1.0, True, np.float32(1), np.int8(1), np.array(1.0), Fraction(1)]:
            assert told_of(value, 1.0) == "", value
        vectors = [[1, 2], (1.0, 2.0), range(1, 3), np.array([2, 1])[::-1], pl.Series([1, 2])]
        for value in [*vectors, torch.tensor([1, 2]), [torch.tensor(1.0), 2], [np.float64(1), 2]]:
            assert told_of(value, torch.tensor([1.0, 2.0])) == "", value

    def test_found_and_expected_are_short_and_differ(self):
        assert told_of(1 / 3, 0.3).endswith("found     0.3333\nexpected  0.3")
        assert told_of(1.00003, 1.0).endswith("found     1.00003\nexpected  1")

    def test_of_a_large_answer_the_first_place_that_differs_is_shown(self):
        wrong = torch.zeros(5, 4)
        wrong[2, 1] = 7
        told = told_of(wrong, torch.zeros(5, 4))
        assert told.endswith("at        [2, 1]\nfound     7\nexpected  0")

    def test_a_known_mistake_goes_before_everything_else(self):
        for value in (2.0, [2.0, 2.0], float("nan")):
            assert told_of(value, 1.0, "general", [(value, "known")]).startswith("known\n")

    def test_a_mistake_that_a_passed_case_rules_out_is_not_told(self):
        known = [(lambda x: x * x, "squared"), (lambda x: 2 * x - (x == 1), "doubled")]
        cases = [({"x": at}, "general") for at in (1.0, 3.0, 2.0)]
        wrong = {1.0: 1.0, 3.0: 3.0, 2.0: 4.0}
        check = functools.partial(judge, right=lambda x: x, cases=cases, mistakes=known)
        assert told_by(check, lambda x: x if x == 1 else x * x).startswith("squared")
        assert told_by(check, lambda x: x if x == 1 else 2 * x).startswith("doubled")
        assert told_by(check, wrong.get).startswith("general")

    def test_a_hint_may_depend_on_the_first_place_that_differs(self):
        def hint(place):
            return "the shape" if place is None else f"row {place[0]}"

        wanted = torch.zeros(3, 2)
        for place in ((0, 1), (2, 0)):
            wrong = wanted.clone()
            wrong[place] = 5
            assert told_of(wrong, wanted, hint).startswith(f"row {place[0]}\n")
        assert "\nthe shape" in told_of(torch.zeros(2), wanted, hint)

    def test_the_wrong_shape_is_told_with_the_call(self):
        def twice(x):
            return [x, x]

        told = told_by(lambda f: judge(f, lambda x: x, [({"x": 3.0}, "look")]), twice)
        assert "a list of shape (2,), expected is ()\nlook\nasked     twice(3)" in told

    def test_rounded_numbers_are_told_so(self):
        assert told_of(0.33, 1 / 3).startswith("this is rounded")
        assert told_of(0.34, 1 / 3).startswith("look")

    def test_a_small_number_is_not_taken_for_the_mistake_zero(self):
        assert told_of(1e-9, 1.0, "look", [(0, "nothing")]).startswith("look")
        assert told_of(0, 1.0, "look", [(0, "nothing")]).startswith("nothing")

    def test_parts_are_counted(self):
        for value in (1.0, (1, 2, 3), None, "ab", iter([1, 2]), {1, 2}):
            with pytest.raises(CheckFailed, match="return 2 values, `a, b`"):
                ask(lambda value=value: value).unpack("a", "b")
        for value in ((1, 2), [1, 2], np.array([1, 2]), torch.tensor([1, 2])):
            assert len(ask(lambda value=value: value).unpack("a", "b")) == 2

    def test_inputs_are_lent(self):
        given_list = [1, 2]
        with pytest.raises(CheckFailed, match=r"argument `x` in place"):
            ask(lambda x: x.append(3), x=given_list)
        assert given_list == [1, 2]
        for change in (lambda x: x.resize_(1), lambda x: x.t_(), lambda x: x.mul_(torch.nan)):
            with pytest.raises(CheckFailed, match="in place"):
                ask(change, x=torch.ones(1, 2))
        ask(lambda x: x.requires_grad_().sum().backward(), x=torch.tensor([torch.nan, 1.0]))

    def test_callables_of_other_kinds_are_asked(self):
        class Adds:
            def __call__(self, x):
                return x + 1

        for answer in (Adds(), functools.partial(lambda y, x: x + y, 1), (1).__add__):
            assert ask(answer, x=1).value == 2

    def test_an_error_deep_in_a_library_names_the_line_of_the_student(self):
        def multiplies(x):
            return x @ torch.ones(7)

        with pytest.raises(CheckFailed, match=r"in line \d+ of multiplies: return x @ torch.ones"):
            ask(multiplies, x=torch.ones(2, 3))

    def test_not_implemented_by_a_library_is_an_error_like_others(self):
        with pytest.raises(CheckFailed, match="raised NotImplementedError: Module"):
            ask(lambda x: torch.nn.Module()(x), x=1)
        with pytest.raises(CheckFailed, match=r"^not solved yet: tomorrow$"):
            ask(raising(NotImplementedError("tomorrow")))

    def test_a_hint_of_the_check_passes_through_the_answer(self):
        with pytest.raises(CheckFailed, match=r"^from inside$"):
            ask(lambda f: f(), f=raising(CheckFailed("from inside")))

    def test_judge_stops_at_the_first_case_that_is_wrong(self):
        cases = [({"x": 1.0}, "first"), ({"x": 2.0}, "second")]
        for wrong_at, told in ((1.0, "first"), (2.0, "second")):
            with pytest.raises(CheckFailed, match=f"^{told}"):
                judge(lambda x, at=wrong_at: x + (x == at), lambda x: x, cases)


def raising(error):
    def function(*inputs):
        raise error

    return function


CELLS = [
    "from course_utils.checks.fm_ffm import check_fm_triples\nimport torch",
    "def wrong(v):\n    return v.sum(dim=0).pow(3).sum() / 6\n\ncheck_fm_triples(wrong)",
    "def nothing(v):\n    v.sum()\n\ncheck_fm_triples(nothing)",
    "def fails(v):\n    cubes = v.pow(3)\n    return cubes.summ()\n\ncheck_fm_triples(fails)",
]


def test_in_a_notebook_the_hint_is_all_that_is_shown():
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3")
    told = []
    with client.setup_kernel():
        client.execute_cell(cells[0], 0)
        for number in (1, 2, 3):
            with pytest.raises(CellExecutionError):
                client.execute_cell(cells[number], number)
            (output,) = cells[number].outputs
            assert output.ename == "CheckFailed"
            assert output.evalue in output.traceback[0] and len(output.traceback) == 1
            told.append("\n".join(output.traceback))
    source = inspect.getsource(_answers) + inspect.getsource(CHECKS["check_fm_triples"][0])
    for text, expected in zip(
        told, ["what must be taken away", "does every way through it end with `return`?",
               "in line 3 of fails: return cubes.summ()"], strict=True,
    ):  # fmt: skip
        assert text.count(expected) == 1
        assert not [line for line in text.splitlines() if len(line) > 20 and line in source]
        assert "Traceback" not in text and "course_utils" not in text
