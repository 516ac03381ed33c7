"""The office: scene, control, observation, subtasks and tasks of the specification."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch

import skillgym_envs  # noqa: F401  registers the environments
from benchmarks.office_stability import Row, measure
from skillgym_envs.core.errors import SkillgymError
from skillgym_envs.core.world import Physics
from skillgym_envs.office import FIXED_TASK, OBJECTS, OfficeWorld
from skillgym_envs.office.scene import office_model, office_start
from skillgym_envs.office.subtasks import SubtaskTable
from skillgym_envs.office.tasks import SUBTASKS, draw_task, subtasks_of

REST = (0.5999, -0.155, -0.173)
PLACES_AT = {"tray": (0.26, -0.2), "box": (0.7, -0.3), "drawer": (0.22, 0.0)}
START = {
    **{"eraser": (0.33620103, 0.12358467), "shed": (0.55123888, -0.17699107)},
    **{"pepsi_bottle": (0.84287004, -0.1479069), "gatorade": (0.75200037, -0.14383595)},
    **{"eraser_2": (0.42755662, -0.13711447), "shed_2": (0.39866522, 0.18929185)},
    "pepsi_bottle_2": (0.46422192, -0.23138137),
}
HEIGHTS = {"eraser": -0.3992, "shed": -0.3863, "pepsi_bottle": -0.3824, "gatorade": -0.3852}
MASSES = {"eraser": 0.2, "shed": 0.05, "pepsi_bottle": 0.05, "gatorade": 0.05}


def make(**keywords: Any) -> gym.Env:
    return gym.make("skillgym/Office-v0", disable_env_checker=True, **keywords)


@pytest.fixture
def env():
    env = make()
    yield env
    env.close()


def act(env: gym.Env, steps: int = 1, **numbers: float) -> tuple:
    """Hold an action of which some numbers are given as `a0=...`; the last transition."""
    action = np.zeros(8, np.float32)
    for name, value in numbers.items():
        action[int(name[1:])] = value
    for _ in range(steps):
        transition = env.step(action)
    return transition


def put(env: gym.Env, name: str, *position: float) -> None:
    """Put an object somewhere, at rest."""
    joint = env.unwrapped.data.joint(name)
    joint.qpos[:3], joint.qvel[:] = position, 0.0


# Scene.


def test_robot_has_the_published_masses_and_joint_ranges():
    model = office_model(10)
    masses = {
        **{"shoulder": 0.480879, "upper_arm": 0.430811, "upper_forearm": 0.234589},
        **{"lower_forearm": 0.220991, "wrist": 0.084957, "left_finger": 0.016246},
    }
    for name, mass in masses.items():
        assert model.body(name).mass[0] == pytest.approx(mass)
    ranges = {
        **{"waist": (-np.pi, np.pi), "shoulder": (-1.88496, 1.98968)},
        **{"elbow": (-2.14675, 1.6057), "wrist_angle": (-1.74533, 2.14675)},
        "drawer": (0.0, 0.125),
    }
    for name, expected in ranges.items():
        np.testing.assert_allclose(model.joint(name).range, expected, atol=1e-5)
    for name in OBJECTS:
        expected = MASSES[name.removesuffix("_2")]
        assert model.body(name).mass[0] == pytest.approx(expected), name
    np.testing.assert_array_equal(model.opt.gravity, [0, 0, -10])
    assert model.opt.timestep == pytest.approx(1 / 240)


def test_sizes_of_objects():
    """Extents of the specification, with a tolerance of 1.5 mm."""
    model, data = office_model(10), mujoco.MjData(office_model(10))
    mujoco.mj_forward(model, data)
    sizes = {
        **{"eraser": (0.0225, 0.0649, 0.0189), "shed": (0.0266, 0.055, 0.048)},
        **{"pepsi_bottle": (0.0342, 0.0892, 0.0342), "gatorade": (0.0284, 0.0833, 0.0284)},
    }
    for name, expected in sizes.items():
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for geom in np.flatnonzero(model.geom_bodyid == model.body(name).id):
            rotation = data.geom_xmat[geom].reshape(3, 3)
            half = np.abs(rotation) @ model.geom_aabb[geom, 3:]
            low = np.minimum(low, data.geom_xpos[geom] - half)
            high = np.maximum(high, data.geom_xpos[geom] + half)
        tolerance = 0.0035 if name == "shed" else 0.0015  # its roof is given as 45 and as 48 mm
        np.testing.assert_allclose(high - low, expected, atol=tolerance, err_msg=name)


def test_camera_is_that_of_the_references_pictures():
    camera = office_model(10).camera("front")
    data = mujoco.MjData(office_model(10))
    mujoco.mj_forward(office_model(10), data)
    axes = data.camera("front").xmat.reshape(3, 3)
    np.testing.assert_allclose(data.camera("front").xpos, [0.6, 0.6213, 0.0735])
    np.testing.assert_allclose(axes[:, 0], [-1, 0, 0], atol=1e-3)
    np.testing.assert_allclose(axes[:, 1], [0, -0.643, 0.766], atol=1e-3)
    assert camera.fovy[0] == 60.0


# Start and observation.


def test_first_observation(env):
    layout = env.unwrapped.layout
    observation, info = env.reset(seed=0)
    assert observation.shape == (97,) and info["subtasks_completed"] == ()
    assert layout.slices["end_effector"] == slice(73, 80)
    np.testing.assert_allclose(observation[73:76], REST, atol=1e-3)
    np.testing.assert_allclose(observation[76:80], [0.7068, -3e-4, -3e-4, 0.7074], atol=1e-3)
    np.testing.assert_allclose(observation[80:83], [0.036, -0.036, 1.0], atol=1e-6)
    np.testing.assert_allclose(observation[70:73], [0.22, 0, -0.357], atol=1e-6)
    np.testing.assert_allclose(observation[83:90], [0.42, -0.4, -0.42, 0, 0, 1, 0], atol=1e-6)
    lamp = [0.07, -0.37, -0.4, 0, 0, 0.9659, 0.2588]
    np.testing.assert_allclose(observation[90:97], lamp, atol=1e-4)
    for index, place in enumerate([(0.7, -0.3, -0.35), (0.26, -0.2, -0.39), (0.1, 0.0, -0.35)]):
        first = 49 + 7 * index
        np.testing.assert_allclose(observation[first : first + 3], place, atol=1e-6)


def test_objects_start_where_the_specification_says(env):
    poses = np.array([env.reset(seed=seed)[0][:49].reshape(7, 7) for seed in range(30)])
    for index, name in enumerate(OBJECTS):
        shift = poses[:, index, :2] - START[name]
        assert np.abs(shift).max() <= 0.01 + 1e-6
        assert np.abs(shift).max() > 0.008  # the whole range is used
        np.testing.assert_allclose(poses[:, index, 2], HEIGHTS[name.removesuffix("_2")], atol=2e-3)
        np.testing.assert_allclose(poses[:, index, 3:], [[0, 0, 1, 0]] * 30, atol=5e-3)
    assert len(np.unique(poses[:, :, 0])) == 30 * 7


def test_objects_stay_where_they_start(env):
    first, _ = env.reset(seed=1)
    last = act(env, steps=48)[0]
    moved = (last - first)[:49].reshape(7, 7)[:, :3]
    assert np.abs(moved).max() < 1e-3


def test_constants_are_37_and_compact_leaves_them_out(env):
    rng = np.random.default_rng(0)
    compact = make(observation="compact")
    full = [env.reset(seed=0)[0]]
    small = [compact.reset(seed=0)[0]]
    for _ in range(40):
        action = rng.uniform(-1, 1, 8)
        full.append(env.step(action)[0])
        small.append(compact.step(action)[0])
    moving = np.ptp(full, axis=0) > 0
    constant = [*range(49, 70), 71, 72, *range(83, 97)]
    assert not moving[constant].any()
    sources = np.array([row["source"] for row in env.unwrapped.layout.rows()])
    labels = [row["label"] for row in compact.unwrapped.layout.rows()]
    assert len(labels) == 60 and "handle x" in labels and "handle y" not in labels
    kept = np.setdiff1d(np.arange(97), constant)
    np.testing.assert_array_equal(np.array(small), np.array(full)[:, kept])
    assert set(sources[kept]) == {"qpos", "sensor", "memory"}


def test_goal_tells_task_and_progress():
    env = make(tasks=("shed_2 in box", "gatorade in tray"), goal=True)
    observation, _ = env.reset(seed=0)
    assert observation.shape == (97 + 20 + 1,)
    rows = env.unwrapped.layout.rows()
    ones = [rows[97 + int(i)]["label"] for i in np.flatnonzero(observation[97:117])]
    assert ones == ["object 1: shed_2", "place 1: box", "object 2: gatorade", "place 2: tray"]
    assert observation[117] == 0.0
    put(env, "shed_2", *REST)
    observation, reward, *_ = act(env)
    assert (observation[117], reward) == (1.0, 1.0)
    assert act(env)[0][117] == 1.0


# Control.


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_an_action_moves_by_about_42_mm(env, axis, sign):
    """Half an action for five steps: 0.09 to 0.11 m, from a place with room for it."""
    first = env.reset(seed=0)[0][73:76]
    if axis == 2:
        first = act(env, steps=5, a2=-0.5 * sign)[0][73:76]
        first = act(env, steps=3)[0][73:76]
    last = act(env, steps=5, **{f"a{axis}": 0.5 * sign})[0][73:76]
    moved = (last - first) * sign
    room = axis == 1 and sign < 0  # the workspace ends at y = -0.3
    assert 0.09 <= moved[axis] <= 0.112 or (room and moved[axis] > 0.09)
    assert np.abs(np.delete(moved, axis)).max() < 0.012


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_action_turns_by_about_5_degrees(env, axis):
    env.reset(seed=0)
    before = env.unwrapped.data.site("end_effector").xmat.reshape(3, 3).copy()
    act(env, steps=5, **{f"a{3 + axis}": 0.5})
    turn = env.unwrapped.data.site("end_effector").xmat.reshape(3, 3) @ before.T
    angle = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
    assert 11 <= angle <= 13
    vector = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    assert vector[axis] / np.linalg.norm(vector) > 0.99  # about the axis of the world


def test_zero_action_keeps_arm_and_drawer_in_place(env):
    first, _ = env.reset(seed=0)
    last = act(env, steps=100)[0]
    assert np.linalg.norm((last - first)[73:76]) < 1e-3
    assert abs(last[70] - first[70]) < 1e-3


def test_target_stays_in_the_workspace(env):
    env.reset(seed=0)
    assert -0.345 < act(env, steps=12, a2=-1.0)[0][75] < -0.33
    assert -0.1 < act(env, steps=20, a2=1.0)[0][75] + 0.005 < 0.0
    assert -0.31 < act(env, steps=12, a1=-1.0)[0][74] < -0.28


def test_targets_have_the_limits_of_the_specification():
    """The corners of the workspace, and 2.6 rad from pointing down."""
    world = OfficeWorld()
    _, memory = world.reset([np.random.default_rng(0)] * 2)
    memory["end_effector"] = np.array([[0.21, -0.29, -0.33], [1.19, 0.49, -0.11]])
    memory["turn"] = np.array([[0.0, 2.59, 0.0], [1.0, -1.0, 0.5]])
    action = np.zeros((2, 8))
    action[:, :3], action[0, 4] = [[-1.0], [1.0]], 1.0
    control = world.control(action, memory)
    np.testing.assert_allclose(control.ctrl[:, :3], [[0.2, -0.3, -0.34], [1.2, 0.5, -0.1]])
    np.testing.assert_allclose(control.ctrl[:, 3:6], [[0.0, 2.6, 0.0], [1.0, -1.0, 0.5]])
    np.testing.assert_array_equal(control.memory["turn"], control.ctrl[:, 3:6])


def test_gripper_is_a_switch(env):
    """Beyond 0.5 it switches, in a step of 0.3125 s; else it stays as it is."""
    env.reset(seed=0)
    data = env.unwrapped.data

    def lasts(trigger: float) -> tuple[float, float, float]:
        before = data.time
        observation = act(env, a6=trigger)[0]
        return round(data.time - before, 5), observation[80], observation[82]

    short, long = round(1 / 24, 5), 0.3125
    seconds, finger, flag = lasts(-0.5)
    assert (seconds, flag) == (short, 1.0) and finger == pytest.approx(0.036, abs=1e-4)
    seconds, finger, flag = lasts(-0.51)
    assert (seconds, flag) == (long, 0.0) and finger < 0.0171
    assert lasts(-0.9)[::2] == (short, 0.0)
    assert lasts(0.5)[::2] == (short, 0.0)
    seconds, finger, flag = lasts(0.51)
    assert (seconds, flag) == (long, 1.0) and finger == pytest.approx(0.036, abs=2e-3)
    assert lasts(0.9)[::2] == (short, 1.0)


def test_the_eighth_number_does_nothing(env):
    other = make()
    for one in (env, other):
        one.reset(seed=0)
    for value in (1.0, -1.0):
        np.testing.assert_array_equal(act(env, a0=0.3, a7=value)[0], act(other, a0=0.3)[0])


def test_substeps_change_the_physics_step_not_the_control_step():
    worlds = [OfficeWorld(substeps=n) for n in (5, 10, 20)]
    assert [round(world.control_timestep * 24, 9) for world in worlds] == [1.0] * 3
    ends = []
    for count in (10, 20):
        env = make(substeps=count)
        env.reset(seed=0)
        ends.append(act(env, steps=5, a0=0.5)[0][73:76])
    np.testing.assert_allclose(*ends, atol=4e-3)


# Subtasks.


def holds(name: str, objects: dict[str, np.ndarray], hand: np.ndarray, opening: float) -> bool:
    """The predicates as the specification words them."""
    if name == "open drawer":
        return opening / 0.1208 > 0.75
    if name == "close drawer":
        return opening / 0.1208 < 0.4
    verb, rest = name.split(" ", 1)
    if verb == "pick":
        return bool(objects[rest][2] > -0.3 and np.linalg.norm(objects[rest] - hand) < 0.25)
    item, place = rest.split(" in ")
    gap = np.hypot(*(objects[item][:2] - PLACES_AT[place]))
    return bool(objects[item][2] < -0.3 and gap < 0.1)


def test_every_predicate_on_random_states():
    model = office_model(10)
    table = SubtaskTable(model, SUBTASKS)
    rng = np.random.default_rng(0)
    n = 150
    slots = {item: int(model.joint(item).qposadr[0]) for item in OBJECTS}
    qpos = np.repeat(office_start(10).qpos[None], n, axis=0)
    hand = rng.normal((0.4, -0.15, -0.3), 0.12, (n, 3))
    for first in slots.values():
        centre = np.array([*PLACES_AT.values()])[rng.integers(3, size=n)]
        qpos[:, first : first + 2] = centre + rng.normal(0, 0.07, (n, 2))
        qpos[:, first + 2] = rng.uniform(-0.4, -0.2, n)
    drawer = int(model.joint("drawer").qposadr[0])
    qpos[:, drawer] = rng.uniform(0, 0.125, n)
    for index, name in enumerate(SUBTASKS):
        got, flags = table.check(np.full(n, index), qpos, hand)
        expected = []
        for row in range(n):
            objects = {item: qpos[row, slot : slot + 3] for item, slot in slots.items()}
            expected.append(holds(name, objects, hand[row], qpos[row, drawer]))
        np.testing.assert_array_equal(got, expected, err_msg=name)
        assert 0 < sum(expected) < n, name
        assert flags.sum(axis=1).tolist() == [1] * n and flags[0, index]


def test_the_queue_of_the_fixed_task(env):
    """Only the first open subtask counts, one in a control step; then the episode ends."""
    world, data = env.unwrapped.world, env.unwrapped.data
    assert world.subtasks == (
        *("pick eraser", "place eraser in tray", "pick shed", "place shed in box"),
        *("open drawer", "pick pepsi_bottle", "place pepsi_bottle in drawer", "close drawer"),
    )
    env.reset(seed=0)
    put(env, "shed", *REST)  # not its turn
    assert act(env)[1] == 0.0
    steps = [
        lambda: put(env, "eraser", *REST),
        lambda: put(env, "eraser", 0.26, -0.2, -0.37),
        lambda: put(env, "shed", *REST),
        lambda: put(env, "shed", 0.7, -0.3, -0.36),
        lambda: data.joint("drawer").qpos.fill(0.11),
        lambda: put(env, "pepsi_bottle", *REST),
        lambda: put(env, "pepsi_bottle", 0.21, 0.0, -0.36),
        lambda: data.joint("drawer").qpos.fill(0.04),
    ]
    for count, (name, prepare) in enumerate(zip(world.subtasks, steps, strict=True), start=1):
        prepare()
        _, reward, terminated, truncated, info = act(env)
        assert (reward, terminated, truncated) == (1.0, count == 8, False), name
        assert info["subtasks_completed_step"] == (name,)
        assert info["subtasks_completed"] == world.subtasks[:count]
        if count in (1, 6):
            assert act(env)[1] == 0.0  # nothing twice
    assert act(env)[1:3] == (0.0, True)


def test_the_drawer_brakes_with_5_newton(env):
    env.reset(seed=0)
    data = env.unwrapped.data
    joint = env.unwrapped.world.model.joint("drawer")
    for force, moves in ((4.8, False), (5.6, True)):
        data.qfrc_applied[joint.dofadr[0]] = force
        opening = act(env, steps=10)[0][70] - 0.22
        assert bool(opening > 0.02) == moves


# Tasks.


def test_random_tasks_are_drawn_from_all():
    rng = np.random.default_rng(0)
    drawn = {draw_task(rng) for _ in range(3000)}
    assert 1050 < len(drawn) <= 1260  # of 1260, 1144 are expected
    assert len({frozenset(task) for task in drawn}) == 210
    for task in itertools.islice(drawn, 50):
        items, places = zip(*(name.split(" in ") for name in task), strict=True)
        assert len(set(items)) == 3 and set(places) == {"tray", "box", "drawer"}
        subtasks = subtasks_of(task)
        assert len(subtasks) == 8
        at = subtasks.index("open drawer")
        verbs = [name.split()[0] for name in subtasks[at : at + 4]]
        assert verbs == ["open", "pick", "place", "close"]


def test_random_tasks_come_from_the_seed_and_do_not_change_the_start():
    env, other = make(tasks="rand", goal=True), make(goal=True)
    tasks = [env.reset(seed=seed)[0][97:127] for seed in range(20)]
    assert len({tuple(task) for task in tasks}) == 20
    np.testing.assert_array_equal(env.reset(seed=3)[0][97:127], tasks[3])
    np.testing.assert_array_equal(env.reset(seed=3)[0][:97], other.reset(seed=3)[0][:97])


def test_random_task_names_its_subtasks():
    env = make(tasks="rand")
    env.reset(seed=0)
    task = draw_task_of(0)
    for subtask in subtasks_of(task)[:2]:
        name = task[0].split(" in ")[0]
        if subtask == "open drawer":
            env.unwrapped.data.joint("drawer").qpos[:] = 0.11
        elif subtask.startswith("pick"):
            put(env, name, *REST)
        else:
            put(env, name, *PLACES_AT[task[0].split(" in ")[1]], -0.36)
        assert act(env)[-1]["subtasks_completed_step"] == (subtask,)


def draw_task_of(seed: int) -> tuple[str, ...]:
    """The task that `reset(seed=seed)` draws, after the objects' starts."""
    rng = np.random.default_rng(np.random.PCG64(np.random.SeedSequence(seed)))
    rng.uniform(size=(7, 2))
    return draw_task(rng)


def test_tasks_of_ones_own():
    world = OfficeWorld(tasks=["gatorade in drawer"])
    assert world.subtasks == subtasks_of(["gatorade in drawer"])
    assert OfficeWorld().task == FIXED_TASK and OfficeWorld("rand").task is None
    assert OfficeWorld("eraser in tray").task == ("eraser in tray",)
    five = [f"{name} in {place}" for name, place in zip(OBJECTS[:5], ["tray", "box"] * 3)]  # noqa: B905
    assert len(OfficeWorld(tasks=five).subtasks) == 10


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"tasks": "fixt"}, "did you mean 'fixed'"),
        ({"tasks": ["eraser in trey"]}, "did you mean 'eraser in tray'"),
        ({"tasks": []}, "no subtask"),
        ({"tasks": 5}, "task 5, which is not a list"),
        ({"tasks": [["eraser in tray"]]}, "eraser in tray"),
        ({"tasks": ["eraser in tray", "eraser in box"]}, "an object twice"),
        ({"tasks": ["eraser in drawer", "shed in drawer"]}, "drawer twice"),
        ({"observation": "compct"}, "did you mean 'compact'"),
        ({"observation": np.array(["full", "compact"])}, "known: .compact., .full."),
    ],
)
def test_mistakes_are_one_sentence(keywords, message):
    with pytest.raises(SkillgymError, match=message) as caught:
        OfficeWorld(**keywords)
    assert "\n" not in str(caught.value)


# Batches.


def test_world_logic_is_the_same_on_numpy_and_torch():
    """`control`, `observe` and `score` on torch tensors: the bits of NumPy, types kept."""
    world = OfficeWorld(tasks="rand", goal=True)
    rng = np.random.default_rng(0)
    n = 48
    state, memory = world.reset([np.random.default_rng(seed) for seed in range(n)])
    memory |= {"open": rng.integers(0, 2, (n, 1)).astype(float)}
    memory |= {"turn": rng.normal(size=(n, 3)) * 2, "progress": rng.integers(0, 9, n)}
    qpos = state.qpos + rng.normal(size=state.qpos.shape) * 0.05
    hand = world._end_effector
    sensors = np.zeros((n, world.model.nsensordata))
    sensors[:, hand] = rng.normal(size=(n, 3)) * 0.1 + [0.4, -0.1, -0.3]
    inputs = {"action": rng.normal(size=(n, 8)), "qpos": qpos, "sensors": sensors}

    def run(convert: Any) -> dict[str, Any]:
        at = {name: convert(value) for name, value in inputs.items()}
        kept = {name: convert(value) for name, value in memory.items()}
        control = world.control(at["action"], kept)
        physics = Physics(at["qpos"], at["qpos"][:, :51], at["sensors"])
        observation, kept = world.observe(physics, kept | control.memory, at["qpos"][:, :0])
        outcome, kept = world.score(observation, physics, kept)
        got = {"ctrl": control.ctrl, "steps": control.steps, "observation": observation}
        return got | outcome._asdict() | kept

    expected, got = run(np.asarray), run(torch.asarray)
    assert expected["reward"].any() and expected["terminated"].any()
    assert set(expected["steps"].tolist()) == {10, 75}
    for name, value in expected.items():
        assert isinstance(got[name], torch.Tensor), name
        assert got[name].numpy().dtype == value.dtype, name
        np.testing.assert_allclose(got[name].numpy(), value, rtol=0, atol=1e-15, err_msg=name)


def test_environment_i_equals_a_single_one():
    """Bit for bit, with grippers that open and close at different times."""
    n, steps = 2, 10
    batch = gym.make_vec(
        "skillgym/Office-v0",
        n,
        vectorization_mode="vector_entry_point",
        num_threads=2,
        tasks="rand",
    )
    actions = np.random.default_rng(0).uniform(-1, 1, (steps, n, 8)).astype(np.float32)
    together = [batch.reset(seed=3)[0], *(batch.step(action)[0] for action in actions)]
    batch.close()
    for i in range(n):
        env = make(tasks="rand")
        alone = [env.reset(seed=3 + i)[0], *(env.step(action[i])[0] for action in actions)]
        np.testing.assert_array_equal(alone, [rows[i] for rows in together])


# Bad days.


def test_random_actions_do_no_harm():
    row = measure(substeps=10, steps=400, seeds=8, threads=1)
    assert (row.not_finite, row.warnings, row.off_the_desk) == (0, 0, 0)
    assert row.fastest_object < 2.0 and row.fastest_joint < 16.0


@pytest.fixture(scope="module")
def hundred_thousand() -> Row:
    """What as many random actions do to 64 desks."""
    return measure(substeps=10, steps=100_000, seeds=64)


@pytest.mark.slow
def test_a_hundred_thousand_random_actions_stay_numbers(hundred_thousand):
    assert hundred_thousand.control_steps >= 100_000
    assert (hundred_thousand.not_finite, hundred_thousand.warnings) == (0, 0)
    assert hundred_thousand.fastest_joint < 16.0


@pytest.mark.slow
@pytest.mark.xfail(strict=True, reason="the arm hits 2 of 448 objects off the desk")
def test_a_hundred_thousand_random_actions_leave_the_objects_on_the_desk(hundred_thousand):
    assert hundred_thousand.off_the_desk == 0


@pytest.mark.slow
def test_ten_thousand_steps_without_a_reset():
    row = measure(substeps=10, steps=10_000, seeds=1)
    assert (row.not_finite, row.warnings, row.off_the_desk) == (0, 0, 0)


def test_objects_out_of_bounds_stay_numbers(env):
    """An object in the air, one inside the desk and one far away."""
    env.reset(seed=0)
    put(env, "eraser", 0.4, 0.2, 1.0)
    put(env, "gatorade", 0.7, 0.3, -0.41)
    put(env, "shed", 40.0, -30.0, -5.0)
    observation = act(env, steps=30, a2=-1.0, a6=-1.0)[0]
    assert np.isfinite(observation).all()
    assert observation[2] < -0.37 and -0.41 < observation[23] < 0.2
    assert not env.unwrapped.data.warning.number.any()
