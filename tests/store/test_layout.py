from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zerg_visibility.store import layout

ROOT = Path("/data/swarmlet")
ID = "2025-12-15T04-08-08_calculate-7-6"


@given(st.text(st.characters(exclude_categories=[])))
@example("x" * 100_000)
@example("\ud800")
@example("ﬁ" * 50)
@example("-" * 31 + "a")
@example("a" * 29 + " b")
def test_any_text_gives_a_slug_that_is_safe_in_a_path(text):
    slug = layout.slug(text)
    assert 1 <= len(slug) <= layout.SLUG_MAX == 30
    assert slug.isascii()
    assert slug == slug.lower()
    assert slug.replace("-", "").isalnum()
    assert not slug.startswith("-")
    assert not slug.endswith("-")
    assert "--" not in slug
    assert layout.is_own_id(f"2025-12-15T04-08-08_{slug}")


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Calculate 7*6", "calculate-7-6"),
        ("Check disk space on cube and clifford", "check-disk-space-on-cube-and-c"),
        ("Check disk space on cube & the clifford", "check-disk-space-on-cube-the-c"),
        ("abcdefghijklmnopqrstuvwxyz abc defg", "abcdefghijklmnopqrstuvwxyz-abc"),
        ("Crème brûlée", "creme-brulee"),
        ("検査する", "task"),
        ("", "task"),
        ("...", "task"),
    ],
)
def test_slugs(text, slug):
    assert layout.slug(text) == slug


@given(st.text(st.characters(exclude_categories=[])), st.integers(1, 10_000))
@example("../../etc/passwd", 1)
@example("a" * 5000, 1)
@example(".hidden", 1)
def test_a_tool_of_any_name_gives_a_file_in_the_folder_of_outputs(name, number):
    parts = layout.relative_parts(layout.tool_output_name(number, name))
    assert parts is not None
    folder, file = parts
    assert folder == "tool_calls"
    assert file.isascii()
    assert len(file) < 100
    assert file.startswith(f"{number:03d}_")
    assert file.endswith(".txt")


@given(st.text(st.characters(exclude_categories=[])))
@example("..")
@example("a/../../b")
@example("/etc/passwd")
@example("a\0b")
def test_no_path_that_is_accepted_leaves_the_directory(text):
    parts = layout.relative_parts(text)
    if parts is not None:
        folder = Path(layout.commis_place(ROOT, ID))
        joined = folder.joinpath(*parts)
        assert joined.is_relative_to(folder)
        assert ".." not in joined.parts
        assert "\0" not in str(joined)
        assert joined != folder


@given(st.text())
@example(f"{ID}\n")
@example(f"{ID}/..")
@example("../2025-12-15T04-08-08_a")
@example("2025-12-15T04-08-08_..")
@example("2025-12-15T04-08-08_" + "a" * 300)
@example("٢٠٢٥-12-15T04-08-08_a")
def test_no_other_text_is_taken_for_an_id(text):
    if layout.is_own_id(text):
        assert Path(layout.commis_place(ROOT, text)).parent == ROOT / "commis"
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_T")
    else:
        with pytest.raises(ValueError, match="not an id of this store"):
            layout.commis_place(ROOT, text)
        with pytest.raises(ValueError, match="not an id of this store"):
            layout.concierge_dir(ROOT, text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        (7, 7),
        ("123456789012345678", 123456789012345678),
        ("0", None),
        (0, None),
        (-1, None),
        ("-1", None),
        ("007", None),
        ("7 ", None),
        ("7\n", None),
        ("\u0667", None),
        ("1e3", None),
        ("9" * 5000, None),
        (10**18, None),
        (True, None),
        ("", None),
    ],
)
def test_job_numbers(text, number):
    assert layout.job_number(text) == number


@pytest.mark.parametrize(
    "text", ["", "0" * 31, "0" * 33, "A" * 32, "../" + "0" * 29, "0" * 32 + "\n"]
)
def test_no_other_text_is_taken_for_a_trace(text, tmp_path):
    assert layout.trace_dir(tmp_path, "0a" * 16) == tmp_path / "traces" / ("0a" * 16)
    with pytest.raises(ValueError, match="not a trace id"):
        layout.trace_dir(tmp_path, text)
