#!/usr/bin/python
"""Convert Step 1's survivors (JSON) to the NPZ that Step 2.5 reads, only when needed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: convert_survivors
short_description: Convert survivors from JSON to NPZ, only when needed
description:
  - Converts C(bidirectional_survivors.json), which Step 1 writes, to the NPZ of schema 3 (22 arrays) that
    Step 2.5 reads, and writes a sidecar beside it that says what it was made from.
  - Decides by stats and checksums whether a conversion is needed and returns the RV(reason). Where the
    NPZ is fresh, nothing is written, and of the JSON nothing is read.
  - Refuses what is no list of survivors, and every value that its array can't hold, and names the byte or
    the record. The former NPZ stays whole and live after every failure.
  - The same JSON gives the same bytes, whatever the clock, the path or the number of workers.
options:
  src:
    description: Path of the JSON on the target host.
    type: path
    required: true
  dest:
    description:
      - Path of the NPZ on the target host. Its directory must exist.
      - A symlink is never replaced. A conversion onto one is refused.
    type: path
    required: true
  force:
    description: Convert even if the NPZ is fresh or was put there by a rollback.
    type: bool
    default: false
  prng_encoding:
    description:
      - The table that encodes V(prng_type). It is written to the sidecar.
      - V(registry) has 44 ids, 0 to 43. V(legacy) is the first table, 0 to 11, for consumers that still
        decode with it.
    type: str
    choices: [registry, legacy]
    default: registry
  workers:
    description:
      - Number of processes that parse. V(0) takes all CPUs that the process may use.
    type: int
    default: 0
  activate:
    description:
      - Make the converted NPZ live.
      - With V(false) it is left staged beside O(dest), whole and on the disk, for a later switch.
    type: bool
    default: true
extends_documentation_fragment:
  - ansible.builtin.files
attributes:
  check_mode:
    support: full
    description: Converts in memory, so that the predicted checksums are exact. Writes nothing.
  diff_mode:
    support: full
    description: Shows why it converts, both times of modification, the counts and the checksums.
  idempotency:
    support: full
    description: A second run changes nothing.
  platform:
    platforms: posix
    support: full
requirements:
  - numpy >= 1.24
  - orjson >= 3.9.15
notes:
  - numpy and orjson are needed on the target host only when something is converted.
  - Linux only. O(unsafe_writes) does nothing here. Nothing is ever written in place.
seealso:
  - module: ansible.builtin.copy
author:
  - survivor-npz
"""

EXAMPLES = r"""
- name: Convert the survivors if they are newer than the NPZ
  convert_survivors:
    src: /home/michael/distributed_prng_analysis/bidirectional_survivors.json
    dest: /home/michael/distributed_prng_analysis/bidirectional_survivors_binary.npz

- name: Leave the NPZ staged, to be switched together with the rigs
  convert_survivors:
    src: /home/michael/distributed_prng_analysis/bidirectional_survivors.json
    dest: /home/michael/distributed_prng_analysis/bidirectional_survivors_binary.npz
    activate: false
    mode: "0644"
  register: converted
"""

RETURN = r"""
reason:
  description:
    - Why it converted (V(missing), V(newer), V(content), V(schema), V(corrupt), V(forced)) or not (V(pinned),
      V(fresh)).
  returned: success
  type: str
  sample: newer
why:
  description: The reason as a sentence.
  returned: success
  type: str
survivor_count:
  description: Number of survivors in the NPZ, null where nobody recorded it.
  returned: success
  type: int
  sample: 98172
sha256:
  description:
    - SHA-256 of the NPZ that is or is to be live. In check mode, of the one that a conversion would give.
  returned: success
  type: str
checksum:
  description: SHA-1 of the same, for M(ansible.builtin.copy).
  returned: success
  type: str
size:
  description: Bytes of the same.
  returned: success
  type: int
schema_version:
  description: Schema of the same.
  returned: success
  type: int
  sample: 3
dest:
  description: Path of the NPZ.
  returned: success
  type: str
sidecar:
  description: Path of its sidecar.
  returned: success
  type: str
staged:
  description: Path of the staged NPZ, null where O(dest) holds RV(sha256) already.
  returned: success
  type: str
source:
  description:
    - The JSON's C(size), C(mtime_ns) and C(sha256), the last one null where no conversion recorded it.
  returned: success
  type: dict
live_sha256:
  description: SHA-256 of the NPZ that was live before, null where there was none.
  returned: success
  type: str
live_is_symlink:
  description: Whether O(dest) is a symlink.
  returned: success
  type: bool
notes:
  description: What else is worth knowing. Warnings are returned as Ansible's warnings.
  returned: success
  type: list
  elements: str
left_out:
  description: Keys of the JSON that no array holds, each with its number of records.
  returned: success
  type: dict
  sample: {prng_base: 98172, sessions: 98172}
defaulted:
  description: Missing fields that became 0, each with its number of records.
  returned: success
  type: dict
elapsed:
  description: Seconds by phase (C(decide), C(read), C(pack), C(digest), C(write), C(total)).
  returned: success
  type: dict
owner:
  description: Owner of the file at O(dest). Likewise C(group), C(mode), C(uid), C(gid) and C(state).
  returned: success, where O(dest) exists
  type: str
code:
  description: Why it was refused or failed, as a stable word such as V(json_missing) or V(bad_field).
  returned: failure
  type: str
  sample: json_truncated
"""

import os
import traceback
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import api as convert

ARGUMENTS: Dict[str, Any] = {
    "src": {"type": "path", "required": True},
    "dest": {"type": "path", "required": True},
    "force": {"type": "bool", "default": False},
    "prng_encoding": {"type": "str", "choices": ["registry", "legacy"], "default": "registry"},
    "workers": {"type": "int", "default": 0},
    "activate": {"type": "bool", "default": True},
}


class _Module(AnsibleModule):  # type: ignore[misc] # Ansible ships no types
    """AnsibleModule adds the facts of the file at `dest` to a result: `size` must stay that of `sha256`."""

    def add_path_info(self, kwargs: Dict[str, Any]) -> Dict[str, Any]:
        """Add owner, group and mode as always."""
        size = kwargs.get("size")
        result: Dict[str, Any] = super().add_path_info(kwargs)
        if size is not None:
            result["size"] = size
        return result


def _result(outcome: convert.Outcome) -> Dict[str, Any]:
    result = outcome._asdict()
    for internal in ("warnings", "live_mtime_ns", "live_count"):
        del result[internal]
    return result


def _diff(outcome: convert.Outcome, attributes: Dict[str, Any]) -> Dict[str, Any]:
    before = {
        "npz_sha256": outcome.live_sha256,
        "npz_mtime_ns": outcome.live_mtime_ns,
        "survivor_count": outcome.live_count,
    }
    after = dict(before)
    if outcome.changed or outcome.staged:
        after = {
            "npz_sha256": outcome.sha256,
            "npz_mtime_ns": outcome.source["mtime_ns"],
            "survivor_count": outcome.survivor_count,
        }
    header = f"{outcome.dest} ({outcome.reason}: {outcome.why}; JSON mtime_ns {outcome.source['mtime_ns']})"
    before.update(attributes.get("before", {}))
    after.update(attributes.get("after", {}))
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def _set_attributes(module: AnsibleModule, outcome: convert.Outcome, diff: Dict[str, Any]) -> bool:
    """Apply the common file arguments to what stands now, or in check mode will stand. No mtime moves."""
    path = outcome.staged if outcome.staged and not module.params["activate"] else outcome.dest
    if not os.path.lexists(path) or outcome.live_is_symlink:
        return False
    wanted = module.load_file_common_arguments(module.params, path=path)
    return bool(module.set_fs_attributes_if_different(wanted, False, diff=diff))


def _run(module: AnsibleModule) -> None:
    params = module.params
    if params["workers"] < 0:
        module.fail_json(msg="workers must be 0 (all CPUs) or more.", code="bad_argument")
    outcome = convert.run(
        convert.Options(
            src=os.path.abspath(params["src"]),
            dest=os.path.abspath(params["dest"]),
            force=params["force"],
            prng_encoding=params["prng_encoding"],
            workers=params["workers"],
            activate=params["activate"],
            check=module.check_mode,
        )
    )
    result = _result(outcome)
    attributes: Dict[str, Any] = {}
    result["changed"] = _set_attributes(module, outcome, attributes) or outcome.changed
    if module._diff:
        result["diff"] = _diff(outcome, attributes)
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**result)


def main() -> None:
    """Read the arguments, convert, answer."""
    module = _Module(argument_spec=dict(ARGUMENTS), add_file_common_args=True, supports_check_mode=True)
    try:
        _run(module)
    except ConvertError as error:
        module.fail_json(msg=error.message, code=error.code)
    except OSError as error:
        module.fail_json(
            msg=f"{error.filename or module.params['dest']}: {error.strerror or error}.", code="system"
        )
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        module.fail_json(
            msg=f"convert_survivors failed in {os.path.basename(where.filename)}:{where.lineno}: "
            f"{type(error).__name__}: {error}. Run again, and report this.",
            code="internal",
        )


if __name__ == "__main__":
    main()
