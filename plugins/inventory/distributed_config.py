"""Inventory plugin: the pipeline's own distributed_config.json as Ansible's fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: distributed_config
short_description: Read the fleet from the pipeline's distributed_config.json
version_added: "1.0.0"
description:
  - Reads C(nodes) of the file that the pipeline itself uses, so that hosts are listed in one place.
  - The node V(localhost) is the coordinator; every other node is a rig.
  - A rig with C(gpu_count) 0 is switched off. It is left out, with a warning that names it. The coordinator
    stays whatever its C(gpu_count), since Step 1 and Step 2.5 run there.
  - C(script_path) becomes C(survivor_npz_pipeline_dir), C(username) becomes C(ansible_user).
  - With C(use_ramdisk), C(survivor_npz_paths) gets the copy under C(ramdisk_path) as well, so that it must be
    there.
  - C(python_env), C(gpu_count) and C(gpu_type) become C(distributed_config_*) variables, for information.
    Other keys are not read. A password in the file goes nowhere.
  - A file that is empty, cut, malformed, or without a coordinator or a rig ends the command with exit code 4.
    Ansible would otherwise hand such a file to its next inventory plugin and go on with an empty fleet.
notes:
  - Use it as C(-i distributed_config.json), or through a YAML file that holds the options below.
  - It must come first in C(enable_plugins), because the yaml plugin takes any C(.json) file.
options:
  plugin:
    description: Marks a YAML file as this plugin's.
    type: str
    choices: [distributed_config]
  path:
    description:
      - The pipeline's file. A relative path starts at the YAML file.
      - Not read when the inventory source is the JSON file itself.
    type: str
    default: ~/distributed_prng_analysis/distributed_config.json
  coordinator:
    description: Inventory name of the node C(localhost).
    type: str
    default: zeus
  coordinator_group:
    description: Group of the coordinator.
    type: str
    default: coordinator
  rigs_group:
    description: Group of the rigs.
    type: str
    default: rigs
  aliases:
    description:
      - Inventory names by the C(hostname) in the file, say of an address.
      - The C(hostname) then becomes C(ansible_host).
    type: dict
    default: {}
  vars:
    description: Variables of every host.
    type: dict
    default: {}
  coordinator_vars:
    description:
      - Variables of the coordinator.
      - With an C(ansible_connection) other than V(local), say from a laptop, C(username) is used there too.
    type: dict
    default: {}
  rigs_vars:
    description: Variables of every rig.
    type: dict
    default: {}
  host_vars:
    description: Variables by inventory name. They win over all others of this plugin.
    type: dict
    default: {}
author:
  - The survivor-npz project
"""

EXAMPLES = r"""
# fleet.distributed_config.yml
plugin: distributed_config
path: ../distributed_config.json
aliases:
  192.168.3.120: rig-6600
  192.168.3.154: rig-6600b
rigs_vars:
  ansible_ssh_private_key_file: ~/.ssh/rigs
host_vars:
  rig-6600b:
    ansible_port: 2222
"""

import json
import os
import re
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19 trusts every inventory

    def trust_as_template(value: str) -> str:
        """The value itself."""
        return value


FILE_NAME = "distributed_config.json"
OURS = re.compile(r"^plugin:\s*([\"']?)distributed_config\1\s*(#.*)?$", re.MULTILINE)
NPZ = "bidirectional_survivors_binary.npz"
RAM_DISK = "/dev/shm/prng/step2"  # noqa: S108 the pipeline's own directory
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")


@dataclass(frozen=True)
class Node:
    """One entry of `nodes`, checked."""

    hostname: str
    gpu_count: int
    username: str | None
    script_path: str | None
    ram_copy: str | None
    notes: dict[str, Any]

    @property
    def is_coordinator(self) -> bool:
        """Whether this is the machine that the pipeline itself runs on."""
        return self.hostname == "localhost"

    @property
    def variables(self) -> dict[str, Any]:
        """Host variables, but those of the connection."""
        found: dict[str, Any] = {f"distributed_config_{key}": value for key, value in self.notes.items()}
        if self.script_path:
            found["survivor_npz_pipeline_dir"] = self.script_path
        if self.ram_copy:
            found["survivor_npz_paths"] = [trust_as_template("{{ survivor_npz_file }}"), self.ram_copy]
        return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def read_nodes(path: str) -> list[Node]:
    """Nodes of the file in its order: one coordinator, at least one rig that is on, no name twice.

    Raises:
        AnsibleParserError: naming the file, and the place or the node.
    """
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8")
        if not text.strip():
            raise ValueError(f"it is empty ({len(text)} bytes)")
        content = json.loads(text, object_pairs_hook=_unique)
        nodes = _nodes(content)
    except OSError as error:
        raise AnsibleParserError(f"{path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        cut = " (the file ends there: was it cut?)" if error.pos >= len(text.rstrip()) - 1 else ""
        place = f"line {error.lineno}, column {error.colno}"
        raise AnsibleParserError(f"{path}: no JSON at {place}: {error.msg}{cut}") from error
    except (ValueError, RecursionError) as error:
        raise AnsibleParserError(f"{path}: {error}") from error
    return nodes


def _nodes(content: Any) -> list[Node]:
    if not isinstance(content, dict) or not isinstance(content.get("nodes"), list):
        raise ValueError("it holds no object with a list 'nodes'")
    nodes = [_node(index, item) for index, item in enumerate(content["nodes"])]
    names = [node.hostname.lower() for node in nodes]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"hostname {name!r} stands in {names.count(name)} nodes")
    if "localhost" not in names:
        raise ValueError("no node has the hostname 'localhost', so the coordinator is unknown")
    if len(nodes) == 1:
        raise ValueError("'localhost' is the only node: there is no rig")
    if not any(node.gpu_count for node in nodes if not node.is_coordinator):
        raise ValueError("every rig has gpu_count 0: the whole fleet is switched off")
    return nodes


def _node(index: int, item: Any) -> Node:
    where = f"nodes[{index}]"
    if not isinstance(item, dict):
        raise ValueError(f"{where} is no object but {json.dumps(item)[:60]}")
    hostname = _text(where, item, "hostname")
    if not hostname or not HOST_NAME.fullmatch(hostname):
        raise ValueError(f"{where}: hostname {hostname!r} is no host name or address")
    where = f"{where} ({hostname})"
    gpu_count = item.get("gpu_count")
    if type(gpu_count) is not int or gpu_count < 0:
        raise ValueError(f"{where}: gpu_count {gpu_count!r} is no whole number from 0")
    notes = {"gpu_count": gpu_count}
    for key in ("gpu_type", "python_env"):
        if _text(where, item, key):
            notes[key] = item[key]
    username, script_path = _text(where, item, "username"), _text(where, item, "script_path")
    return Node(hostname, gpu_count, username, script_path, _ram_copy(where, item), notes)


def _text(where: str, item: dict[str, Any], key: str) -> str | None:
    value = item.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or any(ord(char) < 32 for char in value):
        raise ValueError(f"{where}: {key} {value!r} is no text")
    return value


def _ram_copy(where: str, item: dict[str, Any]) -> str | None:
    use = item.get("use_ramdisk")
    if use is not None and not isinstance(use, bool):
        raise ValueError(f"{where}: use_ramdisk {use!r} is neither true nor false")
    path = _text(where, item, "ramdisk_path") or RAM_DISK
    if not use:
        return None
    if not os.path.isabs(path):
        raise ValueError(f"{where}: ramdisk_path {path!r} is no absolute path")
    return path if path.endswith(".npz") else os.path.join(path, NPZ)


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]  # ansible-core has no types
    """Nodes of distributed_config.json as groups, hosts and variables."""

    NAME = "distributed_config"

    def verify_file(self, path: str) -> bool:
        """Whether this is the pipeline's file, or a YAML file that names this plugin."""
        if not super().verify_file(path):
            return False
        if os.path.basename(path) == FILE_NAME:
            return True
        if not path.endswith((".yml", ".yaml")):
            return False
        with open(path, encoding="utf-8", errors="replace") as file:
            return bool(OURS.search(file.read(65536)))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory; end the command (exit code 4) on a file that can't be trusted."""
        super().parse(inventory, loader, path, cache)
        try:
            self.fill(path)
        except AnsibleError as error:
            # No plain error: Ansible would only warn, then let ini and yaml try, which read "{}" as a host
            # called "{}", and an empty file or an unknown key as an inventory without hosts.
            self.display.error(f"distributed_config: {error.message}")
            raise SystemExit(4) from error

    def fill(self, path: str) -> None:
        """As parse, but with AnsibleParserError."""
        if os.path.basename(path) == FILE_NAME:
            self.set_options()
            source = path
        else:
            self._read_config_data(path)
            source = os.path.expanduser(self.get_option("path"))
            source = os.path.join(os.path.dirname(os.path.abspath(path)), source)
        nodes = read_nodes(source)
        names = self._names(source, nodes)
        coordinators, rigs = self.get_option("coordinator_group"), self.get_option("rigs_group")
        for group, variables in ((coordinators, "coordinator_vars"), (rigs, "rigs_vars")):
            self.inventory.add_group(group)
            for key, value in {**self.get_option("vars"), **self.get_option(variables)}.items():
                self.inventory.set_variable(group, key, value)
        for node in nodes:
            name = names[node.hostname]
            if not node.gpu_count and not node.is_coordinator:
                self.display.warning(f"{source}: {name} has gpu_count 0: switched off, left out of the fleet")
                continue
            self.inventory.add_host(name, group=coordinators if node.is_coordinator else rigs)
            own = {**node.variables, **self._connection(node, name), **self._extra(name)}
            for key, value in own.items():
                self.inventory.set_variable(name, key, value)

    def _names(self, source: str, nodes: list[Node]) -> dict[str, str]:
        """Inventory name by hostname."""
        aliases = dict(self.get_option("aliases"))
        names = {node.hostname: str(aliases.pop(node.hostname, node.hostname)) for node in nodes}
        if "localhost" not in self.get_option("aliases"):
            names["localhost"] = self.get_option("coordinator")
        if aliases:
            listed = ", ".join(map(str, aliases))
            raise AnsibleParserError(f"{source}: no node has the hostname of these aliases: {listed}")
        unknown = [str(name) for name in self.get_option("host_vars") if name not in names.values()]
        if unknown:
            raise AnsibleParserError(f"{source}: no node is called as host_vars says: {', '.join(unknown)}")
        groups = [self.get_option("coordinator_group"), self.get_option("rigs_group")]
        taken = [*groups, *names.values()]
        for name in taken:
            if taken.count(name) > 1 or not HOST_NAME.fullmatch(name):
                said = "is no host name, or two hosts or groups have it"
                raise AnsibleParserError(f"{source}: the name {name!r} {said}")
        return names

    def _connection(self, node: Node, name: str) -> dict[str, Any]:
        """How to reach the node, as far as group variables and options don't say it."""
        if node.is_coordinator:
            given = {**self.get_option("vars"), **self.get_option("coordinator_vars"), **self._extra(name)}
            if given.get("ansible_connection", "local") == "local":
                local = {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": trust_as_template("{{ ansible_playbook_python }}"),
                }
                return {key: value for key, value in local.items() if key not in given}
        else:
            given = {**self.get_option("vars"), **self.get_option("rigs_vars")}
        found = {}
        if node.username and "ansible_user" not in given:
            found["ansible_user"] = node.username
        if name != node.hostname and not node.is_coordinator and "ansible_host" not in given:
            found["ansible_host"] = node.hostname
        return found

    def _extra(self, name: str) -> dict[str, Any]:
        extra = self.get_option("host_vars").get(name) or {}
        if not isinstance(extra, dict):
            raise AnsibleParserError(f"host_vars of {name} is no mapping")
        return extra
