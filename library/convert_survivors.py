#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Convert Step 1's survivors (JSON) to the NPZ that Step 2.5 reads, only when needed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: convert_survivors
short_description: Convert survivors from JSON to NPZ, only when needed
description:
  - Converts C(bidirectional_survivors.json), which Step 1 writes, to the NPZ of schema 3 (22 arrays) that
    Step 2.5 reads. A sidecar beside the NPZ records what it was made from.
  - Decides from stats and checksums whether a conversion is needed, and returns the RV(reason). If the NPZ
    is fresh, the JSON is not read and nothing is written.
  - Refuses a JSON that is not a list of survivors, and any value that its array can't hold. The message names
    the byte or the record. After a failure the former NPZ is still live and complete.
  - The same JSON always gives the same bytes, whatever the clock, the path or the number of workers.
options:
  src:
    description: Path of the JSON on the target host.
    type: path
    required: true
  dest:
    description: Path of the NPZ on the target host. Its directory must exist. A symlink is never replaced.
    type: path
    required: true
  force:
    description: Convert even if the NPZ is fresh, or if a rollback activated it.
    type: bool
    default: false
  prng_encoding:
    description:
      - The table that encodes V(prng_type), also recorded in the sidecar. V(registry) has the ids 0 to 43.
        V(legacy) is the older table, 0 to 11, for consumers that still decode with it.
    type: str
    choices: [registry, legacy]
    default: registry
  workers:
    description: Number of processes that parse. V(0) means all CPUs that the process may use.
    type: int
    default: 0
  min_survivors:
    description: Fewer survivors are refused before anything is written.
    type: int
    default: 0
  activate:
    description: Make the converted NPZ live. With V(false) it stays staged beside O(dest), for a later switch.
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
    description: Shows the reason, and modification times, counts and checksums before and after.
  idempotency:
    support: full
    description: A second run changes nothing.
  platform:
    description: Operating systems on which the module runs.
    details: Linux only, because it needs C(prctl) and C(/proc).
    platforms: posix
    support: partial
requirements:
  - numpy >= 1.24
  - orjson >= 3.9.15
notes:
  - The target host needs numpy and orjson only when something is converted.
  - O(unsafe_writes) has no effect. Nothing is ever written in place.
seealso:
  - module: ansible.builtin.copy
author:
  - survivor-npz project (@survivor-npz)
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
    - Why it converted (V(missing), V(newer), V(corrupt), V(schema), V(old_converter), V(content), V(forced))
      or not (V(pinned), V(fresh)).
  returned: success
  type: str
  sample: newer
why:
  description: The reason as a sentence.
  returned: success
  type: str
survivor_count:
  description: Number of survivors in the NPZ, null if unknown.
  returned: success
  type: int
  sample: 98172
sha256:
  description: SHA-256 of the NPZ that is live or about to be, or in check mode would be.
  returned: success
  type: str
checksum:
  description: SHA-1 of the NPZ with RV(sha256), for M(ansible.builtin.copy).
  returned: success
  type: str
size:
  description: Size of the NPZ with RV(sha256), in bytes.
  returned: success
  type: int
schema_version:
  description: Schema version of the NPZ with RV(sha256), null if it has none of the known ones.
  returned: success
  type: int
  sample: 3
dest:
  description: Path of the NPZ.
  returned: success
  type: str
sidecar:
  description: Path of the sidecar.
  returned: success
  type: str
staged:
  description: Path of the staged NPZ, null if O(dest) holds RV(sha256) already.
  returned: success
  type: str
source:
  description: The JSON's C(size), C(mtime_ns) and C(sha256), which is null if no conversion recorded it.
  returned: success
  type: dict
live_sha256:
  description: SHA-256 of the NPZ that was live before, null if there was none.
  returned: success
  type: str
live_is_symlink:
  description: Whether O(dest) is a symlink.
  returned: success
  type: bool
foreign:
  description: Whether the live NPZ is kept although another program wrote it. A warning names it.
  returned: success
  type: bool
notes:
  description: What else is worth knowing. Warnings are returned as Ansible's warnings.
  returned: success
  type: list
  elements: str
left_out:
  description: Keys that no array holds, each with its number of records. The first 1,000 in sorted order.
  returned: success
  type: dict
  sample: {prng_base: 98172, sessions: 98172}
left_out_more:
  description: How many more such keys there are than RV(left_out) names.
  returned: success
  type: int
  sample: 0
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
  returned: success, if O(dest) exists
  type: str
code:
  description: Why it was refused or failed, as a stable word, for example V(json_missing) or V(bad_field).
  returned: failure
  type: str
  sample: json_truncated
"""

import datetime
import os
import traceback
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import api

ARGUMENTS: dict[str, Any] = {
    "src": {"type": "path", "required": True},
    "dest": {"type": "path", "required": True},
    "force": {"type": "bool", "default": False},
    "prng_encoding": {"type": "str", "choices": ["registry", "legacy"], "default": "registry"},
    "workers": {"type": "int", "default": 0},
    "min_survivors": {"type": "int", "default": 0},
    "activate": {"type": "bool", "default": True},
}


class _Module(AnsibleModule):  # type: ignore[misc] # Ansible ships no types
    """AnsibleModule adds facts of the file at `dest` to a result; `size` must remain that of `sha256`."""

    def add_path_info(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Add owner, group and mode, but not the size."""
        size = kwargs.get("size")
        result: dict[str, Any] = super().add_path_info(kwargs)
        if size is not None:
            result["size"] = size
        return result


def _moment(mtime_ns: int | None) -> str | None:
    """An mtime in UTC, with all its digits."""
    if mtime_ns is None:
        return None
    seconds, rest = divmod(mtime_ns, 10**9)
    whole = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{whole:%Y-%m-%d %H:%M:%S}.{rest:09d} UTC"


def _diff(outcome: api.Outcome, attributes: dict[str, Any]) -> dict[str, Any]:
    names = ("npz_sha256", "npz_mtime", "survivor_count")
    source_time = _moment(outcome.source["mtime_ns"])
    before = dict(zip(names, (outcome.live_sha256, _moment(outcome.live_mtime_ns), outcome.live_count)))
    after = before
    if outcome.changed or outcome.staged:
        after = dict(zip(names, (outcome.sha256, source_time, outcome.survivor_count)))
    header = f"{outcome.dest} ({outcome.reason}: {outcome.why}; JSON of {source_time})"
    return {
        "before_header": header,
        "after_header": header,
        "before": {**before, **attributes.get("before", {})},
        "after": {**after, **attributes.get("after", {})},
    }


def _set_attributes(module: AnsibleModule, outcome: api.Outcome, diff: dict[str, Any]) -> bool:
    """Apply the common file arguments to the NPZ. The mtime does not change."""
    path = outcome.staged if outcome.staged and not module.params["activate"] else outcome.dest
    if not os.path.lexists(path) or outcome.live_is_symlink:
        return False
    wanted = module.load_file_common_arguments(module.params, path=path)
    return bool(module.set_fs_attributes_if_different(wanted, False, diff=diff))


def _run(module: AnsibleModule) -> None:
    params = module.params
    if params["workers"] < 0:
        module.fail_json(msg="workers is negative: set it to 0 (all CPUs) or more.", code="bad_argument")
    outcome = api.run(
        api.Options(
            src=os.path.abspath(params["src"]),
            dest=os.path.abspath(params["dest"]),
            check=module.check_mode,
            **{
                name: params[name]
                for name in ("force", "prng_encoding", "workers", "activate", "min_survivors")
            },
        )
    )
    internal = ("warnings", "live_mtime_ns", "live_count")
    result = {key: value for key, value in outcome._asdict().items() if key not in internal}
    attributes: dict[str, Any] = {}
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
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        module.fail_json(
            msg=f"convert_survivors failed in {os.path.basename(where.filename)}:{where.lineno}: "
            f"{type(error).__name__}: {error}. Run again; if it fails again, report this.",
            code="internal",
        )


if __name__ == "__main__":
    main()
