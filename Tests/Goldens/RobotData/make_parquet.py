"""Writes one table in the ways in which pyarrow writes parquet files, and what is in it.

Usage: python make_parquet.py

Needs pyarrow and numpy; made with pyarrow 26.0.1.
"""

import base64
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

folder = pathlib.Path(__file__).parent / "parquet"
ROWS = 50


def table():
    """All the types that are read; vectors, ragged and nested lists; an image's group; nulls."""
    random = np.random.default_rng(0)
    rows = range(ROWS)
    extremes = [-(2**63), 2**63 - 1, 0, -1, 2**53 + 1]
    columns = {
        "int64": pa.array(extremes + [i // 7 for i in range(ROWS - 5)], pa.int64()),
        "int32": pa.array([-(2**31), 2**31 - 1] + list(range(ROWS - 2)), pa.int32()),
        "uint64": pa.array([2**63 - 1] + list(range(ROWS - 1)), pa.uint64()),
        "uint32": pa.array([2**32 - 1] + list(range(ROWS - 1)), pa.uint32()),
        "uint8": pa.array([255 - i for i in rows], pa.uint8()),
        "int16": pa.array([-i for i in rows], pa.int16()),
        "float16": pa.array([np.float16(i / 8) for i in rows], pa.float16()),
        "float32": pa.array(random.standard_normal(ROWS).astype(np.float32)),
        "float64": pa.array([i % 4 / 3 for i in rows], pa.float64()),
        "required": pa.array([i * 0.5 for i in rows], pa.float32()),
        "bool": pa.array([i % 3 == 0 for i in rows]),
        "text": pa.array([f"task {i % 3} \u00e4" for i in rows]),
        "bytes": pa.array([bytes([i]) * (i % 5) for i in rows], pa.binary()),
        "fixed": pa.array([bytes([i, 0, 255, i]) for i in rows], pa.binary(4)),
        "observation.state": pa.array(
            [row.tolist() for row in random.standard_normal((ROWS, 3)).astype(np.float32)],
            pa.list_(pa.float32(), 3),
        ),
        "ragged": pa.array([list(range(i % 4)) for i in rows], pa.list_(pa.int64())),
        "nested": pa.array(
            [[[i, i + 1.0], [i + 2.0, i + 3.0]] for i in rows], pa.list_(pa.list_(pa.float64()))
        ),
        "texts": pa.array([[f"a{j}" for j in range(i % 3)] for i in rows], pa.list_(pa.string())),
        "image": pa.array(
            [{"bytes": b"\x89PNG" + bytes([i]), "path": f"frame-{i}.png"} for i in rows],
            pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        ),
        "nullable": pa.array([None if i % 4 == 1 else i / 2 for i in rows], pa.float64()),
        "nullable_text": pa.array([None if i % 5 else f"x{i}" for i in rows]),
        "nullable_list": pa.array(
            [None if i % 6 == 0 else [i] * (i % 3) for i in rows], pa.list_(pa.int32())
        ),
    }
    schema = pa.schema(
        [pa.field(name, array.type, nullable=name != "required") for name, array in columns.items()],
        metadata={"origin": "make_parquet.py"},
    )
    return pa.table(list(columns.values()), schema=schema)


def flat(values, depth):
    for _ in range(depth):
        values = [item for value in values for item in (value or [])]
    return [value for value in values if value is not None]


def expected(table):
    """Of each column all values one after the other, and how many each row has."""
    result = {}
    columns = {name: table[name] for name in table.column_names if name != "image"}
    for field in ("bytes", "path"):
        columns[f"image.{field}"] = table["image"].combine_chunks().field(field)
    for name, column in columns.items():
        depth, leaf = 0, column.type
        while pa.types.is_list(leaf) or pa.types.is_fixed_size_list(leaf):
            depth, leaf = depth + 1, leaf.value_type
        rows = column.to_pylist()
        if depth:
            counts = [len(flat([row], depth)) for row in rows]
        else:
            counts = [0 if row is None else 1 for row in rows]
        values = flat(rows, depth)
        entry = {"counts": counts}
        if pa.types.is_integer(leaf):
            entry["integers"] = [str(value) for value in values]
        elif pa.types.is_floating(leaf) or pa.types.is_boolean(leaf):
            entry["numbers"] = [float(value) for value in values]
        elif pa.types.is_string(leaf):
            entry["texts"] = values
        else:
            entry["base64"] = [base64.b64encode(value).decode() for value in values]
        result[name] = entry
    return result


def write_many_pages():
    """Dictionaries that grow too large, so that the rest of a chunk is plain; many small pages."""
    count = 1500
    values = np.arange(count, dtype=np.float32)
    table = pa.table(
        {
            "number": pa.array(values),
            "vector": pa.array(
                [[float(i), float(-i)] for i in range(count)], pa.list_(pa.float32())
            ),
            "text": pa.array([f"text {i}" for i in range(count)]),
        }
    )
    pq.write_table(
        table, folder / "fallback.parquet", dictionary_pagesize_limit=1000, data_page_size=500,
        write_batch_size=50, row_group_size=1000,
    )  # fmt: skip


def main():
    folder.mkdir(exist_ok=True)
    data = table()
    groups = {"row_group_size": 20}
    pq.write_table(data, folder / "snappy.parquet", **groups)
    pq.write_table(
        data, folder / "checked.parquet", write_page_checksum=True, compression="snappy", **groups
    )
    pq.write_table(
        data, folder / "plain.parquet", compression="none", use_dictionary=False,
        write_page_checksum=True,
    )  # fmt: skip
    pq.write_table(
        data, folder / "gzip.parquet", compression="gzip", data_page_version="2.0", **groups
    )
    pq.write_table(data, folder / "zstd.parquet", compression="zstd", **groups)
    pq.write_table(data, folder / "version1.parquet", compression="none", version="1.0")
    pq.write_table(
        data, folder / "version2.parquet", compression="none", data_page_version="2.0",
        write_page_checksum=True, write_statistics=False, **groups,
    )  # fmt: skip
    pq.write_table(data.slice(0, 0), folder / "empty.parquet")
    write_many_pages()
    few = pa.table({"number": pa.array([1.0, 2.0, 3.0]), "whole": pa.array([1, 2, 3])})
    pq.write_table(few, folder / "lz4.parquet", compression="lz4")
    pq.write_table(
        few, folder / "delta.parquet", use_dictionary=False,
        column_encoding={"whole": "DELTA_BINARY_PACKED", "number": "BYTE_STREAM_SPLIT"},
    )  # fmt: skip
    nulls = pa.table({"list": pa.array([[1.0, None]], pa.list_(pa.float32()))})
    pq.write_table(nulls, folder / "null_in_list.parquet")
    # What pyarrow reads is what is expected.
    assert pq.read_table(folder / "snappy.parquet").equals(data)
    text = json.dumps(expected(pq.read_table(folder / "plain.parquet")))
    (folder / "expected.json").write_text(text + "\n")


main()
