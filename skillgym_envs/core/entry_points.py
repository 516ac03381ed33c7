"""Entry points of registered ids: keywords to environments, the same for every world."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

from gymnasium.vector import AutoresetMode

from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import UnknownKeyword
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.core.world import World


def entry_points(
    make_world: Callable[..., World],
) -> tuple[Callable[..., WorldEnv], Callable[..., WorldVectorEnv]]:
    """The single and the vector entry point of a world.

    Args:
        make_world: The world's class, or a function that makes one from keywords.

    Returns:
        `make_env` and `make_vec`; they raise `UnknownKeyword` for what the world does not know.
    """
    parameters = signature(make_world).parameters

    def checked(**world: Any) -> World:
        if all(parameter.kind != Parameter.VAR_KEYWORD for parameter in parameters.values()):
            for name in world:
                if name not in parameters:
                    raise UnknownKeyword("the world", name, parameters)
        return make_world(**world)

    def make_env(
        *,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
        camera: str | None = None,
        **world: Any,
    ) -> WorldEnv:
        """Make one environment.

        Args:
            render_mode: `None`, `"rgb_array"` or `"human"`.
            width: Width of rendered frames [pixel].
            height: Height of rendered frames [pixel].
            camera: Name of a camera of the model; the world's own view if None.
            world: Keywords of the world.
        """
        return WorldEnv(checked(**world), render_mode, width, height, camera)

    def make_vec(
        num_envs: int,
        *,
        num_threads: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
        camera: str | None = None,
        **world: Any,
    ) -> WorldVectorEnv:
        """Make a vector environment.

        Args:
            num_envs: Number of environments N.
            num_threads: Threads that step them; the usable cores if None.
            autoreset_mode: What happens after an episode, see `WorldVectorEnv`.
            max_episode_steps: Control steps of an episode; the world's own number if None.
            render_mode: `None` or `"rgb_array"`.
            width: Width of rendered frames [pixel].
            height: Height of rendered frames [pixel].
            camera: Name of a camera of the model; the world's own view if None.
            world: Keywords of the world.
        """
        made = checked(**world)
        return WorldVectorEnv(
            made,
            num_envs,
            num_threads=num_threads,
            autoreset_mode=autoreset_mode,
            max_episode_steps=max_episode_steps or made.max_episode_steps,
            render_mode=render_mode,
            width=width,
            height=height,
            camera=camera,
        )

    return make_env, make_vec
