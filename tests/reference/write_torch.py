#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a safetensors checkpoint again in the form of PyTorch's .bin files.

    ./write_torch.py MODEL OUT --shards 3

MODEL is a folder with model.safetensors or its index and shards.  OUT gets
copies of its .json and .txt files, and pytorch_model.bin, or so many shards and
pytorch_model.bin.index.json.  The bytes of the tensors stay what they are.

Needs neither PyTorch nor NumPy: a .bin file is a zip file of a pickle and the
tensors' bytes, and both are written here with Python's own library.  With
--with-torch, torch.save writes them instead.
"""
import argparse
import collections
import glob
import io
import json
import os
import pickle
import shutil
import struct
import sys
import types
import zipfile

STORAGES = {"F64": "Double", "F32": "Float", "F16": "Half", "BF16": "BFloat16", "I64": "Long", "I32": "Int",
            "I16": "Short", "I8": "Char", "U8": "Byte", "BOOL": "Bool"}


def read_safetensors(folder):
    """{name: (dtype, shape, bytes)} of all files, in the order of the files."""
    tensors = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        with open(path, "rb") as f:
            length, = struct.unpack("<Q", f.read(8))
            header = json.loads(f.read(length))
            data = f.read()
        header.pop("__metadata__", None)
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            tensors[name] = entry["dtype"], entry["shape"], data[begin:end]
    return tensors


def stand_in(module, name):
    """A global that the pickle names as module.name, of which there is nothing here."""
    holder = sys.modules.setdefault(module, types.ModuleType(module))
    if not hasattr(holder, name):
        setattr(holder, name, type(name, (), {"__module__": module}))
    return getattr(holder, name)


class Storage:
    def __init__(self, key, dtype, elements):
        self.key, self.dtype, self.elements = key, dtype, elements


class Tensor:
    def __init__(self, storage, shape):
        self.storage, self.shape = storage, tuple(shape)


class Pickler(pickle.Pickler):
    def persistent_id(self, thing):
        if not isinstance(thing, Storage):
            return None
        kind = stand_in("torch", STORAGES[thing.dtype] + "Storage")
        return "storage", kind, thing.key, "cpu", thing.elements

    def reducer_override(self, thing):
        if not isinstance(thing, Tensor):
            return NotImplemented
        strides, step = [], 1
        for extent in reversed(thing.shape):
            strides.insert(0, step)
            step *= extent
        rebuild = stand_in("torch._utils", "_rebuild_tensor_v2")
        return rebuild, (thing.storage, 0, thing.shape, tuple(strides), False, collections.OrderedDict())


def write_plain(path, tensors):
    sys.modules.setdefault("torch", types.ModuleType("torch"))
    state, text = collections.OrderedDict(), io.BytesIO()
    size = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}
    for key, (name, (dtype, shape, data)) in enumerate(tensors.items()):
        state[name] = Tensor(Storage(str(key), dtype, len(data) // size.get(dtype, 1)), shape)
    Pickler(text, protocol=2).dump(state)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as f:
        f.writestr("archive/data.pkl", text.getvalue())
        for key, (dtype, shape, data) in enumerate(tensors.values()):
            f.writestr(f"archive/data/{key}", data)
        f.writestr("archive/version", "3\n")


def write_with_torch(path, tensors):
    import torch
    types_of = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
                "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"}
    state = collections.OrderedDict()
    for name, (dtype, shape, data) in tensors.items():
        state[name] = torch.frombuffer(bytearray(data), dtype=getattr(torch, types_of[dtype])).reshape(shape)
    torch.save(state, path)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("model")
    p.add_argument("out", help="folder to write")
    p.add_argument("--shards", type=int, default=1)
    p.add_argument("--with-torch", action="store_true")
    o = p.parse_args()
    write = write_with_torch if o.with_torch else write_plain
    tensors = list(read_safetensors(o.model).items())
    os.makedirs(o.out, exist_ok=True)
    for name in ("config.json", "vocab.json", "merges.txt"):
        if os.path.exists(os.path.join(o.model, name)):
            shutil.copyfile(os.path.join(o.model, name), os.path.join(o.out, name))
    if o.shards == 1:
        write(os.path.join(o.out, "pytorch_model.bin"), dict(tensors))
        return
    where = {}
    for n in range(o.shards):
        part = dict(tensors[len(tensors) * n // o.shards:len(tensors) * (n + 1) // o.shards])
        file = f"pytorch_model-{n + 1:05}-of-{o.shards:05}.bin"
        write(os.path.join(o.out, file), part)
        where.update({name: file for name in part})
    total = sum(len(data) for _, (dtype, shape, data) in tensors)
    with open(os.path.join(o.out, "pytorch_model.bin.index.json"), "w", encoding="utf-8") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}, f, indent=1)


if __name__ == "__main__":
    main()
