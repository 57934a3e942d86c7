"""Rankers. All are called as `model(ids, numbers)` and return logits (B,)."""
