# SPDX-License-Identifier: MIT
"""All protections, in the order of the converter, the fleet, the launch, the pipeline."""

from __future__ import annotations

from typing import Tuple

from protections import Protection
from protections.converting import CONVERTING
from protections.distributing import DISTRIBUTING
from protections.launching import LAUNCHING
from protections.pipeline import PIPELINE

PROTECTIONS: Tuple[Protection, ...] = CONVERTING + DISTRIBUTING + LAUNCHING + PIPELINE
