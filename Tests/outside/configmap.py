"""A ConfigMap as the kubelet mounts it."""

import itertools
import os
import pathlib
import shutil


class Mount:
    """A directory whose files are links through `..data`, which one rename points to the next version."""

    _versions = itertools.count(1)

    def __init__(self, path, **values):
        self.path = pathlib.Path(path)
        self.path.mkdir()
        self.set(**values)

    def set(self, **values):
        """Replaces all keys. A key with a dot is written with two underscores: Corefile__base."""
        values = {key.replace("__", "."): value for key, value in values.items()}
        version = self.path / f"..2026_11_23_02_18_53.{next(self._versions)}"
        version.mkdir()
        for key, value in values.items():
            (version / key).write_bytes(value if isinstance(value, bytes) else value.encode())
        data, coming = self.path / "..data", self.path / "..data_tmp"
        old = os.readlink(data) if data.is_symlink() else None
        os.symlink(version.name, coming)
        os.rename(coming, data)
        for key in values:
            if not (self.path / key).is_symlink():
                os.symlink(f"..data/{key}", self.path / key)
        for name in os.listdir(self.path):
            if not name.startswith("..") and name not in values:
                os.unlink(self.path / name)
        if old:
            shutil.rmtree(self.path / old)
