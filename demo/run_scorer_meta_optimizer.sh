#!/usr/bin/env bash
# DEMO of Step 2.5: stands in for the pipeline's run_scorer_meta_optimizer.sh [TRIALS] [--sample-size N].
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec python3 demo_scorer.py "$@"
