"""Cases of every operator: `case(pick)` draws one small model; see test_ops.py."""
