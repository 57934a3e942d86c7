"""Drawings of policies."""

from __future__ import annotations

from course_utils.authoring.drawings.canvas import Canvas, drawing


@drawing(
    "The loop of a contextual bandit", 430,
    "B = 50 listeners at a time · K = 20 tracks · d numbers of a state · A, b sums over plays",
)  # fmt: skip
def bandit_loop(c: Canvas) -> None:
    """A listener comes, a track is chosen and played, and its own regression learns."""
    up, down, columns = 136, 304, (112, 366, 620, 860)
    state = c.box("data", "who comes", (columns[0], up), (140, 58), "state x [B, d]")
    fit = c.box("learned", "a regression a track", (columns[1], up), (190, 58), "θ = A⁻¹ b")
    index = c.box("step", "mean + α · unsure", (columns[2], up), (178, 58), "index [B, K]")
    arm = c.box("data", "track", (columns[3], up), (116, 58), "[B]")
    world = c.box("step", "the world", (columns[3], down), (116, 58), "plays it")
    reward = c.box("data", "finished?", (columns[2], down), (178, 58), "reward r, 0 or 1")
    learn = c.box("step", "learn", (columns[1], down), (190, 58), "A + x xᵀ, b + r x")
    c.chain(state, fit, index)
    c.arrow(index.right(), arm.left(), "largest")
    c.arrow(arm.bottom(), world.top())
    c.arrow(world.left(), reward.right())
    c.arrow(reward.left(), learn.right())
    c.arrow(learn.top(), fit.bottom(), "of the track that was played", side="right")
    c.arrow(state.bottom(), learn.left(), "x", 0, 1)
