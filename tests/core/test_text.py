"""What reaches a screen, a log or a file: nothing that a terminal obeys or hides, the size asked for, no secrets."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.core.text import (
    Glyphs,
    age,
    count,
    duration,
    fit,
    fit_right,
    glyphs,
    one_line,
    redact,
    spark,
    strip_controls,
    visible,
)

# Letters, what hurts, what is wide, what combines: in one text all of it meets.
HOSTILE = (
    "aZ 9\\[]\n\r\t\0\a\x1b\x7f\x80\x9b\x9d\xa0\xad\u034f\u061c\u115f\u1160\u180e\u200b\u200c\u200d\u200e\u200f\u2028"
    "\u2029\u202a\u202e\u2060\u2066\u2069\u206f\u3164\ue000\ufe0e\ufe0f\ufeff\ufff9\ufdd0\uffff\ud800\udfff\U000e0001\U000e0041\U000e0100"
    "\U0010ffff\U0001d173é\u0301\u0489\u20dd你한⚠☎©👨👩🇩🇪\U0001f3fb…⏎✓"
)
TEXT = st.one_of(st.text(st.sampled_from(HOSTILE)), st.text(st.characters(), max_size=60))
# The categories that are never shown as they are; some format characters have a shape of their own (Arabic numbers).
SHAPED = {chr(code) for code in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)}


@settings(max_examples=1500)
@given(TEXT, st.booleans(), st.integers(0, 90))
def test_nothing_that_acts_or_hides_is_left(text: str, newlines: bool, limit: int) -> None:
    shown = visible(text, limit=limit, newlines=newlines)
    assert len(shown) <= limit
    rest = shown.replace("\n", "") if newlines else shown
    for character in rest:
        assert unicodedata.category(character) not in ("Cc", "Cs", "Co", "Zl", "Zp"), ascii(character)
        assert unicodedata.category(character) != "Cf" or character in SHAPED, ascii(character)
        assert character not in "\u034f\u115f\u1160\u3164\uffa0\ufe0e\ufe0f", ascii(character)
    shown.encode()
    assert visible(shown, limit=limit, newlines=newlines) == shown, "cleaning twice changes nothing"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_plain_text_is_left_alone(text: str) -> None:
    assert visible(text) == text
    assert strip_controls(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;YQ==\a", "\\x1b]52;c;YQ==\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("safe\u202egnp.exe", "safe\\u202egnp.exe"),
        ("a\u200bb", "a\\u200bb"),
        ("\U000e0041", "\\U000e0041"),
        ("\udc80", "\\udc80"),
        ("a\tb", "a    b"),
        ("a\nb\r\nc\rd", "a\\nb\\r\\nc\\rd"),
        ("[red]x[/]", "[red]x[/]"),
        ("c:\\temp", "c:\\temp"),
        ("Zoë, 你好, ½", "Zoë, 你好, ½"),
        ("⚠\ufe0f x\ufe0f", "⚠ x\\ufe0f"),
        ("👨\u200d👩", "👨\\u200d👩"),
        ("e" + "\u0301" * 9 + "f", "e" + "\u0301" * 4 + "…f"),
        ("\u0301a", "◌\u0301a"),
    ],
)
def test_what_becomes_of_it(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_newlines_stay_when_they_may() -> None:
    assert visible("a\r\nb\nc\rd\x1b\n\u0301", newlines=True) == "a\nb\nc\\rd\\x1b\n◌\u0301"


def test_a_cut_says_how_much_is_missing_and_never_parts_an_escape() -> None:
    assert visible("x" * 5000, limit=20) == "x" * 7 + "… (4993 more)"
    assert visible("\x1b" * 100, limit=20) == "\\x1b\\x1b… (98 more)"
    assert visible("abcdef", limit=3) == "…"
    assert visible("abc", limit=0) == visible("abc", limit=-1) == ""
    assert visible("abc\x1b", limit=7) == "abc\\x1b"


@settings(max_examples=500)
@given(TEXT, st.integers(0, 40))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert "\n" not in line
    assert "  " not in line
    assert one_line(line, limit) == line.strip(" ")


def test_one_line_collapses_blanks_and_marks_line_breaks() -> None:
    assert one_line("  a \t b\r\n\n   c\nd  ", 100) == "a b ⏎ c ⏎ d"
    assert one_line("a" * 30, 10) == "a" * 9 + "…"
    assert one_line("plain", 5) == "plain"
    assert one_line("  a  ", 5) == "a"


@settings(max_examples=1500)
@given(st.one_of(TEXT, TEXT.map(visible)), st.integers(-1, 30))
def test_fit_is_exactly_as_wide_as_asked(text: str, cells: int) -> None:
    wide = max(0, cells)
    assert cell_len(fit(text, cells)) == wide
    assert cell_len(fit_right(text, cells)) == wide


def test_fit_cuts_with_a_mark_and_fills_with_blanks() -> None:
    assert fit("abc", 5) == "abc  "
    assert fit_right("abc", 5) == "  abc"
    assert fit("abcdef", 5) == fit_right("abcdef", 5) == "abcd…"
    assert fit("abcde", 5) == "abcde"
    assert fit("你好吗", 4) == "你 …"
    assert fit("你好吗", 5) == "你好…"
    assert fit("naïve", 5) == "naïve"


@settings(max_examples=800)
@given(TEXT)
def test_the_line_filter_takes_controls_and_no_width(text: str) -> None:
    kept = strip_controls(text)
    assert not re.search(
        "[\0-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", kept
    )
    if "\u200d" not in text:
        assert cell_len(kept) == cell_len(text)
    clean = visible(text)
    assert strip_controls(clean) == clean, "what was cleaned passes unchanged"


def best_of(act: Callable[[], object]) -> float:
    """Seconds that `act` takes once, the best of many."""
    best = 1.0
    for _ in range(200):
        started = time.perf_counter()
        for _ in range(50):
            act()
        best = min(best, (time.perf_counter() - started) / 50)
    return best


def test_plain_text_costs_next_to_nothing() -> None:
    assert best_of(lambda: visible("invoice-sync failed")) < 1e-6
    assert best_of(lambda: one_line("invoice-sync failed", 300)) < 2e-6


@pytest.mark.parametrize("piece", ["\x1b", "é\u0301\u0301\u0301\u0301\u0301\u0301", "\r\n", "⚠\ufe0f", "你", " \n"])
def test_hostile_text_can_not_stop_the_screen(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    started = time.process_time()
    visible(text, limit=100_000, newlines=True)
    one_line(text, 300)
    assert time.process_time() - started < 1.5


# Secrets

# Of letters only such as the sentences around them do not hold, so that what is found of them is theirs.
PASSWORD = st.text(st.sampled_from("ZQXJéü012789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"), min_size=9, max_size=27).map(
    "ZQ7".__add__
)


def quoted(password: str) -> str:
    """As libpq reads it in a connection string."""
    return "'" + password.replace("\\", "\\\\").replace("'", "\\'") + "'"


def leaks(secret: str, text: str) -> bool:
    """Whether five characters in a row of the secret can be read in the text."""
    return any(secret[i : i + 5] in text for i in range(len(secret) - 4))


@settings(max_examples=500)
@given(PASSWORD, st.integers(0, 11))
def test_no_password_survives(password: str, form: int) -> None:
    escaped = password.replace("\\", "\\\\").replace('"', '\\"')
    text = [
        f"postgresql://dana:{password}@db.example.com:6543/app",
        f'could not connect to "postgres://:{password}@/app?host=/tmp": refused',
        f"host=db user=dana password={quoted(password + ' and more')} dbname=app",
        f"host=db password = {quoted(password)}",
        "password=" + password.replace("\\", "\\\\").replace("'", "\\'") + " dbname=app",
        f"PGPASSWORD={password} psql",
        f'{{"user": "dana", "password": "{escaped}", "port": 1}}',
        f"{{'password': {password!r}}}",
        "alter role dana password '" + password.replace("\\", "").replace("'", "''") + "';",
        f"https://hooks.example.com:{password}@x/y and mail a@b.example",
        f"db_password: connection string has password={password}",
        f"?sslmode=require&password={password}",
    ][form]
    assert not leaks(password.replace("\\", "").replace("'", ""), redact(text).replace("\\", "").replace("'", ""))
    assert redact(redact(text)) == redact(text)


@given(PASSWORD, st.integers(20, 60))
def test_none_survives_a_cut_in_the_middle(password: str, limit: int) -> None:
    text = f"host=db user=dana password={quoted(password + ' x ' + password)} dbname=app"
    assert not leaks(password, redact(text[:limit]))
    assert not leaks(password, redact(visible(text, limit=limit)))


TOKENS = [
    "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJlLXdpdGgtXw",
    "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2Vy",
    "whsec_6f9619ff8b86d011b42d00c04fc964ff",
    "sb_secret_9a8b7c6d5e4f_x",
    "sbp_0102030405060708",
    "sk-proj-abcdefghijklmnop",
    "sk_live_abcdefghijklmnop",
    "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy",
]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("around", ["{}", "got '{}'", 'x="{}",', "apikey={}&a=b", "é{}é", "Bearer {}", "a.{}\nb"])
def test_no_token_survives(token: str, around: str) -> None:
    shown = redact(around.format(token))
    assert "***" in shown
    assert not leaks(token[6:], shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:p@ss/w:rd@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u@h:5432/db", "postgresql://u@h:5432/db"),
        ("https://host:8080/path?x=1", "https://host:8080/path?x=1"),
        ("authorization: Bearer abcdefghijklmnopqrst", "authorization: Bearer ***"),
        ("client_secret=abc x", "client_secret=*** x"),
        ("password = 'it\\'s' host=x", "password = '***' host=x"),
        ('{"password": "a\\"b", "x": 1}', '{"password": "***", "x": 1}'),
        ('{\\"api_key\\":\\"a b\\",\\"n\\":1}', '{\\"api_key\\":\\"***\\",\\"n\\":1}'),
        ("create role x password 'it''s' login", "create role x password '***' login"),
        ('password authentication failed for user "x"', 'password authentication failed for user "x"'),
        ("wrong password: try again", "wrong password: try again"),
        ("max_tokens=4096 exceeded", "max_tokens=4096 exceeded"),
        ("the task's key points", "the task's key points"),
        ("bearer token missing", "bearer token missing"),
        ("duplicate key value violates unique constraint", "duplicate key value violates unique constraint"),
        ("primary key (id)", "primary key (id)"),
        ("", ""),
    ],
)
def test_what_is_no_secret_stays(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "piece", ["password", "a://b:", "eyJ", "password='", "bearer ", '\\"', "password=\\", "secret \n", "whsec_", "x@"]
)
def test_redaction_takes_time_in_proportion(piece: str) -> None:
    started = time.process_time()
    redact(piece * (100_000 // len(piece)) + "://")
    assert time.process_time() - started < 1


# Numbers and marks


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"),
        (0.0002, "<1 ms"),
        (0.412, "412 ms"),
        (0.9996, "1 s"),
        (1.2, "1.2 s"),
        (5, "5 s"),
        (9.96, "10 s"),
        (15, "15 s"),
        (59.6, "1 min"),
        (184, "3 min 4 s"),
        (900, "15 min"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
        (1e9, "11 574 d 1 h"),
        (-2, "-2 s"),
        (float("nan"), "?"),
        (float("inf"), "?"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "just now"),
        (0.4, "just now"),
        (4.9, "4 s ago"),
        (59.9, "59 s ago"),
        (120, "2 min ago"),
        (7300, "2 h ago"),
        (5 * 86_400, "5 d ago"),
        (float("inf"), "long ago"),
        (float("nan"), "just now"),
    ],
)
def test_ages(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_counts() -> None:
    assert [count(n) for n in (0, 999, 4211, 1234567, -1000)] == ["0", "999", "4 211", "1 234 567", "-1 000"]


def test_bars() -> None:
    assert spark([0, 1, 4, 8], 4) == "▁▂▅█"
    assert spark([0, 1, 4, 7], 4, ascii=True) == "_.=#"
    assert spark([1, 1000], 10) == "▂█", "what is not zero is never drawn as zero"
    assert spark([0, 0], 10) == "▁▁"
    assert spark([1] * 50 + [9] + [1] * 49, 10).count("█") == 1, "a peak is never lost"
    assert spark([], 10) == spark([1], 0) == ""
    assert spark([float("nan"), -3, 2, float("inf")], 4) == "▁▁█▁"


@given(st.lists(st.floats(allow_nan=True), min_size=1), st.integers(1, 40), st.booleans())
def test_bars_are_as_many_as_fit(values: list[float], width: int, plain: bool) -> None:
    bars = spark(values, width, ascii=plain)
    assert len(bars) == cell_len(bars) == min(width, len(values))
    assert bars.isascii() == plain


@pytest.mark.parametrize("plain", [False, True])
def test_every_mark_is_one_cell_and_states_differ(plain: bool) -> None:
    marks = glyphs(plain)
    drawn = {name: getattr(marks, name) for name in Glyphs.__slots__ if name != "ascii"}
    assert marks.ascii == plain
    assert all(cell_len(mark) == len(mark) == 1 for mark in drawn.values())
    assert all(mark.isascii() for mark in drawn.values()) or not plain
    states = [drawn[name] for name in ("ok", "bad", "warn", "unknown", "none", "wait", "now", "todo")]
    assert len(set(states)) == len(states)
