"""Results kept from run to run, each under the hash of all that it was made from.

Off unless the environment names a folder in ``EBANK_CACHE``; a batch names one for its tasks. An entry is asked for
by its content: what went in, this code, the libraries and the kind of processor. So nothing in it can be out of date,
and a number is the same with the store and without it. A damaged entry is made again, never believed.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .files import own_folder, read_limited, write_atomically
from .versions import code_version

VARIABLE = "EBANK_CACHE"
_MOST_BYTES = 4_000_000_000
_SUM = 32


def digest(*parts: Any) -> str:
    """Return the hash of values of the kinds that go into results: numbers, texts, arrays, tables, months.

    A TypeError for any other kind, whose hash would not be its content's.

    Examples
    --------
    >>> digest("a", 1) == digest("a", 1), digest("a", 1) == digest("a", 1.0), digest("ab") == digest("a", "b")
    (True, False, False)
    >>> digest(pd.Series([1.0, np.nan])) == digest(pd.Series([1.0, np.nan]))
    True
    """
    sha = hashlib.sha256()
    _feed(sha, parts)
    return sha.hexdigest()


def _feed(sha, value: Any) -> None:
    if value is None or isinstance(value, (bool, int, float, str, pd.Period)):
        _tagged(sha, type(value).__name__, repr(value).encode("utf-8", "surrogatepass"))
    elif isinstance(value, bytes):
        _tagged(sha, "bytes", value)
    elif isinstance(value, np.generic):
        _feed(sha, value.item())
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biufM":
        _tagged(sha, f"{value.dtype.str}{value.shape}", np.ascontiguousarray(value).tobytes())
    elif isinstance(value, pd.MultiIndex):
        _feed(sha, [(n, value.get_level_values(at)) for at, n in enumerate(value.names)])
    elif isinstance(value, (pd.Series, pd.Index)):
        array = value.to_numpy()
        if array.dtype.kind in "biufM":
            _feed(sha, array)
        else:       # texts, months, what is missing: one at a time
            _feed(sha, [None if v is None or v is pd.NaT or v is pd.NA or v != v else v for v in value])
        if isinstance(value, pd.Series):
            _feed(sha, (value.name, value.index))
    elif isinstance(value, pd.DataFrame):
        _feed(sha, ["frame", value.index, *((c, pd.Index(value[c])) for c in value.columns)])
    elif isinstance(value, Mapping):
        _feed(sha, ["mapping", *sorted(value.items(), key=lambda item: str(item[0]))])
    elif isinstance(value, (list, tuple)):
        _tagged(sha, "list", str(len(value)).encode())
        for one in value:
            _feed(sha, one)
    else:
        raise TypeError(f"no hash of a {type(value).__name__}")


def _tagged(sha, kind: str, content: bytes) -> None:
    sha.update(f"{kind}:{len(content)}:".encode())
    sha.update(content)


def _pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _unpack_arrays(body: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(body), allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def _pack_frames(frames: Mapping[str, pd.DataFrame]) -> bytes:
    import pyarrow as pa

    out = pa.BufferOutputStream()
    for name, frame in frames.items():
        table = pa.Table.from_pandas(frame)
        table = table.replace_schema_metadata({**table.schema.metadata, "name": name})
        with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
            stream.write_table(table)
    return out.getvalue().to_pybytes()


def _unpack_frames(body: bytes) -> dict[str, pd.DataFrame]:
    import pyarrow as pa

    source, found = pa.BufferReader(body), {}
    while source.tell() < source.size():
        table = pa.ipc.open_stream(source).read_all()
        found[table.schema.metadata[b"name"].decode()] = table.to_pandas()
    return found


@dataclass(frozen=True)
class Store:
    """A folder of results, an entry a file: the hash of its bytes, then the bytes."""

    folder: Path

    def path(self, what: str, key: str) -> Path:
        """Return where an entry is kept."""
        return self.folder / what / key[:2] / key[2:]

    def read(self, what: str, key: str) -> bytes | None:
        """Return an entry; None where there is none, or it is damaged."""
        try:
            content = read_limited(self.path(what, key), _MOST_BYTES)
        except OSError:
            return None
        body = content[_SUM:]
        return body if hashlib.sha256(body).digest() == content[:_SUM] else None

    def write(self, what: str, key: str, body: bytes) -> None:
        """Keep an entry; no link leads out of the folder."""
        path = self.path(what, key)
        own_folder(self.folder, what, key[:2])
        write_atomically(path, hashlib.sha256(body).digest() + body)

    def trim(self, most: int = _MOST_BYTES) -> None:
        """Remove the entries that were written longest ago until at most so many bytes are left."""
        found = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in self.folder.glob("*/??/*")), reverse=True)
        total = 0
        for _, size, path in found:
            total += size
            if total > most:
                path.unlink(missing_ok=True)


def store() -> Store | None:
    """Return the store that the environment names, None where it names none."""
    folder = os.environ.get(VARIABLE)
    return Store(Path(folder)) if folder else None


def kept_arrays(what: str, parts: tuple, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return arrays from the store, or make and keep them.

    `what` names the kind of result; `parts` are all that it is made from, as :func:`digest` takes it; the code and the
    libraries are added.
    """
    return _kept(what, parts, make, _pack_arrays, _unpack_arrays)


def kept_frames(what: str, parts: tuple, make: Callable[[], dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Return tables from the store (of numbers, texts, categories and months, with their index), or make and keep them;
    see :func:`kept_arrays`."""
    return _kept(what, parts, make, _pack_frames, _unpack_frames)


def _kept(what: str, parts: tuple, make: Callable[[], Any], pack: Callable, unpack: Callable) -> Any:
    place = store()
    if place is None:
        return make()
    key = digest(what, parts, code_version())
    body = place.read(what, key)
    with suppress(Exception):       # the bytes are as they were kept: what is no result, somebody else has put there
        if body is not None and (found := unpack(body)):
            return found
    found = make()
    place.write(what, key, pack(found))
    return found
