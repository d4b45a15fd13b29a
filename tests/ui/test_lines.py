"""Lines, tables and footers as plain values: what is sent again, what is cut, what is kept whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.core.text import glyphs
from tui.widgets.footer import Entry, choose
from tui.widgets.lines import Groups, Line, Span, changed_until, clip, justify, keep_whole, line, width_of, wrap
from tui.widgets.pair import differences

texts = st.text(st.characters(categories=("Lu", "Ll", "Lo", "Nd", "Zs", "Po")), max_size=12)
spans = st.lists(st.tuples(texts, st.sampled_from(("text", "dim", "bad"))), max_size=6)


def cells_of(shown: Line, cells: int) -> list[Span]:
    """Every cell of a line of width `cells` with its meaning, blanks where nothing is."""
    blank: Span = (" ", "text")
    found: list[Span] = [(letter, role) for text, role in shown.spans for letter in text if cell_len(letter)]
    return [*found, *[blank] * cells][:cells]


def test_nothing_is_sent_again_when_nothing_changed() -> None:
    one = line(("14:02:31", "dim"), ("ok", "text"))
    assert changed_until(one, line(("14:02:31", "dim"), ("ok", "text")), 40) == 0


def test_only_what_stands_before_the_last_change_is_sent_again() -> None:
    old = line(("12 ", "text"), ("running ", "dim"), ("4 211", "text"))
    assert changed_until(old, line(("13 ", "text"), ("running ", "dim"), ("4 211", "text")), 60) == 3
    assert changed_until(old, line(("12 ", "text"), ("running ", "bad"), ("4 211", "text")), 60) == 11
    assert changed_until(old, Line(old.spans, "stale"), 60) == 60
    assert changed_until(old, Line(old.spans[:1]), 60) == 60


ascii_spans = st.lists(st.tuples(st.text("ab 1", min_size=1, max_size=5), st.sampled_from(("text", "dim"))), max_size=6)


@given(ascii_spans, ascii_spans)
def test_every_cell_beyond_what_is_sent_again_is_as_it_was(old: list[Span], new: list[Span]) -> None:
    until = changed_until(Line(tuple(old)), Line(tuple(new)), 20)
    assert cells_of(Line(tuple(old)), 20)[until:] == cells_of(Line(tuple(new)), 20)[until:]


@given(spans, st.integers(0, 40))
def test_clip_never_exceeds_and_keeps_what_fits(given_spans: list[Span], cells: int) -> None:
    clipped = clip(given_spans, cells)
    assert width_of(clipped) <= cells
    if width_of(given_spans) <= cells:
        assert clipped == tuple(given_spans)


@given(spans, spans, st.integers(1, 60))
def test_justify_fills_exactly_or_cuts(left: list[Span], right: list[Span], cells: int) -> None:
    assert width_of(justify(left, right, cells)) <= cells
    if width_of(left) + width_of(right) + 1 <= cells:
        assert width_of(justify(left, right, cells)) == cells


def test_groups_are_whole_or_absent() -> None:
    groups: Groups = (("checks ", "dim"), ("173/175", "bad")), (("tables ", "dim"), ("16/16", "text"))
    assert "".join(text for text, _ in keep_whole(groups, 40)) == "checks 173/175   tables 16/16"
    assert "".join(text for text, _ in keep_whole(groups, 28)) == "checks 173/175"


@given(spans, st.integers(4, 40))
def test_wrapping_loses_no_word_and_fits(given_spans: list[Span], cells: int) -> None:
    lines = wrap(given_spans, cells)
    assert all(width_of(one) <= cells for one in lines)
    kept = "".join(text for one in lines for text, _ in one)
    assert "".join(kept.split()) == "".join("".join(text for text, _ in given_spans).split())


def test_wrapping_keeps_line_breaks() -> None:
    assert wrap((("one\n\ntwo", "text"),), 20) == [(("one", "text"),), (), (("two", "text"),)]


@given(st.text("ab (),=", max_size=30), st.text("ab (),=", max_size=30))
def test_differences_keep_both_texts_and_mark_none_when_equal(expected: str, actual: str) -> None:
    mine, theirs = differences(expected, actual)
    assert "".join(text for text, _ in mine) == expected
    assert "".join(text for text, _ in theirs) == actual
    if expected == actual:
        assert all(role == "text" for _, role in (*mine, *theirs))


def test_the_footer_keeps_help_and_quit_and_drops_from_the_end() -> None:
    entries = [Entry("a", "Apply", "1"), Entry("b", "Roll back", "2"), Entry("?", "Help", "3", keep=True)]
    assert [entry.word for entry in choose(entries, 80)] == ["Apply", "Roll back", "Help"]
    assert [entry.word for entry in choose(entries, 20)] == ["Apply", "Help"]


def test_every_mark_is_one_cell_wide() -> None:
    for marks in (glyphs(False), glyphs(True)):
        for name in ("ok", "bad", "warn", "dot", "wait", "unknown", "none", "times", "more", "track", "thumb"):
            assert cell_len(getattr(marks, name)) == 1
