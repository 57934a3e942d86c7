"""Variables and paths: what relative means, which seeds there are, names that no two logs share."""

from __future__ import annotations

import os
import random
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from catboost import CatBoostClassifier
from hypothesis import example, given
from hypothesis import settings as quick
from hypothesis import strategies as st

from course_utils import settings
from course_utils.settings import SettingsError

NAMES = st.text(
    st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name not in (".", "..") and name[0] != "~")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of our own, with the folders where kernels work."""
    (tmp_path / "course" / "notebooks" / "exercises").mkdir(parents=True)
    monkeypatch.setattr(settings, "ROOT", tmp_path / "course")
    monkeypatch.setattr(settings, "NOTEBOOKS", tmp_path / "course" / "notebooks")
    for variable in ("COURSE_LOG", "COURSE_DATA", "COURSE_SEED"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "course"


@pytest.mark.parametrize("kernel", ["notebooks", "notebooks/exercises"])
def test_a_relative_path_counts_from_the_project_in_every_kernel(project, monkeypatch, kernel):
    monkeypatch.setenv("COURSE_LOG", "logs/my.parquet")
    monkeypatch.setenv("COURSE_DATA", "there")
    monkeypatch.chdir(project / kernel)
    assert settings.chosen_log() == str(project / "logs" / "my.parquet")
    assert settings.data_folder() == project / "there"


def test_elsewhere_it_counts_from_the_working_directory(project, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_LOG", "my.parquet")
    monkeypatch.chdir(tmp_path)
    assert settings.chosen_log() == str(tmp_path / "my.parquet")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert settings.chosen_log() == str(tmp_path / "notebooks" / "my.parquet")


@pytest.mark.parametrize("place", ["notebooks", "notebooks/exercises"])
def test_the_only_place_that_has_it_is_meant(project, monkeypatch, place):
    (project / place / "my.parquet").touch()
    monkeypatch.setenv("COURSE_LOG", "my.parquet")
    monkeypatch.chdir(project / "notebooks" / "exercises")
    assert settings.chosen_log() == str(project / place / "my.parquet")


def test_two_places_are_an_error_that_names_both(project, monkeypatch):
    for place in (project, project / "notebooks"):
        (place / "my.parquet").touch()
    monkeypatch.setenv("COURSE_LOG", "my.parquet")
    monkeypatch.chdir(project / "notebooks")
    with pytest.raises(SettingsError, match=r"COURSE_LOG='my\.parquet'.*several") as caught:
        settings.chosen_log()
    assert str(project / "notebooks" / "my.parquet") in str(caught.value)
    if os.name == "posix":  # one file under two names is no riddle
        (project / "my.parquet").unlink()
        (project / "my.parquet").symlink_to(project / "notebooks" / "my.parquet")
        assert Path(settings.chosen_log()).samefile(project / "notebooks" / "my.parquet")


def test_children_are_told_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_LOG", "my logs/a [1].parquet")
    monkeypatch.setenv("COURSE_DATA", "~/course data")
    told = settings.absolute_variables()
    assert told == {
        "COURSE_LOG": str(tmp_path / "my logs" / "a [1].parquet"),
        "COURSE_DATA": str(Path.home() / "course data"),
    }
    for variable, value in told.items():
        monkeypatch.setenv(variable, value)
    assert settings.absolute_variables() == told, "telling again changes nothing"
    for source in ("sim", "sim:seed=1,without=mood+drift", "movielens", "yambda-5b"):
        monkeypatch.setenv("COURSE_LOG", source)
        assert settings.absolute_variables()["COURSE_LOG"] == settings.chosen_log() == source
    monkeypatch.delenv("COURSE_LOG")
    monkeypatch.delenv("COURSE_DATA")
    assert settings.absolute_variables() == {}


def test_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for text in ("~/log.parquet", "~"):
        monkeypatch.setenv("COURSE_LOG", text)
        assert settings.chosen_log() == str(tmp_path / text.partition("/")[2])
        assert settings.absolute_log(text) == settings.chosen_log()
    if os.name == "posix":  # Windows guesses
        monkeypatch.setenv("COURSE_DATA", "~nobody-of-this-name/data")
        with pytest.raises(SettingsError, match="COURSE_DATA='~nobody-of-this-name/data'"):
            settings.data_folder()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("sim", True), ("sim:", True), ("sim:seed=1", True), ("movielens", True),
        ("./sim", False), ("sim/", False), ("Sim", False), ("simulated", False),
        ("yambda-50m:x", False), ("movielens.parquet", False), (r"C:\logs\my.parquet", False),
        ("s:imple.parquet", False), ("grocery:n_listeners=2", True), ("grocery:x", False),
    ],
)  # fmt: skip
def test_what_is_a_source_and_what_a_path(text, source):
    assert settings.names_source(text) is source


# Seeds


@pytest.mark.parametrize("text", ["0", "7", " 12 ", "+3", str(settings.LARGEST_SEED)])
def test_good_seeds(monkeypatch, text):
    monkeypatch.setenv("COURSE_SEED", text)
    assert settings.course_seed() == int(text)


@quick(max_examples=50, derandomize=True)
@given(
    st.integers(max_value=-1).map(str)
    | st.integers(min_value=settings.LARGEST_SEED + 1).map(str)
    | st.sampled_from(["x", "1.5", "1e3", "0x10", "1_000", "²", "٣", "0..4", "nan", " "])
)
def test_bad_seeds_say_the_range(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_SEED", text)
        with pytest.raises(SettingsError, match=f"from 0 to {settings.LARGEST_SEED}, not"):
            settings.course_seed()


@pytest.mark.parametrize("seed", [0, settings.LARGEST_SEED + 2**15])
def test_every_seeded_library_takes_the_whole_range(seed):
    random.seed(seed)
    np.random.default_rng(seed)
    np.random.RandomState(seed)
    torch.Generator().manual_seed(seed)
    model = CatBoostClassifier(
        iterations=1, random_seed=seed, verbose=False, allow_writing_files=False
    )
    model.fit([[0.0], [1.0]], [0, 1])


# Names of files


@quick(max_examples=300, derandomize=True)
@given(one=NAMES, other=NAMES, folders=st.tuples(NAMES, NAMES))
@example(one="a b", other="a-b", folders=("x", "x"))
@example(one="log.parquet", other="log", folders=("x", "x"))
@example(one="Sim", other="sim", folders=("x", "x"))
@example(one="\u00e9", other="e\u0301", folders=("x", "x"))
@example(one="my", other="my", folders=("one", "two"))
def test_two_logs_never_share_a_stem(one, other, folders):
    names = {one, other, *(f"/{folder}/{one}" for folder in folders), f"sim:{one}"}
    stems = {settings.log_stem(name) for name in names}
    folded = {unicodedata.normalize("NFC", stem).casefold() for stem in stems}
    assert len(folded) == len(names), "distinct, whatever the file system makes of letters"


@quick(max_examples=200, derandomize=True)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
@example(name="")
@example(name="CON")
@example(name="/data/nul.parquet")
@example(name="/" + "ж" * 250 + ".parquet")
def test_a_stem_is_a_file_name_everywhere(tmp_path_factory, name):
    stem = settings.log_stem(name)
    assert 0 < len(stem) <= settings.LONGEST_STEM
    assert re.fullmatch(r"[\w-]+", stem) and not stem.startswith("-")
    assert not re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", stem)
    assert stem == stem.lower() == unicodedata.normalize("NFC", stem)
    path = tmp_path_factory.getbasetemp() / f"18_seminar_ranking-{stem}.ipynb"
    path.touch()
    path.unlink()


def test_stems_can_be_read():
    for source in settings.SOURCES:
        assert settings.log_stem(source) == source
    assert settings.log_stem("/home/me/My log [2026].parquet").startswith("my-log-2026-")
    assert settings.log_stem("/данные/Мой лог").startswith("мой-лог-")
    assert settings.log_stem("C:\\logs\\my.parquet").startswith("my-")
    assert settings.log_stem("sim:seed=1,without=mood").startswith("sim-seed-1-without-mood-")
    plain = settings.log_stem("/x/my.parquet")
    assert settings.log_stem(plain) != plain, "a log that is called like another log's stem"


def test_paths_for_polars_are_unicode():
    assert settings.polars_path(Path("/данные/a [1]")) == str(Path("/данные/a [1]"))
    if os.name == "posix":
        with pytest.raises(SettingsError, match="not Unicode"):
            settings.polars_path(Path(os.fsdecode(b"/\xff.parquet")))


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(SettingsError, match="COURSE_DATA"):
            settings.make_folder(folder)


def test_a_seed_may_have_leading_zeros(monkeypatch):
    for text, seed in [("00000000007", 7), ("0" * 40, 0), (" +007 ", 7)]:
        monkeypatch.setenv("COURSE_SEED", text)
        assert settings.course_seed() == seed
