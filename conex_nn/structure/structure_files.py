"""The two files of a stored structure, `structure.json` and `tensors.safetensors`: whole, or an error says why."""

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

__all__ = ["FORMAT", "STRUCTURE", "TENSORS", "Stored", "read", "write"]

FORMAT = 1
"""Version of the format that is written; older ones are read."""
STRUCTURE = "structure.json"
TENSORS = "tensors.safetensors"

_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
_SCALAR = r'(?:"(?:[^"\\\n]|\\.)*"|[-+\w.]+)'
_SHORT = re.compile(rf"\[\n\s*({_SCALAR}(?:,\n\s*{_SCALAR})*)\n\s*\]")
"""A list of plain values, which is easier to read on one line."""


class Stored(NamedTuple):
    """What a folder holds, before anything is made of it."""

    folder: Path
    """Where it lies."""
    part: Any
    """The part as plain values."""
    dtype: torch.dtype
    """Of what is floating, unless a tensor says otherwise."""
    frozen: list[str]
    """Parameters that are not trained."""
    tied: dict[str, str]
    """Parameters that are the same as another."""
    tensors: dict[str, Tensor]
    """All tensors, by address."""


def write(path: str | os.PathLike[str], content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write both files, each in one go; what was there stays until all is written.

    Args:
        path: The folder; it is made if it is not there.
        content: What goes into the JSON.
        tensors: By address.

    Raises:
        ValueError: The path is a file, or a folder with something else in it; a value that JSON does not know.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(folder, {"part": {}, "dtype": "float32", "frozen": [], "tied": {}}, {})
        ...     read(folder).part
        {}
    """
    folder = Path(path)
    _check_target(folder)
    whole = {key: tensor.detach().to("cpu", copy=True).contiguous() for key, tensor in tensors.items()}
    fingerprint = _fingerprint(whole)
    version = getattr(sys.modules[__name__.partition(".")[0]], "__version__", "unknown")
    head = {"format": FORMAT, "conex_nn": version, "torch": torch.__version__, "tensors": fingerprint}
    try:
        text = json.dumps({**head, **content}, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected values that JSON knows, to be written to {folder / STRUCTURE}: {error}") from error
    text = _SHORT.sub(lambda found: f"[{', '.join(line.strip(' ,') for line in found[1].splitlines())}]", text) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    # The new JSON lies there, complete, before the tensors change; between the two, `read` takes it.
    new = {name: folder / f"{name}.new" for name in (STRUCTURE, TENSORS)}
    new[STRUCTURE].write_text(text, encoding="utf-8")
    save_file(whole, new[TENSORS], {"tensors": fingerprint})
    new[TENSORS].chmod(new[STRUCTURE].stat().st_mode)  # safetensors lets the owner alone read it
    for name in new:
        _to_disk(new[name])
    os.replace(new[TENSORS], folder / TENSORS)
    os.replace(new[STRUCTURE], folder / STRUCTURE)


def _check_target(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"Expected a folder to save to, got {folder}, which is a file. Choose another path.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    try:
        json_text = (folder / STRUCTURE).read_text(encoding="utf-8")
        ours = isinstance(json.loads(json_text), dict) and "format" in json.loads(json_text)
    except (OSError, ValueError, RecursionError):
        ours = False
    left = {f"{name}.new" for name in (STRUCTURE, TENSORS)}  # of a first save that was interrupted
    if not ours and not all(file.name in left for file in folder.iterdir()):
        raise ValueError(
            f"Expected an empty folder or one with a saved structure, got {folder}, which holds something else and is "
            "not overwritten. Choose another path."
        )


def _to_disk(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Return what tells one set of tensors from another."""
    found = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key]
        found.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return found.hexdigest()[:16]


def read(path: str | os.PathLike[str]) -> Stored:
    """Read both files.

    Args:
        path: The folder.

    Raises:
        FileNotFoundError: There is no such folder, or a file is missing.
        ValueError: A file is damaged, or of a newer format; see :func:`write` for what it should be.
    """
    folder = Path(path)
    for file in (folder, folder / STRUCTURE, folder / TENSORS):
        if not file.exists():
            raise FileNotFoundError(f"Expected a saved structure, {STRUCTURE} and {TENSORS} in {folder}: no {file}.")
    tensors, fingerprint = _tensors(folder / TENSORS)
    content = _json(folder / STRUCTURE)
    if content.get("tensors") != fingerprint and (folder / f"{STRUCTURE}.new").exists():
        content = _json(folder / f"{STRUCTURE}.new")  # of a save that was interrupted between its two files
    if content.get("tensors") != fingerprint:
        raise ValueError(
            f"Expected {TENSORS} and {STRUCTURE} in {folder} to be of one save, got two: they are marked "
            f"{fingerprint!r} and {content.get('tensors')!r}. Copy both files together."
        )
    where = folder / STRUCTURE
    known = ("format", "conex_nn", "torch", "tensors", "dtype", "frozen", "tied", "part")
    if unknown := [key for key in content if key not in known]:
        raise ValueError(f"Expected {', '.join(known)} in {where}, got {unknown[0]!r}.")
    if missing := [key for key in ("part", "dtype") if key not in content]:
        raise ValueError(f"Expected {missing[0]!r} in {where}, got none.")
    dtype, frozen, tied = content["dtype"], content.get("frozen", []), content.get("tied", {})
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"Expected `dtype` in {where} to be one of {', '.join(_DTYPES)}, got {dtype!r}.")
    if not isinstance(frozen, list) or not all(isinstance(name, str) for name in frozen):
        raise ValueError(f"Expected `frozen` in {where} as a list of addresses, got {frozen!r}.")
    if not isinstance(tied, dict) or not all(isinstance(name, str) for name in tied.values()):
        raise ValueError(f"Expected `tied` in {where} as addresses by address, got {tied!r}.")
    return Stored(folder, content["part"], _DTYPES[dtype], frozen, tied, tensors)


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        remedy = "Correct it, or save the structure again."
        raise ValueError(f"Expected {file} to be JSON, complete and as it was written: {error}. {remedy}") from error
    version = content.get("format") if isinstance(content, dict) else None
    if type(version) is not int or version < 1:
        raise ValueError(f"Expected {file} to hold a structure that conex_nn saved, got no `format` [1] in it.")
    if version > FORMAT:
        raise ValueError(
            f"Expected {file} of format {FORMAT} or older, got {version}: conex_nn {content.get('conex_nn')} wrote it. "
            "Update conex_nn."
        )
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f'{name} is no number of JSON; write {{"number": "inf"}}, "-inf" or "nan"')


def _tensors(file: Path) -> tuple[dict[str, Tensor], str | None]:
    """Return all tensors of a file, and how they are marked."""
    try:
        with safe_open(file, framework="pt") as opened:
            # Copies: the file may change while they are in use.
            found = {key: opened.get_tensor(key).clone() for key in opened.keys()}  # noqa: SIM118, it is no dict
            return found, (opened.metadata() or {}).get("tensors")
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ValueError(f"Expected {file} to be a whole safetensors file, got {error}. Save it again.") from error
