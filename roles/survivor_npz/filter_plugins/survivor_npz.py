"""The filters by which the role's tasks decide; module_utils/survivor_npz/controller/fleet has them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict

import ansible.module_utils
from ansible import constants  # type: ignore[attr-defined]

# Modules find our package through the setting `module_utils`; a plugin has to be told.
ansible.module_utils.__path__.append(str(Path(__file__).resolve().parents[3] / "module_utils"))
from ansible.module_utils.survivor_npz.controller.fleet import (
    goal,
    guard,
    host,
    plan,
    preflight,
    status,
    verdict,
)


def parcel(sha256: str) -> str:
    """Where the controller keeps the NPZ on its way: a private directory that ends with this run."""
    return os.path.join(constants.DEFAULT_LOCAL_TMP, "survivor_npz", f"{sha256}.npz")


class FilterModule:
    """Register the filters."""

    def filters(self) -> Dict[str, Any]:
        """Names as the role's tasks call them."""
        return {
            "survivor_npz_fleet": preflight.fleet,
            "survivor_npz_busy": preflight.busy,
            "survivor_npz_misgiven": guard.misgiven,
            "survivor_npz_preflight": preflight.preflight,
            "survivor_npz_conversion": goal.conversion,
            "survivor_npz_expected": goal.expected,
            "survivor_npz_rollback_to": goal.rollback_to,
            "survivor_npz_sample_warnings": host.sample_warnings,
            "survivor_npz_plan": plan.plan,
            "survivor_npz_room": host.room,
            "survivor_npz_receivers": plan.receivers,
            "survivor_npz_parcel": parcel,
            "survivor_npz_barrier": verdict.barrier,
            "survivor_npz_activation": verdict.activation,
            "survivor_npz_proof": verdict.proof,
            "survivor_npz_states": verdict.states,
            "survivor_npz_rows": verdict.rows,
            "survivor_npz_status": status.status,
        }
