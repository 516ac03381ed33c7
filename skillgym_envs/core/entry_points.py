"""Entry points of registered ids, which make environments from keywords, for all worlds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import Parameter, signature
from typing import Any

from gymnasium.vector import AutoresetMode

from skillgym_envs.core.checks import check_count
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import UnknownKeyword
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.core.world import World

RENDERING = ("render_mode", "width", "height", "camera", "shadows")
"""Keywords of every environment, besides those of its world."""


def entry_points(
    make_world: Callable[..., World],
) -> tuple[Callable[..., WorldEnv], Callable[..., WorldVectorEnv]]:
    """The single and the vector entry point of a world.

    Args:
        make_world: The world's class, or a function that makes one from keywords.

    Returns:
        `make_env` and `make_vec`; they raise `UnknownKeyword` for keywords that the world lacks.
    """

    def checked(**world: Any) -> World:
        check_keywords(make_world, world)
        return make_world(**world)

    def make_env(**keywords: Any) -> WorldEnv:
        """Make one environment.

        Args:
            keywords: Those of `WorldEnv` (`RENDERING`), and those of the world.
        """
        rendering = {name: keywords.pop(name) for name in RENDERING if name in keywords}
        return WorldEnv(checked(**keywords), **rendering)

    def make_vec(
        num_envs: int,
        *,
        num_threads: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        **keywords: Any,
    ) -> WorldVectorEnv:
        """Make a vector environment.

        Args:
            num_envs: Number of environments N.
            num_threads: Threads that step them; the usable cores if None.
            autoreset_mode: What happens after an episode, see `WorldVectorEnv`.
            max_episode_steps: Control steps of an episode; the world's own number if None.
            keywords: Other keywords of `WorldVectorEnv` (`RENDERING`), and those of the world.
        """
        rendering = {name: keywords.pop(name) for name in RENDERING if name in keywords}
        check_count("max_episode_steps", max_episode_steps)
        world = checked(**keywords)
        limit = world.max_episode_steps if max_episode_steps is None else max_episode_steps
        return WorldVectorEnv(
            world,
            num_envs,
            num_threads=num_threads,
            autoreset_mode=autoreset_mode,
            max_episode_steps=limit,
            **rendering,
        )

    make_env.metadata = WorldEnv.metadata  # type: ignore[attr-defined]  # for rgb_array_list
    return make_env, make_vec


def check_keywords(make_world: Callable[..., World], given: Iterable[str]) -> None:
    """Check that a world has the given keywords.

    Args:
        make_world: The world's class, or a function that makes one; not checked if it takes any.
        given: Names of keywords.

    Raises:
        UnknownKeyword: If it lacks one; the message names the keywords of rendering, too.
    """
    parameters = signature(make_world).parameters
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for name in given:
        if name not in parameters:
            raise UnknownKeyword("the world", name, [*parameters, *RENDERING])
