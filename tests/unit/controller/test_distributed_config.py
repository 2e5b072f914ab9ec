# SPDX-License-Identifier: MIT
"""distributed_config.json read strictly: what is doubtful is an error that names the place."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.module_utils.survivor_npz.look.distributed_config import NodesError, read_nodes
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader

inventory_loader.add_directory(str(Path(__file__).resolve().parents[3] / "plugins" / "inventory"))
plugin = sys.modules[type(inventory_loader.get("distributed_config")).__module__]

ZEUS = {"hostname": "localhost", "username": "michael", "gpu_count": 2, "script_path": "/home/m/prng"}
RIG = {"hostname": "rig-6600", "username": "michael", "gpu_count": 8, "script_path": "/home/m/prng"}
RAM = "/dev/shm/prng"
COPY = "{{ distributed_config_ramdisk_path }}/%s/{{ survivor_npz_file }}"
FIELD = Path(__file__).resolve().parents[3] / "shared" / "data" / "distributed_config.json"


def write(directory: Path, content: Any) -> str:
    path = directory / "distributed_config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def nodes(directory: Path, *items: Any) -> list[Any]:
    return list(read_nodes(write(directory, {"nodes": list(items)})))


def test_every_place_where_the_file_can_be_cut_is_an_error(tmp_path: Path) -> None:
    whole = json.dumps({"nodes": [ZEUS, RIG]})
    for length in range(len(whole)):
        with pytest.raises(NodesError, match=r"distributed_config\.json"):
            read_nodes(write(tmp_path, whole[:length]))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("\n", "empty"),
        ("{}", "'nodes'"),
        ("[]", "'nodes'"),
        ("null", "'nodes'"),
        ('{"nodes": {}}', "'nodes'"),
        ('{"nodes": []}', "localhost"),
        ('{"nodes": [', r"line 1, column 1\d.*was it cut"),
        ('{"nodes": [], "nodes": []}', "'nodes' stands twice"),
        ('{"nodes": []} {}', "Extra data"),
        ("\ufeff{}", "BOM"),
        ("[" * 100_000, "recursion"),
        ({"nodes": [ZEUS]}, "there is no rig"),
        ({"nodes": [RIG]}, "localhost"),
        ({"nodes": [ZEUS, RIG, RIG]}, "'rig-6600' stands in 2"),
        ({"nodes": [ZEUS, RIG, {**RIG, "hostname": "RIG-6600"}]}, "'rig-6600' stands in 2"),
        ({"nodes": [ZEUS, {**RIG, "gpu_count": 0}]}, "switched off"),
        ({"nodes": [ZEUS, "rig-6600"]}, r"nodes\[1\] is not an object"),
        ({"nodes": [ZEUS, {"gpu_count": 8}]}, r"nodes\[1\]: hostname"),
        ({"nodes": [ZEUS, {**RIG, "hostname": "rig 6600"}]}, "rig 6600"),
        ({"nodes": [ZEUS, {**RIG, "hostname": "rig,zeus"}]}, "rig,zeus"),
        ({"nodes": [ZEUS, {**RIG, "hostname": "-oProxyCommand=x"}]}, "not a host name"),
        ({"nodes": [ZEUS, {**RIG, "gpu_count": True}]}, r"rig-6600\): gpu_count True"),
        ({"nodes": [ZEUS, {**RIG, "gpu_count": "8"}]}, "gpu_count '8'"),
        ({"nodes": [ZEUS, {**RIG, "gpu_count": -1}]}, "gpu_count -1"),
        ({"nodes": [ZEUS, {"hostname": "rig-6600"}]}, "gpu_count None"),
        ({"nodes": [ZEUS, {**RIG, "script_path": ""}]}, "script_path"),
        ({"nodes": [ZEUS, {**RIG, "username": 7}]}, "username 7"),
        ({"nodes": [ZEUS, {**RIG, "use_ramdisk": "yes"}]}, "use_ramdisk 'yes'"),
        ({"nodes": [ZEUS, {**RIG, "use_ramdisk": True, "ramdisk_path": "shm"}]}, "not an absolute path"),
    ],
)
def test_wrong_file_is_an_error_and_never_an_empty_fleet(tmp_path: Path, content: Any, says: str) -> None:
    with pytest.raises(NodesError, match=says) as caught:
        read_nodes(write(tmp_path, content))
    assert str(tmp_path / "distributed_config.json") in str(caught.value)


def test_not_utf8_and_missing_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / "distributed_config.json").write_bytes(b'{"nodes": ["\xff"]}')
    with pytest.raises(NodesError, match="0xff"):
        read_nodes(str(tmp_path / "distributed_config.json"))
    with pytest.raises(NodesError, match="No such file"):
        read_nodes(str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, None),
        ({"use_ramdisk": False, "ramdisk_path": "/dev/shm/x"}, None),
        ({"use_ramdisk": True}, RAM),
        ({"use_ramdisk": True, "ramdisk_path": f"{RAM}/"}, RAM),
        ({"use_ramdisk": True, "ramdisk_path": "/mnt/ram"}, "/mnt/ram"),
    ],
)
def test_rigs_had_to_hold_a_copy_that_nothing_reads(
    tmp_path: Path, given: dict[str, Any], place: str | None
) -> None:
    """ramdisk_path is a base directory; workers read step2 below it, and those of Step 3 read step3."""
    variables = plugin.host_variables(nodes(tmp_path, ZEUS, {**RIG, **given})[1])
    assert variables.get("survivor_npz_paths") == (place and ["{{ survivor_npz_file }}", COPY % "step2"])
    assert variables.get("distributed_config_ramdisk_path") == place
    step3 = [COPY % "step3"] if place == "/mnt/ram" else None
    assert variables.get("survivor_npz_extra_paths") == step3, (
        "the role's default names step3 of the usual place"
    )


@pytest.mark.skipif(not FIELD.exists(), reason="the field's distributed_config.json is not at hand")
def test_the_fields_own_file_gives_the_copy_that_its_workers_read() -> None:
    inventory = fill(str(FIELD))
    rigs = inventory.groups["rigs"].hosts
    assert [rig.name for rig in rigs] == ["192.168.3.120", "192.168.3.154", "192.168.3.162"]
    for rig in rigs:
        assert rig.vars["distributed_config_ramdisk_path"] == RAM
        assert rig.vars["survivor_npz_paths"] == ["{{ survivor_npz_file }}", COPY % "step2"]


def test_localhost_in_capitals_is_no_rig_and_no_empty_group(tmp_path: Path) -> None:
    inventory = fill(write(tmp_path, {"nodes": [{**ZEUS, "hostname": "LocalHost"}, RIG]}))
    assert [host.name for host in inventory.groups["coordinator"].hosts] == ["zeus"]
    assert [host.name for host in inventory.groups["rigs"].hosts] == ["rig-6600"]
    with pytest.raises(NodesError, match="'localhost' stands in 2"):
        nodes(tmp_path, ZEUS, {**RIG, "hostname": "LOCALHOST"})


@pytest.mark.parametrize("name", ["all", "ungrouped", "rigs", "coordinator", "gpu"])
def test_node_with_the_name_of_a_group_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, {"nodes": [ZEUS, {**RIG, "hostname": name}]})
    inventory = InventoryData()
    inventory.add_group("gpu")  # by an inventory source before ours
    with pytest.raises(AnsibleError, match=f"the name '{name}'"):
        fill(path, inventory)


def test_error_is_told_once(tmp_path: Path) -> None:
    for content, says in (('{"nodes": []} {}', "Extra data"), (None, "No such file or directory")):
        path = write(tmp_path, content or "")
        if content is None:
            Path(path).unlink()
        with pytest.raises(AnsibleError) as caught:
            fill(path)
        assert caught.value.message.count(says) == 1


def fill(path: str, inventory: InventoryData | None = None) -> InventoryData:
    inventory = inventory or InventoryData()
    instance = inventory_loader.get("distributed_config")
    super(type(instance), instance).parse(inventory, DataLoader(), path)
    instance.fill(path)
    inventory.reconcile_inventory()
    return inventory


def config(directory: Path, **given: Any) -> str:
    path = directory / "fleet.yml"
    path.write_text(
        yaml.safe_dump({"plugin": "distributed_config", "path": "distributed_config.json", **given})
    )
    return str(path)


def test_json_alone_gives_zeus_and_the_rigs_that_are_on(tmp_path: Path) -> None:
    off = {**RIG, "hostname": "rig-6600c", "gpu_count": 0}
    path = write(tmp_path, {"nodes": [{**ZEUS, "gpu_count": 0}, RIG, off], "other": 1})
    inventory = fill(path)
    groups = {name: [host.name for host in group.hosts] for name, group in inventory.groups.items()}
    assert groups["coordinator"] == ["zeus"], "a coordinator without GPUs still runs Step 1 and Step 2.5"
    assert groups["rigs"] == ["rig-6600"]
    assert inventory.hosts["zeus"].vars["ansible_connection"] == "local"
    assert "ansible_user" not in inventory.hosts["zeus"].vars
    rig = inventory.hosts["rig-6600"].vars
    assert (rig["ansible_user"], rig["survivor_npz_pipeline_dir"]) == ("michael", "/home/m/prng")
    assert "ansible_connection" not in rig


def test_groups_aliases_and_connection_variables_can_be_set(tmp_path: Path) -> None:
    rig = {**RIG, "hostname": "192.168.3.120"}
    write(tmp_path, {"nodes": [ZEUS, rig, {**RIG, "hostname": "fe80::1"}]})
    inventory = fill(
        config(
            tmp_path,
            coordinator="olympus",
            coordinator_group="head",
            rigs_group="miners",
            aliases={"192.168.3.120": "rig-6600"},
            vars={"ansible_port": 22},
            rigs_vars={"ansible_user": "root"},
            coordinator_vars={"ansible_connection": "ssh", "ansible_host": "10.0.0.1"},
            host_vars={"rig-6600": {"ansible_port": 2222}},
        )
    )
    assert [host.name for host in inventory.groups["head"].hosts] == ["olympus"]
    assert [host.name for host in inventory.groups["miners"].hosts] == ["rig-6600", "fe80::1"]
    rig_vars = inventory.hosts["rig-6600"].get_vars() | inventory.groups["miners"].vars
    assert inventory.hosts["rig-6600"].vars["ansible_port"] == 2222
    assert (rig_vars["ansible_host"], rig_vars["ansible_user"]) == ("192.168.3.120", "root")
    head = inventory.hosts["olympus"].vars
    assert head["ansible_user"] == "michael", "reached over SSH, zeus needs its user"
    assert not {"ansible_connection", "ansible_python_interpreter"} & set(head)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"aliases": {"rig-9": "x"}}, "aliases: rig-9"),
        ({"host_vars": {"rig-9": {}}}, "host_vars says: rig-9"),
        ({"host_vars": {"rig-6600": 3}}, "not a mapping"),
        ({"aliases": {"rig-6600": "zeus"}}, "'zeus'"),
        ({"aliases": {"rig-6600": "rigs"}}, "'rigs'"),
        ({"coordinator": "coordinator"}, "'coordinator'"),
        ({"rigs_group": "coordinator"}, "'coordinator'"),
        ({"aliases": {"rig-6600": "two words"}}, "'two words'"),
        ({"path": "none.json"}, "No such file"),
        ({"alias": {"rig-6600": "x"}, "rig_vars": {}}, "unknown keys: alias, rig_vars"),
        ({"rigs_group": "all"}, "'all'"),
    ],
)
def test_typing_error_in_the_options_is_named(tmp_path: Path, given: dict[str, Any], says: str) -> None:
    write(tmp_path, {"nodes": [ZEUS, RIG]})
    with pytest.raises(AnsibleError, match=says):
        fill(config(tmp_path, **given))


@pytest.mark.parametrize(
    ("name", "text", "ours"),
    [
        ("distributed_config.json", "", True),
        ("other.json", "{}", False),
        ("fleet.yml", "---\nplugin: distributed_config\n", True),
        ("fleet.yaml", "plugin: 'distributed_config'  # the pipeline's file\n", True),
        ("fleet.yml", "plugin: constructed\n", False),
        ("fleet.yml", "all:\n  vars: {plugin: distributed_config}\n", False),
        ("hosts.ini", "plugin: distributed_config\n", False),
    ],
)
def test_only_our_files_are_claimed(tmp_path: Path, name: str, text: str, ours: bool) -> None:
    (tmp_path / name).write_text(text)
    assert inventory_loader.get("distributed_config").verify_file(str(tmp_path / name)) is ours


def test_unreadable_file_ends_the_command_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "{}")
    with pytest.raises(SystemExit) as caught:
        inventory_loader.get("distributed_config").parse(InventoryData(), DataLoader(), path)
    assert caught.value.code == 4
    assert path in capsys.readouterr().err
