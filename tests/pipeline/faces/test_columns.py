from dataclasses import fields

import numpy as np
import pyarrow as pa

from pipeline.columns import blank, from_arrow, joined, to_arrow
from pipeline.edit.plan import PLAN_COLUMNS, EditPlan
from pipeline.faces.chunks import Chunk
from pipeline.faces.columns import CHUNK_ARRAYS, FACE_COLUMNS
from pipeline.faces.faces import Analysis


def test_every_column_has_its_attribute_and_no_attribute_is_forgotten():
    names = {f.name for f in fields(Analysis)}
    beside = {"frames", "cut", "neutral", "uncovered", "in_fields", "one_moment"}
    assert set(FACE_COLUMNS) == names - beside
    assert tuple(PLAN_COLUMNS) == tuple(f.name for f in fields(EditPlan))
    assert set(CHUNK_ARRAYS) == {f.name for f in fields(Chunk)}


def test_columns_come_back_from_parquet_as_they_were():
    for columns in (FACE_COLUMNS, PLAN_COLUMNS):
        random = np.random.default_rng(5)
        rows = {
            n: (random.normal(size=(9, *c.shape)) * 9).astype(c.dtype) for n, c in columns.items()
        }
        back = from_arrow(columns, pa.table(to_arrow(columns, rows)))
        for name, column in columns.items():
            assert back[name].dtype == column.dtype
            assert np.array_equal(back[name], rows[name])


def test_nothing_is_a_table_without_rows_and_blanks_say_so():
    assert all(len(v) == 0 for v in joined(FACE_COLUMNS, []).values())
    empty = blank(FACE_COLUMNS, 2)
    assert np.isnan(empty["box"]).all()
    assert not empty["bridged"].any()
    assert empty["landmarks_px"].shape == (2, 68, 2)
