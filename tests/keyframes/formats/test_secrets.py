"""A file that is no table of ours is not read out in messages."""

import pytest

from keyframes.errors import KeyframeError
from keyframes.formats.recognise import table_format

SECRET = "root:$6$topsecret:20228:0:99999:7:::\ndaemon:*:20228:0:::\n"


def test_the_first_line_of_a_foreign_file_is_not_repeated(tmp_path):
    path = tmp_path / "shadow"
    path.write_text(SECRET)
    with pytest.raises(KeyframeError, match="its first line is no header") as told:
        table_format(path)
    assert "secret" not in str(told.value)


def test_the_columns_of_an_unknown_table_are_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("time,smile (left),brow-raise\n0,1,2\n")
    with pytest.raises(KeyframeError, match=r"time, smile \(left\), brow-raise"):
        table_format(path)
