"""The page that users read must be the contract that developers build by."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "contract.md"


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not on this machine: nothing to compare with")
def test_the_published_contract_has_not_drifted() -> None:
    published = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    assert published.endswith(SHARED.read_text(encoding="utf-8"))
