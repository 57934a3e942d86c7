"""The world as a `gymnasium` environment: one listener, a radio that the agent programs."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium as gym
import numpy as np

from course_utils.schema import SECONDS_PER_DAY
from course_utils.world.catalogue import Catalogue, build_catalogue
from course_utils.world.config import WorldConfig, WorldError
from course_utils.world.dynamics import HOUR, Dynamics
from course_utils.world.listeners import Listeners, build_listeners

LONGEST = 1.5
"""No number of an observation is larger."""


class _Radio:
    """What the radio of one listener and that of many share: the world, its state, what is seen."""

    def _open(self, config: WorldConfig | None) -> tuple[gym.spaces.Discrete, gym.spaces.Box]:
        """Build the world; the spaces of one listener's action and observation."""
        self.config = config or WorldConfig()
        self.catalogue: Catalogue = build_catalogue(self.config)
        self.everyone: Listeners = build_listeners(self.config, self.catalogue)
        self._dynamics: Dynamics | None = None
        width = self.config.latent_dim + 5
        seen = gym.spaces.Box(-LONGEST, LONGEST, (width,), np.float32)
        return gym.spaces.Discrete(self.catalogue.n_tracks), seen

    @property
    def dynamics(self) -> Dynamics:
        """The state of the listeners.

        Raises:
            WorldError: there is none before `reset()`.
        """
        if self._dynamics is None:
            raise WorldError("call reset() before step()")
        return self._dynamics

    def _seen(self, began: np.ndarray | bool) -> np.ndarray:
        """(B, d + 5) observations; whether the session has just begun, for all or each (B,)."""
        state = self.dynamics
        done = np.minimum(state.now / state.horizon, LONGEST)
        angle = 2 * np.pi * (state.now % SECONDS_PER_DAY) / (24 * HOUR)
        begun = np.broadcast_to(began, len(state))
        rest = [np.sin(angle), np.cos(angle), state.skipping, begun, done]
        return np.column_stack([state.profile, *rest]).astype(np.float32)


class RadioEnv(_Radio, gym.Env):
    """Choose the next track for one listener, session after session, until the horizon.

    * action: index of a track, 0 … n_tracks − 1 (a track before its release is refused with a
      skip: nothing is played and time passes).
    * observation, (d + 5,) float32: the service's profile of the listener (d numbers: a running
      mean of the latent vectors of finished tracks, minus skipped ones), sine and cosine of the
      hour, the recent skips of the session (0 … 1), whether the session has just begun, the share
      of the horizon that is over (0 … 1.5: a first visit may come after it).
    * reward: 1 for a track played to the end, else 0.
    * info: `probability` of a full play (the truth), `time` in seconds, `ended` (the session).
    * an episode ends (`terminated`) when the listener's next session lies beyond the horizon.

    Args:
        config: the world. Only its radio sessions are played: nothing is the listener's own choice.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 (gymnasium's own convention)

    def __init__(self, config: WorldConfig | None = None) -> None:
        self.action_space, self.observation_space = self._open(config)
        self._began = True

    def reset(
        self, *, seed: int | None = None, options: dict | None = None
    ) -> tuple[np.ndarray, dict]:
        """Meet a listener: `options={"listener": n}` chooses the n-th, else one at random."""
        super().reset(seed=seed)
        number = (options or {}).get("listener")
        if number is None:
            number = int(self.np_random.integers(len(self.everyone)))
        if not 0 <= number < len(self.everyone):
            raise WorldError(f"listener {number} is not among the {len(self.everyone)}")
        self._dynamics = Dynamics(
            self.config, self.catalogue, self.everyone.take(np.array([number])), self.np_random
        )
        self._began = True
        return self._observation(), {"listener": number}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Play a track; see the class for what comes back."""
        dynamics = self.dynamics
        if not self.action_space.contains(action):
            raise WorldError(f"action {action!r} is not a track: 0 … {self.catalogue.n_tracks - 1}")
        track = np.array([action])
        if self.catalogue.release[action] > dynamics.now[0]:
            dynamics.now += 1
            self._began = False
            return self._observation(), 0.0, False, False, {"probability": 0.0, "ended": False}
        response = dynamics.react(track, organic=np.array([False]))
        self._began = bool(response["ended"][0])
        info = {
            "probability": float(response["probability"][0]),
            "time": int(response["time"][0]),
            "ended": self._began,
        }
        over = bool(dynamics.now[0] >= dynamics.horizon)
        return self._observation(), float(response["full"][0]), over, False, info

    def _observation(self) -> np.ndarray:
        return self._seen(self._began)[0]


class RadioVectorEnv(_Radio, gym.vector.VectorEnv):
    """The radio of many listeners at once; each hears what `RadioEnv` would play, a step a track.

    Observations, rewards and what ends an episode are those of `RadioEnv`, with a leading axis of
    B listeners. A listener whose horizon is over stays over: rewards are 0 and `terminated` is
    true until the next `reset`, which begins all episodes anew.

    Args:
        config: the world. num_envs: B, listeners that are followed.

    Raises:
        WorldError: B is no positive number.
    """

    metadata = {"autoreset_mode": gym.vector.AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(self, config: WorldConfig | None = None, num_envs: int = 64) -> None:
        if num_envs < 1:
            raise WorldError(f"num_envs must be at least 1, not {num_envs}")
        self.num_envs = num_envs
        self.single_action_space, self.single_observation_space = self._open(config)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, num_envs)
        self.observation_space = gym.vector.utils.batch_space(
            self.single_observation_space, num_envs
        )
        self._began = np.ones(num_envs, bool)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict | None = None
    ) -> tuple[np.ndarray, dict]:
        """Meet B listeners: `options={"listeners": (B,)}` chooses them, else they are drawn."""
        if isinstance(seed, list):
            raise WorldError("give one seed: all listeners share one generator")
        super().reset(seed=seed)
        numbers = (options or {}).get("listeners")
        if numbers is None:
            numbers = self.np_random.integers(len(self.everyone), size=self.num_envs)
        numbers = np.asarray(numbers)
        if numbers.shape != (self.num_envs,):
            raise WorldError(f"need {self.num_envs} listeners, got the shape {numbers.shape}")
        if ((numbers < 0) | (numbers >= len(self.everyone))).any():
            raise WorldError(f"listeners must lie in 0 … {len(self.everyone) - 1}")
        people = self.everyone.take(numbers)
        self._dynamics = Dynamics(self.config, self.catalogue, people, self.np_random)
        self._began = np.ones(self.num_envs, bool)
        return self._observation(), {"listeners": numbers, "time": self._dynamics.now.copy()}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Play a track (B,) to each listener.

        Raises:
            WorldError: an action is no track, or a track that is not out yet.
        """
        dynamics = self.dynamics
        track = np.asarray(actions)
        if not self.action_space.contains(track):
            raise WorldError(
                f"actions must be {self.num_envs} whole numbers in 0 … "
                f"{self.catalogue.n_tracks - 1}, one a listener"
            )
        over = dynamics.now >= dynamics.horizon
        early = ~over & (self.catalogue.release[track] > dynamics.now)
        if early.any():
            raise WorldError(f"track {track[early][0]} is not out yet; choose among those released")
        response = dynamics.react(track, organic=np.zeros(self.num_envs, bool))
        self._began = response["ended"]
        info = {
            "probability": np.where(over, 0.0, response["probability"]),
            "time": response["time"],
            "ended": self._began,
        }
        reward = (response["full"] & ~over).astype(np.float64)
        ended = dynamics.now >= dynamics.horizon
        return self._observation(), reward, ended, np.zeros(self.num_envs, bool), info

    def _observation(self) -> np.ndarray:
        return self._seen(self._began)


def chances(dynamics: Dynamics, tracks: np.ndarray) -> np.ndarray:
    """(B, K) true chances that each listener would play each of `tracks` (K,) to the end now."""
    radio = np.zeros(len(dynamics), bool)
    columns = [
        dynamics.full_play_probability(np.full(len(dynamics), track), radio)[0] for track in tracks
    ]
    return np.stack(columns, axis=1)


Policy = Callable[[np.ndarray, RadioEnv], int]


def random_policy(observation: np.ndarray, env: RadioEnv) -> int:
    """Any released track."""
    released = np.flatnonzero(env.catalogue.release <= env.dynamics.now[0])
    return int(env.np_random.choice(released))


def popularity_policy(observation: np.ndarray, env: RadioEnv) -> int:
    """A released track, drawn by its popularity this week."""
    weight = env.catalogue.weekly_popularity(int(env.dynamics.now[0]))
    cumulative = np.cumsum(weight * (env.catalogue.release <= env.dynamics.now[0]))
    return int(np.searchsorted(cumulative, env.np_random.random() * cumulative[-1], side="right"))


def play_episode(env: RadioEnv, policy: Policy, seed: int, steps: int = 1_000) -> tuple[float, int]:
    """Total reward and number of steps of one episode, cut after `steps`."""
    observation, _ = env.reset(seed=seed)
    total, n = 0.0, 0
    for _ in range(steps):
        observation, reward, terminated, truncated, _ = env.step(policy(observation, env))
        total, n = total + reward, n + 1
        if terminated or truncated:
            break
    return total, n
