"""The self-check approves nothing that is not there."""

from __future__ import annotations

import os

import pytest
from conftest import SMALL

from course_utils.data.log import open_log
from course_utils.data.sources import packaged
from course_utils.lesson import doctor
from course_utils.settings import SettingsError

VARIABLES = ("COURSE_LOG", "COURSE_DATA", "COURSE_SEED", "COURSE_FEATURES")


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def finding(variable: str) -> doctor.Finding:
    return next(found for found in doctor.check_settings() if found.topic == variable)


def test_a_fresh_machine_is_fine(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "not made yet"))
    found = doctor.check_settings()
    assert [f.topic for f in found] == [
        "COURSE_DATA",
        "COURSE_LOG",
        "COURSE_SEED",
        "COURSE_FEATURES",
    ]
    assert all(f.ok for f in found), list(map(str, found))
    assert "will be generated" in str(found[1])
    assert not list(tmp_path.iterdir()), "looking changes nothing"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("COURSE_SEED", "x", "from 0 to"),
        ("COURSE_SEED", "-1", "from 0 to"),
        ("COURSE_SEED", str(2**31), "from 0 to"),
        ("COURSE_FEATURES", "other", "COURSE_FEATURES=ready"),
        ("COURSE_FEATURES", "ready", "for COURSE_LOG=yambda-50m only"),
        ("COURSE_LOG", "sim:colour=red", "unknown option"),
        ("COURSE_LOG", "sim:seed=x", "needs a number"),
        ("COURSE_LOG", "nowhere.parquet", "neither a known source"),
        ("COURSE_LOG", "movilens", "do you mean 'movielens'"),
        ("COURSE_DATA", "FILE", "nothing can be written"),
        ("COURSE_DATA", "FILE/below", "nothing can be written"),
    ],
)
def test_what_cannot_be_is_not_approved(monkeypatch, tmp_path, variable, value, words):
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, value.replace("FILE", str(tmp_path / "file")))
    found = finding(variable)
    assert not found.ok and words in found.remedy
    assert str(found).startswith(f"✘ {variable}: ")


def test_a_missing_package_is_told(monkeypatch):
    def absent(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setenv("COURSE_LOG", "movielens")
    monkeypatch.setattr(packaged.resources, "files", absent)
    found = finding("COURSE_LOG")
    assert not found.ok and "pip install" in found.remedy


def test_a_log_to_be_downloaded(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_LOG", "yambda-50m")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    found = finding("COURSE_LOG")
    assert found.ok and "4 of its files will be downloaded" in found.found


@pytest.mark.parametrize("content", [b"", b"uid,item_id\n1,2\n", b"PAR1xxxxPAR1"])
def test_a_broken_log_of_ones_own(monkeypatch, tmp_path, content):
    (tmp_path / "log.parquet").write_bytes(content)
    monkeypatch.setenv("COURSE_LOG", str(tmp_path / "log.parquet"))
    assert not finding("COURSE_LOG").ok


def test_logs_of_ones_own_are_opened(monkeypatch, tmp_path, good_events, small_log):
    monkeypatch.setenv("COURSE_LOG", str(small_log))
    assert finding("COURSE_LOG").ok
    monkeypatch.setenv("COURSE_LOG", str(tmp_path / "log.parquet"))
    good_events.write_parquet(tmp_path / "log.parquet")
    assert "both outcomes" in finding("COURSE_LOG").remedy, "it opens, but no notebook can use it"
    good_events.with_columns(timestamp=5).write_parquet(tmp_path / "log.parquet")
    assert "at least three" in finding("COURSE_LOG").remedy
    good_events.reverse().write_parquet(tmp_path / "log.parquet")
    assert not finding("COURSE_LOG").ok
    good_events.with_columns(played_ratio_pct=100).write_parquet(tmp_path / "log.parquet")
    assert "cannot be ranked" in finding("COURSE_LOG").found


def test_a_relative_log_that_two_folders_have(monkeypatch, tmp_path):
    from course_utils import settings

    for folder in (tmp_path, tmp_path / "notebooks"):
        folder.mkdir(exist_ok=True)
        (folder / "my.parquet").touch()
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(settings, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setenv("COURSE_LOG", "my.parquet")
    assert "several" in finding("COURSE_LOG").remedy


def test_a_generated_log_that_is_damaged(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setenv("COURSE_LOG", SMALL)
    doctor.sim_folder(doctor.parse_world(SMALL.partition(":")[2])).mkdir()
    found = finding("COURSE_LOG")
    assert not found.ok and "generated anew" in found.remedy


def test_versions_that_are_not_the_tested_ones():
    found = doctor.check_versions({"torch": "0.0.1"}, ["torch", "surely-not-installed"])
    assert not any(f.ok for f in found)
    assert "pip install -c constraints.txt torch" in str(found[0])
    assert "not installed → run `make lab` again" in str(found[1])
    assert all(f.remedy for f in doctor.check_machine() if not f.ok)


def test_a_data_folder_that_cannot_even_be_asked_for(monkeypatch, tmp_path):
    for name in ("x" * 300, "y" * 5_000):
        monkeypatch.setenv("COURSE_DATA", str(tmp_path / name))
        assert [f.topic for f in doctor.check_settings()] == [
            "COURSE_DATA",
            "COURSE_LOG",
            "COURSE_SEED",
            "COURSE_FEATURES",
        ]
        with pytest.raises(SettingsError, match="cannot be made"):
            open_log("sim")
        assert doctor.missing_files("yambda-50m")
    monkeypatch.setenv("COURSE_DATA", "~nobody-of-this-name/x")
    if os.name == "posix":
        assert [f.ok for f in doctor.check_settings()] == [False, False, True, True]
