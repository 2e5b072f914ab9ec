# SPDX-License-Identifier: MIT
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
  - With C(use_ramdisk), C(survivor_npz_paths) gets the copy that Step 2 reads, C(survivor_npz_file) in C(step2)
    under C(ramdisk_path), as well, so that it must be there. Step 3's copy, in C(step3), is kept current where it
    exists.
  - C(python_env), C(gpu_count), C(gpu_type) and a C(ramdisk_path) in use become C(distributed_config_*)
    variables. Other keys are not read. A password in the file goes nowhere.
  - A file that is empty, cut, malformed, or without a coordinator or a rig ends the command with exit code 4,
    and so does an option that is none.
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
    description: Inventory name of the node C(localhost), however that is spelt.
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
  - survivor-npz project (@survivor-npz)
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

import os
import re
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19 trusts every inventory

    def trust_as_template(value: str) -> str:
        """The value itself."""
        return value


# Modules find our package through the setting `module_utils`; a plugin needs this line.
ansible.module_utils.__path__.append(str(Path(__file__).resolve().parents[2] / "module_utils"))
from ansible.module_utils.survivor_npz.look.distributed_config import (
    COORDINATOR,
    HOST_NAME,
    RAM_DISK,
    Node,
    NodesError,
    read_nodes,
)

FILE_NAME = "distributed_config.json"
OURS = re.compile(r"^plugin:\s*([\"']?)distributed_config\1\s*(#.*)?$", re.MULTILINE)


def host_variables(node: Node) -> dict[str, Any]:
    """Host variables of a node, but those of the connection."""
    found: dict[str, Any] = {f"distributed_config_{key}": value for key, value in node.notes.items()}
    if node.script_path:
        found["survivor_npz_pipeline_dir"] = node.script_path
    if node.ram_disk:
        # Only our own text is a template: whatever the file says is none.
        copies = {
            step: trust_as_template(
                f"{{{{ distributed_config_ramdisk_path }}}}/{step}/{{{{ survivor_npz_file }}}}"
            )
            for step in ("step2", "step3")
        }
        found["distributed_config_ramdisk_path"] = node.ram_disk.rstrip("/")
        found["survivor_npz_paths"] = [trust_as_template("{{ survivor_npz_file }}"), copies["step2"]]
        if found["distributed_config_ramdisk_path"] != RAM_DISK:  # else the role's default names it
            found["survivor_npz_extra_paths"] = [copies["step3"]]
    return found


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
            unknown = sorted(map(str, set(self._read_config_data(path)) - set(self.get_options())))
            if unknown:
                raise AnsibleParserError(f"{path}: unknown keys: {', '.join(unknown)}")
            source = os.path.expanduser(self.get_option("path"))
            source = os.path.join(os.path.dirname(os.path.abspath(path)), source)
        try:
            nodes = read_nodes(source)
        except NodesError as error:
            raise AnsibleParserError(str(error)) from None  # or its cause would appear twice
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
            own = {**host_variables(node), **self._connection(node, name), **self._extra(name)}
            for key, value in own.items():
                self.inventory.set_variable(name, key, value)

    def _names(self, source: str, nodes: list[Node]) -> dict[str, str]:
        """Inventory name by hostname."""
        aliases = dict(self.get_option("aliases"))
        names = {node.hostname: str(aliases.pop(node.hostname, node.hostname)) for node in nodes}
        if COORDINATOR not in self.get_option("aliases"):
            names[COORDINATOR] = self.get_option("coordinator")
        if aliases:
            listed = ", ".join(map(str, aliases))
            raise AnsibleParserError(f"{source}: no node has the hostname of these aliases: {listed}")
        unknown = [str(name) for name in self.get_option("host_vars") if name not in names.values()]
        if unknown:
            raise AnsibleParserError(f"{source}: no node is called as host_vars says: {', '.join(unknown)}")
        ours = [self.get_option("coordinator_group"), self.get_option("rigs_group")]
        taken = ["all", "ungrouped", *ours, *names.values()]
        for name in taken:
            is_group = name in self.inventory.groups and name in names.values()
            if is_group or taken.count(name) > 1 or not HOST_NAME.fullmatch(name):
                why = "is not a host name, or two hosts or groups have it"
                raise AnsibleParserError(f"{source}: the name {name!r} {why}")
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
            raise AnsibleParserError(f"host_vars of {name} is not a mapping")
        return extra
