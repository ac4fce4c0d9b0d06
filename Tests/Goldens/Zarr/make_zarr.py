"""Writes replay buffers as Diffusion Policy lays them out, and single arrays in many ways, by zarr.

Usage: python make_zarr.py

Run it twice: with zarr 2 (made with 2.18.7 and numcodecs 0.15.2), which writes `v2` and `v2.zarr.zip`,
and with zarr 3 (made with 3.1.6), which writes `v3`. The installed version decides.

What is in them is a function of the place, which the tests know: element i of the array of number n
is (i * 7 + n) % 101, halved where the type has fractions.
"""

import pathlib
import shutil

import numpy as np
import zarr

here = pathlib.Path(__file__).parent
ENDS = [3, 7, 12, 20]
STEPS = 20
KEYS = {
    "state": (STEPS, 5), "action": (STEPS, 2), "keypoint": (STEPS, 9, 2), "reward": (STEPS,),
    "img": (STEPS, 4, 4, 3),
}  # fmt: skip


def values(shape, dtype, number):
    numbers = (np.arange(int(np.prod(shape))) * 7 + number) % 101
    if np.dtype(dtype).kind == "f":
        numbers = numbers / 2
    return numbers.reshape(shape).astype(dtype)


def write_version_2():
    from numcodecs import GZip, LZ4, Blosc, Delta, Zlib, Zstd

    def fill(root):
        data, meta = root.create_group("data"), root.create_group("meta")
        compressors = [
            Blosc("lz4", 5, Blosc.NOSHUFFLE), Blosc("zstd", 5, Blosc.BITSHUFFLE), None,
            Blosc("zlib", 5, Blosc.SHUFFLE), Blosc("lz4hc", 5, Blosc.AUTOSHUFFLE),
        ]  # fmt: skip
        for number, ((name, shape), compressor) in enumerate(zip(KEYS.items(), compressors)):
            data.array(
                name, values(shape, "f4", number), chunks=(6,) + shape[1:], compressor=compressor
            )
        meta.array("episode_ends", np.array(ENDS, np.int64), compressor=None)

    shutil.rmtree(here / "v2", ignore_errors=True)
    fill(zarr.open_group(str(here / "v2"), "w"))
    path = here / "v2.zarr.zip"
    path.unlink(missing_ok=True)
    with zarr.ZipStore(str(path), mode="w") as store:
        fill(zarr.group(store))

    path = here / "arrays2.zarr.zip"
    path.unlink(missing_ok=True)
    store = zarr.ZipStore(str(path), mode="w")
    root = zarr.group(store)
    # Larger than one Blosc block; more and fewer elements than fill one; sizes with leftovers.
    number = 0
    for cname in ("lz4", "zstd", "zlib"):
        for name, shuffle in (("none", 0), ("byte", 1), ("bit", 2)):
            for dtype in ("f4", "f8", "u1", "i2"):
                size = 1003 if name != "bit" or cname != "zstd" else 10003
                root.array(
                    f"{cname}_{name}_{dtype}", values((size,), dtype, number), chunks=size,
                    compressor=Blosc(cname, 5, shuffle, 4096 if size > 5000 else 0),
                )  # fmt: skip
                number += 1
    others = {
        "plain_zstd": dict(compressor=Zstd(3)), "plain_zlib": dict(compressor=Zlib(6)),
        "plain_gzip": dict(compressor=GZip(6)), "plain_lz4": dict(compressor=LZ4()),
        "slashes": dict(dimension_separator="/"), "swapped": dict(compressor=None, dtype=">f4"),
        "random": dict(compressor=Blosc("lz4", 1, 0)),
    }  # fmt: skip
    for name, options in others.items():
        dtype = options.pop("dtype", "f4")
        data = values((9, 7), dtype, number)
        if name == "random":
            data = np.random.default_rng(0).integers(0, 256, (9, 70), np.uint8)
            np.save(here / "random.npy", data)
        root.array(name, data, chunks=(4, 5), **options)
        number += 1
    missing = root.create_dataset("missing", shape=(6, 4), chunks=(2, 3), dtype="f8", fill_value=2.5)
    missing[2:4, :3] = 7
    root.create_dataset("nan", shape=(2,), chunks=(2,), dtype="f4", fill_value=np.nan)
    root.array("scalar", np.array(3.5), compressor=None)
    root.array("bools", np.arange(10) % 3 == 0)
    root.array("texts", np.array(["a", "bc"], "U3"))
    root.array("fortran", values((3, 4), "f4", 0), order="F")
    root.array("filtered", np.arange(10), filters=[Delta("i8")])
    root.array("blosclz", np.arange(1000), compressor=Blosc("blosclz"))
    store.close()


def write_version_3():
    from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec

    shutil.rmtree(here / "v3", ignore_errors=True)
    root = zarr.open_group(str(here / "v3"), mode="w")
    data, meta = root.create_group("data"), root.create_group("meta")
    compressors = ["auto", BloscCodec(cname="lz4", shuffle="bitshuffle"), None, GzipCodec(), "auto"]
    for number, ((name, shape), compressor) in enumerate(zip(KEYS.items(), compressors)):
        data.create_array(
            name, data=values(shape, "f4", number), chunks=(6,) + shape[1:],
            compressors=compressor,
        )  # fmt: skip
    meta.create_array("episode_ends", data=np.array(ENDS, np.int64))

    path = here / "arrays3.zarr.zip"
    path.unlink(missing_ok=True)
    store = zarr.storage.ZipStore(str(path), mode="w")
    root = zarr.open_group(store, mode="w")
    numbers = values((9, 7), "f4", 0)
    root.create_array("big", data=numbers, chunks=(4, 5), serializer=BytesCodec(endian="big"))
    root.create_array(
        "dots", data=numbers, chunks=(4, 5),
        chunk_key_encoding={"name": "default", "separator": "."},
    )  # fmt: skip
    root.create_array(
        "v2keys", data=numbers, chunks=(4, 5), chunk_key_encoding={"name": "v2", "separator": "."}
    )
    root.create_array("scalar", data=np.array(3.5))
    root.create_array("bools", data=np.arange(10) % 3 == 0)
    missing = root.create_array(
        "missing", shape=(6, 4), chunks=(2, 3), dtype="f8", fill_value=2.5
    )
    missing[2:4, :3] = 7
    root.create_array("sharded", data=numbers, chunks=(3, 7), shards=(9, 7))
    root.create_array("checked", data=numbers, compressors=[Crc32cCodec()])
    root.create_array("transposed", data=numbers, filters=[TransposeCodec(order=(1, 0))])
    store.close()


write_version_2() if zarr.__version__.startswith("2") else write_version_3()
for path in sorted(here.glob("*")):
    print(path.name, sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) or path.stat().st_size)
