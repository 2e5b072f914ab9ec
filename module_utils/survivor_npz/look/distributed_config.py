# SPDX-License-Identifier: MIT
"""Nodes of the pipeline's distributed_config.json, read strictly: what is doubtful is an error."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

RAM_DISK = "/dev/shm/prng"  # noqa: S108 the pipeline's own directory
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
COORDINATOR = "localhost"
_WHOLE = 1 << 24  # bytes


class NodesError(Exception):
    """The file can't be trusted; the message names it, and the place or the node."""


@dataclass(frozen=True)
class Node:
    """One entry of `nodes`, checked.

    Attributes:
        ram_disk: the directory that holds those of the steps (step2, step3); None without one.
        notes: what is kept for information.
    """

    hostname: str
    gpu_count: int
    username: Optional[str]
    script_path: Optional[str]
    ram_disk: Optional[str]
    notes: Dict[str, Any]

    @property
    def is_coordinator(self) -> bool:
        """Whether this is the machine that the pipeline itself runs on."""
        return self.hostname == COORDINATOR


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def read_nodes(path: str) -> List[Node]:
    """Nodes of the file in its order: one coordinator, at least one rig that is on, no name twice.

    Raises:
        NodesError: naming the file, and the place or the node.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(_WHOLE).decode("utf-8")
        if not text.strip():
            raise ValueError(f"it is empty ({len(text)} bytes)")
        content = json.loads(text, object_pairs_hook=_unique)
        nodes = _nodes(content)
    except OSError as error:
        raise NodesError(f"{path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        cut = " (the file ends there: was it cut?)" if at_end else ""
        place = f"line {error.lineno}, column {error.colno}"
        raise NodesError(f"{path}: no JSON at {place}: {error.msg}{cut}") from error
    except (ValueError, RecursionError) as error:
        raise NodesError(f"{path}: {error}") from error
    return nodes


def listed(path: str) -> Optional[Dict[str, Any]]:
    """The `hostnames` of the nodes that are on, or the `trouble` with the file; None where there is none."""
    if not os.path.exists(path):
        return None
    try:
        nodes = read_nodes(path)
    except NodesError as error:
        return {"hostnames": [], "trouble": str(error)}
    return {"hostnames": [node.hostname for node in nodes if node.gpu_count], "trouble": None}


def _nodes(content: Any) -> List[Node]:
    if not isinstance(content, dict) or not isinstance(content.get("nodes"), list):
        raise ValueError("it holds no object with a list 'nodes'")
    nodes = [_node(index, item) for index, item in enumerate(content["nodes"])]
    names = [node.hostname.lower() for node in nodes]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"hostname {name!r} stands in {names.count(name)} nodes")
    if COORDINATOR not in names:
        raise ValueError(f"no node has the hostname {COORDINATOR!r}, so the coordinator is unknown")
    if len(nodes) == 1:
        raise ValueError(f"{COORDINATOR!r} is the only node: there is no rig")
    if not any(node.gpu_count for node in nodes if not node.is_coordinator):
        raise ValueError("every rig has gpu_count 0: the whole fleet is switched off")
    return nodes


def _node(index: int, item: Any) -> Node:
    where = f"nodes[{index}]"
    if not isinstance(item, dict):
        raise ValueError(f"{where} is not an object but {json.dumps(item)[:60]}")
    hostname = _text(where, item, "hostname")
    if not hostname or not HOST_NAME.fullmatch(hostname):
        raise ValueError(f"{where}: hostname {hostname!r} is not a host name or address")
    if hostname.lower() == COORDINATOR:
        hostname = COORDINATOR
    where = f"{where} ({hostname})"
    gpu_count = item.get("gpu_count")
    if type(gpu_count) is not int or gpu_count < 0:
        raise ValueError(f"{where}: gpu_count {gpu_count!r} is not a whole number of 0 or more")
    notes = {"gpu_count": gpu_count}
    for key in ("gpu_type", "python_env"):
        if _text(where, item, key):
            notes[key] = item[key]
    username, script_path = _text(where, item, "username"), _text(where, item, "script_path")
    return Node(hostname, gpu_count, username, script_path, _ram_disk(where, item), notes)


def _text(where: str, item: Dict[str, Any], key: str) -> Optional[str]:
    value = item.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or any(ord(char) < 32 for char in value):
        raise ValueError(f"{where}: {key} {value!r} is not text")
    return value


def _ram_disk(where: str, item: Dict[str, Any]) -> Optional[str]:
    use = item.get("use_ramdisk")
    if use is not None and not isinstance(use, bool):
        raise ValueError(f"{where}: use_ramdisk {use!r} is neither true nor false")
    path = _text(where, item, "ramdisk_path") or RAM_DISK
    if not use:
        return None
    if not os.path.isabs(path):
        raise ValueError(f"{where}: ramdisk_path {path!r} is not an absolute path")
    return path
